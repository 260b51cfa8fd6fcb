"""What may be changed in a segmentation: locked and finished segments, and Slicer's masking settings."""

from __future__ import annotations

from enum import Enum
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from KPrismCore.errors import GeometryError, PromptError, ProtectedError
from KPrismSlicerLib.Grids import binaryLabelmap, gridOf, ijkToSegmentation
from KPrismSlicerLib.SegmentLayers import SegmentLayers, segmentIds

LOCKED_TAG = "KPrism.Locked"
EDITOR_CLASS = "vtkMRMLSegmentEditorNode"


class Overwrite(Enum):
    """Which other segments lose the voxels that a segment gains."""

    NONE = "none"
    VISIBLE = "visible"
    ALL = "all"


def segmentOf(segmentationNode: Any, segmentId: str) -> Any:
    """The vtkSegment of an id.

    Raises:
        PromptError: the segmentation or the segment is not there any more.
    """
    segmentation = None if segmentationNode is None else segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentId) if segmentation is not None and segmentId else None
    if segment is None:
        raise PromptError(_("The segment is not there any more."), _("Choose another segment."))
    return segment


def readTag(segment: Any, name: str) -> str:
    """Read a tag of a segment; empty where it has none."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""


def isLocked(segmentationNode: Any, segmentId: str) -> bool:
    """Tell whether a segment carries the lock of this module."""
    return readTag(segmentOf(segmentationNode, segmentId), LOCKED_TAG) == "1"


def setLocked(segmentationNode: Any, segmentId: str, on: bool) -> None:
    """Lock a segment, or take the lock off; it is kept with the scene and in .seg.nrrd files."""
    segment = segmentOf(segmentationNode, segmentId)
    if on:
        segment.SetTag(LOCKED_TAG, "1")
    else:
        segment.RemoveTag(LOCKED_TAG)


def isProtected(segmentationNode: Any, segmentId: str) -> bool:
    """Tell whether a segment must not change: locked, or its status is Completed."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    status = logic.GetSegmentStatus(segmentOf(segmentationNode, segmentId))
    return status == logic.Completed or isLocked(segmentationNode, segmentId)


def checkUnprotected(segmentationNode: Any, segmentId: str) -> None:
    """Check that a segment is neither locked nor completed.

    Raises:
        ProtectedError: it is; the remedy says how to open it.
        PromptError: it is not there.
    """
    if not isProtected(segmentationNode, segmentId):
        return
    name = segmentOf(segmentationNode, segmentId).GetName()
    if isLocked(segmentationNode, segmentId):
        raise ProtectedError(_("The segment '{name}' is locked.").format(name=name), _("Unlock it first."))
    raise ProtectedError(
        _("The segment '{name}' is completed.").format(name=name),
        _("Set its status to 'In progress' in the segment list first."),
    )


def checkWritable(segmentationNode: Any, segmentId: str, volumeNode: Any) -> None:
    """Check that a segment may be changed, and can be, voxel by voxel on the image's grid.

    Raises:
        ProtectedError: locked or completed; or the segmentation consists of closed surfaces.
        GeometryError: another grid than the image's, or a transform that is not linear.
        PromptError: the segment is not there.
        ImageContentError: the image has no voxels.
    """
    segmentOf(segmentationNode, segmentId)
    checkUnprotected(segmentationNode, segmentId)
    gridOf(volumeNode)
    if not (isPainted(segmentationNode) or _isBlank(segmentationNode)):
        raise ProtectedError(
            _("'{name}' consists of closed surfaces, which cannot be painted.").format(
                name=segmentationNode.GetName()
            ),
            _("Convert it to labelmaps; small details may change."),
        )
    ijkToSegmentation(volumeNode, segmentationNode)
    layers = SegmentLayers(segmentationNode, volumeNode)
    own = layers.of(segmentId)
    if not layers.fitsReference or (own is not None and own.map is None):
        raise GeometryError(
            _("'{segmentation}' lies on another voxel grid than '{image}'.").format(
                segmentation=segmentationNode.GetName(), image=volumeNode.GetName()
            ),
            _("Make a new segmentation for this image, or choose the image it was made on."),
        )


