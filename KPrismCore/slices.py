"""Planes through a volume: to a 2-D image and exactly back.

A pixel is (x, y): x the column, y the row, centres are integers, the first pixel is (0, 0). IJK and RAS are
those of ``geometry``. 2-D images are shown as radiologists hang them, however the volume is stored:

* axial: row 0 anterior, column 0 the patient's right;
* coronal: row 0 superior, column 0 the patient's right;
* sagittal: row 0 superior, column 0 anterior.

``SlicePlane`` follows the voxel grid and never resamples: a volume acquired at an angle is cut along its own
axes, each taken for the nearest anatomical one. Planes at any other angle are ``oblique.ObliquePlane``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from KPrismCore.errors import ClickOutsideError, GeometryError
from KPrismCore.geometry import VolumeGeometry

Array = NDArray[Any]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
FloatArray = NDArray[np.float64]

KINDS = ("axial", "sagittal", "coronal", "i", "j", "k")

# for the normal R, A or S: the patient axes along which rows and columns grow, -1 = away from the letter
_HANGING = {0: ((2, -1), (1, -1)), 1: ((2, -1), (0, -1)), 2: ((1, -1), (0, -1))}
_NORMALS = {"sagittal": 0, "coronal": 1, "axial": 2}


class Plane(ABC):
    """What every plane can do; see the module for the frames."""

    geometry: VolumeGeometry

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the 2-D image."""

    @property
    @abstractmethod
    def pixel_spacing(self) -> tuple[float, float]:
        """Mm from row to row and from column to column."""

    @abstractmethod
    def extract(self, array: Array) -> Array:
        """Copy the plane out of a volume KJI or KJIC as (rows, columns) or (rows, columns, C).

        Raises:
            GeometryError: the array's shape is not the geometry's.
        """

    @abstractmethod
    def read_mask(self, array: Array) -> BoolArray:
        """Read the plane of a mask KJI (non-zero is inside) as bool (rows, columns); inverse of ``write``."""

    @abstractmethod
    def write(self, mask: Array, into: Array) -> None:
        """Put a mask (rows, columns), its zeros too, into an array KJI in place; only the plane changes.

        Raises:
            GeometryError: the mask or the array has the wrong shape.
        """

    @abstractmethod
    def voxels_of(self, mask: Array) -> IntArray:
        """Give the voxels (N, 3) IJK that ``write`` would set for a mask (rows, columns)."""

    @abstractmethod
    def ijk_to_pixel(self, points: ArrayLike) -> FloatArray:
        """Project points (..., 3) IJK onto the plane: (..., 2) as (x, y), fractional."""

    @abstractmethod
    def pixel_to_ijk(self, points: ArrayLike) -> FloatArray:
        """Convert pixels (..., 2) as (x, y) to IJK (..., 3), fractional."""

    def ras_to_pixel(self, points: ArrayLike) -> FloatArray:
        """Project points (..., 3) RAS onto the plane: (..., 2) as (x, y), fractional."""
        return self.ijk_to_pixel(self.geometry.ijk_from_ras(points))

    def pixel_to_ras(self, points: ArrayLike) -> FloatArray:
        """Convert pixels (..., 2) as (x, y) to RAS (..., 3) in mm."""
        return self.geometry.ras_from_ijk(self.pixel_to_ijk(points))

    def contains_pixel(self, points: ArrayLike) -> BoolArray:
        """Tell for pixels (..., 2) as (x, y) whether they lie on the 2-D image, its edges included."""
        pixel, (rows, columns) = np.asarray(points, dtype=np.float64), self.shape
        inside: BoolArray = np.all((pixel >= -0.5) & (pixel < np.array((columns - 0.5, rows - 0.5))), axis=-1)
        return inside

    def _check_volume(self, array: Array) -> None:
        if array.ndim not in (3, 4) or array.shape[:3] != self.geometry.shape:
            raise GeometryError(
                f"An array of shape {array.shape} does not fit a volume of {self.geometry.shape} (k, j, i).",
                "Use the array and the geometry of the same volume.",
            )

    def _check_mask(self, mask: Array) -> None:
        if mask.shape != self.shape:
            raise GeometryError(
                f"A mask of shape {mask.shape} does not fit a plane of shape {self.shape} (rows, columns).",
                "Use a mask made on this plane.",
            )


