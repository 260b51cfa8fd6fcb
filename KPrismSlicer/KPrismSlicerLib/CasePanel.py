"""Section 1: image, segmentation and segment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from KPrismSlicerLib.PanelTools import PanelContext, quietly
from KPrismSlicerLib.Protection import isLocked
from KPrismSlicerLib.SegmentSelector import SegmentSelector
from KPrismSlicerLib.ViewChoice import showImage


class CasePanel:
    """Chooses what is worked on.

    Args:
        context: of the panel.
    """

    def __init__(self, context: PanelContext) -> None:
        self._context = context
        self._refused: Any = None
        ui, connect = context.ui, context.slots.connect
        self.segments = SegmentSelector(ui.segmentSelector, context.slots, self._segmentChosen)
        connect(ui.volumeSelector, "currentNodeChanged(vtkMRMLNode*)", self._volumeChosen)
        connect(ui.segmentationSelector, "currentNodeChanged(vtkMRMLNode*)", self._segmentationChosen)
        connect(ui.newSegmentationButton, "clicked()", lambda: self._make(context.logic.newSegmentation))
        connect(ui.newSegmentButton, "clicked()", lambda: self._make(context.logic.newSegment))
        connect(ui.lockCheck, "clicked(bool)", self._lock)

    def update(self) -> None:
        """Show the logic's case, and remember it in the scene."""
        ui, logic = self._context.ui, self._context.logic
        volume, segmentation, segment = logic.volumeNode, logic.segmentationNode, logic.segmentId
        if logic.refused is not None:
            # it stays chosen, so that work goes on when it has been mended
            volume, segmentation = logic.refused.volumeNode, logic.refused.segmentationNode
        elif self._refused is not None:
            self._context.clearError()
        self._refused = logic.refused
        with quietly(ui.volumeSelector, ui.segmentationSelector, ui.lockCheck):
            ui.volumeSelector.setCurrentNode(volume)
            ui.segmentationSelector.setCurrentNode(segmentation)
            ui.lockCheck.checked = bool(segment) and isLocked(segmentation, segment)
        self.segments.show(logic.segmentationNode, segment)
        for widget in (ui.segmentationSelector, ui.newSegmentationButton, ui.newSegmentButton):
            widget.enabled = logic.volumeNode is not None
        ui.lockCheck.visible = bool(segment)
        # locks are the session's too, and there is none without a model
        ui.lockCheck.enabled = logic.session is not None
        self._context.remember("inputVolume", volume)
        self._context.remember("segmentation", segmentation)
        self._context.remember("segmentId", (logic.refused.segmentId if logic.refused else segment) or "")

    def restore(self, parameters: Any) -> None:
        """Go back to the case that a scene remembers."""
        logic = self._context.logic
        # read first: the logic's events write to the parameter node
        volume, segmentation = parameters.inputVolume, parameters.segmentation
        segment = parameters.segmentId
        if volume is None:
            # a new parameter node: the case goes on, and is written to it
            return
        if volume is not logic.volumeNode:
            logic.setVolume(volume)
        if segmentation is not None and segmentation is not logic.segmentationNode:
            logic.setSegmentation(segmentation)
        if segment and segment != logic.segmentId and _has(segmentation, segment):
            logic.setSegment(segment)

    def release(self) -> None:
        """Let go of the scene."""
        self.segments.release()

    def _volumeChosen(self, node: Any) -> None:
        logic = self._context.logic
        if node is not logic.volumeNode or logic.refused is not None:
            self._context.clearError()
            logic.setVolume(node)
            showImage(logic.volumeNode)

    def _segmentationChosen(self, node: Any) -> None:
        if node is not self._context.logic.segmentationNode:
            self._context.clearError()
            self._context.logic.setSegmentation(node)

    def _segmentChosen(self, segmentId: str) -> None:
        # what was wrong with another one is not wrong with this one
        self._context.clearError()
        self._context.logic.setSegment(segmentId)

    def _make(self, make: Callable[[], Any]) -> None:
        self._context.clearError()
        make()

    def _lock(self, on: bool) -> None:
        # that it was locked may be what is on show
        self._context.clearError()
        self._context.logic.setLocked(self._context.logic.segmentId, on)


def _has(segmentation: Any, segment: str) -> bool:
    return segmentation is not None and segmentation.GetSegmentation().GetSegment(segment) is not None
