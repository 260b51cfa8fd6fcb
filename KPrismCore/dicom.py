"""DICOM: which series a folder holds, and whether its slices make a regular volume (SimpleITK's GDCM).

ITK stacks whatever it is given and takes the distance of two slices for all. Here every slice's position is
looked at first, because a mask on a wrong grid is worse than an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore.errors import GeometryError, InputFileError, KPrismError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.image_files import is_dicom, open_image, quiet
from KPrismCore.integrity import damaged

FloatArray = NDArray[np.float64]

# what belongs to images without being one, and segmentations, which are no image to segment
NOT_IMAGES = frozenset((
    "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "SR", "PR", "KO", "REG", "DOC", "ECG", "AU", "FID",
    "RWV", "",
))  # fmt: skip
# DICOM's modalities under the names used here; others keep their DICOM code
_MODALITIES = {
    **dict.fromkeys(("CR", "DX", "RG", "MG", "RF", "IO", "PX"), "XR"),
    **dict.fromkeys(("US", "IVUS"), "US"),
    # what a model can do differs there, so that they are no X-rays and no other microscopy
    "XA": "angiography",
    "SM": "histology",
    "GM": "microscopy",
    **dict.fromkeys(("OPT", "OCT"), "OCT"),
    "ES": "endoscopy",
    "OP": "fundus",
}
# relative deviation of a slice distance that scanners' rounding may cause
_DISTANCE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Header:
    """What is needed of one file; position and orientation LPS in mm, None where the file has none.

    `scale` is slope and intercept of its values, as they are written.
    """

    path: Path
    modality: str
    description: str
    position: FloatArray | None
    orientation: FloatArray | None
    size: tuple[int, ...]
    spacing: tuple[float, float]
    scale: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Series:
    """A series as read: image of one or more slices, its grid, and its first file's header."""

    image: sitk.Image
    geometry: VolumeGeometry
    header: Header


def modality_name(code: str) -> str | None:
    """Turn the value of tag 0008|0060 into the name used here; None where it says nothing."""
    return None if code in ("", "OT", "UN") else _MODALITIES.get(code, code)


def modality_code(path: Path) -> str:
    """Give the value of tag 0008|0060 of a DICOM file, also of one that is damaged or holds no image."""
    try:
        return read_header(path).modality
    except KPrismError:
        return _raw_modality(path)


def read_header(path: Path) -> Header:
    """Read the tags of one DICOM file.

    Raises:
        InputFileError: damaged, or without an image.
    """
    reader = open_image(path)
    spacing = reader.GetSpacing()
    return Header(
        path,
        _tag(reader, "0008|0060"),
        _tag(reader, "0008|103e"),
        _numbers(_tag(reader, "0020|0032"), 3),
        _numbers(_tag(reader, "0020|0037"), 6),
        tuple(reader.GetSize()),
        (spacing[0], spacing[1]),
        (_tag(reader, "0028|1053"), _tag(reader, "0028|1052")),
    )


def find_series(folder: Path, uid: str | None = None) -> list[Path]:
    """List the files of the one image series of a folder, or of the one chosen. Subfolders are not searched.

    Raises:
        InputFileError: no series, more than one (they are listed), an unknown one, or a damaged file.
    """
    with quiet():
        uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        files = {one: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), one) for one in uids}
    series = {one: [Path(file) for file in names] for one, names in files.items() if names}
    images = {one: paths for one, paths in series.items() if modality_code(paths[0]) not in NOT_IMAGES}
    if uid is not None:
        images = {one: paths for one, paths in images.items() if one == uid} or images
    if not images:
        raise InputFileError(
            f"{folder} holds no DICOM images.", "Choose the folder that holds the slices themselves."
        )
    if len(images) > 1 or (uid is not None and uid not in images):
        wrong = "several DICOM series" if uid is None else f"no DICOM series {uid}"
        listed = "; ".join(_described(one, paths) for one, paths in images.items())
        raise InputFileError(
            f"{folder} holds {wrong}: {listed}.",
            f"Name one after the folder, as in {folder}#{next(iter(images))}",
        )
    _check_none_left_out(folder, {path.name for paths in series.values() for path in paths})
    return next(iter(images.values()))


def read_series(files: list[Path]) -> Series:
    """Read two or more slices of one series into a volume, sorted along their normal.

    Raises:
        InputFileError: a damaged file.
        GeometryError: gantry tilt; slices missing, doubled, unevenly spaced or not parallel.
    """
    headers, positions, orientation = sorted_slices([read_header(path) for path in files])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(header.path) for header in headers])
    if len({header.scale for header in headers}) > 1:
        # each slice of a PET is scaled on its own, and ITK takes the type of the first for all
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        with quiet():
            image = reader.Execute()
    except RuntimeError as error:
        raise damaged(files[0].parent) from error
    geometry = regular_grid(headers, positions, orientation, image.GetSize()[:3])
    return Series(image, geometry, headers[0])


def regular_grid(
    headers: list[Header], positions: FloatArray, orientation: FloatArray, size: tuple[int, ...]
) -> VolumeGeometry:
    """Give the grid of slices that `sorted_slices` has sorted; of its results, and the size (I, J, K)."""
    # the whole stack decides the distance: a scanner rounds each position
    span = positions[-1] - positions[0]
    row, column = orientation[:3], orientation[3:]
    normal = np.cross(row, column)
    direction = np.stack([row, column, normal if span @ normal > 0 else -normal], axis=1)
    spacing = (*headers[0].spacing, float(np.linalg.norm(span)) / (len(positions) - 1))
    return VolumeGeometry.from_parts(size, spacing, direction, positions[0])


