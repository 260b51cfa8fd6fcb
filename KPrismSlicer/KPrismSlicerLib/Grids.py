"""Where the voxels of MRML nodes are, in world RAS, and how the grids of two of them fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _

from KPrismCore.errors import GeometryError, ImageContentError
from KPrismCore.geometry import Box, VolumeGeometry

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
# slices k, j, i of a volume's array; never negative
Triple = tuple[int, int, int]

# distance of voxel centres, in voxels, up to which two grids are the same: files round their matrices
TOLERANCE = 0.05


def matrixFromVtk(matrix: Any) -> FloatArray:
    """Copy a vtkMatrix4x4 to an array (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrixToVtk(matrix: FloatArray) -> Any:
    """Copy an array (4, 4) to a vtkMatrix4x4."""
    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(np.asarray(matrix, dtype=np.float64).ravel().tolist())
    return copy


def worldFromNode(node: Any) -> FloatArray:
    """Matrix (4, 4) from a node's own RAS to world RAS: its parent transforms.

    Raises:
        GeometryError: one of them is not linear.
    """
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    if not transform.IsTransformToWorldLinear():
        raise GeometryError(
            _("'{node}' is under the transform '{transform}', which is not linear.").format(
                node=node.GetName(), transform=transform.GetName()
            ),
            _("Harden the transform in the Transforms module, or take the node out of it."),
        )
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return matrixFromVtk(matrix)


def ijkToOwnRas(volumeNode: Any) -> FloatArray:
    """Matrix (4, 4) from a volume's IJK to its own RAS, without parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return matrixFromVtk(matrix)


def gridOf(volumeNode: Any, *, inWorld: bool = True) -> VolumeGeometry:
    """The grid of a volume node, IJK to RAS.

    Args:
        volumeNode: a vtkMRMLVolumeNode.
        inWorld: world RAS, as shown in the views; else the volume's own RAS, as in its file.

    Raises:
        GeometryError: the volume is under a transform that is not linear, or its matrix is singular.
        ImageContentError: it has no voxels.
    """
    image = volumeNode.GetImageData()
    if image is None or 0 in image.GetDimensions():
        raise ImageContentError(
            _("The volume '{name}' has no voxels.").format(name=volumeNode.GetName()),
            _("Choose another volume, or load it again."),
        )
    matrix = ijkToOwnRas(volumeNode)
    if inWorld:
        matrix = worldFromNode(volumeNode) @ matrix
    return VolumeGeometry(image.GetDimensions(), matrix)


def ijkToSegmentation(volumeNode: Any, segmentationNode: Any) -> FloatArray:
    """Matrix (4, 4) from a volume's IJK to the own RAS of a segmentation, whatever transforms both are under.

    Raises:
        GeometryError: a transform is not linear.
    """
    matrix = ijkToOwnRas(volumeNode)
    if volumeNode.GetParentTransformNode() is segmentationNode.GetParentTransformNode():
        return matrix
    return np.linalg.inv(worldFromNode(segmentationNode)) @ worldFromNode(volumeNode) @ matrix


def shifted(box: Box, by: Sequence[int]) -> Box:
    """Move a box by (k, j, i) voxels."""
    k, j, i = (slice(part.start + step, part.stop + step) for part, step in zip(box, by, strict=True))
    return k, j, i


def startOf(box: Box) -> Triple:
    """The first voxel (k, j, i) of a box."""
    return box[0].start, box[1].start, box[2].start


def shapeOf(box: Box) -> Triple:
    """The shape (K, J, I) of a box."""
    k, j, i = (part.stop - part.start for part in box)
    return k, j, i


@dataclass(frozen=True)
class GridMap:
    """How the voxels of a volume are numbered in another grid whose voxels lie at the same places.

    The other grid may have any extent, and axes that are swapped or flipped.

    Args:
        axes: for the volume's i, j, k: the other grid's axis along it.
        signs: for the volume's i, j, k: 1, or -1 where the other index falls.
        offset: index in the other grid (i, j, k) of the volume's voxel (0, 0, 0).
    """

    axes: Triple
    signs: Triple
    offset: Triple

    @classmethod
    def between(cls, volume: FloatArray, other: FloatArray, size: Sequence[int]) -> GridMap | None:
        """Compare two grids.

        Args:
            volume: matrix (4, 4) from the volume's IJK to RAS.
            other: matrix (4, 4) from the other grid's IJK to the same RAS.
            size: voxels of the volume (i, j, k).

        Returns:
            None where the voxels do not lie at the same places.
        """
        if abs(np.linalg.det(other[:3, :3])) == 0:
            return None
        matrix = np.linalg.inv(other) @ volume
        turn = np.rint(matrix[:3, :3])
        if not (np.all(np.abs(turn).sum(axis=0) == 1) and np.all(np.abs(turn).sum(axis=1) == 1)):
            return None
        # one step beyond the last voxel, so that axes of one voxel are compared too
        corners = np.array(list(product(*((0, n) for n in size))), dtype=np.float64)
        shift = corners @ (matrix[:3, :3] - turn).T + matrix[:3, 3]
        offset = np.rint(shift.mean(axis=0))
        if np.abs(shift - offset).max() > TOLERANCE:
            return None
        axes = [int(np.argmax(np.abs(turn[:, n]))) for n in range(3)]
        signs = [int(turn[axis, n]) for n, axis in enumerate(axes)]
        return cls(_triple(axes), _triple(signs), _triple([int(value) for value in offset]))

    def view(self, array: Array, extent: Sequence[int]) -> tuple[Array, Triple]:
        """Turn an array of the other grid so that it follows the volume's axes.

        Args:
            array: (K, J, I) of the other grid.
            extent: its first and last index, as VTK gives it (i, i, j, j, k, k).

        Returns:
            View of the array, and the volume's index (k, j, i) of its first voxel, which may be negative.
        """
        turned = array.transpose([2 - self.axes[2 - axis] for axis in range(3)])
        flips = tuple(slice(None, None, self.signs[2 - axis]) for axis in range(3))
        start = [self._along(n, extent)[0] for n in (2, 1, 0)]
        return turned[flips], _triple(start)

    def extent(self, box: Box) -> tuple[int, ...]:
        """The extent (i, i, j, j, k, k) in the other grid of a box of the volume."""
        extent = [0] * 6
        for n, axis in enumerate(self.axes):
            part = box[2 - n]
            ends = [self.signs[n] * index + self.offset[axis] for index in (part.start, part.stop - 1)]
            extent[2 * axis : 2 * axis + 2] = [min(ends), max(ends)]
        return tuple(extent)

    def indices(self, ijk: NDArray[np.intp]) -> NDArray[np.intp]:
        """Convert voxels (N, 3) IJK of the volume to IJK of the other grid."""
        other = np.empty_like(ijk)
        for n, axis in enumerate(self.axes):
            other[:, axis] = self.signs[n] * ijk[:, n] + self.offset[axis]
        return other

    def _along(self, n: int, extent: Sequence[int]) -> tuple[int, int]:
        """First and last index along the volume's axis n that an extent of the other grid covers."""
        axis = self.axes[n]
        ends = [self.signs[n] * (extent[2 * axis + side] - self.offset[axis]) for side in (0, 1)]
        return min(ends), max(ends)


def isEmpty(extent: Sequence[int]) -> bool:
    """Tell whether an extent (i, i, j, j, k, k) holds no voxel."""
    return any(extent[2 * axis] > extent[2 * axis + 1] for axis in range(3))


def binaryLabelmap() -> str:
    """Name of the representation that is painted on."""
    return str(slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName())


def _triple(values: Sequence[int]) -> Triple:
    i, j, k = values
    return i, j, k