@dataclass(frozen=True)
class SlicePlane(Plane):
    """One slice of voxels, copied without resampling.

    Args:
        geometry: grid of the volume.
        kind: 'axial', 'coronal', 'sagittal' for the IJK plane nearest to it, or 'i', 'j', 'k' for the plane
            across that axis.
        index: place along the axis across the plane (``normal_axis``), in stored order.

    Raises:
        GeometryError: no such kind, or no such slice.
    """

    geometry: VolumeGeometry
    kind: str
    index: int

    def __post_init__(self) -> None:
        count = number_of_slices(self.geometry, self.kind)
        if not 0 <= self.index < count:
            raise GeometryError(f"There is no {self.kind} slice {self.index}.", f"Choose 0 to {count - 1}.")

    @classmethod
    def through(cls, geometry: VolumeGeometry, kind: str, ras: ArrayLike) -> SlicePlane:
        """Give the slice in which a point RAS (3,) lies.

        Raises:
            ClickOutsideError: the point is outside the volume.
            GeometryError: no such kind.
        """
        ijk = geometry.ijk_from_ras(ras)
        if not geometry.contains_ijk(ijk):
            place = ", ".join(f"{value:.1f}" for value in np.asarray(ras, dtype=np.float64))
            raise ClickOutsideError(
                f"The point RAS ({place}) lies outside the volume.", "Choose a point inside it."
            )
        return cls(geometry, kind, int(np.floor(ijk[_normal_axis(geometry, kind)] + 0.5)))

    @property
    def normal_axis(self) -> int:
        """The IJK axis across the plane: 0, 1 or 2."""
        return self._layout[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the 2-D image."""
        _, (row_axis, _), (column_axis, _) = self._layout
        return self.geometry.size[row_axis], self.geometry.size[column_axis]

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Mm from row to row and from column to column."""
        _, (row_axis, _), (column_axis, _) = self._layout
        return float(self.geometry.spacing[row_axis]), float(self.geometry.spacing[column_axis])

    def view(self, array: Array) -> Array:
        """Give the slice of an array KJI[C] as a view (rows, columns[, C]): writing to it changes the array.

        Raises:
            GeometryError: the array's shape is not the geometry's.
        """
        self._check_volume(array)
        normal, (row_axis, row_flip), (column_axis, column_flip) = self._layout
        # numpy axis n holds IJK axis 2 - n
        plane = _take(array, 2 - normal, self.index)
        if row_axis < column_axis:
            plane = plane.swapaxes(0, 1)
        return plane[:: -1 if row_flip else 1, :: -1 if column_flip else 1]

    def extract(self, array: Array) -> Array:
        """Copy the slice out of a volume KJI or KJIC as (rows, columns) or (rows, columns, C).

        Raises:
            GeometryError: the array's shape is not the geometry's.
        """
        return np.array(self.view(array), order="C")

    def read_mask(self, array: Array) -> BoolArray:
        """Read the slice of a mask KJI (non-zero is inside) as bool (rows, columns); inverse of ``write``."""
        return np.array(self.view(array) != 0, order="C")

    def write(self, mask: Array, into: Array) -> None:
        """Put a mask (rows, columns), its zeros too, into an array KJI in place; only the slice changes.

        Raises:
            GeometryError: the mask or the array has the wrong shape.
        """
        self._check_mask(mask)
        self.view(into)[...] = mask

    def voxels_of(self, mask: Array) -> IntArray:
        """Give the voxels (N, 3) IJK that ``write`` would set for a mask (rows, columns).

        Raises:
            GeometryError: the mask has the wrong shape.
        """
        self._check_mask(mask)
        rows, columns = np.nonzero(mask)
        return self.pixel_to_ijk(np.stack([columns, rows], axis=-1)).astype(np.intp)

    def ijk_to_pixel(self, points: ArrayLike) -> FloatArray:
        """Project points (..., 3) IJK onto the slice: (..., 2) as (x, y), fractional."""
        index = np.asarray(points, dtype=np.float64)
        _, row, column = self._layout
        return np.stack([self._along(index[..., axis], axis, flip) for axis, flip in (column, row)], axis=-1)

    def pixel_to_ijk(self, points: ArrayLike) -> FloatArray:
        """Convert pixels (..., 2) as (x, y) to IJK (..., 3), fractional."""
        pixel = np.asarray(points, dtype=np.float64)
        normal, (row_axis, row_flip), (column_axis, column_flip) = self._layout
        index = np.empty((*pixel.shape[:-1], 3))
        index[..., normal] = self.index
        index[..., column_axis] = self._along(pixel[..., 0], column_axis, column_flip)
        index[..., row_axis] = self._along(pixel[..., 1], row_axis, row_flip)
        return index

    def _along(self, values: FloatArray, axis: int, flip: bool) -> FloatArray:
        return self.geometry.size[axis] - 1 - values if flip else values

    @cached_property
    def _layout(self) -> tuple[int, tuple[int, bool], tuple[int, bool]]:
        """Normal IJK axis, then (IJK axis, whether it is flipped) of the rows and of the columns."""
        axes = self.geometry.anatomical_axes
        normal = _normal_axis(self.geometry, self.kind)
        patient_normal = next(n for n, (axis, _) in enumerate(axes) if axis == normal)
        (row, row_sign), (column, column_sign) = _HANGING[patient_normal]
        return (
            normal,
            (axes[row][0], axes[row][1] != row_sign),
            (axes[column][0], axes[column][1] != column_sign),
        )


def number_of_slices(geometry: VolumeGeometry, kind: str) -> int:
    """Count the slices of a kind ('axial', 'coronal', 'sagittal', 'i', 'j', 'k').

    Raises:
        GeometryError: no such kind.
    """
    return geometry.size[_normal_axis(geometry, kind)]


def anatomical_kind(geometry: VolumeGeometry, kind: str) -> str:
    """Name a kind of slice, such as 'k', by the anatomical plane nearest to it.

    Raises:
        GeometryError: no such kind.
    """
    axis = _normal_axis(geometry, kind)
    return next(name for name, n in _NORMALS.items() if geometry.anatomical_axes[n][0] == axis)


def _normal_axis(geometry: VolumeGeometry, kind: str) -> int:
    if kind not in KINDS:
        raise GeometryError(f"'{kind}' is not a kind of slice.", f"Choose one of {', '.join(KINDS)}.")
    if kind in _NORMALS:
        return geometry.anatomical_axes[_NORMALS[kind]][0]
    return "ijk".index(kind)


def _take(array: Array, axis: int, index: int) -> Array:
    place: list[Any] = [slice(None)] * array.ndim
    place[axis] = index
    plane: Array = array[tuple(place)]
    return plane
