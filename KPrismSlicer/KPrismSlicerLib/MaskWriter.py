"""The only place that changes voxels of segments: exactly those it is told; it says what it took from others.

Slicer's merge (minimum, then maximum) takes 300 to 400 ms for one slice of 512 x 512 x 300 voxels, writing
in place a few, so it is done in place; the segmentation then sends the events that the merge sends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _

from KPrismCore.errors import GeometryError
from KPrismCore.geometry import bounding_box
from KPrismSlicerLib.Grids import Box, binaryLabelmap, matrixToVtk, shifted, startOf
from KPrismSlicerLib.Protection import inOverwriteMode, isProtected, segmentOf
from KPrismSlicerLib.SegmentLayers import SegmentLayer, SegmentLayers, arrayOfImage

BoolArray = NDArray[np.bool_]
# by the id of another segment: the box that changed, and its voxels (K, J, I) there before and after
Taken = dict[str, tuple[Box, BoolArray, BoolArray]]


@dataclass
class MaskWriter:
    """Writes masks into a segmentation.

    Args:
        deferSurfaces: leave the surfaces of changed segments (Show 3D) as they are until `updateSurfaces`;
            else they are made anew in each write, which takes Slicer seconds for large segments.
    """

    deferSurfaces: bool = False
    _stale: dict[Any, set[str]] = field(default_factory=dict)

    def write(self, layers: SegmentLayers, segmentId: str, after: BoolArray, box: Box) -> Taken:
        """Set a segment's voxels in a box; what it gains is taken from others as the overwrite mode says.

        Args:
            layers: of the segmentation on the volume's grid.
            segmentId: the segment.
            after: (K, J, I) of the box.
            box: slices k, j, i of the volume.

        Returns:
            What other segments lost.
        """
        node = layers.node
        others = [one for one in inOverwriteMode(node, segmentId) if not isProtected(node, one)]
        own = _layerOf(layers, segmentId)
        before = own.mask(segmentId, box)
        gained = after & ~before
        taken = _take(layers, gained, box, others) if gained.any() else {}
        if taken or not np.array_equal(before, after):
            _put(layers, segmentId, after, box)
            _markStarted(node, segmentId)
            self._tell(layers, [segmentId, *taken])
        return taken

    def restore(self, layers: SegmentLayers, changes: Iterable[tuple[str, Box, BoolArray]]) -> None:
        """Set the voxels of segments in boxes, as undo and redo do; voxels of all others stay.

        What is to be cleared is cleared first, so that voxels can go from one segment to another.

        Args:
            layers: of the segmentation on the volume's grid.
            changes: segment id, box, and the voxels (K, J, I) wanted in it.
        """
        wanted = [
            (identifier, box, voxels)
            for identifier, box, voxels in changes
            if not np.array_equal(_layerOf(layers, identifier).mask(identifier, box), voxels)
        ]
        for identifier, box, voxels in wanted:
            layer = _layerOf(layers, identifier)
            layer.put(identifier, layer.mask(identifier, box) & voxels, box)
        for identifier, box, voxels in wanted:
            _put(layers, identifier, voxels, box)
        self._tell(layers, list(dict.fromkeys(identifier for identifier, _box, _voxels in wanted)))

    def updateSurfaces(self) -> None:
        """Make the surfaces anew that `deferSurfaces` has left behind."""
        stale, self._stale = self._stale, {}
        for node, identifiers in stale.items():
            if node.GetScene() is not None:
                _convert(node, identifiers)

    def forget(self) -> None:
        """Forget which surfaces are behind: the scene is closing."""
        self._stale = {}

    def _tell(self, layers: SegmentLayers, changed: list[str]) -> None:
        """Send the events that Slicer's own merge sends, so that views, tables and savers notice."""
        segmentation = layers.segmentation
        for layer in layers:
            if any(identifier in layer.labels for identifier in changed):
                layer.image.GetPointData().GetScalars().Modified()
        for identifier in changed:
            segmentation.InvokeEvent(segmentation.SourceRepresentationModified, identifier)
            segmentation.InvokeEvent(segmentation.RepresentationModified, identifier)
        if changed and _hasSurfaces(segmentation):
            self._stale.setdefault(layers.node, set()).update(changed)
            if not self.deferSurfaces:
                self.updateSurfaces()


def _layerOf(layers: SegmentLayers, segmentId: str) -> SegmentLayer:
    layer = layers.of(segmentId)
    if layer is None:
        name = segmentOf(layers.node, segmentId).GetName()
        raise GeometryError(
            _("The segment '{name}' has no labelmap.").format(name=name),
            _("Convert the segmentation to labelmaps."),
        )
    return layer


def _take(layers: SegmentLayers, gained: BoolArray, box: Box, others: list[str]) -> Taken:
    """Clear the gained voxels in other segments."""
    taken: Taken = {}
    for layer in layers:
        mine = {layer.labels[one]: one for one in others if one in layer.labels}
        # voxels of another grid cannot be taken exactly, so they stay
        if layer.map is None or not mine:
            continue
        labels = layer.labelsIn(box)
        for label in np.unique(labels[gained]).tolist():
            if label in mine:
                before = labels == label
                lost = before & gained
                tight = bounding_box(lost)
                if tight is not None:
                    taken[mine[label]] = (
                        shifted(tight, startOf(box)),
                        before[tight],
                        (before & ~lost)[tight],
                    )
                layer.clear(lost, box)
    return taken


def _put(layers: SegmentLayers, segmentId: str, after: BoolArray, box: Box) -> None:
    """Set a segment's voxels in a box; in a layer of its own, if they would fall on others of its layer."""
    layer = _layerOf(layers, segmentId)
    if len(layer.labels) > 1:
        beneath = layer.labelsIn(box)[after]
        if np.any((beneath != 0) & (beneath != layer.labels[segmentId])):
            layer = layers.separate(segmentId)
    needed = bounding_box(after)
    if needed is not None:
        layer.cover(shifted(needed, startOf(box)), segmentId)
    layer.put(segmentId, after, box)


def _markStarted(segmentationNode: Any, segmentId: str) -> None:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentOf(segmentationNode, segmentId)
    if logic.GetSegmentStatus(segment) == logic.NotStarted:
        logic.SetSegmentStatus(segment, logic.InProgress)


def _surface() -> str:
    return str(slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName())


def _hasSurfaces(segmentation: Any) -> bool:
    return bool(segmentation.ContainsRepresentation(_surface()))


def _convert(segmentationNode: Any, identifiers: set[str]) -> None:
    """Make the surfaces of some segments anew: Slicer does it after each merge, also of nothing."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segmentation = segmentationNode.GetSegmentation()
    for identifier in sorted(identifiers):
        segment = segmentation.GetSegment(identifier)
        image = segment.GetRepresentation(binaryLabelmap()) if segment is not None else None
        if image is None or not _hasSurfaces(segmentation):
            continue
        nothing = slicer.vtkOrientedImageData()
        i, j, k = image.GetExtent()[::2]
        nothing.SetExtent(i, i, j, j, k, k)
        nothing.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        arrayOfImage(nothing)[...] = 0
        matrix = matrixToVtk(np.eye(4))
        image.GetImageToWorldMatrix(matrix)
        nothing.SetImageToWorldMatrix(matrix)
        logic.SetBinaryLabelmapToSegment(
            nothing, segmentationNode, identifier, logic.MODE_MERGE_MAX, nothing.GetExtent()
        )
