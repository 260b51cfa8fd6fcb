"""Multi-frame DICOM ("enhanced" CT, MR and PET): where each frame of a file lies, and what scales it.

SimpleITK does not show the groups that tell it. GDCM makes a grid of frames at equal distances; of others,
and of frames that are not stored in their order, it makes one of 1 mm and says nothing. It scales all frames
by the numbers of the first.
"""

from __future__ import annotations

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore.dicom import Header, regular_grid, sorted_slices
from KPrismCore.errors import GeometryError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.image_files import check_frame

FloatArray = NDArray[np.float64]

# tags as little-endian files have them; the groups of all frames come before those of each
_SHARED_GROUPS, _FRAME_GROUPS = b"\x00\x52\x29\x92", b"\x00\x52\x30\x92"
_PIXELS = (b"\xe0\x7f\x10\x00", b"\xe0\x7f\x08\x00", b"\xe0\x7f\x09\x00")
_POSITION, _ORIENTATION = b"\x20\x00\x32\x00", b"\x20\x00\x37\x00"
_SPACING, _INTERCEPT, _SLOPE = b"\x28\x00\x30\x00", b"\x28\x00\x52\x10", b"\x28\x00\x53\x10"


@dataclass(frozen=True)
class FramePlaces:
    """What a file says of its N frames: positions (N, 3) and orientations (N, 6) LPS in mm, distances of rows
    and of columns (N, 2) in mm, and slopes and intercepts (N,)."""

    positions: FloatArray
    orientations: FloatArray
    spacings: FloatArray
    slopes: FloatArray
    intercepts: FloatArray


def placed(
    path: Path, image: sitk.Image, modality: str, time_point: int | None = None
) -> tuple[sitk.Image, VolumeGeometry, int]:
    """Give the frames of a DICOM file in their order in space, each scaled by its own numbers, and the grid.

    Args:
        path: of the file.
        image: what SimpleITK read from it; given back where the file does not tell of its frames.
        modality: value of tag 0008|0060.
        time_point: which frames to take, from 0, where as many lie at each place (also echoes, for example).

    Returns:
        Image, grid, and the number of time points in the file.

    Raises:
        GeometryError: the frames make no regular volume; those where it breaks are named. There are several
            time points, and none was chosen.
        ImageContentError: there is no such time point.
    """
    places = frame_places(path, image.GetSize()[2]) if image.GetDimension() == 3 else None
    times = [[0]] if places is None else time_points(places.positions)
    if len(times) > 1 and time_point is None:
        raise GeometryError(
            f"{path} has {len(times)} frames at the same place, at each of {len(times[0])} places (time "
            "points, for example).",
            f"Choose one: frame 0 to {len(times) - 1}.",
        )
    check_frame(path, time_point, len(times))
    if places is None:
        return image, VolumeGeometry.from_image(image), 1
    order, grid = _sorted_frames(path, image, modality, places, times[time_point or 0])
    return _in_order(_rescaled(image, places), order), grid, len(times)


def time_points(positions: FloatArray) -> list[list[int]]:
    """Part frames with positions (N, 3) by how often their place was there before, as they are stored.

    One list of all frames where not as many lie at each place.
    """
    at: dict[tuple[float, ...], list[int]] = {}
    for number, position in enumerate(positions):
        at.setdefault(tuple((position.round(2) + 0.0).tolist()), []).append(number)
    if len({len(numbers) for numbers in at.values()}) > 1:
        return [list(range(len(positions)))]
    return [sorted(numbers) for numbers in zip(*at.values(), strict=True)]


def _sorted_frames(
    path: Path, image: sitk.Image, modality: str, places: FramePlaces, numbers: list[int]
) -> tuple[list[int], VolumeGeometry]:
    """The numbers of some frames in their order in space, and their grid."""
    columns, rows, _ = image.GetSize()
    headers = [
        Header(
            Path(f"frame {number + 1} of {path.name}"), modality, "", places.positions[number],
            places.orientations[number], (columns, rows, 1),
            (float(places.spacings[number, 1]), float(places.spacings[number, 0])),
        )
        for number in numbers
    ]  # fmt: skip
    ordered, positions, orientation = sorted_slices(headers)
    by_path = {header.path: number for number, header in zip(numbers, headers, strict=True)}
    order = [by_path[header.path] for header in ordered]
    if order == sorted(order, reverse=True):
        # counted from the other end, which is a grid too: GDCM and 3D Slicer leave it so
        order, positions = order[::-1], positions[::-1]
    return order, regular_grid(headers, positions, orientation, (columns, rows, len(order)))


def frame_places(path: Path, count: int) -> FramePlaces | None:
    """Read what a DICOM file says of each of its frames; None where it says nothing, or not of all."""
    if count < 2:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_FRAME_GROUPS)
        if start < 0:
            return None
        ends = [end for tag in _PIXELS if (end := data.find(tag, start)) >= 0]
        shared, own = data[max(data.find(_SHARED_GROUPS), 0) : start], data[start : min(ends, default=start)]
    found = {
        tag: _of_frames(tag, length, shared, own, count)
        for tag, length in ((_POSITION, 3), (_ORIENTATION, 6), (_SPACING, 2), (_SLOPE, 1), (_INTERCEPT, 1))
    }
    positions, orientations, spacings = (found[tag] for tag in (_POSITION, _ORIENTATION, _SPACING))
    if positions is None or orientations is None or spacings is None:
        return None
    slopes, intercepts = found[_SLOPE], found[_INTERCEPT]
    if slopes is None or intercepts is None:
        slopes, intercepts = np.ones((count, 1)), np.zeros((count, 1))
    return FramePlaces(positions, orientations, spacings, slopes[:, 0], intercepts[:, 0])


def _of_frames(tag: bytes, length: int, shared: bytes, own: bytes, count: int) -> FloatArray | None:
    """The numbers (count, length) of a tag, of each frame or shared by all; None where they are not there."""
    of_each = _numbers(tag, length, own)
    if len(of_each) == count:
        return np.array(of_each)
    of_all = _numbers(tag, length, shared)
    return np.array(of_all * count) if len(of_all) == 1 and not of_each else None


def _numbers(tag: bytes, length: int, data: bytes) -> list[list[float]]:
    """All values of a tag of decimal strings (DS) of that many numbers, in their order in the file."""
    found = []
    for match in re.finditer(re.escape(tag) + rb"(?:DS(..)|(..)\x00\x00)", data, re.DOTALL):
        (size,) = struct.unpack("<H", match[1] or match[2])
        try:
            values = [float(part) for part in data[match.end() : match.end() + size].split(b"\\")]
        except ValueError:
            continue
        if len(values) == length and np.isfinite(values).all():
            found.append(values)
    return found


def _rescaled(image: sitk.Image, places: FramePlaces) -> sitk.Image:
    """Scale each frame by its own slope and intercept where those of the first do not hold for all."""
    slopes, intercepts = places.slopes, places.intercepts
    if slopes[0] == 0 or (np.all(slopes == slopes[0]) and np.all(intercepts == intercepts[0])):
        return image
    stored = (sitk.GetArrayFromImage(image).astype(np.float64) - intercepts[0]) / slopes[0]
    scaled = stored * slopes[:, np.newaxis, np.newaxis] + intercepts[:, np.newaxis, np.newaxis]
    return sitk.GetImageFromArray(scaled.astype(np.float32))


def _in_order(image: sitk.Image, order: list[int]) -> sitk.Image:
    if order == list(range(image.GetSize()[2])):
        return image
    return sitk.GetImageFromArray(np.ascontiguousarray(sitk.GetArrayFromImage(image)[order]))
