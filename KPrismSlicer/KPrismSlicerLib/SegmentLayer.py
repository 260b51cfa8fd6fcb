"""One labelmap of a segmentation, seen on the grid of a volume, and changed in place.

Segments that do not overlap share a labelmap (a layer) and differ by their label value. Only the voxels
that are written are touched, so that nothing else of the layer can change, and the cost is theirs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _
from vtk.util.numpy_support import get_vtk_array_type, get_vtk_to_numpy_typemap, vtk_to_numpy

from KPrismCore.errors import GeometryError
from KPrismCore.geometry import VolumeGeometry, bounding_box
from KPrismCore.volumes import resample_mask_onto
from KPrismSlicerLib.Grids import (
    Array,
    Box,
    FloatArray,
    GridMap,
    Triple,
    binaryLabelmap,
    isEmpty,
    matrixFromVtk,
    matrixToVtk,
    shapeOf,
    shifted,
)

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]

# voxels by which a labelmap grows beyond what is needed, so that the next slices find it large enough
_PADDING = 8


class SegmentLayer:
    """One labelmap and the segments in it.

    Args:
        segmentation: the vtkSegmentation.
        image: its vtkOrientedImageData.
        labels: label value by segment id.
        matrix: (4, 4) from the volume's IJK to the segmentation's own RAS.
        size: voxels (i, j, k) of the volume.
        base: (4, 4) grid that the labelmap gets while it is empty, IJK to the segmentation's own RAS.
    """

    def __init__(
        self,
        segmentation: Any,
        image: Any,
        labels: dict[str, int],
        matrix: FloatArray,
        size: Triple,
        base: FloatArray,
    ) -> None:
        self.segmentation = segmentation
        self.image = image
        self.labels = labels
        self._size = size
        self._matrix = matrix
        self.grid = base if isEmpty(image.GetExtent()) else imageToRas(image)
        # None where the voxels lie elsewhere than the volume's
        self.map = GridMap.between(matrix, self.grid, size)

    @property
    def isEmpty(self) -> bool:
        """Whether the labelmap has no voxel at all."""
        return isEmpty(self.image.GetExtent())

    def labelsIn(self, box: Box) -> Array:
        """Copy the label values in a box (K, J, I) of the volume; 0 beyond the labelmap."""
        found, part, inner = self._part(box)
        values = np.zeros(shapeOf(box), dtype=found.dtype)
        if part is not None:
            values[inner] = found[part]
        return values

    def labelsAt(self, ijk: IntArray) -> Array:
        """Copy the label values at voxels (N, 3) IJK of the volume; 0 beyond the labelmap."""
        array, extent = _arrayOf(self.image), self.image.GetExtent()
        values = np.zeros(len(ijk), dtype=array.dtype)
        index = self._mapped().indices(ijk) - np.array(extent[::2])
        inside = np.all((index >= 0) & (index < np.array(array.shape[::-1])), axis=1)
        i, j, k = index[inside].T
        values[inside] = array[k, j, i]
        return values

    def mask(self, segmentId: str, box: Box) -> BoolArray:
        """Copy the voxels of a segment in a box (K, J, I) of the volume."""
        found, part, inner = self._part(box)
        mask = np.zeros(shapeOf(box), dtype=bool)
        if part is not None:
            np.equal(found[part], self.labels[segmentId], out=mask[inner])
        return mask

    def resampledMask(self, segmentId: str) -> BoolArray:
        """Read a segment KJI on the volume's grid by nearest neighbour; for labelmaps of another grid."""
        if self.isEmpty:
            return np.zeros(self._size[::-1], dtype=bool)
        first = np.eye(4)
        first[:3, 3] = self.image.GetExtent()[::2]
        own = VolumeGeometry(self.image.GetDimensions(), self.grid @ first)
        mask = _arrayOf(self.image) == self.labels[segmentId]
        return resample_mask_onto(mask, own, VolumeGeometry(self._size, self._matrix))

    def put(self, segmentId: str, mask: BoolArray, box: Box) -> None:
        """Set a segment's voxels in a box: True ones are set, False ones cleared where they are its own.

        Voxels of other segments of the layer under True ones are taken away from them.
        """
        label = self.labels[segmentId]
        found, part, inner = self._part(box)
        if part is None:
            return
        cells, wanted = found[part], mask[inner]
        np.copyto(cells, 0, where=(cells == label) & ~wanted)
        np.copyto(cells, label, where=wanted)

    def clear(self, where: BoolArray, box: Box) -> None:
        """Clear the voxels of a box (K, J, I) that are True, whosever they are."""
        found, part, inner = self._part(box)
        if part is not None:
            np.copyto(found[part], 0, where=where[inner])

    def split(self, segmentId: str) -> list[SegmentLayer]:
        """Give a segment a labelmap of its own, with what it has here; give this layer, then that one."""
        found, start = self._view()
        mask = found == self.labels[segmentId]
        used = bounding_box(mask)
        image = self._newImage(None if used is None else shifted(used, start), np.dtype(np.uint8))
        if used is not None:
            self._viewOf(image)[0][...] = mask[used]
            np.copyto(found, 0, where=mask)
            self.image.GetPointData().GetScalars().Modified()
        del self.labels[segmentId]
        segment = self.segmentation.GetSegment(segmentId)
        segment.AddRepresentation(binaryLabelmap(), image)
        segment.SetLabelValue(1)
        labels = {segmentId: 1}
        return [self, SegmentLayer(self.segmentation, image, labels, self._matrix, self._size, self.grid)]

    def cover(self, box: Box, segmentId: str) -> None:
        """Make the labelmap hold a box of the volume, and the segment's label value; nothing else changes."""
        label, kind = self.labels[segmentId], _arrayOf(self.image).dtype
        if kind.kind in "iu" and label > np.iinfo(kind).max:
            kind = np.dtype(np.uint16 if label <= np.iinfo(np.uint16).max else np.int32)
        present = None if self.isEmpty else self._view()
        if present is not None and kind == present[0].dtype and _within(box, present[1], present[0].shape):
            return
        image = self._newImage(_grown(box, present, self._size[::-1]), kind)
        view, start = self._viewOf(image)
        if present is None:
            view[...] = 0
        else:
            array, first = present
            _framed(view, array, [one - other for one, other in zip(first, start, strict=True)])
        self.image = image
        for identifier in self.labels:
            self.segmentation.GetSegment(identifier).AddRepresentation(binaryLabelmap(), image)

    def _newImage(self, box: Box | None, kind: np.dtype[Any]) -> Any:
        """A labelmap of this grid for a box of the volume, not filled; None for an empty one."""
        image = slicer.vtkOrientedImageData()
        image.SetExtent(*((0, -1) * 3 if box is None else self._mapped().extent(box)))
        image.AllocateScalars(get_vtk_array_type(kind), 1)
        image.SetImageToWorldMatrix(matrixToVtk(self.grid))
        return image

    def _viewOf(self, image: Any) -> tuple[Array, Triple]:
        return self._mapped().view(_arrayOf(image), image.GetExtent())

    def _view(self) -> tuple[Array, Triple]:
        return self._viewOf(self.image)

    def _mapped(self) -> GridMap:
        if self.map is None:
            raise GeometryError(
                _("The segment lies on another voxel grid than the image."),
                _("Make a new segmentation for this image."),
            )
        return self.map

    def _part(self, box: Box) -> tuple[Array, Any, Any]:
        """The labelmap's view, and its part in a box as slices of the view and of the box; or None twice."""
        view, start = self._view()
        part, inner = [], []
        for wanted, first, length in zip(box, start, view.shape, strict=True):
            low, high = max(wanted.start, first), min(wanted.stop, first + length)
            if low >= high:
                return view, None, None
            part.append(slice(low - first, high - first))
            inner.append(slice(low - wanted.start, high - wanted.start))
        return view, tuple(part), tuple(inner)


