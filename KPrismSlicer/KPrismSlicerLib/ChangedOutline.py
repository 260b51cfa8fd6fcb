"""What the last act changed, drawn over the slice for a moment: added pixels green, removed pixels red.

Lines of the views only: neither the segmentation nor the scene knows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import qt
import vtk
from vtk.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray

from KPrismCore.slices import BoolArray, FloatArray, Plane, SlicePlane
from KPrismSlicerLib.Events import ActResult
from KPrismSlicerLib.SliceViews import SliceView

SHOWN_MILLISECONDS = 2000
ADDED_COLOUR = (0.2, 1.0, 0.3)
REMOVED_COLOUR = (1.0, 0.25, 0.2)
LINE_WIDTH = 2.0
# Cosine of the angle between slice and plane up to which a view shows the plane.
PARALLEL = 0.999


class ChangedOutline:
    """Shows the result of one act at a time.

    Args:
        views: gives the slice views to draw in.
    """

    def __init__(self, views: Callable[[], Iterable[SliceView]]) -> None:
        self._views = views
        self._drawn: list[_DrawnOutline] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(SHOWN_MILLISECONDS)
        self._timer.connect("timeout()", self.clear)

    @property
    def isShown(self) -> bool:
        """Whether any view shows an outline now."""
        return any(outline.isVisible for outline in self._drawn)

    def show(self, result: ActResult) -> None:
        """Draw what an act changed, in every view that shows its slice, instead of what was drawn before."""
        self.clear()
        if result.plane is None or result.added is None or result.removed is None:
            return
        parts = [(result.added, ADDED_COLOUR), (result.removed, REMOVED_COLOUR)]
        lines = [(outlineRas(mask, result.plane), colour) for mask, colour in parts if mask.any()]
        if not lines:
            return
        for view in self._views():
            if view.renderer is not None and view.isSingle and view.isInLayout:
                self._drawn.append(_DrawnOutline(view, result.plane, lines))
        self._timer.start()

    def clear(self) -> None:
        """Take the outlines away."""
        self._timer.stop()
        for outline in self._drawn:
            outline.remove()
        self._drawn = []

    def forget(self, node: Any) -> None:
        """Take the outlines out of the view of a slice node that is leaving the scene."""
        for outline in [known for known in self._drawn if known.node is node]:
            self._drawn.remove(outline)
            outline.remove(render=False)

    def cleanup(self) -> None:
        """Take the outlines away and end the timer."""
        self.clear()
        self._timer.disconnect("timeout()", self.clear)


def outlineRas(mask: BoolArray, plane: Plane) -> FloatArray:
    """Trace the pixel edges around a mask.

    Args:
        mask: bool (rows, columns) of the plane.
        plane: where the mask is.

    Returns:
        The two ends of each edge, RAS in mm, (N, 2, 3).
    """
    padded = np.pad(np.asarray(mask, dtype=np.bool_), 1)
    # between row y - 1 and y, the edge runs from (x - 0.5, y - 0.5) to (x + 0.5, y - 0.5)
    y, x = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    across = np.stack([np.stack([x - 0.5, y - 0.5], -1), np.stack([x + 0.5, y - 0.5], -1)], axis=1)
    y, x = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    down = np.stack([np.stack([x - 0.5, y - 0.5], -1), np.stack([x - 0.5, y + 0.5], -1)], axis=1)
    return plane.pixel_to_ras(np.concatenate([across, down]))


class _DrawnOutline:
    """The outlines in one view; they follow its panning, zooming and browsing."""

    def __init__(
        self, view: SliceView, plane: Plane, lines: list[tuple[FloatArray, tuple[float, ...]]]
    ) -> None:
        self._view = view
        self._plane = plane
        self.node = view.node
        self._renderer = view.renderer
        self._lines = [_Lines(points, colour) for points, colour in lines]
        for each in self._lines:
            self._renderer.AddViewProp(each.actor)
        self._tag = self.node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    @property
    def isVisible(self) -> bool:
        return any(each.actor.GetVisibility() for each in self._lines)

    def remove(self, render: bool = True) -> None:
        self.node.RemoveObserver(self._tag)
        for each in self._lines:
            self._renderer.RemoveViewProp(each.actor)
        if render:
            self._view.scheduleRender()

    def _update(self, *_arguments: Any) -> None:
        shown = _shows(self._view, self._plane)
        for each in self._lines:
            each.actor.SetVisibility(shown)
            if shown:
                each.place(self._view)
        self._view.scheduleRender()


class _Lines:
    """Line segments on a slice: ends RAS (N, 2, 3)."""

    def __init__(self, ras: FloatArray, colour: tuple[float, ...]) -> None:
        self._ras = ras.reshape(-1, 3)
        self._points = vtk.vtkPoints()
        self._data = vtk.vtkPolyData()
        self._data.SetPoints(self._points)
        self._data.SetLines(_pairs(len(ras)))
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._data)
        self.actor = vtk.vtkActor2D()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetColor(*colour)
        self.actor.GetProperty().SetLineWidth(LINE_WIDTH)
        self.actor.SetPickable(False)

    def place(self, view: SliceView) -> None:
        xyz = view.xyzOf(self._ras)
        xyz[:, 2] = 0.0
        self._points.SetData(numpy_to_vtk(xyz, deep=True))
        self._points.Modified()
        self._data.Modified()


def _pairs(count: int) -> Any:
    """Cells that join points 0 and 1, 2 and 3, and so on."""
    indices = np.arange(2 * count, dtype=np.int64).reshape(count, 2)
    cells = np.column_stack([np.full(count, 2, dtype=np.int64), indices])
    array = vtk.vtkCellArray()
    array.ImportLegacyFormat(numpy_to_vtkIdTypeArray(cells.ravel(), deep=True))
    return array


def _shows(view: SliceView, plane: Plane) -> bool:
    """Tell whether a view shows the plane: parallel to it, and within half a slice or voxel of it."""
    rows, columns = plane.shape
    corners = plane.pixel_to_ras([[0, 0], [columns, 0], [0, rows], [columns / 2, rows / 2]])
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    slice_ = view.sliceToRas()
    across = slice_[:3, 2] / np.linalg.norm(slice_[:3, 2])
    if abs(normal @ across) < PARALLEL * np.linalg.norm(normal):
        return False
    return bool(abs((corners[3] - slice_[:3, 3]) @ across) <= max(view.spacing, _thickness(plane)) / 2 + 1e-3)


def _thickness(plane: Plane) -> float:
    if isinstance(plane, SlicePlane):
        return float(plane.geometry.spacing[plane.normal_axis])
    return float(getattr(plane, "slab_thickness", 0.0))
