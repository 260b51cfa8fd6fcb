"""Where voxels are: one grid in patient space, and the only place that inverts its matrix.

Frames, never mixed silently; every function says which one it takes and gives:

* IJK: voxel index, fractional allowed; voxel centres are integers; i runs fastest in memory.
* KJI: the same index in numpy order, as in ``array[k, j, i]``.
* RAS: patient space in mm, towards Right, Anterior, Superior (3D Slicer).
* LPS: patient space in mm, towards Left, Posterior, Superior (DICOM, SimpleITK).

Points are float64 arrays of shape (..., 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from KPrismCore.errors import GeometryError

if TYPE_CHECKING:
    import SimpleITK as sitk

FloatArray = NDArray[np.float64]
Box = tuple[slice, slice, slice]

_LPS_SIGNS = np.array([-1.0, -1.0, 1.0])
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))


def lps_from_ras(points: ArrayLike) -> FloatArray:
    """Convert points (..., 3) in mm from RAS to LPS."""
    return _as_points(points) * _LPS_SIGNS


def ras_from_lps(points: ArrayLike) -> FloatArray:
    """Convert points (..., 3) in mm from LPS to RAS."""
    return _as_points(points) * _LPS_SIGNS


def kji_from_ijk(points: ArrayLike) -> FloatArray:
    """Convert voxel indices (..., 3) from IJK to KJI (numpy order)."""
    return np.flip(_as_points(points), axis=-1).copy()


def ijk_from_kji(points: ArrayLike) -> FloatArray:
    """Convert voxel indices (..., 3) from KJI (numpy order) to IJK."""
    return np.flip(_as_points(points), axis=-1).copy()


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """The smallest box, as slices k, j, i, with all True voxels of a mask KJI; None where there is none."""
    parts = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(used):
            return None
        parts.append(slice(int(used[0]), int(used[-1]) + 1))
    return parts[0], parts[1], parts[2]


@dataclass(frozen=True, eq=False)
class VolumeGeometry:
    """The grid of a volume.

    Args:
        size: number of voxels (i, j, k), each at least 1.
        ijk_to_ras: 4x4 matrix from homogeneous IJK indices of voxel centres to RAS in mm. Copied, read-only.

    Raises:
        GeometryError: the matrix is not finite, affine and invertible, or the size not positive.
    """

    size: tuple[int, int, int]
    ijk_to_ras: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", _checked_size(self.size))
        object.__setattr__(self, "ijk_to_ras", _checked_matrix(self.ijk_to_ras))

    @classmethod
    def from_parts(
        cls, size: Sequence[int], spacing: ArrayLike, direction_lps: ArrayLike, origin_lps: ArrayLike
    ) -> VolumeGeometry:
        """Build from what DICOM and SimpleITK give.

        Args:
            size: voxels (i, j, k).
            spacing: mm along i, j, k.
            direction_lps: 3x3; column n is the unit vector of IJK axis n in LPS.
            origin_lps: LPS of the centre of voxel (0, 0, 0).

        Raises:
            GeometryError: as the constructor.
        """
        columns = np.asarray(direction_lps, dtype=np.float64).reshape(3, 3) * np.asarray(
            spacing, dtype=np.float64
        )
        matrix = np.eye(4)
        matrix[:3, :3] = columns * _LPS_SIGNS[:, np.newaxis]
        matrix[:3, 3] = ras_from_lps(origin_lps)
        return cls(_three(size), matrix)

    @classmethod
    def from_image(cls, image: sitk.Image) -> VolumeGeometry:
        """Build from a SimpleITK image (LPS).

        A 2-D image becomes one slice of 1 mm; the fourth dimension of a 4-D one is left out.

        Raises:
            GeometryError: the image has another number of dimensions, or a singular direction matrix.
        """
        dimension = image.GetDimension()
        if dimension not in (2, 3, 4):
            raise GeometryError(
                f"An image of {dimension} dimensions has no geometry.", "Use 2 to 4 dimensions."
            )
        kept = min(dimension, 3)
        direction, spacing, origin, size = np.eye(3), np.ones(3), np.zeros(3), np.ones(3, dtype=int)
        direction[:kept, :kept] = np.array(image.GetDirection()).reshape(dimension, dimension)[:kept, :kept]
        spacing[:kept] = image.GetSpacing()[:kept]
        origin[:kept] = image.GetOrigin()[:kept]
        size[:kept] = image.GetSize()[:kept]
        return cls.from_parts(size.tolist(), spacing, direction, origin)

    def apply_to(self, image: sitk.Image) -> None:
        """Give a 3-D SimpleITK image of this size the grid's origin, spacing and direction, in place."""
        image.SetOrigin(lps_from_ras(self.ijk_to_ras[:3, 3]).tolist())
        image.SetSpacing(self.spacing.tolist())
        image.SetDirection((self.direction * _LPS_SIGNS[:, np.newaxis]).ravel().tolist())

    @cached_property
    def ras_to_ijk(self) -> FloatArray:
        """4x4 inverse of ``ijk_to_ras``, read-only."""
        return _read_only(np.asarray(np.linalg.inv(self.ijk_to_ras), dtype=np.float64))

    @cached_property
    def spacing(self) -> FloatArray:
        """Mm from one voxel centre to the next along i, j, k; shape (3,), read-only."""
        columns = self.ijk_to_ras[:3, :3]
        return _read_only(np.sqrt((columns * columns).sum(axis=0)))

    @cached_property
    def direction(self) -> FloatArray:
        """3x3, read-only; column n is the unit vector in RAS of IJK axis n."""
        return _read_only(self.ijk_to_ras[:3, :3] / self.spacing)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (k, j, i) of the volume's numpy array, without channels."""
        i, j, k = self.size
        return k, j, i

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in mm3."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3])))

    def ras_from_ijk(self, points: ArrayLike) -> FloatArray:
        """Convert voxel indices (..., 3) IJK to RAS in mm."""
        return _transform(self.ijk_to_ras, points)

    def ijk_from_ras(self, points: ArrayLike) -> FloatArray:
        """Convert points (..., 3) RAS in mm to fractional voxel indices IJK."""
        return _transform(self.ras_to_ijk, points)

    def lps_from_ijk(self, points: ArrayLike) -> FloatArray:
        """Convert voxel indices (..., 3) IJK to LPS in mm."""
        return lps_from_ras(self.ras_from_ijk(points))

    def ijk_from_lps(self, points: ArrayLike) -> FloatArray:
        """Convert points (..., 3) LPS in mm to fractional voxel indices IJK."""
        return self.ijk_from_ras(ras_from_lps(points))

    def contains_ijk(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell for indices (..., 3) IJK whether they lie in a voxel, the outer faces included."""
        index = _as_points(points)
        inside: NDArray[np.bool_] = np.all((index >= -0.5) & (index < np.array(self.size) - 0.5), axis=-1)
        return inside

    @cached_property
    def anatomical_axes(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """For R, A and S: (the IJK axis closest to it, +1 if its index grows towards it, else -1).

        The three axes are always different, however the grid is rotated: the assignment with the
        largest sum of cosines is taken.
        """
        cosines = np.abs(self.direction)
        best = max(
            permutations(range(3)), key=lambda axes: sum(cosines[r, axis] for r, axis in enumerate(axes))
        )
        r, a, s = ((axis, 1 if self.direction[row, axis] > 0 else -1) for row, axis in enumerate(best))
        return r, a, s

    @property
    def axis_names(self) -> str:
        """Three letters: the anatomical direction nearest to growing i, j and k, such as 'LPS'."""
        names = [""] * 3
        for row, (axis, sign) in enumerate(self.anatomical_axes):
            names[axis] = _LETTERS[row][sign > 0]
        return "".join(names)

    def same_grid(self, other: VolumeGeometry, tolerance: float = 1e-3) -> bool:
        """Tell whether both grids have the same size and put every voxel at the same place.

        Args:
            other: grid to compare with.
            tolerance: largest distance allowed between voxel centres, as a fraction of the smallest spacing.
        """
        if self.size != other.size:
            return False
        corners = np.array(list(product(*((0, n - 1) for n in self.size))), dtype=np.float64)
        # one step beyond the corners too, so that single-slice grids are compared in all three directions
        corners = np.concatenate([corners, corners + 1])
        distance = np.linalg.norm(self.ras_from_ijk(corners) - other.ras_from_ijk(corners), axis=-1)
        return bool(distance.max() <= tolerance * min(self.spacing.min(), other.spacing.min()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VolumeGeometry):
            return NotImplemented
        return self.size == other.size and bool(np.array_equal(self.ijk_to_ras, other.ijk_to_ras))

    def __hash__(self) -> int:
        # + 0.0 makes the equal numbers 0.0 and -0.0 the same bytes
        return hash((self.size, (self.ijk_to_ras + 0.0).tobytes()))


def _as_points(points: ArrayLike) -> FloatArray:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise GeometryError(
            f"Points of shape {array.shape} are not three-dimensional.", "Give them as (..., 3)."
        )
    return array


def _transform(matrix: FloatArray, points: ArrayLike) -> FloatArray:
    return np.asarray(_as_points(points) @ matrix[:3, :3].T + matrix[:3, 3])


def _read_only(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array


def _three(values: Sequence[int]) -> tuple[int, int, int]:
    i, j, k = values
    return i, j, k


def _checked_size(size: Sequence[Any]) -> tuple[int, int, int]:
    values = list(size)
    if len(values) != 3 or any(int(value) != value or value < 1 for value in values):
        raise GeometryError(
            f"A volume cannot have the size {size}.", "Give three positive whole numbers (i, j, k)."
        )
    return _three([int(value) for value in values])


def _checked_matrix(matrix: ArrayLike) -> FloatArray:
    copy = np.array(matrix, dtype=np.float64, order="C")
    if copy.shape != (4, 4) or not np.isfinite(copy).all() or not np.allclose(copy[3], (0, 0, 0, 1)):
        raise GeometryError(
            "The volume's IJK-to-RAS matrix is not a finite affine 4x4 matrix.", "Check the header."
        )
    scale = np.linalg.norm(copy[:3, :3], axis=0)
    # relative to the spacing: micrometre voxels have a tiny determinant and are still fine
    if scale.min() <= 0 or abs(np.linalg.det(copy[:3, :3] / scale)) < 1e-6:
        raise GeometryError(
            "The volume's directions are singular: two axes are parallel or a spacing is zero.",
            "Correct the direction matrix and the spacing in the file's header.",
        )
    return _read_only(copy)
