"""One DICOM file of many frames, written here with pydicom: its grid and values are those that it tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from KPrismCore import read_volume
from KPrismCore.errors import GeometryError, ImageContentError
from KPrismCore.geometry import VolumeGeometry

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
ROWS, COLUMNS, STEP = 6, 8, 2.5
AXIAL, OBLIQUE = (1, 0, 0, 0, 1, 0), (0.8, 0.6, 0, 0, 0, -1)
NAME = "frames.dcm"


def stack(places, orientation=AXIAL):
    """Positions LPS of frames at these numbers of steps along their normal."""
    normal = np.cross(orientation[:3], orientation[3:])
    return [np.array([-10.0, -20.0, 100.0]) + place * STEP * normal for place in places]


def group(**values):
    """A sequence of one item with these elements."""
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return [item]


def write(path, positions, orientations=AXIAL, slopes=None, syntax=ExplicitVRLittleEndian, told=True):
    """Write a file whose frame n has stored values 100 n and, in one pixel, 100 n + 7."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = ENHANCED_CT
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.file_meta.TransferSyntaxUID = syntax
    data.SeriesInstanceUID, data.StudyInstanceUID, data.Modality = generate_uid(), generate_uid(), "CT"
    data.Rows, data.Columns, data.NumberOfFrames = ROWS, COLUMNS, len(positions)
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    shared = Dataset()
    shared.PixelMeasuresSequence = group(PixelSpacing=[0.7, 0.8], SliceThickness=STEP)
    each = [Dataset() for _ in positions]
    for item, position in zip(each, positions, strict=True):
        item.PlanePositionSequence = group(ImagePositionPatient=[f"{value:.6g}" for value in position])
    if np.ndim(orientations) == 1:
        shared.PlaneOrientationSequence = group(ImageOrientationPatient=list(orientations))
    else:
        for item, orientation in zip(each, orientations, strict=True):
            item.PlaneOrientationSequence = group(ImageOrientationPatient=list(orientation))
    for item, slope in zip(each if slopes else [shared], slopes or [1], strict=True):
        item.PixelValueTransformationSequence = group(RescaleSlope=slope, RescaleIntercept=-1000)
    if told:
        data.SharedFunctionalGroupsSequence = [shared]
        data.PerFrameFunctionalGroupsSequence = each
    data.PixelData = stored(len(positions)).tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


def stored(count):
    """Stored values (count, rows, columns)."""
    values = np.repeat(np.arange(count, dtype=np.uint16) * 100, ROWS * COLUMNS).reshape(count, ROWS, COLUMNS)
    values[:, 2, 3] += 7
    return values


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("orientation", [AXIAL, OBLIQUE])
@pytest.mark.parametrize("places", [range(5), range(5, 0, -1)], ids=["up", "down"])
def test_a_regular_file_has_the_grid_that_simpleitk_gives(tmp_path: Path, syntax, orientation, places):
    path = write(tmp_path / NAME, stack(places, orientation), orientation, syntax=syntax)
    expected = VolumeGeometry.from_image(sitk.ReadImage(str(path)))
    np.testing.assert_allclose(read_volume(path).geometry.ijk_to_ras, expected.ijk_to_ras, atol=1e-4)


def test_a_regular_file_keeps_its_voxels(tmp_path: Path):
    path = write(tmp_path / NAME, stack(range(5)))
    np.testing.assert_array_equal(read_volume(path).array, stored(5).astype(int) - 1000)


def test_frames_come_in_their_order_in_space(tmp_path: Path):
    path = write(tmp_path / NAME, stack([0, 3, 1, 2, 4]))
    assert read_volume(path).array[:, 0, 0].tolist() == [-1000, -800, -700, -900, -600]


def test_the_grid_of_frames_out_of_order_is_that_of_their_places(tmp_path: Path):
    ordered = read_volume(write(tmp_path / "ordered.dcm", stack(range(5)))).geometry
    mixed = read_volume(write(tmp_path / NAME, stack([0, 3, 1, 2, 4]))).geometry
    np.testing.assert_allclose(mixed.ijk_to_ras, ordered.ijk_to_ras, atol=1e-9)


