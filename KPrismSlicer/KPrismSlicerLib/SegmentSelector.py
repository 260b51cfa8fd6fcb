"""The dropdown of a segmentation's segments, with their colours, kept in step with the segmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from KPrismSlicerLib.PanelTools import Slots, quietly, swatch


class SegmentSelector:
    """Shows the segments of one segmentation node.

    Args:
        combo: the QComboBox of the panel.
        slots: for its connections.
        chosen: called with the id of the segment that the user takes.
    """

    def __init__(self, combo: Any, slots: Slots, chosen: Callable[[str], None]) -> None:
        self._combo = combo
        self._chosen = chosen
        self._node: Any = None
        self._current = ""
        self._tip = combo.toolTip
        self._observed: list[tuple[Any, int]] = []
        self._changed = slots.guarded(lambda *_arguments: self._fill())
        slots.connect(combo, "activated(int)", self._activated)

    def show(self, node: Any, segmentId: str | None) -> None:
        """Show the segments of a node (None for none), one of them current."""
        self._current = segmentId or ""
        if node is not self._node:
            self.release()
            self._node = node
            self._observe()
        self._fill()

    def release(self) -> None:
        """Let go of the segmentation."""
        for observed, tag in self._observed:
            observed.RemoveObserver(tag)
        self._observed = []
        self._node = None

    def _observe(self) -> None:
        if self._node is None:
            return
        segmentation, kinds = self._node.GetSegmentation(), slicer.vtkSegmentation
        for event in (
            kinds.SegmentAdded, kinds.SegmentRemoved, kinds.SegmentModified, kinds.SegmentsOrderModified
        ):  # fmt: skip
            self._observed.append((segmentation, segmentation.AddObserver(event, self._changed)))

    def _fill(self) -> None:
        with quietly(self._combo):
            self._combo.clear()
            segmentation = self._node.GetSegmentation() if self._node is not None else None
            for identifier in segmentation.GetSegmentIDs() if segmentation is not None else ():
                segment = segmentation.GetSegment(identifier)
                colour = "#" + "".join(f"{round(255 * part):02x}" for part in segment.GetColor())
                self._combo.addItem(swatch(colour), segment.GetName(), identifier)
                # a long name is cut in the list too
                self._combo.setItemData(self._combo.count - 1, segment.GetName(), qt.Qt.ToolTipRole)
            place = self._combo.findData(self._current) if self._current else -1
            self._combo.enabled = self._combo.count > 0
            if place < 0:
                # none is current, and none may look as if it were
                self._combo.insertItem(0, _("Made with the first click"), "")
            self._combo.currentIndex = max(place, 0)
        self._combo.toolTip = f"{self._combo.currentText}\n{self._tip}" if place >= 0 else self._tip

    def _activated(self, index: int) -> None:
        identifier = self._combo.itemData(index)
        if identifier and identifier != self._current:
            self._current = identifier
            self._chosen(identifier)
