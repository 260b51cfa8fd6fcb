"""Segmentation files: what is read back, and where it lies."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicerio

from KPrismCore.catalogue import load_catalogue
from KPrismCore.commands.terminology import CLASSES
from KPrismCore.errors import GeometryError, OutputFileError
from KPrismCore.geometry import VolumeGeometry, lps_from_ras
from KPrismCore.labelmaps import (
    LABELMAP_ENDINGS,
    Segment,
    assign_layers,
    write_segmentation,
)
from KPrismCore.terminology import Code, Terminology
from Testing.Core.labelmap_samples import (
    LIVER,
    LIVER_ENTRY,
    SIZE,
    header_lines,
    stored_layers,
)


def test_every_mask_of_a_segmentation_comes_back_at_its_place(
    tmp_path: Path, a_geometry: VolumeGeometry, a_liver: Segment, a_tumour_inside: Segment
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [a_liver, a_tumour_inside], a_geometry)
    layers, stored, ijk_to_lps = stored_layers(path)
    for segment, entry in zip((a_liver, a_tumour_inside), stored, strict=True):
        np.testing.assert_array_equal(layers[entry["layer"]] == entry["labelValue"], segment.mask)
    expected = np.diag([-1.0, -1.0, 1.0, 1.0]) @ a_geometry.ijk_to_ras
    np.testing.assert_array_equal(ijk_to_lps, expected)


def test_simpleitk_reads_a_segmentation_on_the_same_grid(
    tmp_path: Path, a_geometry: VolumeGeometry, a_liver: Segment, a_tumour_inside: Segment
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [a_liver, a_tumour_inside], a_geometry)
    image = sitk.ReadImage(str(path))
    assert image.GetNumberOfComponentsPerPixel() == 2
    assert VolumeGeometry.from_image(image).same_grid(a_geometry, tolerance=1e-9)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image)[..., 1] == 2, a_tumour_inside.mask)


@pytest.mark.parametrize("ending", LABELMAP_ENDINGS)
def test_a_labelmap_comes_back_on_the_same_grid(
    tmp_path: Path, a_geometry: VolumeGeometry, a_liver: Segment, a_separate_spleen: Segment, ending: str
) -> None:
    path = tmp_path / f"case{ending}"
    write_segmentation(path, [a_liver, a_separate_spleen], a_geometry)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), a_liver.mask + 2 * a_separate_spleen.mask)
    # NIfTI keeps its matrix in 32 bits
    tolerance = 1e-4 if ".nii" in ending else 1e-9
    assert VolumeGeometry.from_image(image).same_grid(a_geometry, tolerance)


@pytest.mark.parametrize("ending", LABELMAP_ENDINGS)
def test_a_two_dimensional_image_gets_a_two_dimensional_labelmap(tmp_path: Path, ending: str) -> None:
    picture = sitk.Image((9, 8), sitk.sitkUInt8)
    picture.SetSpacing((0.25, 0.5))
    picture.SetOrigin((3.0, -4.0))
    mask = np.zeros((1, 8, 9), dtype=bool)
    mask[0, 2:5, 1:3] = True
    path = tmp_path / f"mask{ending}"
    geometry = VolumeGeometry.from_image(picture)
    write_segmentation(path, [Segment("polyp", mask)], geometry, two_dimensional=True)
    image = sitk.ReadImage(str(path))
    assert image.GetSize() == (9, 8)
    np.testing.assert_allclose((*image.GetSpacing(), *image.GetOrigin()), (0.25, 0.5, 3.0, -4.0))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), mask[0])


def test_a_volume_is_not_written_as_a_two_dimensional_image(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    with pytest.raises(GeometryError, match="2-D"):
        write_segmentation(tmp_path / "a.mha", [a_liver], a_tilted_geometry, two_dimensional=True)


def a_sheared_geometry() -> VolumeGeometry:
    matrix = np.diag([1.0, 2.0, 3.0, 1.0])
    matrix[0, 1] = 0.6
    return VolumeGeometry(SIZE, matrix)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_grid_that_nifti_would_bend_is_refused(tmp_path: Path, a_liver: Segment, ending: str) -> None:
    with pytest.raises(OutputFileError, match="cannot hold the grid"):
        write_segmentation(tmp_path / f"case{ending}", [a_liver], a_sheared_geometry())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nrrd", ".mha"])
def test_a_sheared_grid_is_kept_by_the_other_formats(tmp_path: Path, a_liver: Segment, ending: str) -> None:
    path = tmp_path / f"case{ending}"
    write_segmentation(path, [a_liver], a_sheared_geometry())
    image = sitk.ReadImage(str(path))
    assert VolumeGeometry.from_image(image).same_grid(a_sheared_geometry(), tolerance=1e-9)


def test_segments_that_do_not_overlap_share_a_layer(a_liver: Segment, a_separate_spleen: Segment) -> None:
    assert assign_layers([a_liver, a_separate_spleen]) == [[0, 1]]


def test_a_segment_goes_to_the_first_layer_that_is_free(
    a_liver: Segment, a_tumour_inside: Segment, a_separate_spleen: Segment
) -> None:
    assert assign_layers([a_liver, a_tumour_inside, a_separate_spleen]) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("count", "kinds", "dimension"),
    [
        (1, "kinds: domain domain domain", "dimension: 3"),
        (2, "kinds: list domain domain domain", "dimension: 4"),
    ],
)
def test_layers_are_a_list_axis_only_where_segments_overlap(
    tmp_path: Path,
    a_tilted_geometry: VolumeGeometry,
    a_liver: Segment,
    a_tumour_inside: Segment,
    count: int,
    kinds: str,
    dimension: str,
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [a_liver, a_tumour_inside][:count], a_tilted_geometry)
    lines = header_lines(path)
    assert kinds in lines
    assert dimension in lines
    assert "space: left-posterior-superior" in lines


def test_the_header_has_what_slicer_writes(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [a_liver], a_tilted_geometry)
    expected = [
        "Segment0_Color:=0.866667 0.509804 0.396078",
        "Segment0_ColorAutoGenerated:=0",
        "Segment0_Extent:=0 6 0 5 0 4",
        "Segment0_ID:=Segment_1",
        "Segment0_LabelValue:=1",
        "Segment0_Layer:=0",
        "Segment0_Name:=Liver",
        "Segment0_NameAutoGenerated:=0",
        f"Segment0_Tags:=TerminologyEntry:{LIVER_ENTRY}|",
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    assert header_lines(path)[-len(expected) :] == expected


def test_codes_anatomy_and_status_are_read_back(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_tumour_inside: Segment
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [a_tumour_inside], a_tilted_geometry)
    _, (stored,), _ = stored_layers(path)
    assert stored["terminology"] == {
        "contextName": "Segmentation category and type - 3D Slicer General Anatomy list",
        "category": ["SCT", "49755003", "Morphologically Altered Structure"],
        "type": ["SCT", "108369006", "Neoplasm"],
        "anatomicContextName": "Anatomic codes - DICOM master list",
        "anatomicRegion": ["SCT", "10200004", "Liver"],
    }
    assert stored["status"] == "inprogress"


def test_a_catalogue_class_gives_its_side_to_the_segment(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    entry = load_catalogue(CLASSES / "kprism-paper.csv").by_name("right kidney")
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [Segment.of_class(entry, a_liver.mask)], a_tilted_geometry)
    _, (stored,), _ = stored_layers(path)
    assert stored["terminology"]["typeModifier"] == ["SCT", "24028007", "Right"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Bauchspeicheldrüse", "Bauchspeicheldrüse"),
        ("a\nb", "a b"),
        ("100 % := | ~ ^ : end", "100 % := | ~ ^ : end"),
        ("back\\slash", "back\\slash"),
        ("", ""),
    ],
)
def test_any_name_survives_the_header(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, name: str, expected: str
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [Segment(name, a_liver.mask)], a_tilted_geometry)
    image = sitk.ReadImage(str(path))
    assert image.GetMetaData("Segment0_Name") == expected
    assert image.GetMetaData("Segment0_ID") == "Segment_1"


def test_separators_in_a_meaning_do_not_break_the_tags(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    codes = Terminology(LIVER.category, Code("10200004", "Liver | left ~ lobe ^ 2"))
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [Segment("a", a_liver.mask, terminology=codes)], a_tilted_geometry)
    _, (stored,), _ = stored_layers(path)
    assert stored["terminology"]["type"] == ["SCT", "10200004", "Liver   left   lobe   2"]


@pytest.mark.parametrize("ending", [".seg.nrrd", ".mha"])
def test_more_than_255_segments_are_written_in_16_bits(tmp_path: Path, ending: str) -> None:
    geometry = VolumeGeometry((300, 1, 1), np.eye(4))
    masks = np.eye(300, dtype=bool).reshape(300, 1, 1, 300)
    path = tmp_path / f"case{ending}"
    write_segmentation(path, [Segment(f"s{number}", mask) for number, mask in enumerate(masks)], geometry)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).ravel(), np.arange(1, 301))


def test_an_empty_mask_keeps_its_segment(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment
) -> None:
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [Segment("nothing", np.zeros_like(a_liver.mask)), a_liver], a_tilted_geometry)
    layers, stored, _ = stored_layers(path)
    assert [entry["name"] for entry in stored] == ["nothing", "Liver"]
    np.testing.assert_array_equal(layers[0] == 2, a_liver.mask)


def test_a_segmentation_is_compressed(tmp_path: Path) -> None:
    geometry = VolumeGeometry((64, 64, 64), np.eye(4))
    path = tmp_path / "case.seg.nrrd"
    write_segmentation(path, [Segment("all", np.ones((64, 64, 64), dtype=bool))], geometry)
    assert path.stat().st_size < 64**3 / 10
    assert len(gzip.decompress(path.read_bytes().split(b"\n\n", 1)[1])) == 64**3


def test_the_later_segment_wins_in_a_labelmap_and_the_result_says_so(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, a_tumour_inside: Segment
) -> None:
    path = tmp_path / "case.nii.gz"
    written = write_segmentation(path, [a_liver, a_tumour_inside], a_tilted_geometry)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(labels == 2, a_tumour_inside.mask)
    assert written.lost == (("Liver", int(a_tumour_inside.mask.sum())),)
    assert "Liver lost 4 voxels" in written.warnings[0]


def test_a_segmentation_loses_nothing(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, a_tumour_inside: Segment
) -> None:
    written = write_segmentation(tmp_path / "case.seg.nrrd", [a_liver, a_tumour_inside], a_tilted_geometry)
    assert (written.layers, written.lost, written.colour_table) == (2, (), None)


def test_a_labelmap_has_a_slicer_colour_table_beside_it(
    tmp_path: Path, a_tilted_geometry: VolumeGeometry, a_liver: Segment, a_tumour_inside: Segment
) -> None:
    written = write_segmentation(tmp_path / "case.1.nii.gz", [a_liver, a_tumour_inside], a_tilted_geometry)
    assert written.colour_table == tmp_path / "case.1.ctbl"
    assert written.colour_table.read_text().splitlines() == [
        "# Color table file case.1.ctbl",
        "# 3 values",
        "0 Background 0 0 0 0",
        "1 Liver 221 130 101 255",
        "2 Liver_tumour 144 238 144 255",
    ]


def test_a_real_mask_with_an_overlap_comes_back_on_its_image(tmp_path: Path) -> None:
    folder = Path(slicerio.__file__).parent / "data"
    source = sitk.ReadImage(str(folder / "Segmentation.seg.nrrd"))
    labels = sitk.GetArrayFromImage(source)
    segments = [Segment(f"label {value}", labels == value) for value in np.unique(labels)[1:]]
    everything = Segment("everything", labels > 0)
    path = tmp_path / "chest.seg.nrrd"
    write_segmentation(path, [*segments, everything], VolumeGeometry.from_image(source))
    layers, stored, ijk_to_lps = stored_layers(path)
    assert layers.shape == (2, *labels.shape)
    np.testing.assert_array_equal(layers[0], np.searchsorted(np.unique(labels), labels))
    np.testing.assert_array_equal(layers[1] == stored[-1]["labelValue"], everything.mask)
    np.testing.assert_allclose(ijk_to_lps[:3, 3], source.GetOrigin(), rtol=0, atol=1e-9)


def test_the_corner_of_a_mask_lies_where_the_geometry_says(
    tmp_path: Path, a_geometry: VolumeGeometry
) -> None:
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[3, 2, 6] = True
    path = tmp_path / "case.mha"
    write_segmentation(path, [Segment("voxel", mask)], a_geometry)
    image = sitk.ReadImage(str(path))
    expected = lps_from_ras(a_geometry.ras_from_ijk((6, 2, 3)))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((6, 2, 3)), expected, rtol=0, atol=1e-9)
