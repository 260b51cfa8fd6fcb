"""What can serve as reference under an item of the Data tree: an image and an object marked on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError, ReferenceMismatchError
from KPrismSlicerLib.Grids import binaryLabelmap, gridOf
from KPrismSlicerLib.NodeReading import labelValues
from KPrismSlicerLib.SegmentLayers import SegmentLayers, arrayOfImage, segmentIds


@dataclass(frozen=True)
class ReferenceSource:
    """An object on an image.

    Args:
        volumeNode: the image.
        segmentationNode: where the object is marked: a segmentation, or a labelmap volume.
        segmentId: the segment; of a labelmap volume the label value as text.
        name: of the object, for display.
    """

    volumeNode: Any
    segmentationNode: Any
    segmentId: str
    name: str


def sourcesOf(itemId: int) -> list[ReferenceSource]:
    """Find the references under an item of the subject hierarchy, in the order of the tree.

    A segment gives itself, a segmentation or labelmap all that is in it, an image what is marked on it, and a
    study, patient or folder everything below it. Empty segments are left out.

    Args:
        itemId: of the item, as a drag from the Data tree carries it.

    Raises:
        ReferenceMismatchError: there is no usable pair; the cause says what is missing.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    node = hierarchy.GetItemDataNode(itemId)
    name = str(hierarchy.GetItemName(itemId))
    segment = hierarchy.GetItemAttribute(itemId, slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName())
    if segment:
        return _ofSegment(hierarchy.GetItemDataNode(hierarchy.GetItemParent(itemId)), segment, name)
    if node is not None:
        return _ofNode(node)
    found = _unique(source for child in _nodesBelow(hierarchy, itemId) for source in _ifAny(_ofNode, child))
    if not found:
        raise ReferenceMismatchError(
            _("There is no image with something marked on it under '{name}'.").format(name=name),
            _("Drag a segmentation whose image is loaded."),
        )
    return found


def _ofNode(node: Any) -> list[ReferenceSource]:
    if node.IsA("vtkMRMLSegmentationNode"):
        return _ofSegmentation(node, imageOf(node))
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        return _ofLabelmap(node, imageOf(node))
    if node.IsA("vtkMRMLScalarVolumeNode"):
        return _ofImage(node)
    raise ReferenceMismatchError(
        _("'{name}' is neither an image nor a segmentation.").format(name=node.GetName()),
        _("Drag a segmentation, a segment, an image, a labelmap or a study."),
    )


def _ofSegment(segmentationNode: Any, segmentId: str, name: str) -> list[ReferenceSource]:
    found = [
        one
        for one in _ofSegmentation(segmentationNode, imageOf(segmentationNode))
        if one.segmentId == segmentId
    ]
    if not found:
        raise _empty(name)
    return found


def _ofSegmentation(segmentationNode: Any, volumeNode: Any) -> list[ReferenceSource]:
    segmentation = segmentationNode.GetSegmentation()
    found = [
        ReferenceSource(volumeNode, segmentationNode, one, segmentation.GetSegment(one).GetName())
        for one in segmentIds(segmentation)
        if isMarked(segmentation, one)
    ]
    if not found:
        raise _empty(segmentationNode.GetName())
    return found


def _ofLabelmap(labelmapNode: Any, volumeNode: Any) -> list[ReferenceSource]:
    labels = labelValues(labelmapNode) if labelmapNode.GetImageData() else []
    if not labels:
        raise _empty(labelmapNode.GetName())
    display = labelmapNode.GetDisplayNode()
    colours = display.GetColorNode() if display else None
    return [
        ReferenceSource(
            volumeNode, labelmapNode, str(label), _labelName(colours, label, labelmapNode.GetName())
        )
        for label in labels
    ]


def _ofImage(volumeNode: Any) -> list[ReferenceSource]:
    """What is marked on an image: in all segmentations and labelmaps that belong to it."""
    found = []
    for node in _marking():
        if _ifAny(lambda one: [imageOf(one)], node) == [volumeNode]:
            found += _ifAny(_ofNode, node)
    if not found:
        raise ReferenceMismatchError(
            _("Nothing is marked on the image '{name}'.").format(name=volumeNode.GetName()),
            _("Drag its segmentation, or mark the object on it first."),
        )
    return found


