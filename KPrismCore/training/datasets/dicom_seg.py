"""DICOM segmentation objects (SEG): which pixels of a frame belong to which segment, on an image grid.

Source: DICOM PS3.3, C.8.20 (Segmentation image).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from KPrismCore.errors import GeometryError, InputFileError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.terminology import Code, Terminology
from KPrismCore.training.datasets.content import Label, Layer, layers_of_masks, plain_name
from KPrismCore.volumes import Volume

_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
# deviation of a frame's pixel steps from whole voxel steps that rounded numbers may cause
_STEP_TOLERANCE = 0.02
# and deviation of its first pixel from a voxel
_PLACE_TOLERANCE = 0.25
_LPS = np.array([-1.0, -1.0, 1.0])


def dicom_segment_layers(path: Path, volume: Volume) -> tuple[Layer, ...]:
    """Read the segments of a SEG file onto a volume's grid.

    Args:
        path: the file.
        volume: the series it was made on.

    Raises:
        InputFileError: damaged, or no segmentation object.
        GeometryError: its frames do not lie on the volume's voxels.
    """
    try:
        dataset = pydicom.dcmread(path)
        if str(dataset.SOPClassUID) != _CLASS:
            raise InputFileError(f"{path} is no DICOM segmentation.", "Choose a SEG object.")
        return layers_of_masks(_masks(path, dataset, volume.geometry))
    except (
        InvalidDicomError, AttributeError, KeyError, IndexError, ValueError, RuntimeError, OSError,
        NotImplementedError,
    ) as error:  # fmt: skip
        raise InputFileError(
            f"{path} is a damaged or incomplete DICOM segmentation ({error}).", "Export it again."
        ) from error


def _masks(path: Path, dataset: Any, geometry: VolumeGeometry) -> Iterator[tuple[Label, NDArray[np.bool_]]]:
    """Every segment's label and mask KJI."""
    frames: dict[int, list[tuple[NDArray[np.bool_], NDArray[np.float64]]]] = {}
    for number, frame, affine in _frames(dataset):
        frames.setdefault(number, []).append((frame, affine))
    for segment in dataset.SegmentSequence:
        mask = np.zeros(geometry.shape, dtype=np.bool_)
        for frame, affine in frames.get(int(segment.SegmentNumber), ()):
            _place(path, frame, affine, geometry, mask)
        yield _label(segment), mask


def _frames(dataset: Any) -> Iterator[tuple[int, NDArray[np.bool_], NDArray[np.float64]]]:
    """Segment number, pixels, and the matrix (3, 3) from (column, row, 1) to LPS of every frame."""
    pixels = dataset.pixel_array
    pixels = pixels[np.newaxis] if pixels.ndim == 2 else pixels
    # fractional segmentations have probabilities or occupancies up to this value
    half = float(dataset.get("MaximumFractionalValue", 1)) / 2
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for frame, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        orientation = _group(group, shared, "PlaneOrientationSequence").ImageOrientationPatient
        spacing = _group(group, shared, "PixelMeasuresSequence").PixelSpacing
        position = _group(group, shared, "PlanePositionSequence").ImagePositionPatient
        number = _group(group, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber
        along_row, along_column = (
            np.array(orientation[part], dtype=float) for part in (slice(3), slice(3, 6))
        )
        # PixelSpacing is that between rows first
        steps = along_row * float(spacing[1]), along_column * float(spacing[0])
        yield int(number), frame >= half, np.stack([*steps, np.array(position, dtype=float)], axis=1)


def _group(group: Any, shared: Any, name: str) -> Any:
    """A functional group of a frame, or the one that all frames share."""
    return (group if name in group else shared)[name][0]


def _place(
    path: Path,
    frame: NDArray[np.bool_],
    affine: NDArray[np.float64],
    geometry: VolumeGeometry,
    mask: NDArray[np.bool_],
) -> None:
    """Mark a frame's pixels in a mask KJI."""
    origin = geometry.ijk_from_ras(_LPS * affine[:, 2])
    steps = geometry.ijk_from_ras((_LPS[:, np.newaxis] * (affine[:, :2] + affine[:, 2:])).T) - origin
    steps_fit = np.abs(steps - np.rint(steps)).max() <= _STEP_TOLERANCE
    # frames of thinner slices would fall together
    lies_on = np.abs(origin - np.rint(origin)).max() <= _PLACE_TOLERANCE
    if not (steps_fit and lies_on) or np.any(np.abs(np.rint(steps)).sum(1) != 1):
        raise GeometryError(
            f"{path} has other pixels than its image series.", "Load both in 3D Slicer; save a .seg.nrrd."
        )
    rows, columns = np.nonzero(frame)
    places = origin + columns[:, np.newaxis] * np.rint(steps[0]) + rows[:, np.newaxis] * np.rint(steps[1])
    i, j, k = np.rint(places).astype(np.intp).T
    size = np.array(geometry.size)
    if len(i) and (min(i.min(), j.min(), k.min()) < 0 or np.any([i.max(), j.max(), k.max()] >= size)):
        raise GeometryError(f"{path} marks places outside its image series.", "Use its own series.")
    mask[k, j, i] = True


def _label(segment: Any) -> Label:
    entry = Terminology(
        _code(segment.SegmentedPropertyCategoryCodeSequence[0]),
        _code(segment.SegmentedPropertyTypeCodeSequence[0]),
    )
    return Label(plain_name(str(segment.SegmentLabel)), terminology=entry.entry_string())


def _code(item: Any) -> Code:
    return Code(str(item.CodeValue), str(item.CodeMeaning), str(item.CodingSchemeDesignator))