def sorted_slices(headers: list[Header]) -> tuple[list[Header], FloatArray, FloatArray]:
    """Check slices and sort them along their normal: headers, positions (N, 3) LPS, orientation (6,).

    Raises:
        GeometryError: gantry tilt; slices missing, doubled, unevenly spaced or not parallel.
    """
    places = [_place(header) for header in headers]
    _check_alike(headers, [orientation for _, orientation in places])
    orientation = places[0][1]
    normal = np.cross(orientation[:3], orientation[3:])
    positions = np.array([position for position, _ in places])
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = [headers[n] for n in order], positions[order]
    _check_distances(ordered, positions @ normal)
    _check_tilt(ordered, positions, normal)
    return ordered, positions, orientation


def _place(header: Header) -> tuple[FloatArray, FloatArray]:
    if header.position is None or header.orientation is None:
        raise GeometryError(
            f"{header.path} does not say where it lies (ImagePositionPatient, ImageOrientationPatient).",
            "Open the files one by one.",
        )
    return header.position, header.orientation


def _check_alike(headers: list[Header], orientations: list[FloatArray]) -> None:
    first = headers[0]
    for header, orientation in zip(headers, orientations, strict=True):
        if np.abs(orientation - orientations[0]).max() > 1e-3:
            raise GeometryError(
                f"{first.path.name} and {header.path.name} are not parallel.",
                "Take the localizer out of the folder, or choose another series.",
            )
        if header.size[2:] != (1,):
            raise GeometryError(f"{header.path} holds several frames.", "Open it on its own.")
        if header.size != first.size or not np.allclose(header.spacing, first.spacing, rtol=1e-3):
            raise GeometryError(
                f"{first.path.name} and {header.path.name} differ in size or pixel spacing.",
                "Put each kind into a folder of its own.",
            )


def _check_distances(headers: list[Header], places: FloatArray) -> None:
    distances = np.diff(places)
    usual = float(np.median(distances))
    for number, distance in enumerate(distances):
        pair = (
            f"{headers[number].path.name} (at {places[number]:.2f} mm) and "
            f"{headers[number + 1].path.name} (at {places[number + 1]:.2f} mm)"
        )
        if distance < 1e-3:
            raise GeometryError(
                f"Slices {pair} lie at the same place.",
                "Put each time point or acquisition into a file or folder of its own.",
            )
        if abs(distance - usual) <= _DISTANCE_TOLERANCE * usual:
            continue
        ratio = distance / usual
        if round(ratio) >= 2 and abs(ratio - round(ratio)) <= _DISTANCE_TOLERANCE * round(ratio):
            raise GeometryError(
                f"Slices are missing between {pair}: {round(ratio) - 1} of {usual:.2f} mm.",
                "Copy the series again from its source.",
            )
        raise GeometryError(
            f"Slices are unevenly spaced: {distance:.2f} mm between {pair}, elsewhere {usual:.2f} mm.",
            "Resample the series to equal distances, in 3D Slicer for example.",
        )


def _check_tilt(headers: list[Header], positions: FloatArray, normal: FloatArray) -> None:
    offsets = positions - positions[0]
    shifts = np.linalg.norm(offsets - (offsets @ normal)[:, np.newaxis] * normal, axis=1)
    worst = int(shifts.argmax())
    # half a pixel over the whole volume: less than that no mask can show
    if shifts[worst] > 0.5 * min(headers[0].spacing):
        angle = np.degrees(np.arctan2(shifts[worst], abs(float(offsets[worst] @ normal))))
        raise GeometryError(
            f"The slices are stacked askew by {angle:.1f} degrees (gantry tilt): "
            f"{headers[worst].path.name} lies {shifts[worst]:.2f} mm beside the line through "
            f"{headers[0].path.name}.",
            "Load the series in 3D Slicer with acquisition geometry regularization and save it as NRRD.",
        )


def _check_none_left_out(folder: Path, listed: set[str]) -> None:
    """GDCM drops files that it cannot read; a truncated last slice would go unnoticed.

    Of one cut so short that it does not say what it is, its name does: that of another slice but for numbers.
    """
    slices = {_without_numbers(name) for name in listed}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name in listed:
            continue
        code = _raw_modality(path) if is_dicom(path) else ""
        if code not in NOT_IMAGES or (code == "" and _without_numbers(path.name) in slices):
            raise damaged(path)


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _raw_modality(path: Path) -> str:
    """Find the modality code in a DICOM file that GDCM cannot read; empty where it is not."""
    with path.open("rb") as stream:
        head = stream.read(1 << 14)
    # tag 0008|0060, explicit or implicit, little-endian: length, then the code padded with a space
    found = re.search(rb"\x08\x00\x60\x00(?:CS..|.{4})([A-Z]{2,16})", head, re.DOTALL)
    return found[1].decode("ascii") if found else ""


def _described(uid: str, paths: list[Path]) -> str:
    header = read_header(paths[0])
    description = f", {header.description}" if header.description else ""
    return f"{uid or '(no UID)'} ({header.modality}, {len(paths)} files{description})"


def _tag(reader: sitk.ImageFileReader, key: str) -> str:
    return str(reader.GetMetaData(key)).strip(" \0") if reader.HasMetaDataKey(key) else ""


def _numbers(text: str, count: int) -> FloatArray | None:
    try:
        values = np.array([float(part) for part in text.split("\\")])
    except ValueError:
        return None
    return values if len(values) == count and np.isfinite(values).all() else None
