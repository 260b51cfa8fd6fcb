"""Files of a case: complete, with names, colours and codes, and never over others."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from KPrismCore.class_table import ClassEntry
from KPrismCore.errors import OutputFileError
from KPrismCore.terminology import Code, Terminology
from KPrismCore.volumes import list_segments, read_segmentation, read_volume
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.scene_samples import GRIDS, new_transform, new_volume, whole_box

FORMATS = ("seg.nrrd", "nrrd", "nii.gz")
LIVER = ClassEntry(
    index=1,
    name="liver",
    synonyms=(),
    region=("abdomen",),
    modality=("CT",),
    plane=("axial",),
    terminology=Terminology(Code("123037004", "Anatomical Structure"), Code("10200004", "Liver")),
    colour="#dd8265",
)


@pytest.fixture(params=["flipped", "rotated", "permuted"])
def volume(request, scene):
    return new_volume(*GRIDS[request.param], "CT 1")


@pytest.fixture
def masks():
    """Of liver and spleen; they do not overlap."""
    drawn = np.random.default_rng(2).integers(0, 3, (7, 8, 9))
    return drawn == 1, drawn == 2


@pytest.fixture
def segmentation(bridge, volume, masks):
    node = bridge.newSegmentation(volume)
    segments = [bridge.newSegment(node, entry=LIVER), bridge.newSegment(node, "left spleen", "#9d6ca2")]
    for one, mask in zip(segments, masks, strict=True):
        bridge.write(node, one, volume, None, mask, whole_box(mask.shape))
    return node


@pytest.fixture
def export(bridge, segmentation, volume, tmp_path):
    """Export with the given formats and options; returns the paths by ending."""

    def write(*formats, **options):
        paths = bridge.exportCase(segmentation, volume, tmp_path, formats, **options)
        return {path.name: path for path in paths}

    return write


def test_names_come_from_the_case(export):
    assert sorted(export(*FORMATS)) == [
        "CT 1-label.ctbl",
        "CT 1-label.nii.gz",
        "CT 1-label.nrrd",
        "CT 1.seg.nrrd",
    ]


def test_one_segment_alone_adds_its_name(export, segmentation):
    spleen = segmentation.GetSegmentation().GetNthSegmentID(1)
    assert list(export("seg.nrrd", segments=[spleen])) == ["CT 1_left spleen.seg.nrrd"]


def test_the_paths_can_be_had_before(bridge, export, segmentation, volume, tmp_path):
    before = bridge.exportPaths(segmentation, volume, tmp_path, FORMATS)
    assert not any(path.exists() for path in before)
    assert sorted(before) == sorted(export(*FORMATS).values())


@pytest.mark.parametrize("name", ["CT 1.seg.nrrd", "CT 1-label.nrrd", "CT 1-label.nii.gz"])
@pytest.mark.parametrize("number", [0, 1])
def test_the_voxels_are_those_of_the_segments(export, volume, masks, name, number):
    path = export(*FORMATS)[name]
    mask, _, _ = read_segmentation(path, number + 1)
    np.testing.assert_array_equal(mask, masks[number])


@pytest.mark.parametrize("name", ["CT 1.seg.nrrd", "CT 1-label.nrrd", "CT 1-label.nii.gz"])
def test_the_grid_is_the_images(bridge, export, volume, name):
    path = export(*FORMATS)[name]
    _, geometry, _ = read_segmentation(path, 1)
    assert geometry.same_grid(bridge.volumeOf(volume).geometry, 0.01)


def test_slicer_reads_the_segmentation_back(bridge, export, scene, volume, masks):
    loaded = slicer.util.loadSegmentation(str(export("seg.nrrd")["CT 1.seg.nrrd"]))
    source = loaded.GetSegmentation()
    for number, (name, colour) in enumerate((("liver", "#dd8265"), ("left spleen", "#9d6ca2"))):
        segment = source.GetNthSegment(number)
        rgb = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        assert segment.GetName() == name
        np.testing.assert_allclose(segment.GetColor(), rgb, atol=1e-5)
        found = bridge.readSegment(loaded, source.GetNthSegmentID(number), volume)
        np.testing.assert_array_equal(found, masks[number])
    assert source.GetNthSegment(0).GetTerminology() == LIVER.terminology.entry_string()


@pytest.mark.parametrize("ending", ["nrrd", "nii.gz"])
def test_slicer_reads_the_labelmap_back(export, masks, ending):
    path = export("nrrd", "nii.gz")[f"CT 1-label.{ending}"]
    loaded = slicer.util.loadLabelVolume(str(path))
    found = slicer.util.arrayFromVolume(loaded)
    np.testing.assert_array_equal(found, masks[0] * 1 + masks[1] * 2)


def test_the_colour_table_names_the_labels(export):
    lines = export("nrrd")["CT 1-label.ctbl"].read_text(encoding="utf-8").splitlines()
    assert "1 liver 221 130 101 255" in lines
    assert "2 left_spleen 157 108 162 255" in lines


def test_codes_that_slicer_knows_better_are_kept(export, segmentation):
    text = (
        "A list of my own~SCT^49755003^Morphologically Altered Structure~SCT^4147007^Mass~^^"
        "~My regions~SCT^10200004^Liver~SCT^24028007^Right"
    )
    segmentation.GetSegmentation().GetNthSegment(0).SetTerminology(text)
    assert list_segments(export("seg.nrrd")["CT 1.seg.nrrd"])[0].terminology == text


def test_the_status_is_kept(export):
    tags = list_segments(export("seg.nrrd")["CT 1.seg.nrrd"])[0].tags
    assert tags["Segmentation.Status"] == "inprogress"


def test_a_transform_of_both_is_not_in_the_file(bridge, export, segmentation, volume, masks, tmp_path):
    plain = bridge.volumeOf(volume).geometry
    transform = new_transform().GetID()
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(transform)
    mask, geometry, _ = read_segmentation(export("seg.nrrd")["CT 1.seg.nrrd"], 1)
    np.testing.assert_array_equal(mask, masks[0])
    assert geometry.same_grid(plain)


class TestExistingFiles:
    @pytest.mark.parametrize("name", ["CT 1.seg.nrrd", "CT 1-label.ctbl", "CT 1-label.nii.gz"])
    def test_one_is_not_overwritten(self, export, tmp_path, name):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputFileError, match=name):
            export(*FORMATS)
        assert (tmp_path / name).read_text() == "mine"

    def test_none_is_written_if_one_exists(self, export, tmp_path):
        (tmp_path / "CT 1-label.nrrd").write_text("mine")
        with pytest.raises(OutputFileError):
            export(*FORMATS)
        assert [path.name for path in tmp_path.iterdir()] == ["CT 1-label.nrrd"]

    def test_they_are_overwritten_if_allowed(self, export, masks):
        first = export(*FORMATS)
        first["CT 1.seg.nrrd"].write_text("old")
        again = export(*FORMATS, overwrite=True)
        np.testing.assert_array_equal(read_segmentation(again["CT 1.seg.nrrd"], 1)[0], masks[0])

    def test_the_image_beside_is_not_in_the_way(self, export, tmp_path):
        image = tmp_path / "CT 1.nrrd"
        image.write_text("image")
        export(*FORMATS)
        assert image.read_text() == "image"


def test_overlapping_segments_are_whole_in_the_segmentation(bridge, export, segmentation, volume, masks):
    overlap(bridge, segmentation, volume, masks)
    path = export("seg.nrrd")["CT 1.seg.nrrd"]
    np.testing.assert_array_equal(read_segmentation(path, "liver")[0], masks[0])
    assert read_segmentation(path, "left spleen")[0].all()


def test_what_a_labelmap_could_not_hold_is_said_once(bridge, segmentation, volume, masks, tmp_path):
    overlap(bridge, segmentation, volume, masks)
    written = bridge.writeCase(segmentation, volume, tmp_path, ("nrrd", "nii.gz"))
    assert len(written.warnings) == 1
    assert written.warnings[0].startswith(f"liver lost {masks[0].sum()} voxels")


def overlap(bridge, segmentation, volume, masks):
    spleen = segmentation.GetSegmentation().GetNthSegmentID(1)
    bridge.write(segmentation, spleen, volume, None, np.ones_like(masks[0]), whole_box(masks[0].shape))


def test_an_unknown_format_is_an_error(export):
    with pytest.raises(OutputFileError, match="stl"):
        export("seg.nrrd", "stl")


def test_no_format_is_an_error(export):
    with pytest.raises(OutputFileError):
        export()


def test_a_segmentation_without_segments_is_an_error(bridge, volume, tmp_path):
    with pytest.raises(OutputFileError, match="no segment"):
        bridge.exportCase(bridge.newSegmentation(volume), volume, tmp_path, ("seg.nrrd",))


def test_a_folder_that_is_a_file_is_an_error(bridge, segmentation, volume, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFileError):
        bridge.exportCase(segmentation, volume, tmp_path / "file", ("seg.nrrd",))


def test_a_new_folder_is_made(bridge, segmentation, volume, tmp_path):
    (path,) = bridge.exportCase(segmentation, volume, tmp_path / "new" / "folder", ("seg.nrrd",))
    assert path.is_file()


def test_an_exported_image_grid_matches_the_image_file(bridge, export, volume, tmp_path):
    slicer.util.saveNode(volume, str(tmp_path / "image.nrrd"))
    saved = read_volume(tmp_path / "image.nrrd").geometry
    _, geometry, _ = read_segmentation(export("seg.nrrd")["CT 1.seg.nrrd"], 1)
    assert geometry.same_grid(saved)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CT 1: liver/spleen?", "CT 1_ liver_spleen_"),
        ("  spaced   out.. ", "spaced out"),
        ("", "case"),
        ("..", "case"),
        ("CON", "CON_"),
        ("aux.old", "aux_.old"),
        ("Ärztin 腹部", "Ärztin 腹部"),
    ],
)
def test_names_are_made_safe_for_files(scene, text, name):
    from KPrismSlicerLib.Export import safeName

    assert safeName(text) == name


def test_a_long_name_in_another_script_can_be_written(bridge, segmentation, volume, tmp_path):
    volume.SetName("\u60a3\u8005" * 80)
    paths = bridge.exportCase(segmentation, volume, tmp_path, ("seg.nrrd", "nrrd", "nii.gz"))
    assert all(path.is_file() for path in paths)


def test_a_folder_of_a_name_that_is_too_long_is_an_error(bridge, segmentation, volume, tmp_path):
    with pytest.raises(OutputFileError, match="cannot be written"):
        bridge.exportCase(segmentation, volume, tmp_path / ("q" * 300), ["nrrd"])
