"""Where a segment may be changed on a plane: what the Segment Editor's masking allows.

The rules are those of vtkMRMLSegmentationNode::GenerateEditMask and vtkSlicerSegmentEditorLogic, applied to
the voxels of one plane only, which takes milliseconds where the whole volume takes a second.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import slicer
from numpy.typing import NDArray

from KPrismCore.errors import GeometryError
from KPrismCore.oblique import ObliquePlane
from KPrismCore.slices import Plane, SlicePlane
from KPrismSlicerLib.Grids import Array, gridOf
from KPrismSlicerLib.NodeReading import readLayer
from KPrismSlicerLib.Protection import editorOf, inOverwriteMode, isProtected, isVisible
from KPrismSlicerLib.SegmentLayers import SegmentLayers, arrayOfImage, segmentIds

BoolArray = NDArray[np.bool_]


class PlaneVoxels(Protocol):
    """The voxels of a plane, in any order that is the same for all methods."""

    def of(self, array: Array) -> Array:
        """Values of an array KJI of the volume."""

    def labels(self, layer: Any) -> Array:
        """Label values of a SegmentLayer that has the volume's voxels."""

    def toPixels(self, allowed: BoolArray) -> BoolArray:
        """(rows, columns): pixels of which all voxels are allowed."""


class SliceVoxels:
    """Voxels of an aligned slice: its pixels."""

    def __init__(self, plane: SlicePlane) -> None:
        self._plane = plane

    def of(self, array: Array) -> Array:
        """View (rows, columns) of an array KJI."""
        return self._plane.view(array)

    def labels(self, layer: Any) -> Array:
        """Label values (rows, columns) of a layer."""
        shape = self._plane.geometry.shape
        axis, index = 2 - self._plane.normal_axis, self._plane.index
        box = [slice(0, length) for length in shape]
        box[axis] = slice(index, index + 1)
        # the slice repeated along its normal, without copies, is an array that the plane can cut
        return self._plane.view(np.broadcast_to(layer.labelsIn((box[0], box[1], box[2])), shape))

    def toPixels(self, allowed: BoolArray) -> BoolArray:
        """Copy of (rows, columns)."""
        return np.array(allowed, order="C")


class SlabVoxels:
    """Voxels of an oblique plane; several may belong to one pixel, which is allowed if all of them are."""

    def __init__(self, plane: ObliquePlane) -> None:
        self._plane = plane
        self._ijk = plane.voxels_of(np.ones(plane.shape, dtype=bool))

    def of(self, array: Array) -> Array:
        """Values (N,) of an array KJI."""
        i, j, k = self._ijk.T
        return np.asarray(array[k, j, i])

    def labels(self, layer: Any) -> Array:
        """Label values (N,) of a layer."""
        return np.asarray(layer.labelsAt(self._ijk))

    def toPixels(self, allowed: BoolArray) -> BoolArray:
        """(rows, columns) from (N,)."""
        x, y = np.floor(self._plane.ijk_to_pixel(self._ijk[~allowed]) + 0.5).astype(np.intp).T
        pixels = np.ones(self._plane.shape, dtype=bool)
        pixels[y, x] = False
        return pixels


