"""The labelmaps inside a segmentation, on the grid of a volume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import slicer

from KPrismSlicerLib.Grids import FloatArray, GridMap, Triple, binaryLabelmap, ijkToSegmentation, isEmpty
from KPrismSlicerLib.SegmentLayer import SegmentLayer, arrayOfImage, imageToRas

__all__ = ["SegmentLayer", "SegmentLayers", "arrayOfImage", "referenceGrid", "segmentIds"]


class SegmentLayers:
    """All labelmaps of a segmentation, on the grid of a volume.

    Raises:
        GeometryError: a transform of the volume or the segmentation is not linear.
    """

    def __init__(self, segmentationNode: Any, volumeNode: Any) -> None:
        self.segmentation = segmentationNode.GetSegmentation()
        self.node = segmentationNode
        matrix = ijkToSegmentation(volumeNode, segmentationNode)
        i, j, k = volumeNode.GetImageData().GetDimensions()
        size: Triple = (i, j, k)
        reference = referenceGrid(self.segmentation)
        base = matrix if reference is None else reference
        # whether the grid of the segmentation as a whole has the volume's voxels
        self.fitsReference = GridMap.between(matrix, base, size) is not None
        found: dict[Any, dict[str, int]] = {}
        for identifier in segmentIds(self.segmentation):
            segment = self.segmentation.GetSegment(identifier)
            image = segment.GetRepresentation(binaryLabelmap())
            if image is not None:
                found.setdefault(image, {})[identifier] = segment.GetLabelValue()
        self._layers = [
            SegmentLayer(self.segmentation, image, labels, matrix, size, base)
            for image, labels in found.items()
        ]

    def __iter__(self) -> Iterator[SegmentLayer]:
        return iter(self._layers)

    def of(self, segmentId: str) -> SegmentLayer | None:
        """The labelmap of a segment; None where it has none (a closed surface)."""
        return next((layer for layer in self._layers if segmentId in layer.labels), None)

    def separate(self, segmentId: str) -> SegmentLayer:
        """Move a segment into a labelmap of its own; no voxel of any segment changes."""
        self._layers = [
            part
            for layer in self._layers
            for part in (layer.split(segmentId) if segmentId in layer.labels else [layer])
        ]
        return next(layer for layer in self._layers if segmentId in layer.labels)


def segmentIds(segmentation: Any) -> list[str]:
    """Ids of the segments, in order."""
    return [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]


def referenceGrid(segmentation: Any) -> FloatArray | None:
    """Matrix (4, 4) of a segmentation's reference geometry, IJK to its own RAS; None where it has none."""
    converter = slicer.vtkSegmentationConverter
    text = segmentation.GetConversionParameter(converter.GetReferenceImageGeometryParameterName())
    image = slicer.vtkOrientedImageData()
    if not text or not converter.DeserializeImageGeometry(text, image, False):
        return None
    return None if isEmpty(image.GetExtent()) else imageToRas(image)