def test_a_missing_frame_is_refused_between_its_neighbours(tmp_path: Path):
    path = write(tmp_path / NAME, stack([0, 1, 2, 4, 5]))
    with pytest.raises(GeometryError, match=r"missing between frame 3 of frames\.dcm .* and frame 4 of"):
        read_volume(path)


def test_frames_at_one_place_are_refused(tmp_path: Path):
    with pytest.raises(GeometryError, match="at the same place"):
        read_volume(write(tmp_path / NAME, stack([0, 1, 2, 0, 1, 2])))


def test_frames_of_several_directions_are_refused(tmp_path: Path):
    path = write(tmp_path / NAME, stack([0, 1, 2]), [AXIAL, AXIAL, OBLIQUE])
    with pytest.raises(GeometryError, match="not parallel"):
        read_volume(path)


def test_frames_stacked_askew_are_refused(tmp_path: Path):
    positions = [place + 0.4 * number * np.array([0, 1, 0]) for number, place in enumerate(stack(range(5)))]
    with pytest.raises(GeometryError, match="gantry tilt"):
        read_volume(write(tmp_path / NAME, positions))


def test_each_frame_is_scaled_by_its_own_slope(tmp_path: Path):
    path = write(tmp_path / NAME, stack(range(4)), slopes=[1, 2, 3, 0.5])
    assert read_volume(path).array[:, 0, 0].tolist() == [-1000, -800, -400, -850]


def test_scaled_frames_out_of_order_keep_their_own_slopes(tmp_path: Path):
    path = write(tmp_path / NAME, stack([0, 2, 1, 3]), slopes=[1, 2, 3, 0.5])
    assert read_volume(path).array[:, 0, 0].tolist() == [-1000, -400, -800, -850]


def test_a_folder_with_one_such_file_is_its_volume(tmp_path: Path):
    path = write(tmp_path / NAME, stack([0, 3, 1, 2, 4]))
    np.testing.assert_array_equal(read_volume(tmp_path).array, read_volume(path).array)


def test_a_file_that_tells_no_places_is_read_as_it_lies(tmp_path: Path):
    path = write(tmp_path / NAME, stack(range(3)), told=False)
    assert read_volume(path).array.shape == (3, ROWS, COLUMNS)


@pytest.mark.parametrize("order", [[0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 2, 2]], ids=["times outside", "inside"])
def test_a_time_point_can_be_chosen(tmp_path: Path, order):
    path = write(tmp_path / NAME, stack(order))
    frames = [place for place, number in enumerate(order) if number == 1]
    second = read_volume(path, frame=1)
    assert second.array.shape == (3, ROWS, COLUMNS)
    assert second.array[1, 0, 0] == 100 * frames[1] - 1000


def test_a_time_point_has_the_grid_of_its_frames(tmp_path: Path):
    alone = read_volume(write(tmp_path / "alone.dcm", stack(range(3)))).geometry
    chosen = read_volume(write(tmp_path / NAME, stack([0, 1, 2, 0, 1, 2])), frame=1).geometry
    np.testing.assert_allclose(chosen.ijk_to_ras, alone.ijk_to_ras, atol=1e-9)


def test_time_points_are_counted_in_the_error(tmp_path: Path):
    with pytest.raises(GeometryError, match="2 frames at the same place, at each of 3") as caught:
        read_volume(write(tmp_path / NAME, stack([0, 1, 2, 0, 1, 2])))
    assert "frame 0 to 1" in caught.value.remedy


def test_a_time_point_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ImageContentError, match="no frame 2: it has 2"):
        read_volume(write(tmp_path / NAME, stack([0, 1, 2, 0, 1, 2])), frame=2)


def test_frames_that_all_lie_at_one_place_are_named(tmp_path: Path):
    with pytest.raises(GeometryError, match="all frames lie at one place"):
        read_volume(write(tmp_path / NAME, stack([0, 0, 0])))


def test_a_time_point_keeps_the_slopes_of_its_frames(tmp_path: Path):
    path = write(tmp_path / NAME, stack([0, 1, 0, 1]), slopes=[1, 2, 3, 0.5])
    assert read_volume(path, frame=1).array[:, 0, 0].tolist() == [-400, -850]


def test_frames_of_which_some_are_doubled_are_refused(tmp_path: Path):
    with pytest.raises(GeometryError, match="lie at the same place"):
        read_volume(write(tmp_path / NAME, stack([0, 1, 2, 2])), frame=0)
