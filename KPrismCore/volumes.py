"""Images from files: NRRD, NIfTI, MetaImage, DICOM, and pictures, each with its geometry and its modality.

Segmentations are in ``segmentations`` and can be had from here too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore import dicom
from KPrismCore.dicom_frames import placed
from KPrismCore.errors import ImageContentError, InputFileError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.image_files import PICTURE_ENDINGS, check_frame, check_readable, read_image, stem
from KPrismCore.segmentations import SegmentInfo, list_segments, read_segmentation, resample_mask_onto

__all__ = [
    "SegmentInfo", "Volume", "list_segments", "read_segmentation", "read_volume", "require_segmentable",
    "resample_mask_onto",
]  # fmt: skip

Array = NDArray[Any]

# several frames of a DICOM file lie in space; those of other modalities follow each other in time
_SPATIAL = frozenset(("CT", "MR", "PT", "NM", "OCT"))
# below this only Hounsfield units are common
_SURELY_CT = -500


@dataclass(frozen=True, eq=False)
class Volume:
    """An image and where it lies.

    Args:
        array: KJI, or KJIC in colour (C = 3); values as stored (DICOM's rescaling applied).
        geometry: of the grid; a picture is one slice of 1 mm pixels.
        modality: 'CT', 'MR', 'US', 'XR', 'endoscopy', ... from DICOM; 'CT' guessed from the values; 'rgb' for
            colour of unknown origin; None where unknown.
        name: of the file without its ending, or of the folder.
        is_rgb: whether there are colours.
        frames: time points in the file. A cine read whole has them along k.
        two_dimensional: whether the file has two dimensions only, so that its labelmaps have two as well.
    """

    array: Array
    geometry: VolumeGeometry
    modality: str | None
    name: str
    is_rgb: bool = False
    frames: int = 1
    two_dimensional: bool = False


def read_volume(path: str | os.PathLike[str], frame: int | None = None) -> Volume:
    """Read an image.

    Args:
        path: an image file, or a folder with one DICOM series; FOLDER#SERIES_UID chooses one of several.
        frame: time point or component, from 0. Needed for a file that has several; picks one picture out of a
            cine, which is else read whole.

    Raises:
        InputFileError: missing, of no supported kind, truncated or damaged; not exactly one DICOM series.
        GeometryError: gantry tilt, missing or unevenly spaced slices, sheared or singular directions.
        ImageContentError: more than four dimensions; the frame is needed and not given, or is not there.
    """
    folder, uid = _folder_and_series(path)
    if folder is not None:
        files = dicom.find_series(folder, uid)
        if len(files) > 1:
            series = dicom.read_series(files)
            check_frame(folder, frame, 1)
            return _volume(series.image, series.geometry, series.header.modality, folder.name)
        return _read_file(files[0], frame, folder.name)
    return _read_file(Path(path), frame, stem(Path(path)))


def require_segmentable(volume: Volume) -> None:
    """Check that the voxels can be segmented.

    Raises:
        ImageContentError: NaN or infinite voxels, all voxels equal, or slices of a single pixel.
    """
    array = volume.array
    rows, columns = array.shape[1:3]
    if rows * columns < 2:
        raise ImageContentError(f"The slices of {volume.name} have a single pixel.", "Choose another image.")
    wrong = 0 if array.dtype.kind in "iub" else int(array.size - np.count_nonzero(np.isfinite(array)))
    if wrong:
        raise ImageContentError(
            f"{wrong} of {array.size} voxels of {volume.name} are NaN or infinite.",
            "Replace them by numbers, for example by the lowest value.",
        )
    if array.min() == array.max():
        raise ImageContentError(f"All voxels of {volume.name} are {array.flat[0]}.", "Choose another image.")


def _folder_and_series(path: str | os.PathLike[str]) -> tuple[Path | None, str | None]:
    """Split FOLDER#UID; (None, None) for anything that is no folder."""
    if Path(path).is_dir():
        return Path(path), None
    folder, hash_sign, uid = os.fspath(path).rpartition("#")
    if hash_sign and not Path(path).exists() and Path(folder).is_dir():
        return Path(folder), uid
    return None, None


def _read_file(path: Path, frame: int | None, name: str) -> Volume:
    code = _dicom_code(path)
    image = read_image(path, checked=True)
    if code is not None and (image.GetSize()[2] == 1 or dicom.modality_name(code) in _SPATIAL):
        found, geometry, frames = placed(path, image, code, frame)
        return _volume(found, geometry, code, name, frames)
    pick = _pick if code is None else _pick_picture
    picked, frames = pick(image, path, frame)
    volume = _volume(picked, VolumeGeometry.from_image(picked), code or "", name, frames)
    return _without_false_colours(volume) if path.suffix.lower() == ".bmp" else volume


def _dicom_code(path: Path) -> str | None:
    """Give the modality code of a DICOM file, None for any other file.

    Raises:
        InputFileError: the file cannot be read, or is a DICOM object other than an image.
    """
    if not check_readable(path):
        return None
    code = dicom.modality_code(path)
    if code in dicom.NOT_IMAGES - {""}:
        raise InputFileError(
            f"{path} is a DICOM {code} object and not an image.",
            "Choose the image itself; export a segmentation from 3D Slicer as .seg.nrrd.",
        )
    return code


def _pick(image: sitk.Image, path: Path, frame: int | None) -> tuple[sitk.Image, int]:
    """Reduce a 4-D or multi-component image to one frame; also give the number of frames."""
    frames = image.GetSize()[3] if image.GetDimension() == 4 else _components(image, path)
    if frames > 1 and frame is None:
        kind = "time points" if image.GetDimension() == 4 else "components"
        raise ImageContentError(f"{path} has {frames} {kind}.", f"Choose one: frame 0 to {frames - 1}.")
    check_frame(path, frame, frames)
    if image.GetDimension() == 4:
        return image[:, :, :, frame or 0], frames
    return (sitk.VectorIndexSelectionCast(image, frame or 0) if frames > 1 else image), frames


def _components(image: sitk.Image, path: Path) -> int:
    """Count components that are no colours; colours (or grey, with or without alpha) count as one."""
    components = int(image.GetNumberOfComponentsPerPixel())
    colours = (2, 3, 4) if path.name.lower().endswith(PICTURE_ENDINGS) else (3, 4)
    unsigned = image.GetPixelID() in (sitk.sitkVectorUInt8, sitk.sitkVectorUInt16)
    return 1 if unsigned and components in colours else components


def _pick_picture(image: sitk.Image, path: Path, frame: int | None) -> tuple[sitk.Image, int]:
    """Pick one picture out of a DICOM cine, or keep it whole; also give the number of frames."""
    frames = image.GetSize()[2]
    check_frame(path, frame, frames)
    return (image if frame is None else image[:, :, frame : frame + 1]), frames


def _volume(image: sitk.Image, geometry: VolumeGeometry, code: str, name: str, frames: int = 1) -> Volume:
    array: Array = sitk.GetArrayFromImage(image)
    if np.iscomplexobj(array):
        raise ImageContentError(f"{name} holds complex numbers.", "Save its magnitude.")
    components = image.GetNumberOfComponentsPerPixel()
    if components > 1:
        # two components are grey and alpha, four are colour and alpha
        array = array[..., :3] if components > 2 else array[..., 0]
    is_rgb = components > 2
    array = np.ascontiguousarray(array.reshape(*geometry.shape, *((3,) if is_rgb else ())))
    modality = dicom.modality_name(code) or _guess(array, is_rgb)
    return Volume(array, geometry, modality, name, is_rgb, frames, image.GetDimension() == 2)


def _without_false_colours(volume: Volume) -> Volume:
    """Make a grey BMP, which is read as a palette, grey again."""
    array = volume.array
    if not volume.is_rgb or np.any(array[..., :1] != array):
        return volume
    return replace(volume, array=np.ascontiguousarray(array[..., 0]), modality=None, is_rgb=False)


def _guess(array: Array, is_rgb: bool) -> str | None:
    if is_rgb:
        return "rgb"
    return "CT" if array.dtype.kind in "if" and array.min() <= _SURELY_CT else None
