"""Segmentations: Slicer's own files, labelmaps, and masks taken from grid to grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from image_samples import CT_ARRAY, image_of, write

from KPrismCore.errors import GeometryError, InputFileError, PromptError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.volumes import list_segments, read_segmentation, read_volume, resample_mask_onto


@pytest.fixture
def a_labelmap(tmp_path: Path) -> Path:
    labels = np.zeros((6, 20, 30), np.uint8)
    labels[1, 2:5, 3:9], labels[4, 10:12, 20:25] = 3, 12
    return write(tmp_path / "labels.nii.gz", labels)


def test_labels_present_are_listed(a_labelmap: Path) -> None:
    assert [(one.name, one.label) for one in list_segments(a_labelmap)] == [("3", 3), ("12", 12)]


@pytest.mark.parametrize("segment", [12, "12"])
def test_a_label_is_chosen_by_its_number(a_labelmap: Path, segment: str | int) -> None:
    mask, geometry, name = read_segmentation(a_labelmap, segment)
    assert (int(mask.sum()), mask[4, 10, 20], name) == (10, True, "12")
    assert geometry.same_grid(VolumeGeometry.from_image(image_of(CT_ARRAY)))


@pytest.mark.parametrize("segment", [None, 5, "liver"])
def test_a_label_that_is_not_clear_names_those_there_are(a_labelmap: Path, segment: str | int | None) -> None:
    with pytest.raises(PromptError, match=r"3, 12"):
        read_segmentation(a_labelmap, segment)


def test_a_colour_table_gives_names_to_labels(a_labelmap: Path) -> None:
    a_labelmap.with_name("labels.ctbl").write_text(
        "# table\n0 Background 0 0 0 0\n12 left_kidney 255 0 51 255\n"
    )
    assert read_segmentation(a_labelmap, "Left Kidney")[2] == "left kidney"
    assert list_segments(a_labelmap)[1].colour == pytest.approx((1, 0, 0.2))


def test_a_single_label_needs_no_choice(tmp_path: Path) -> None:
    labels = np.zeros((2, 20, 30), np.uint16)
    labels[1, 4, 5] = 500
    mask, _, name = read_segmentation(write(tmp_path / "one.nrrd", labels))
    assert (np.argwhere(mask).tolist(), name) == ([[1, 4, 5]], "500")


def test_a_grey_picture_can_be_a_mask(tmp_path: Path) -> None:
    picture = np.zeros((20, 30), np.uint8)
    picture[4, 5] = 255
    assert np.argwhere(read_segmentation(write(tmp_path / "mask.png", picture))[0]).tolist() == [[0, 4, 5]]


def test_an_empty_labelmap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="no segment"):
        read_segmentation(write(tmp_path / "empty.nrrd", np.zeros((2, 20, 30), np.uint8)))


@pytest.mark.parametrize(
    "array", [CT_ARRAY, np.random.default_rng(5).random((2, 5, 5)), np.full((2, 5, 5), np.nan)]
)
def test_an_image_is_no_labelmap(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(InputFileError, match="not a labelmap"):
        read_segmentation(write(tmp_path / "scan.nrrd", array))


def test_a_colour_picture_is_no_labelmap(tmp_path: Path) -> None:
    picture = np.ones((20, 30, 3), np.uint8)
    with pytest.raises(InputFileError, match="not a labelmap"):
        read_segmentation(write(tmp_path / "colour.png", picture, vector=True))


@pytest.fixture(scope="module")
def slicer_data() -> Callable[[str], str]:
    slicerio = pytest.importorskip("slicerio")
    return lambda name: str(Path(slicerio.__file__).parent / "data" / name)


def test_a_slicer_segmentation_lies_on_its_image(slicer_data: Callable[[str], str]) -> None:
    volume = read_volume(slicer_data("CTChest4.nrrd"))
    mask, geometry, _ = read_segmentation(slicer_data("Segmentation.seg.nrrd"), "right lung")
    assert geometry.same_grid(volume.geometry)
    assert np.median(volume.array[mask]) < -700


def test_slicer_names_labels_colours_and_codes_are_listed(slicer_data: Callable[[str], str]) -> None:
    segments = list_segments(slicer_data("Segmentation.seg.nrrd"))
    assert [(one.name, one.label) for one in segments][4:6] == [("right lung", 5), ("left lung", 6)]
    assert segments[5].colour == pytest.approx((0.772549, 0.0980392, 0.388235))
    assert "SCT^39607008^Lung~SCT^7771000^Left" in segments[5].terminology
    assert segments[5].tags["Segmentation.Status"] == "inprogress"


@pytest.mark.parametrize("segment", ["ribs", "RIBS", "Segment_1", "1", 1])
def test_a_segment_is_chosen_by_name_id_or_label(
    slicer_data: Callable[[str], str], segment: str | int
) -> None:
    assert read_segmentation(slicer_data("Segmentation.seg.nrrd"), segment)[2] == "ribs"


def test_an_overlapping_segment_comes_from_its_own_layer(slicer_data: Callable[[str], str]) -> None:
    path = slicer_data("SegmentationOverlapping.seg.nrrd")
    sphere, ribs = (read_segmentation(path, name)[0] for name in ("overlapping sphere", "ribs"))
    k, j, i = np.argwhere(sphere).T
    assert (i.min(), i.max(), j.min(), j.max(), k.min(), k.max()) == (16, 64, 61, 109, 16, 30)
    assert np.any(sphere & ribs)


def test_a_label_in_two_layers_is_ambiguous(slicer_data: Callable[[str], str]) -> None:
    with pytest.raises(PromptError, match=r"2 segments '1'.*Segment_1, 2\.25"):
        read_segmentation(slicer_data("SegmentationOverlapping.seg.nrrd"), 1)


def test_an_unknown_segment_names_those_there_are(slicer_data: Callable[[str], str]) -> None:
    with pytest.raises(PromptError, match=r"right lung \(label 5\), left lung \(label 6\)"):
        read_segmentation(slicer_data("Segmentation.seg.nrrd"), "spleen")


def write_segments(path: Path, labels: np.ndarray, names: list[str]) -> Path:
    image = image_of(labels)
    for number, name in enumerate(names):
        for key, value in {
            "ID": f"s{number}",
            "Name": name,
            "LabelValue": str(number + 1),
            "Layer": "0",
        }.items():
            image.SetMetaData(f"Segment{number}_{key}", value)
    sitk.WriteImage(image, str(path))
    return path


def test_two_segments_of_one_name_are_told_apart_by_id(tmp_path: Path) -> None:
    path = write_segments(tmp_path / "twice.seg.nrrd", CT_ARRAY.clip(0, 2).astype(np.uint8), ["node", "node"])
    with pytest.raises(PromptError, match="s0, s1"):
        read_segmentation(path, "node")
    assert np.array_equal(read_segmentation(path, "s1")[0], CT_ARRAY >= 2)


@pytest.mark.parametrize(("key", "value"), [("Layer", "1"), ("Layer", "first"), ("LabelValue", "x")])
def test_a_damaged_list_of_segments_is_refused(tmp_path: Path, key: str, value: str) -> None:
    image = image_of(CT_ARRAY.clip(0, 1).astype(np.uint8))
    for name, text in {"ID": "s0", "LabelValue": "1", "Layer": "0", key: value}.items():
        image.SetMetaData(f"Segment0_{name}", text)
    sitk.WriteImage(image, str(tmp_path / "damaged.seg.nrrd"))
    with pytest.raises(InputFileError, match="list of segments"):
        list_segments(tmp_path / "damaged.seg.nrrd")


def test_a_list_of_segments_without_layers_and_labels_has_a_layer_for_each(tmp_path: Path) -> None:
    # as Slicer wrote it before 4.11
    layers = np.zeros((6, 20, 30, 2), np.uint8)
    layers[1, 2, 3, 0] = layers[4, 5, 6, 1] = 1
    image = image_of(layers, vector=True)
    for number in (0, 1):
        image.SetMetaData(f"Segment{number}_ID", f"s{number}")
    sitk.WriteImage(image, str(tmp_path / "old.seg.nrrd"))
    found = [
        np.argwhere(read_segmentation(tmp_path / "old.seg.nrrd", one)[0]).tolist() for one in ("s0", "s1")
    ]
    assert found == [[[1, 2, 3]], [[4, 5, 6]]]


def test_names_in_any_script_are_read(tmp_path: Path) -> None:
    path = write_segments(tmp_path / "names.seg.nrrd", CT_ARRAY.clip(0, 1).astype(np.uint8), ["Größe 肝"])
    assert read_segmentation(path)[2] == "Größe 肝"


# from grid to grid


def cropped(
    geometry: VolumeGeometry, start: tuple[int, int, int], size: tuple[int, int, int]
) -> VolumeGeometry:
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 3] = geometry.ras_from_ijk(start)
    return VolumeGeometry(size, matrix)


@pytest.fixture
def a_grid() -> VolumeGeometry:
    return VolumeGeometry.from_image(image_of(CT_ARRAY))


@pytest.mark.parametrize("start", [(3, 2, 1), (-4, -3, -2), (25, 15, 4), (0, 0, 0)])
def test_a_cropped_mask_keeps_its_places_exactly(a_grid: VolumeGeometry, start: tuple[int, int, int]) -> None:
    small = cropped(a_grid, start, (12, 11, 4))
    mask = np.random.default_rng(6).random(small.shape) < 0.5
    placed = np.argwhere(resample_mask_onto(mask, small, a_grid))[:, ::-1]
    everywhere = np.argwhere(mask)[:, ::-1] + start
    inside = everywhere[np.all((everywhere >= 0) & (everywhere < a_grid.size), axis=1)]
    assert sorted(map(tuple, placed)) == sorted(map(tuple, inside))


def test_a_mask_far_away_leaves_the_grid_empty(a_grid: VolumeGeometry) -> None:
    far = cropped(a_grid, (500, 0, 0), (5, 5, 5))
    assert not resample_mask_onto(np.ones(far.shape, bool), far, a_grid).any()


def test_a_mask_on_a_flipped_grid_comes_to_the_same_places(a_grid: VolumeGeometry) -> None:
    matrix = a_grid.ijk_to_ras @ np.diag((-1.0, 1, 1, 1))
    matrix[:3, 3] = a_grid.ras_from_ijk((a_grid.size[0] - 1, 0, 0))
    mask = np.random.default_rng(7).random(a_grid.shape) < 0.5
    flipped = VolumeGeometry(a_grid.size, matrix)
    assert np.array_equal(resample_mask_onto(mask[:, :, ::-1], flipped, a_grid), mask)


def test_a_mask_on_a_finer_grid_keeps_its_volume(a_grid: VolumeGeometry) -> None:
    mask = np.zeros(a_grid.shape, bool)
    mask[1:5, 5:15, 10:20] = True
    matrix = a_grid.ijk_to_ras @ np.diag((0.5, 0.5, 0.5, 1))
    matrix[:3, 3] = a_grid.ras_from_ijk((-0.25, -0.25, -0.25))
    fine = VolumeGeometry((60, 40, 12), matrix)
    finer = resample_mask_onto(mask, a_grid, fine)
    assert finer.sum() * fine.voxel_volume == pytest.approx(mask.sum() * a_grid.voxel_volume)


def test_a_mask_of_another_grid_is_refused(a_grid: VolumeGeometry) -> None:
    with pytest.raises(GeometryError, match="does not fit"):
        resample_mask_onto(np.zeros((2, 2, 2)), a_grid, a_grid)
