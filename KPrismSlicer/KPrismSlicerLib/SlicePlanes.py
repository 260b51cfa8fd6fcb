"""Which plane of an image a slice view shows, and the slices parallel to it.

Matrices are 4x4 numpy arrays. A slice view's matrix has the view's right, up and normal in RAS as its first
three columns and a point of the plane (mm) as its fourth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from KPrismCore.errors import ClickOutsideError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.oblique import ObliquePlane
from KPrismCore.slices import Plane, SlicePlane, anatomical_kind, number_of_slices

# voxels by which a plane may leave its slice at the edges of the image and still count as aligned
_DRIFT = 0.25
# decimals by which views are told apart, of cosines and of mm: panning and zooming only add rounding errors
_COSINE_DECIMALS = 12
_DECIMALS = 4
_LARGEST_SIDE = 2048
# what a scene file's rounding may do to a plane: parts of a voxel along its normal, and pixels in it
_APART, _PIXELS_APART = 0.01, 1.0


@dataclass(frozen=True, eq=False)
class SliceStack:
    """The slices parallel to a plane.

    Args:
        plane: the slice that is shown.
        index: its place, from 0.
        count: number of slices that meet the image.
    """

    plane: Plane
    index: int
    count: int

    def at(self, index: int) -> Plane:
        """The slice at a place, 0 to count - 1.

        Raises:
            GeometryError, ClickOutsideError: there is no such slice.
        """
        if index == self.index:
            return self.plane
        if isinstance(self.plane, SlicePlane):
            return SlicePlane(self.plane.geometry, self.plane.kind, index)
        return _moved(self.plane, (index - self.index) * self.plane.slab_thickness)


def planeOf(geometry: VolumeGeometry, sliceToRas: np.ndarray) -> Plane:
    """The plane of an image that a slice view shows: a slice of voxels where it is aligned, else oblique.

    The oblique one covers the whole section through the image, whatever part of it the view shows: the same
    plane has the same pixels after zooming and panning.

    Raises:
        ClickOutsideError: the plane does not meet the image.
    """
    right, up, normal = (np.array(sliceToRas[:3, n], dtype=np.float64) for n in range(3))
    slopes = normal @ geometry.ijk_to_ras[:3, :3]
    base = float(normal @ (geometry.ijk_to_ras[:3, 3] - sliceToRas[:3, 3]))
    axis = int(np.argmax(np.abs(slopes)))
    middle = (np.array(geometry.size) - 1) / 2
    others = [n for n in range(3) if n != axis]
    drift = sum(abs(slopes[n]) * middle[n] for n in others) / abs(slopes[axis])
    if drift > _DRIFT:
        x, y = _directions(right, -up)
        return _cut(geometry, x, y, round(float(np.cross(x, y) @ sliceToRas[:3, 3]), _DECIMALS))
    place = -(base + sum(slopes[n] * middle[n] for n in others)) / slopes[axis]
    # views often lie just between two voxels: the same one whatever the rounding
    index = int(np.floor(round(place, _DECIMALS) + 0.5))
    if not 0 <= index < geometry.size[axis]:
        raise _outside()
    return SlicePlane(geometry, anatomical_kind(geometry, "ijk"[axis]), index)


def isSame(plane: Plane, known: Plane) -> bool:
    """Whether a plane is a known oblique one but for rounding: a scene file keeps about six digits of views.

    Aligned slices are never meant: they are equal or not.
    """
    if not (isinstance(plane, ObliquePlane) and isinstance(known, ObliquePlane)):
        return False
    tolerance = _APART * known.slab_thickness
    # most are told apart by this; the rest takes longer
    if abs(float(plane.normal @ (known.origin - plane.origin))) > 2 * tolerance:
        return False
    if np.abs(np.subtract(plane.shape, known.shape)).max() > 1:
        return False
    rows, columns = plane.shape
    corners = np.array([(x, y) for x in (0, columns - 1) for y in (0, rows - 1)], dtype=np.float64)
    points = plane.pixel_to_ras(corners)
    if np.abs((points - known.origin) @ known.normal).max() > tolerance:
        return False
    return bool(np.abs(known.ras_to_pixel(points) - corners).max() <= _PIXELS_APART)


def stackOf(plane: Plane) -> SliceStack:
    """All slices parallel to a plane, a voxel apart, of which it is one."""
    if isinstance(plane, SlicePlane):
        return SliceStack(plane, plane.index, number_of_slices(plane.geometry, plane.kind))
    heights = _corners(plane.geometry, 0.0) @ plane.normal - float(plane.normal @ plane.origin)
    below = _slicesTowards(plane, -1, -heights.min())
    above = _slicesTowards(plane, 1, heights.max())
    return SliceStack(plane, below, below + above + 1)


def _slicesTowards(plane: ObliquePlane, sign: int, height: float) -> int:
    """How many slices lie beyond a plane on one side, where voxels reach a height (mm) above it."""
    step = plane.slab_thickness
    count = max(0, int(np.ceil(height / step - 0.5)))
    # one that only touches a corner shows nothing
    while count and not _showsSomething(plane, sign * count * step):
        count -= 1
    return count


def _showsSomething(plane: ObliquePlane, distance: float) -> bool:
    try:
        moved = _moved(plane, distance)
    except ClickOutsideError:
        return False
    rows, columns = np.mgrid[: moved.shape[0], : moved.shape[1]]
    places = moved.pixel_to_ijk(np.stack([columns, rows], axis=-1))
    return bool(np.count_nonzero(moved.geometry.contains_ijk(places)) > 1)


def _moved(plane: ObliquePlane, distance: float) -> Plane:
    height = float(plane.normal @ plane.origin) + distance
    return _cut(plane.geometry, plane.x_direction, plane.y_direction, height)


def _directions(right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors at a right angle, equal for views that differ by rounding errors only."""
    x, y = (np.round(vector / np.linalg.norm(vector), _COSINE_DECIMALS) for vector in (right, down))
    x /= np.linalg.norm(x)
    y -= (x @ y) * x
    return x, y / np.linalg.norm(y)