def imageOf(node: Any) -> Any:
    """The image that a segmentation or labelmap was made on.

    It is the one that the node names; else the only one of the same grid, beside it in the Data tree or,
    failing that, anywhere.

    Raises:
        ReferenceMismatchError: there is none, or several that could be it.
    """
    named = _namedImage(node)
    if named is not None:
        return named
    images = [one for one in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") if _isImage(one)]
    fitting = [one for one in images if _fits(node, one)]
    beside = [one for one in fitting if _parent(one) == _parent(node)]
    candidates = beside if len(beside) == 1 else fitting
    if len(candidates) != 1:
        problem = (
            _("The image of '{name}' is not loaded.")
            if not candidates
            else _("It is not known on which image '{name}' was made.")
        )
        raise ReferenceMismatchError(
            problem.format(name=node.GetName()),
            _("Load its image; or set it as source geometry in the Segmentations module."),
        )
    return candidates[0]


def _namedImage(node: Any) -> Any:
    if node.IsA("vtkMRMLSegmentationNode"):
        named = node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())
    else:
        # set by Slicer's volumes logic for a labelmap made for an image
        named = node.GetNodeReference("AssociatedNodeID")
    return named if named is not None and _isImage(named) else None


def _fits(node: Any, volumeNode: Any) -> bool:
    """Whether a segmentation's or labelmap's voxels are those of an image."""
    try:
        grid = gridOf(volumeNode)
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            return gridOf(node).same_grid(grid)
        layers = [layer for layer in SegmentLayers(node, volumeNode) if not layer.isEmpty]
    except KPrismError:
        return False
    return bool(layers) and all(layer.map is not None for layer in layers)


def _isImage(node: Any) -> bool:
    return bool(node.IsA("vtkMRMLScalarVolumeNode")) and not node.IsA("vtkMRMLLabelMapVolumeNode")


def isMarked(segmentation: Any, segmentId: str) -> bool:
    """Whether a segment has voxels or a surface."""
    segment = segmentation.GetSegment(segmentId)
    name = segmentation.GetSourceRepresentationName()
    shape = segment.GetRepresentation(name)
    if shape is None or shape.GetNumberOfPoints() == 0:
        return False
    if name != binaryLabelmap():
        return True
    return bool((arrayOfImage(shape) == segment.GetLabelValue()).any())


def _marking() -> list[Any]:
    return [
        *slicer.util.getNodesByClass("vtkMRMLSegmentationNode"),
        *slicer.util.getNodesByClass("vtkMRMLLabelMapVolumeNode"),
    ]


def _nodesBelow(hierarchy: Any, itemId: int) -> Iterator[Any]:
    below = vtk.vtkIdList()
    hierarchy.GetItemChildren(itemId, below, True)
    for number in range(below.GetNumberOfIds()):
        node = hierarchy.GetItemDataNode(below.GetId(number))
        if node is not None:
            yield node


def _ifAny(find: Callable[[Any], list[Any]], node: Any) -> list[Any]:
    """What a search gives; nothing where it says why it gives nothing."""
    try:
        return find(node)
    except KPrismError:
        return []


def _unique(sources: Iterable[ReferenceSource]) -> list[ReferenceSource]:
    return list({(id(one.segmentationNode), one.segmentId): one for one in sources}.values())


def _labelName(colours: Any, label: int, fallback: str) -> str:
    name = colours.GetColorName(label) if colours and 0 <= label < colours.GetNumberOfColors() else ""
    return str(name) if name and name not in ("(none)", "background") else f"{fallback} {label}"


def _parent(node: Any) -> int:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node)
    return int(hierarchy.GetItemParent(item)) if item else 0


def _empty(name: str) -> ReferenceMismatchError:
    return ReferenceMismatchError(
        _("Nothing is marked in '{name}'.").format(name=name), _("Choose a segment that is marked.")
    )
