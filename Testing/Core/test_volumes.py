"""Reading images: real files of every kind, and every way in which they can be wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from image_samples import CT_ARRAY, VOLUME_KINDS, cut, image_of, write

from KPrismCore.errors import GeometryError, ImageContentError, InputFileError, KPrismError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.integrity import check_complete
from KPrismCore.volumes import Volume, read_volume, require_segmentable


@pytest.mark.parametrize("ending", VOLUME_KINDS)
def test_voxels_of_every_format_are_read(tmp_path: Path, ending: str) -> None:
    volume = read_volume(write(tmp_path / f"scan{ending}", CT_ARRAY))
    assert np.array_equal(volume.array, CT_ARRAY)


@pytest.mark.parametrize("ending", VOLUME_KINDS)
def test_the_geometry_of_every_format_is_read(tmp_path: Path, ending: str) -> None:
    volume = read_volume(write(tmp_path / f"scan{ending}", CT_ARRAY))
    assert volume.geometry.same_grid(VolumeGeometry.from_image(image_of(CT_ARRAY)))


def test_a_volume_is_named_after_its_file(tmp_path: Path) -> None:
    assert read_volume(write(tmp_path / "my.scan.nii.gz", CT_ARRAY)).name == "my.scan"


def test_hounsfield_values_are_taken_for_ct(tmp_path: Path) -> None:
    assert read_volume(write(tmp_path / "scan.nii.gz", CT_ARRAY)).modality == "CT"


@pytest.mark.parametrize("array", [CT_ARRAY + 1000, (CT_ARRAY + 1000).astype(np.uint16)])
def test_other_values_have_no_known_modality(tmp_path: Path, array: np.ndarray) -> None:
    assert read_volume(write(tmp_path / "scan.nrrd", array)).modality is None


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".bmp"])
def test_grey_pictures_become_one_slice(tmp_path: Path, ending: str) -> None:
    picture = np.tile(np.arange(40, dtype=np.uint8) * 6, (30, 1))
    volume = read_volume(write(tmp_path / f"picture{ending}", picture))
    assert volume.array.shape == (1, 30, 40)
    assert not volume.is_rgb
    assert np.abs(volume.array[0].astype(int) - picture).max() <= 4  # JPEG is lossy


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
def test_colour_pictures_keep_their_colours(tmp_path: Path, ending: str) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    volume = read_volume(write(tmp_path / f"picture{ending}", picture, vector=True))
    assert (volume.modality, volume.is_rgb) == ("rgb", True)
    assert np.array_equal(volume.array[0], picture)


def test_transparency_is_dropped(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = np.random.default_rng(1).integers(0, 255, (30, 40, 4)).astype(np.uint8)
    image.fromarray(picture).save(tmp_path / "alpha.png")
    assert np.array_equal(read_volume(tmp_path / "alpha.png").array[0], picture[..., :3])


def test_grey_with_transparency_is_refused_with_its_reason(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.zeros((30, 40, 2), np.uint8)).save(tmp_path / "alpha.png")
    with pytest.raises(InputFileError, match="transparency"):
        read_volume(tmp_path / "alpha.png")


def test_a_colour_volume_keeps_its_colours(tmp_path: Path) -> None:
    array = np.random.default_rng(2).integers(0, 255, (3, 10, 12, 3)).astype(np.uint8)
    volume = read_volume(write(tmp_path / "colours.nrrd", array, vector=True))
    assert np.array_equal(volume.array, array)


def test_a_frame_of_a_time_series_is_read(tmp_path: Path) -> None:
    series = np.stack([CT_ARRAY, CT_ARRAY + 1, CT_ARRAY + 2])
    sitk.WriteImage(sitk.JoinSeries([image_of(frame) for frame in series]), str(tmp_path / "series.nii.gz"))
    volume = read_volume(tmp_path / "series.nii.gz", frame=2)
    assert np.array_equal(volume.array, CT_ARRAY + 2)
    assert volume.frames == 3


def test_a_component_that_is_no_colour_is_a_frame(tmp_path: Path) -> None:
    vectors = np.random.default_rng(2).normal(size=(3, 10, 12, 5)).astype(np.float32)
    volume = read_volume(write(tmp_path / "vectors.nrrd", vectors, vector=True), frame=4)
    assert np.array_equal(volume.array, vectors[..., 4])


@pytest.mark.parametrize("frame", [None, 3, -1])
def test_a_frame_that_is_needed_or_not_there_is_asked_for(tmp_path: Path, frame: int | None) -> None:
    sitk.WriteImage(sitk.JoinSeries([image_of(CT_ARRAY)] * 3), str(tmp_path / "series.nrrd"))
    with pytest.raises(ImageContentError, match="3") as raised:
        read_volume(tmp_path / "series.nrrd", frame)
    assert "0 to 2" in raised.value.remedy


def test_a_single_time_point_needs_no_frame(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([image_of(CT_ARRAY)]), str(tmp_path / "one.nrrd"))
    assert np.array_equal(read_volume(tmp_path / "one.nrrd").array, CT_ARRAY)


def test_a_volume_without_frames_has_no_second_one(tmp_path: Path) -> None:
    with pytest.raises(ImageContentError, match="no frame 1"):
        read_volume(write(tmp_path / "scan.nrrd", CT_ARRAY), frame=1)


@pytest.mark.parametrize("dimension", [5, 6])
def test_five_dimensions_are_too_many(tmp_path: Path, dimension: int) -> None:
    sizes, values = " ".join(["2"] * dimension), " ".join(["1"] * 2**dimension)
    text = f"NRRD0004\ntype: short\ndimension: {dimension}\nsizes: {sizes}\nencoding: ascii\n\n{values}\n"
    (tmp_path / "many.nrrd").write_text(text)
    with pytest.raises(ImageContentError, match=f"{dimension} dimensions"):
        read_volume(tmp_path / "many.nrrd")


# files that are wrong


@pytest.mark.parametrize("name", ["absent.nrrd", "absent", "folder/absent.nii.gz"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputFileError, match=r"absent.* does not exist"):
        read_volume(tmp_path / name)


def test_an_unsupported_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.raises(InputFileError, match="supported kind"):
        read_volume(tmp_path / "notes.txt")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.nii.gz").touch()
    with pytest.raises(InputFileError, match="empty"):
        read_volume(tmp_path / "empty.nii.gz")


@pytest.mark.parametrize("ending", [*VOLUME_KINDS, ".png", ".jpg", ".tif", ".bmp", ".dcm"])
def test_rubbish_is_refused(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"rubbish{ending}").write_bytes(np.random.default_rng(3).bytes(2000))
    with pytest.raises(InputFileError, match="rubbish"):
        read_volume(tmp_path / f"rubbish{ending}")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("ending", [".nrrd", ".nii", ".nii.gz", ".mha"])
def test_a_truncated_volume_is_refused(tmp_path: Path, ending: str, compress: bool) -> None:
    with pytest.raises(InputFileError, match="truncated"):
        read_volume(cut(write(tmp_path / f"scan{ending}", CT_ARRAY, compress=compress)))


@pytest.mark.parametrize("ending", [".nhdr", ".mhd"])
def test_a_truncated_data_file_is_refused(tmp_path: Path, ending: str) -> None:
    header = write(tmp_path / f"scan{ending}", CT_ARRAY)
    cut(next(path for path in tmp_path.iterdir() if path.suffix != ending))
    with pytest.raises(InputFileError, match="truncated"):
        read_volume(header)


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".bmp"])
def test_a_truncated_picture_is_refused(tmp_path: Path, ending: str, vector: bool) -> None:
    shape = (60, 70, 3) if vector else (60, 70)
    picture = np.random.default_rng(4).integers(0, 255, shape).astype(np.uint8)
    with pytest.raises(InputFileError, match="truncated"):
        read_volume(cut(write(tmp_path / f"picture{ending}", picture, vector)))


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nii.gz", CT_ARRAY)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputFileError, match="damaged"):
        read_volume(path)


@pytest.mark.parametrize("ending", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_a_damaged_byte_in_compressed_data_is_noticed(tmp_path: Path, ending: str) -> None:
    header = write(tmp_path / f"scan{ending}", CT_ARRAY, compress=True)
    path = next((one for one in tmp_path.iterdir() if one.suffix != ending), header)
    data = bytearray(path.read_bytes())
    data[-len(data) // 2] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputFileError, match="damaged"):
        read_volume(header)


@pytest.mark.parametrize("missing", [1, 4, 9])
def test_a_compressed_volume_without_its_last_bytes_is_refused(tmp_path: Path, missing: int) -> None:
    path = write(tmp_path / "scan.nrrd", CT_ARRAY, compress=True)
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(InputFileError, match="truncated"):
        read_volume(path)


def test_gzip_data_of_several_members_are_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nrrd", CT_ARRAY, compress=True)
    header = path.read_bytes().split(b"\n\n")[0]
    voxels = CT_ARRAY.tobytes()
    members = gzip.compress(voxels[:1000]) + gzip.compress(voxels[1000:])
    path.write_bytes(header + b"\n\n" + members)
    check_complete(path)


def test_sheared_directions_are_refused(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    affine = np.eye(4)
    affine[0, 1] = 0.3
    image = nibabel.Nifti1Image(CT_ARRAY, None)
    image.header.set_sform(affine, code=1)
    image.header["qform_code"] = 0
    nibabel.save(image, tmp_path / "sheared.nii")
    with pytest.raises(GeometryError, match="sheared"):
        read_volume(tmp_path / "sheared.nii")


def test_simpleitk_says_nothing_on_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rubbish.nrrd").write_bytes(b"NRRD0004\ntype: what\n")
    cut(write(tmp_path / "scan.nii.gz", CT_ARRAY))
    cut(write(tmp_path / "picture.jpg", np.zeros((60, 70), np.uint8)))
    for name in ("rubbish.nrrd", "scan.nii.gz", "picture.jpg"):
        with pytest.raises(KPrismError):
            read_volume(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_warnings_are_as_before_after_reading(tmp_path: Path) -> None:
    before = sitk.ProcessObject_GetGlobalWarningDisplay()
    read_volume(write(tmp_path / "scan.nrrd", CT_ARRAY))
    assert sitk.ProcessObject_GetGlobalWarningDisplay() == before


# content


def volume_of(array: np.ndarray) -> Volume:
    return Volume(array, VolumeGeometry(array.shape[2::-1], np.eye(4)), None, "scan")


def test_an_ordinary_volume_is_segmentable() -> None:
    require_segmentable(volume_of(CT_ARRAY))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_counted(value: float) -> None:
    array = CT_ARRAY.astype(np.float32)
    array[1, 2, 3:6] = value
    with pytest.raises(ImageContentError, match="3 of 3600 voxels"):
        require_segmentable(volume_of(array))


def test_a_constant_image_is_refused() -> None:
    with pytest.raises(ImageContentError, match="All voxels of scan are 7"):
        require_segmentable(volume_of(np.full((2, 3, 4), 7)))


def test_slices_of_one_pixel_are_refused() -> None:
    with pytest.raises(ImageContentError, match="single pixel"):
        require_segmentable(volume_of(np.arange(5).reshape(5, 1, 1)))
