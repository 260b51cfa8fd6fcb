"""One press of the left button, until it comes up: a click, a stroke, or a marker that is dragged."""

from __future__ import annotations

from typing import Any

from KPrismSlicerLib.ClickMarkers import ClickMarkers
from KPrismSlicerLib.SliceViews import SliceView
from KPrismSlicerLib.StrokeLine import StrokeLine
from KPrismSlicerLib.Strokes import MousePath


class Gesture:
    """Begins where the mouse is in a view now.

    Args:
        view: that the mouse is in.
        markers: of the clicks; one of the slice shown that the mouse is on is dragged.
        positive: polarity of a new click or stroke.
    """

    def __init__(self, view: SliceView, markers: ClickMarkers, positive: bool) -> None:
        self.view = view
        self._markers = markers
        self._positive = positive
        self._slice = view.sliceToRas()
        self._path = MousePath()
        self._line: StrokeLine | None = None
        found = markers.ownClickAt(view, view.pixel)
        self._marker = found.identifier if found is not None else None
        self._add()

    @property
    def isOver(self) -> bool:
        """Whether the view shows another slice than at the press: what was meant is out of sight."""
        return not self.view.isOnSlice(self._slice)

    def follow(self, view: SliceView) -> None:
        """Go on to where the mouse is in a view; outside the view of the press it stays where it was."""
        if view is not self.view or not view.contains(view.pixel):
            return
        self._add()
        if not self._path.isDrag:
            return
        if self._marker is not None:
            self._markers.preview(self._marker, self._path.ras[-1])
            return
        if self._line is None:
            self._line = StrokeLine(view, self._positive)
        self._line.show(self._path.pixels)

    def drop(self) -> None:
        """Take away what was drawn for it."""
        if self._line is not None:
            self._line.remove()
            self._line = None
        self._markers.endPreview()

    def act(self, logic: Any) -> None:
        """Ask the logic for what it means; a press on a marker that is not dragged means nothing."""
        if self._marker is not None:
            if self._path.isDrag:
                logic.moveClick(self._marker, self._path.ras[-1])
        elif self._path.isDrag:
            logic.stroke(self._path.clicks(), self._positive, self.view.node)
        else:
            logic.click(self._path.ras[0], self._positive, self.view.node)

    def _add(self) -> None:
        self._path.add(self.view.pixel, self.view.rasAt(self.view.pixel))