def isPainted(segmentationNode: Any) -> bool:
    """Tell whether labelmaps are what a segmentation consists of, not surfaces."""
    return segmentationNode.GetSegmentation().GetSourceRepresentationName() == binaryLabelmap()


def prepare(segmentationNode: Any, volumeNode: Any) -> None:
    """Give a segmentation that has nothing yet what painting needs; one that has it stays as it is."""
    segmentation = segmentationNode.GetSegmentation()
    if not isPainted(segmentationNode) and _isBlank(segmentationNode):
        segmentation.SetSourceRepresentationName(binaryLabelmap())
        for identifier in segmentIds(segmentation):
            segment = segmentation.GetSegment(identifier)
            if segment.GetRepresentation(binaryLabelmap()) is None:
                segment.AddRepresentation(binaryLabelmap(), slicer.vtkOrientedImageData())
    parameter = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    if not segmentation.GetConversionParameter(parameter):
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)


def convertToLabelmaps(segmentationNode: Any, volumeNode: Any) -> None:
    """Make labelmaps on the image's grid what a segmentation of closed surfaces consists of.

    Small details may change, so ask the user before. Surfaces that were shown are made anew.

    Raises:
        GeometryError: it cannot be converted, or a transform is not linear.
    """
    if isPainted(segmentationNode):
        return
    gridOf(volumeNode)
    ijkToSegmentation(volumeNode, segmentationNode)
    segmentation = segmentationNode.GetSegmentation()
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    shown = segmentation.ContainsRepresentation(surface)
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    if not segmentation.CreateRepresentation(binaryLabelmap(), True):
        raise GeometryError(
            _("'{name}' cannot be converted to labelmaps.").format(name=segmentationNode.GetName()),
            _("Make a new segmentation for this image."),
        )
    segmentation.SetSourceRepresentationName(binaryLabelmap())
    if shown:
        segmentation.CreateRepresentation(surface)


def editorOf(segmentationNode: Any) -> Any:
    """The Segment Editor's settings for a segmentation, its own editor's first; None where there are none."""
    scene = segmentationNode.GetScene() or slicer.mrmlScene
    nodes = [
        scene.GetSingletonNode("SegmentEditor", EDITOR_CLASS),
        *slicer.util.getNodesByClass(EDITOR_CLASS),
    ]
    fitting = (node for node in nodes if node and node.GetSegmentationNode() is segmentationNode)
    return next(fitting, None)


def overwriteMode(segmentationNode: Any) -> Overwrite:
    """What the Segment Editor is set to for this segmentation; NONE where it was never used on it."""
    editor = editorOf(segmentationNode)
    if editor is None:
        return Overwrite.NONE
    modes = {
        editor.OverwriteAllSegments: Overwrite.ALL,
        editor.OverwriteVisibleSegments: Overwrite.VISIBLE,
    }
    return modes.get(editor.GetOverwriteMode(), Overwrite.NONE)


def inOverwriteMode(segmentationNode: Any, segmentId: str) -> list[str]:
    """The other segments that the overwrite mode is about, protected ones too."""
    mode = overwriteMode(segmentationNode)
    others = [other for other in segmentIds(segmentationNode.GetSegmentation()) if other != segmentId]
    if mode is Overwrite.VISIBLE:
        return [other for other in others if isVisible(segmentationNode, other)]
    return others if mode is Overwrite.ALL else []


def isVisible(segmentationNode: Any, segmentId: str) -> bool:
    """Tell whether a segment is switched on in the segment list."""
    display = segmentationNode.GetDisplayNode()
    return bool(display is None or display.GetSegmentVisibility(segmentId))


def _isBlank(segmentationNode: Any) -> bool:
    """Whether no segment has a surface or voxels."""
    segmentation = segmentationNode.GetSegmentation()
    name = segmentation.GetSourceRepresentationName()
    shapes = [segmentation.GetSegment(one).GetRepresentation(name) for one in segmentIds(segmentation)]
    return all(shape is None or shape.GetNumberOfPoints() == 0 for shape in shapes)
