"""DICOM: real series written slice by slice, and every fault that would put a mask in a wrong place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_samples import CT_ARRAY, cut, write

from KPrismCore.errors import GeometryError, InputFileError
from KPrismCore.volumes import read_volume

pydicom = pytest.importorskip("pydicom")


def dicom_slice(
    folder: Path, number: int, position: tuple[float, ...], uid: str = "1.2.3", **tags: str
) -> Path:
    """Write one CT slice whose voxels are all `number`, at a position LPS."""
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = f"{uid}.{number + 1}"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data = pydicom.Dataset()
    data.file_meta = meta
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = uid, "1.2", "1.2.9"
    data.Modality, data.SeriesDescription, data.InstanceNumber = "CT", f"series {uid}", number + 1
    data.ImagePositionPatient, data.ImageOrientationPatient = list(position), [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [0.8, 0.7], 3.0
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 16, 24, 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.RescaleSlope, data.RescaleIntercept = 1, 0
    data.PixelData = np.full((16, 24), number, np.int16).tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    path = folder / f"slice{number}-{uid}.dcm"
    data.save_as(path, enforce_file_format=True)
    return path


def dicom_folder(folder: Path, places: list[tuple[float, ...]], uid: str = "1.2.3", **tags: str) -> Path:
    folder.mkdir(exist_ok=True)
    for number, place in enumerate(places):
        dicom_slice(folder, number, place, uid, **tags)
    return folder


STRAIGHT = [(-5.0, 7.0, 10.0 + 3 * n) for n in range(6)]


@pytest.fixture
def a_series(tmp_path: Path) -> Path:
    return dicom_folder(tmp_path / "series", STRAIGHT)


def test_a_dicom_folder_is_sorted_by_position(tmp_path: Path) -> None:
    folder = dicom_folder(tmp_path / "series", STRAIGHT[::-1])
    assert read_volume(folder).array[:, 0, 0].tolist() == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("slopes", [[1, 0.5, 0.25, 2, 1], [1, 9000, 1, 1, 1]], ids=["fractions", "large"])
def test_slices_that_are_scaled_each_on_its_own_keep_their_values(tmp_path: Path, slopes) -> None:
    for number, slope in enumerate(slopes):
        dicom_slice(tmp_path, number + 4, STRAIGHT[number], Modality="PT", RescaleSlope=slope)
    expected = [slope * (number + 4) for number, slope in enumerate(slopes)]
    assert read_volume(tmp_path).array[:, 0, 0].tolist() == expected


def test_a_dicom_folder_has_the_geometry_of_its_slices(a_series: Path) -> None:
    geometry = read_volume(a_series).geometry
    assert geometry.spacing == pytest.approx((0.7, 0.8, 3.0))
    assert geometry.lps_from_ijk((0, 0, 5)) == pytest.approx(STRAIGHT[5])


def test_the_modality_comes_from_dicom(a_series: Path) -> None:
    assert read_volume(a_series).modality == "CT"


@pytest.mark.parametrize(("code", "name"), [
    ("MR", "MR"), ("DX", "XR"), ("ES", "endoscopy"), ("OT", None), ("XA", "angiography"), ("SM", "histology"),
])  # fmt: skip
def test_dicom_modalities_get_the_names_used_here(tmp_path: Path, code: str, name: str | None) -> None:
    assert read_volume(dicom_slice(tmp_path, 1, STRAIGHT[0], Modality=code)).modality == name


def test_a_single_dicom_file_is_one_slice(tmp_path: Path) -> None:
    volume = read_volume(dicom_slice(tmp_path, 4, STRAIGHT[0]))
    assert np.array_equal(volume.array, np.full((1, 16, 24), 4))


def test_a_dicom_file_needs_no_ending(tmp_path: Path) -> None:
    path = dicom_slice(tmp_path, 4, STRAIGHT[0]).rename(tmp_path / "IM0001")
    assert read_volume(path).array.shape == (1, 16, 24)


def test_black_on_white_x_rays_are_turned_over(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(24, dtype=np.int16), (16, 1)).tobytes()
    plain = read_volume(dicom_slice(tmp_path, 0, STRAIGHT[0], PixelData=ramp))
    inverse = read_volume(
        dicom_slice(tmp_path, 1, STRAIGHT[0], PixelData=ramp, PhotometricInterpretation="MONOCHROME1")
    )
    assert np.all(np.diff(plain.array[0, 0]) == 1)
    assert np.all(np.diff(inverse.array[0, 0]) == -1)


def test_several_series_are_listed(a_series: Path) -> None:
    dicom_folder(a_series, STRAIGHT[:2], uid="1.2.4")
    with pytest.raises(InputFileError, match=r"1\.2\.3 \(CT, 6 files.*1\.2\.4 \(CT, 2 files") as raised:
        read_volume(a_series)
    assert f"{a_series}#1.2." in raised.value.remedy


def test_one_of_several_series_can_be_chosen(a_series: Path) -> None:
    dicom_folder(a_series, STRAIGHT[:2], uid="1.2.4")
    assert len(read_volume(f"{a_series}#1.2.4").array) == 2


def test_an_unknown_series_is_refused(a_series: Path) -> None:
    with pytest.raises(InputFileError, match=r"no DICOM series 9\.9"):
        read_volume(f"{a_series}#9.9")


def test_a_segmentation_beside_the_series_is_passed_over(a_series: Path) -> None:
    dicom_folder(a_series, STRAIGHT[:1], uid="1.2.5", Modality="SEG")
    assert len(read_volume(a_series).array) == 6


def test_a_dicom_segmentation_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="DICOM SEG"):
        read_volume(dicom_slice(tmp_path, 1, STRAIGHT[0], Modality="SEG"))


def test_a_missing_slice_is_named(a_series: Path) -> None:
    (a_series / "slice3-1.2.3.dcm").unlink()
    with pytest.raises(GeometryError, match=r"missing between slice2.*slice4.*: 1 of 3\.00 mm"):
        read_volume(a_series)


def test_uneven_distances_are_named(tmp_path: Path) -> None:
    places = [(0.0, 0.0, z) for z in (0.0, 3.0, 6.0, 10.2, 13.2)]
    with pytest.raises(GeometryError, match=r"unevenly spaced: 4\.20 mm between slice2.*slice3"):
        read_volume(dicom_folder(tmp_path / "series", places))


def test_rounded_positions_are_even_enough(tmp_path: Path) -> None:
    places = [(0.0, 0.0, z) for z in (0.0, 2.5, 5.1, 7.6, 10.1)]
    assert read_volume(dicom_folder(tmp_path / "series", places)).geometry.spacing[2] == pytest.approx(2.525)


def test_two_slices_at_one_place_are_named(a_series: Path) -> None:
    dicom_slice(a_series, 9, STRAIGHT[2])
    with pytest.raises(GeometryError, match=r"same place"):
        read_volume(a_series)


def test_a_gantry_tilt_is_named_with_its_angle(tmp_path: Path) -> None:
    places = [(0.0, 3 * n * np.tan(np.deg2rad(12)), 3.0 * n) for n in range(6)]
    with pytest.raises(GeometryError, match=r"12\.0 degrees \(gantry tilt\)"):
        read_volume(dicom_folder(tmp_path / "series", places))


def test_slices_that_are_not_parallel_are_named(a_series: Path) -> None:
    dicom_slice(a_series, 9, (0, 0, 99), ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    with pytest.raises(GeometryError, match="not parallel"):
        read_volume(a_series)


def test_slices_without_a_position_are_named(tmp_path: Path) -> None:
    folder = dicom_folder(tmp_path / "series", STRAIGHT[:2], ImagePositionPatient=None)
    with pytest.raises(GeometryError, match="ImagePositionPatient"):
        read_volume(folder)


@pytest.mark.parametrize("number", [2, 5])
def test_a_truncated_slice_is_named(a_series: Path, number: int) -> None:
    cut(a_series / f"slice{number}-1.2.3.dcm", 0.8)
    with pytest.raises(InputFileError, match=f"slice{number}"):
        read_volume(a_series)


@pytest.mark.parametrize("left", [0, 100, 300])
@pytest.mark.parametrize("number", [0, 5])
def test_a_slice_of_which_hardly_anything_is_left_is_named(a_series: Path, number: int, left: int) -> None:
    path = a_series / f"slice{number}-1.2.3.dcm"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputFileError, match=f"slice{number}"):
        read_volume(a_series)


def test_other_files_beside_the_series_are_passed_over(a_series: Path) -> None:
    for name in ("DICOMDIR", "README.txt", "._slice1-1.2.3.dcm"):
        (a_series / name).write_bytes(b"")
    assert read_volume(a_series).array.shape[0] == 6


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "scan.nrrd", CT_ARRAY)
    with pytest.raises(InputFileError, match="no DICOM"):
        read_volume(tmp_path)


def test_a_cine_is_read_whole_with_its_frames_along_k() -> None:
    volume = read_volume(pydicom.data.get_testdata_file("examples_ybr_color.dcm"))
    assert volume.array.shape == (30, 240, 320, 3)
    assert (volume.modality, volume.frames) == ("US", 30)


def test_one_picture_of_a_cine_can_be_chosen() -> None:
    path = pydicom.data.get_testdata_file("examples_ybr_color.dcm")
    assert np.array_equal(read_volume(path, frame=7).array[0], read_volume(path).array[7])
