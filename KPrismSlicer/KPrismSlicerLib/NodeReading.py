"""Reads image and mask voxels out of MRML nodes. Nothing is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from KPrismCore.dicom import modality_name
from KPrismCore.errors import ImageContentError, PromptError, ReferenceMismatchError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.volumes import Volume, resample_mask_onto
from KPrismSlicerLib.Grids import (
    Array,
    Box,
    GridMap,
    binaryLabelmap,
    gridOf,
    ijkToSegmentation,
    matrixToVtk,
)
from KPrismSlicerLib.Protection import isPainted, segmentOf
from KPrismSlicerLib.SegmentLayers import SegmentLayer, SegmentLayers, arrayOfImage

BoolArray = NDArray[np.bool_]

# below this only Hounsfield units are common
_SURELY_CT = -500
_HOUNSFIELD = "hnsfU"


def volumeOf(volumeNode: Any) -> Volume:
    """Read an image: its voxels (not copied, read-only), its grid in world RAS, its modality where known.

    Raises:
        ImageContentError: no voxels, a labelmap, or more components than colours.
        GeometryError: a transform that is not linear, or a singular matrix.
    """
    name = str(volumeNode.GetName())
    if volumeNode.IsA("vtkMRMLLabelMapVolumeNode"):
        raise ImageContentError(
            _("'{name}' is a labelmap, not an image.").format(name=name), _("Choose the image it belongs to.")
        )
    geometry = gridOf(volumeNode)
    array = arrayOfImage(volumeNode.GetImageData()).view()
    components = array.shape[3] if array.ndim == 4 else 1
    if components > 4 or (components > 1 and not volumeNode.IsA("vtkMRMLVectorVolumeNode")):
        raise ImageContentError(
            _("'{name}' has {count} values in each voxel.").format(name=name, count=components),
            _("Extract one of them to a volume of its own first."),
        )
    if components > 1:
        # two components are grey and alpha, four are colour and alpha
        array = array[..., :3] if components > 2 else array[..., 0]
    array.setflags(write=False)
    return Volume(array, geometry, _modality(volumeNode, components > 2), name, components > 2)


def readSegment(segmentationNode: Any, segmentId: str, volumeNode: Any) -> BoolArray:
    """Read a segment KJI on an image's grid: exact where the grids have the same voxels, else nearest.

    Args:
        segmentationNode: a segmentation; or a labelmap volume, then the id is a label value as text.
        segmentId: the segment.
        volumeNode: the image.

    Raises:
        PromptError: the segment is not there.
        GeometryError: a transform is not linear.
        ImageContentError: the image has no voxels.
        ReferenceMismatchError: a surface cannot be converted.
    """
    geometry = gridOf(volumeNode)
    if segmentationNode is not None and segmentationNode.IsA("vtkMRMLLabelMapVolumeNode"):
        return _readLabel(segmentationNode, segmentId, geometry)
    segmentOf(segmentationNode, segmentId)
    if not isPainted(segmentationNode):
        return _readSurface(segmentationNode, segmentId, volumeNode, geometry)
    layer = SegmentLayers(segmentationNode, volumeNode).of(segmentId)
    if layer is None:
        return np.zeros(geometry.shape, dtype=bool)
    return readLayer(layer, segmentId, geometry)


def readLayer(layer: SegmentLayer, segmentId: str, geometry: VolumeGeometry) -> BoolArray:
    """Read a segment KJI out of its labelmap: exact where the grids have the same voxels, else nearest."""
    return layer.resampledMask(segmentId) if layer.map is None else layer.mask(segmentId, wholeBox(geometry))


def wholeBox(geometry: VolumeGeometry) -> Box:
    """The box of a whole volume, slices k, j, i."""
    k, j, i = geometry.shape
    return slice(0, k), slice(0, j), slice(0, i)


def labelValues(labelmapNode: Any) -> list[int]:
    """The label values that a labelmap volume holds, without the background."""
    return [int(value) for value in np.unique(arrayOfImage(labelmapNode.GetImageData())) if value != 0]


def _readLabel(labelmapNode: Any, text: str, geometry: VolumeGeometry) -> BoolArray:
    own = gridOf(labelmapNode)
    try:
        mask: Array = arrayOfImage(labelmapNode.GetImageData()) == int(text)
    except ValueError as error:
        raise PromptError(
            _("'{text}' is not a label of '{name}'.").format(text=text, name=labelmapNode.GetName()),
            _("Choose another label."),
        ) from error
    size = own.size
    grids = GridMap.between(geometry.ijk_to_ras, own.ijk_to_ras, geometry.size)
    if grids is None:
        return resample_mask_onto(mask, own, geometry)
    view, start = grids.view(mask, (0, size[0] - 1, 0, size[1] - 1, 0, size[2] - 1))
    result = np.zeros(geometry.shape, dtype=bool)
    goal, source = [], []
    for first, length, available in zip(start, view.shape, geometry.shape, strict=True):
        low, high = max(first, 0), max(min(first + length, available), 0)
        goal.append(slice(low, max(low, high)))
        source.append(slice(low - first, max(low, high) - first))
    result[tuple(goal)] = view[tuple(source)]
    return result


def _readSurface(
    segmentationNode: Any, segmentId: str, volumeNode: Any, geometry: VolumeGeometry
) -> BoolArray:
    """Convert a copy of a closed surface on the image's grid; the segmentation itself stays as it is."""
    source = segmentationNode.GetSegmentation()
    copy = slicer.vtkSegmentation()
    copy.SetSourceRepresentationName(source.GetSourceRepresentationName())
    segment = slicer.vtkSegment()
    segment.DeepCopy(source.GetSegment(segmentId))
    copy.AddSegment(segment, segmentId)
    matrix = ijkToSegmentation(volumeNode, segmentationNode)
    converter = slicer.vtkSegmentationConverter
    grid = slicer.vtkOrientedImageData()
    grid.SetDimensions(*geometry.size)
    grid.SetImageToWorldMatrix(matrixToVtk(matrix))
    copy.SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(), converter.SerializeImageGeometry(grid)
    )
    if not copy.CreateRepresentation(binaryLabelmap()):
        raise ReferenceMismatchError(
            _("The surface '{name}' cannot be turned into voxels.").format(name=segment.GetName()),
            _("Convert the segmentation to labelmaps in the Segmentations module."),
        )
    converted = copy.GetSegment(segmentId)
    image = converted.GetRepresentation(binaryLabelmap())
    labels = {segmentId: converted.GetLabelValue()}
    return readLayer(SegmentLayer(copy, image, labels, matrix, geometry.size, matrix), segmentId, geometry)


def _modality(volumeNode: Any, isColour: bool) -> str | None:
    # a node that was removed has no scene, and the question alone makes Slicer complain
    scene = volumeNode.GetScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene else None
    item = hierarchy.GetItemByDataNode(volumeNode) if hierarchy else 0
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    code = (hierarchy.GetItemAttribute(item, name) if item else "") or volumeNode.GetAttribute(name) or ""
    known = modality_name(code)
    if known or isColour:
        return known or "rgb"
    units = volumeNode.GetVoxelValueUnits()
    if units is not None and units.GetCodeValue() == _HOUNSFIELD:
        return "CT"
    return "CT" if volumeNode.GetImageData().GetScalarRange()[0] <= _SURELY_CT else None
