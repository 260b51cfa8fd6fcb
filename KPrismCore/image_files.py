"""Reads one image file with SimpleITK, and turns whatever can go wrong into errors with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import SimpleITK as sitk

from KPrismCore.errors import GeometryError, ImageContentError, InputFileError
from KPrismCore.integrity import check_complete

VOLUME_ENDINGS = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
DICOM_ENDINGS = (".dcm", ".dicom", ".ima")

_silence = Lock()
_silenced = 0
_shown_before = True


@contextmanager
def quiet() -> Iterator[None]:
    """Keep SimpleITK's warnings off the terminal within the block; nested and parallel blocks are fine."""
    global _silenced, _shown_before  # SimpleITK's switch is global as well
    with _silence:
        if _silenced == 0:
            _shown_before = sitk.ProcessObject_GetGlobalWarningDisplay()
            sitk.ProcessObject_SetGlobalWarningDisplay(False)
        _silenced += 1
    try:
        yield
    finally:
        with _silence:
            _silenced -= 1
            if _silenced == 0:
                sitk.ProcessObject_SetGlobalWarningDisplay(_shown_before)


def stem(path: Path) -> str:
    """Give a file's name without its image ending, compound ones included."""
    for ending in (".seg.nrrd", *VOLUME_ENDINGS, *PICTURE_ENDINGS, *DICOM_ENDINGS):
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.name


def is_dicom(path: Path) -> bool:
    """Tell whether a file says in its preamble that it is DICOM."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_image(path: Path, *, checked: bool = False) -> sitk.Image:
    """Read an image file of up to four dimensions.

    Args:
        path: of the file.
        checked: whether `check_readable` has been asked, which takes long for a large compressed file.

    Raises:
        InputFileError: missing, of no supported kind, truncated or damaged.
        ImageContentError: more than four dimensions.
        GeometryError: sheared or singular directions.
    """
    reader = open_image(path, checked=checked)
    try:
        with quiet():
            return reader.Execute()
    except (RuntimeError, MemoryError) as error:
        raise _translated(path, error) from error


def open_image(path: Path, *, checked: bool = False) -> sitk.ImageFileReader:
    """Read an image file's header only; arguments and errors as ``read_image``."""
    reader = sitk.ImageFileReader()
    if is_dicom(path) if checked else check_readable(path):
        reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise _translated(path, error) from error
    if reader.GetDimension() > 4:
        raise ImageContentError(
            f"{path} has {reader.GetDimension()} dimensions.",
            "Use up to four: three in space and one in time.",
        )
    return reader


def check_readable(path: Path) -> bool:
    """Check that a file is there, of a supported kind and complete, and tell whether it is DICOM.

    Raises:
        InputFileError: it is not.
    """
    endings = (*VOLUME_ENDINGS, *PICTURE_ENDINGS, *DICOM_ENDINGS)
    if not path.is_file():
        raise InputFileError(f"{path} does not exist.", "Check the path.")
    try:
        dicom = is_dicom(path)
        if not dicom and not path.name.lower().endswith(endings):
            raise InputFileError(f"{path} is not of a supported kind.", f"Use DICOM or {', '.join(endings)}.")
        if path.stat().st_size == 0:
            raise InputFileError(f"{path} is empty.", "Copy it again from its source.")
        check_complete(path)
    except OSError as error:
        raise InputFileError(
            f"{path} cannot be read ({error.strerror}).", "Check its permissions."
        ) from error
    return dicom


def check_frame(path: Path, frame: int | None, frames: int) -> None:
    """Check that a file has the frame (time point or component, from 0) that was asked for, if any was.

    Raises:
        ImageContentError: it has not.
    """
    if frame is not None and not 0 <= frame < frames:
        remedy = f"Choose a frame from 0 to {frames - 1}." if frames > 1 else "Do not choose a frame."
        raise ImageContentError(f"{path} has no frame {frame}: it has {frames}.", remedy)


def _translated(path: Path, error: BaseException) -> InputFileError | GeometryError:
    text = str(error)
    if "orthonormal" in text or "Bad direction" in text:
        return GeometryError(
            f"{path} has sheared or singular directions.",
            "Resample it onto an orthogonal grid, in 3D Slicer for example.",
        )
    if "Zero-valued spacing" in text:
        return GeometryError(
            f"{path} has a voxel spacing of 0 mm, as where all frames lie at one place.",
            "Save one frame, or the image with its true spacing.",
        )
    if isinstance(error, MemoryError) or "allocate" in text:
        return InputFileError(
            f"{path} does not fit into memory.", "Crop it or use a machine with more memory."
        )
    if "PixelType" in text:
        return InputFileError(
            f"{path} has a kind of pixels that is not supported, such as grey with transparency.",
            "Save it as plain grey or RGB.",
        )
    return InputFileError(
        f"{path} cannot be read: it is truncated, damaged or no image.",
        "Copy it again from its source, or choose another file.",
    )