def arrayOfImage(image: Any) -> Array:
    """The voxels of a vtkImageData as (K, J, I) or (K, J, I, C), not copied."""
    array = vtk_to_numpy(image.GetPointData().GetScalars())
    return array.reshape(*image.GetDimensions()[::-1], *array.shape[1:])


def _arrayOf(image: Any) -> Array:
    if not isEmpty(image.GetExtent()):
        return arrayOfImage(image)
    known = image.GetPointData().GetScalars() is not None
    return np.zeros((0, 0, 0), dtype=get_vtk_to_numpy_typemap()[image.GetScalarType()] if known else np.uint8)


def imageToRas(image: Any) -> FloatArray:
    """Matrix (4, 4) from the IJK of a vtkOrientedImageData to its RAS."""
    matrix = matrixToVtk(np.eye(4))
    image.GetImageToWorldMatrix(matrix)
    return matrixFromVtk(matrix)


def _framed(view: Array, inner: Array, start: Sequence[int]) -> None:
    """Copy an array into a part of a larger one, and clear the rest; each voxel is touched once."""
    for axis, first in enumerate(start):
        last = first + inner.shape[axis]
        before = [slice(None)] * axis
        view[(*before, slice(0, first))] = 0
        view[(*before, slice(last, None))] = 0
        view = view[(*before, slice(first, last))]
    view[...] = inner


def _within(box: Box, start: Triple, shape: Sequence[int]) -> bool:
    return all(
        first <= part.start and part.stop <= first + length
        for part, first, length in zip(box, start, shape, strict=True)
    )


def _grown(box: Box, present: tuple[Array, Triple] | None, shape: Sequence[int]) -> Box:
    """The box that holds what is present and what is needed, and a margin on the sides where it grows."""
    parts = []
    for axis, part in enumerate(box):
        margin = _PADDING + (part.stop - part.start) // 8
        low, high = max(0, part.start - margin), min(shape[axis], part.stop + margin)
        if present is not None:
            first = present[1][axis]
            last = first + present[0].shape[axis]
            low = first if part.start >= first else min(first, low)
            high = last if part.stop <= last else max(last, high)
        parts.append(slice(low, high))
    return parts[0], parts[1], parts[2]