class EditableArea:
    """The Segment Editor's masking of one segment, on planes of one image.

    Args:
        segmentationNode: the segmentation.
        segmentId: the segment that is edited.
        volumeNode: the image.
        plane: of the image.
    """

    def __init__(self, segmentationNode: Any, segmentId: str, volumeNode: Any, plane: Plane) -> None:
        self._node = segmentationNode
        self._segmentId = segmentId
        self._volumeNode = volumeNode
        self._plane = plane
        self._layers = SegmentLayers(segmentationNode, volumeNode)
        self._editor = editorOf(segmentationNode)
        self._cut: PlaneVoxels | None = None

    def pixels(self) -> BoolArray | None:
        """(rows, columns), True where voxels may change; None where all may."""
        areas = [self._maskArea(), self._openArea()]
        voxels = [area for area in areas if area is not None]
        allowed = self._voxels.toPixels(np.logical_and.reduce(voxels)) if voxels else None
        bright = self._intensityArea()
        if bright is not None:
            allowed = bright if allowed is None else allowed & bright
        return None if allowed is None or allowed.all() else allowed

    @property
    def _voxels(self) -> PlaneVoxels:
        if self._cut is None:
            plane = self._plane
            self._cut = SliceVoxels(plane) if isinstance(plane, SlicePlane) else SlabVoxels(plane)
        return self._cut

    def _maskArea(self) -> BoolArray | None:
        """The editable area: inside or outside of some segments."""
        node = slicer.vtkMRMLSegmentationNode
        mode = node.EditAllowedEverywhere if self._editor is None else self._editor.GetMaskMode()
        everything = segmentIds(self._node.GetSegmentation())
        visible = [one for one in everything if isVisible(self._node, one)]
        single = [self._editor.GetMaskSegmentID()] if self._editor and self._editor.GetMaskSegmentID() else []
        own = {self._segmentId}
        if mode == node.EditAllowedInsideAllSegments:
            return self._inAny(everything)
        if mode == node.EditAllowedInsideVisibleSegments:
            return self._inAny(visible)
        if mode == node.EditAllowedInsideSingleSegment:
            # what the segment has already may be erased
            return self._inAny([*single, self._segmentId])
        if mode == node.EditAllowedOutsideAllSegments:
            return ~self._inAny(set(everything) - own)
        if mode == node.EditAllowedOutsideVisibleSegments:
            return ~self._inAny(set(visible) - own)
        return None

    def _openArea(self) -> BoolArray | None:
        """All but the voxels that a locked segment would have to give up in the overwrite mode."""
        others = inOverwriteMode(self._node, self._segmentId)
        kept = [other for other in others if isProtected(self._node, other)]
        if not kept:
            return None
        return ~self._inAny(kept) | self._inAny([self._segmentId])

    def _inAny(self, identifiers: Any) -> BoolArray:
        """Where any of the segments is, on the plane's voxels."""
        found = np.zeros_like(self._voxels.of(np.broadcast_to(False, self._plane.geometry.shape)))
        for layer in self._layers:
            wanted = [one for one in identifiers if one in layer.labels]
            if not wanted:
                continue
            if layer.map is not None:
                found |= np.isin(self._voxels.labels(layer), [layer.labels[one] for one in wanted])
                continue
            for one in wanted:
                found |= self._voxels.of(readLayer(layer, one, self._plane.geometry))
        return found

    def _intensityArea(self) -> BoolArray | None:
        """Pixels within the editable intensity range, of the editor's source volume or else of the image."""
        editor = self._editor
        if editor is None or not editor.GetSourceVolumeIntensityMask():
            return None
        low, high = editor.GetSourceVolumeIntensityMaskRange()
        source = editor.GetSourceVolumeNode() or self._volumeNode
        grid, array = gridOf(source), arrayOfImage(source.GetImageData())
        # the first component, as the Segment Editor takes it
        array = array[..., 0] if array.ndim == 4 else array
        if grid.same_grid(self._plane.geometry):
            values = self._voxels.of(array)
            return self._voxels.toPixels((values >= low) & (values <= high))
        values = self._resampled(grid, array)
        return (
            np.zeros(self._plane.shape, dtype=bool) if values is None else (values >= low) & (values <= high)
        )

    def _resampled(self, grid: Any, array: Array) -> Array | None:
        """Values (rows, columns) of another volume on the plane, linear; None where they do not meet."""
        corner, right, down = self._plane.pixel_to_ras([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
        try:
            return ObliquePlane(
                grid, corner, right - corner, down - corner, self._plane.pixel_spacing, self._plane.shape
            ).extract(array)
        except GeometryError:
            return None
