"""The slice views of the layout: where a pixel lies in the patient, and the events of their interactors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import slicer
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

# Before the interactor style (0) and the Segment Editor's effects (1).
PRIORITY = 10.0
# Qt sends the second press of two quick clicks as a double click only.
PRESS_EVENTS = ("LeftButtonPressEvent", "LeftButtonDoubleClickEvent")
EVENTS = (*PRESS_EVENTS, "MouseMoveEvent", "LeftButtonReleaseEvent", "KeyPressEvent", "LeaveEvent")
# Mm, and parts of a unit vector, by which a slice that only was panned may seem to have moved.
SAME_SLICE = 1e-3

EventHandler = Callable[["SliceView", str], bool]


class SliceView:
    """One slice view; pixels are device pixels (x, y) from the lower left corner, as interactors give them.

    Args:
        widget: the slice widget that the layout manager gives.
    """

    def __init__(self, widget: Any) -> None:
        self.node = widget.mrmlSliceNode()
        self.widget = widget.sliceView()
        self.interactor = self.widget.interactor()
        self._tags: dict[str, int] = {}

    @property
    def pixel(self) -> tuple[float, float]:
        """Where the last event of the interactor happened."""
        x, y = self.interactor.GetEventPosition()
        return float(x), float(y)

    @property
    def spacing(self) -> float:
        """Mm from slice to slice of this view."""
        return float(self.node.GetFieldOfView()[2] / self.node.GetDimensions()[2])

    @property
    def isSingle(self) -> bool:
        """Whether the view shows one slice, not a light box of several."""
        return self.node.GetLayoutGridRows() * self.node.GetLayoutGridColumns() == 1

    @property
    def isInLayout(self) -> bool:
        """Whether the layout has a place for the view now; those of former layouts are kept out of sight."""
        return bool(self.node.IsMappedInLayout())

    @property
    def renderer(self) -> Any:
        """The renderer of the slice, or None while the view has none."""
        return self.widget.renderWindow().GetRenderers().GetFirstRenderer()

    def contains(self, pixel: tuple[float, float]) -> bool:
        """Tell whether a pixel lies in the window of the view."""
        width, height = self.widget.renderWindow().GetSize()
        return 0 <= pixel[0] < width and 0 <= pixel[1] < height

    def xyzAt(self, pixel: tuple[float, float]) -> FloatArray:
        """Convert a pixel to XYZ (3,): the pixel within its pane, and the number of the pane's slice."""
        xyz = [0.0, 0.0, 0.0]
        manager = slicer.vtkMRMLAbstractSliceViewDisplayableManager
        manager.ConvertDeviceToXYZ(self.interactor, self.node, *pixel, xyz)
        return np.array(xyz)

    def rasAt(self, pixel: tuple[float, float]) -> FloatArray:
        """Convert a pixel to RAS (3,) in mm, on the slice shown there."""
        return _transformed(self._xyzToRas, self.xyzAt(pixel))

    def xyzOf(self, ras: ArrayLike) -> FloatArray:
        """Convert points RAS (..., 3) to XYZ (..., 3); a whole z is on a slice, 0.5 half way to the next."""
        return _transformed(np.linalg.inv(self._xyzToRas), ras)

    def sliceToRas(self) -> FloatArray:
        """Copy the matrix (4, 4) that places the slice in the patient; zooming does not change it."""
        return np.array(slicer.util.arrayFromVTKMatrix(self.node.GetSliceToRAS()))

    def isOnSlice(self, sliceToRas: FloatArray) -> bool:
        """Tell whether the view shows the slice of an earlier `sliceToRas`, panned and zoomed perhaps."""
        now = self.sliceToRas()
        normal = now[:3, 2] / np.linalg.norm(now[:3, 2])
        turned = np.abs(now[:3, :3] - sliceToRas[:3, :3]).max()
        moved = abs((now[:3, 3] - sliceToRas[:3, 3]) @ normal)
        return bool(turned < SAME_SLICE and moved < SAME_SLICE)

    def scheduleRender(self) -> None:
        """Draw the view soon."""
        self.widget.scheduleRender()

    def observe(self, handle: EventHandler) -> None:
        """Send the interactor's events to `handle(view, event name)`; what it answers True to stops there."""

        def called(interactor: Any, name: str) -> None:
            # handling it may have released the view
            if handle(self, name) and name in self._tags:
                interactor.GetCommand(self._tags[name]).SetAbortFlag(1)

        self._tags = {name: self.interactor.AddObserver(name, called, PRIORITY) for name in EVENTS}

    def release(self) -> None:
        """Remove the observers."""
        for tag in self._tags.values():
            self.interactor.RemoveObserver(tag)
        self._tags = {}

    @property
    def _xyzToRas(self) -> FloatArray:
        return np.array(slicer.util.arrayFromVTKMatrix(self.node.GetXYToRAS()))


class SliceViews:
    """All slice views of a layout manager, observed while attached.

    Args:
        layoutManager: of the application.
        handle: gets (view, event name) for each event of `EVENTS` in any view; True keeps it from all others.
    """

    def __init__(self, layoutManager: Any, handle: EventHandler) -> None:
        self._layoutManager = layoutManager
        self._handle = handle
        self._views: dict[Any, SliceView] = {}

    def __iter__(self) -> Iterator[SliceView]:
        return iter(tuple(self._views.values()))

    def __len__(self) -> int:
        return len(self._views)

    def attach(self) -> None:
        """Observe the views that the layout has now; those it no longer has are released."""
        present = self._present()
        for interactor in [known for known in self._views if known not in present]:
            self._views.pop(interactor).release()
        for interactor, view in present.items():
            if interactor not in self._views:
                view.observe(self._handle)
                self._views[interactor] = view

    def detach(self) -> None:
        """Remove all observers and forget all views."""
        for view in self:
            view.release()
        self._views = {}

    def forget(self, node: Any) -> None:
        """Release the view of a slice node that is leaving the scene."""
        for interactor, view in tuple(self._views.items()):
            if view.node is node:
                self._views.pop(interactor).release()

    def _present(self) -> dict[Any, SliceView]:
        manager = self._layoutManager
        widgets = [manager.sliceWidget(name) for name in manager.sliceViewNames()]
        # a widget may be made before its node, and outlive it
        views = [SliceView(widget) for widget in widgets if widget and widget.mrmlSliceNode()]
        return {view.interactor: view for view in views if view.interactor and view.node.GetScene()}


def _transformed(matrix: FloatArray, points: ArrayLike) -> FloatArray:
    return np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
