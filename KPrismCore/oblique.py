"""Planes at any angle: resampled out, and masks put back into the voxels that the plane cuts.

Frames as in ``slices``. Three rules make the way back exact and free of stripes and holes:

* the plane's voxels are those whose centre lies within half the slab thickness of it. The thickness is that
  of a voxel along the normal by default, so every voxel that the plane passes through belongs to it;
* a voxel takes the value of the pixel nearest to the foot of its perpendicular;
* a pixel that is the foot of some voxel is read back from that voxel (the one nearest to the plane), any
  other pixel from the voxel in which it lies. Hence writing what was read changes nothing written before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from KPrismCore.errors import GeometryError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.slices import Array, BoolArray, FloatArray, IntArray, Plane


@dataclass(frozen=True, eq=False)
class ObliquePlane(Plane):
    """A rectangle in patient space.

    Args:
        geometry: grid of the volume it cuts.
        origin: RAS of the centre of pixel (0, 0), mm.
        x_direction: RAS direction in which the column number grows.
        y_direction: RAS direction in which the row number grows; at a right angle to the former.
        spacing: mm from row to row and from column to column.
        size: (rows, columns).
        thickness: of the slab in mm; None for that of a voxel along the plane's normal.

    Raises:
        GeometryError: directions zero or not at a right angle; spacing, size or thickness not positive.
    """

    geometry: VolumeGeometry
    origin: FloatArray
    x_direction: FloatArray
    y_direction: FloatArray
    spacing: tuple[float, float]
    size: tuple[int, int]
    thickness: float | None = None

    def __post_init__(self) -> None:
        for name in ("origin", "x_direction", "y_direction"):
            value = np.array(getattr(self, name), dtype=np.float64).reshape(3)
            if name != "origin":
                value = _unit(value)
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if abs(float(self.x_direction @ self.y_direction)) > 1e-4:
            raise GeometryError(
                "The plane's two directions are not at a right angle.", "Give perpendicular directions."
            )
        positive = (*self.spacing, *self.size, 1.0 if self.thickness is None else self.thickness)
        if not min(positive) > 0:
            raise GeometryError(
                "The plane's spacing, size and thickness must be positive.", "Correct the plane."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the 2-D image."""
        return self.size

    @property
    def pixel_spacing(self) -> tuple[float, float]:
        """Mm from row to row and from column to column."""
        return self.spacing

    @property
    def normal(self) -> FloatArray:
        """Unit vector RAS (3,) across the plane: x direction times y direction."""
        return np.asarray(np.cross(self.x_direction, self.y_direction))

    @property
    def slab_thickness(self) -> float:
        """Mm; the voxels whose centre is within half of it belong to the plane."""
        if self.thickness is not None:
            return self.thickness
        return float(np.abs(self.normal @ self.geometry.ijk_to_ras[:3, :3]).sum())

    def ijk_to_pixel(self, points: ArrayLike) -> FloatArray:
        """Project points (..., 3) IJK perpendicularly onto the plane: (..., 2) as (x, y), fractional."""
        offset = self.geometry.ras_from_ijk(points) - self.origin
        row_mm, column_mm = self.pixel_spacing
        return np.stack([offset @ self.x_direction / column_mm, offset @ self.y_direction / row_mm], axis=-1)

    def pixel_to_ijk(self, points: ArrayLike) -> FloatArray:
        """Convert pixels (..., 2) as (x, y) to IJK (..., 3), fractional."""
        pixel = np.asarray(points, dtype=np.float64)
        row_mm, column_mm = self.pixel_spacing
        along_x = pixel[..., :1] * column_mm * self.x_direction
        return self.geometry.ijk_from_ras(self.origin + along_x + pixel[..., 1:] * row_mm * self.y_direction)

    def extract(self, array: Array) -> Array:
        """Interpolate linearly from a volume KJI or KJIC to float32 (rows, columns) or (rows, columns, C).

        Pixels off the volume get the lowest value found on it.

        Raises:
            GeometryError: the array's shape is not the geometry's, or the plane does not meet the volume.
        """
        self._check_volume(array)
        inside = self._inside
        if not inside.any():
            raise GeometryError("The plane does not meet the volume.", "Move it into the volume.")
        values = _linear(array, self._pixel_ijk[inside], np.array(self.geometry.size))
        image = np.full((*self.shape, *array.shape[3:]), values.min(), dtype=np.float32)
        image[inside] = values
        return image

    def read_mask(self, array: Array) -> BoolArray:
        """Read the plane of a mask KJI (non-zero is inside) as bool (rows, columns); inverse of ``write``."""
        self._check_volume(array)
        mask = np.zeros(self.shape, dtype=np.bool_)
        inside = self._inside
        i, j, k = np.floor(self._pixel_ijk[inside] + 0.5).astype(np.intp).T
        mask[inside] = array[k, j, i] != 0
        (i, j, k), (rows, columns) = self._slab
        # the slab is sorted with the nearest voxel last, and the last assignment to a pixel stays
        mask[rows, columns] = array[k, j, i] != 0
        return mask

    def write(self, mask: Array, into: Array) -> None:
        """Put a mask (rows, columns), its zeros too, into the slab's voxels of an array KJI in place.

        Raises:
            GeometryError: the mask or the array has the wrong shape.
        """
        self._check_volume(into)
        self._check_mask(mask)
        (i, j, k), (rows, columns) = self._slab
        into[k, j, i] = mask[rows, columns]

    def voxels_of(self, mask: Array) -> IntArray:
        """Give the voxels (N, 3) IJK that ``write`` would set for a mask (rows, columns).

        Raises:
            GeometryError: the mask has the wrong shape.
        """
        self._check_mask(mask)
        voxels, (rows, columns) = self._slab
        return np.ascontiguousarray(voxels[:, mask[rows, columns] != 0].T)

    @cached_property
    def _pixel_ijk(self) -> FloatArray:
        rows, columns = self.shape
        y, x = np.mgrid[:rows, :columns]
        return self.pixel_to_ijk(np.stack([x, y], axis=-1))

    @cached_property
    def _inside(self) -> BoolArray:
        return self.geometry.contains_ijk(self._pixel_ijk)

    @cached_property
    def _slab(self) -> tuple[IntArray, IntArray]:
        """The plane's voxels (3, N) IJK and their pixels (2, N) as (row, column), farthest voxel first."""
        index, distance = self._slab_candidates()
        x, y = np.floor(self.ijk_to_pixel(index) + 0.5).astype(np.intp).T
        kept = (x >= 0) & (y >= 0) & (x < self.shape[1]) & (y < self.shape[0])
        order = np.argsort(-np.abs(distance[kept]), kind="stable")
        return index[kept][order].T, np.stack([y[kept], x[kept]])[:, order]

    def _slab_candidates(self) -> tuple[IntArray, FloatArray]:
        """Voxels (N, 3) IJK within half a thickness of the unbounded plane, and their distances in mm."""
        # distance to the plane is slopes . ijk + base; few voxels per line along the steepest axis qualify
        slopes = self.normal @ self.geometry.ijk_to_ras[:3, :3]
        base = float(self.normal @ (self.geometry.ijk_to_ras[:3, 3] - self.origin))
        steep = int(np.argmax(np.abs(slopes)))
        a, b = (axis for axis in range(3) if axis != steep)
        size, half = self.geometry.size, self.slab_thickness / 2
        grid_a, grid_b = np.mgrid[: size[a], : size[b]]
        rest = slopes[a] * grid_a + slopes[b] * grid_b + base
        first = np.floor(-(rest / slopes[steep]) - half / abs(slopes[steep])).astype(np.intp)
        steps = np.arange(int(np.ceil(2 * half / abs(slopes[steep]))) + 2)
        along = first[..., np.newaxis] + steps
        distance = rest[..., np.newaxis] + slopes[steep] * along
        # half-open, with a margin against rounding: adjacent parallel slabs neither share nor miss a voxel
        margin = 1e-6 * half
        kept = (
            (distance >= -half - margin) & (distance < half - margin) & (along >= 0) & (along < size[steep])
        )
        index = np.empty((int(kept.sum()), 3), dtype=np.intp)
        index[:, steep] = along[kept]
        for axis, grid in ((a, grid_a), (b, grid_b)):
            index[:, axis] = np.broadcast_to(grid[..., np.newaxis], kept.shape)[kept]
        return index, distance[kept]


def _unit(vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise GeometryError("A direction of the plane has no length.", "Give directions that are not zero.")
    return np.asarray(vector / length)


def _linear(array: Array, points: FloatArray, size: NDArray[Any]) -> NDArray[np.float32]:
    """Trilinear values of an array KJI[C] at points (N, 3) IJK; the outermost values go on to the faces."""
    clamped = np.clip(points, 0, size - 1)
    low = np.minimum(np.floor(clamped).astype(np.intp), np.maximum(size - 2, 0))
    high = np.minimum(low + 1, size - 1)
    fraction = (clamped - low).astype(np.float32)
    values = np.zeros((len(points), *array.shape[3:]), dtype=np.float32)
    for corner in np.ndindex(2, 2, 2):
        i, j, k = (np.where(side, high[:, axis], low[:, axis]) for axis, side in enumerate(corner))
        parts = (fraction[:, axis] if side else 1 - fraction[:, axis] for axis, side in enumerate(corner))
        weight = np.prod(list(parts), axis=0)
        values += weight.reshape(-1, *([1] * (array.ndim - 3))) * array[k, j, i].astype(np.float32)
    return values