def _cut(geometry: VolumeGeometry, x: np.ndarray, y: np.ndarray, height: float) -> ObliquePlane:
    """The section of an image at a height (mm) along x times y, with rows along x and columns along y.

    It is wide enough for all voxels that the plane passes through.

    Raises:
        ClickOutsideError: the plane does not meet the image.
    """
    normal = np.cross(x, y)
    section = _section(geometry, normal, height)
    across = np.stack([section @ x, section @ y], axis=-1)
    low, extent = across.min(axis=0), np.ptp(across, axis=0)
    spacing = max(float(geometry.spacing.min()), float(extent.max()) / _LARGEST_SIDE)
    columns, rows = (int(n) for n in np.maximum(np.ceil(np.round(extent / spacing, _DECIMALS)), 1))
    first = low + (extent - (np.array((columns, rows)) - 1) * spacing) / 2
    origin = height * normal + first[0] * x + first[1] * y
    return ObliquePlane(geometry, origin, x, y, (spacing, spacing), (rows, columns))


def _corners(geometry: VolumeGeometry, margin: float) -> np.ndarray:
    """The eight corners (8, 3) RAS of the image, `margin` voxels beyond the outermost centres."""
    ends = [(-margin, length - 1 + margin) for length in geometry.size]
    return geometry.ras_from_ijk(np.array(list(product(*ends))))


def _section(geometry: VolumeGeometry, normal: np.ndarray, height: float) -> np.ndarray:
    """The corners (N, 3) RAS of what a plane, as thick as a voxel along its normal, cuts out of an image.

    Raises:
        ClickOutsideError: nothing.
    """
    corners = _corners(geometry, 0.5)
    sides = corners @ normal - height
    if sides.min() > 0 or sides.max() < 0:
        raise _outside()
    half = float(np.abs(normal @ geometry.ijk_to_ras[:3, :3]).sum()) / 2
    found = list(corners[np.abs(sides) <= half])
    for one, other in product(range(8), repeat=2):
        # corners are numbered in binary: an edge joins two that differ in one digit
        if one < other and (one ^ other) in (1, 2, 4):
            for face in (sides - half, sides + half):
                if face[one] * face[other] < 0:
                    part = face[one] / (face[one] - face[other])
                    found.append(corners[one] + part * (corners[other] - corners[one]))
    return np.array(found)


def _outside() -> ClickOutsideError:
    return ClickOutsideError("This slice view does not cut the image.", "Scroll it into the image.")
