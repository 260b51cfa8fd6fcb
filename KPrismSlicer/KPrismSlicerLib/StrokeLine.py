"""The line drawn in a view while the mouse is pulled: the user sees where the clicks will be."""

from __future__ import annotations

from typing import Any

import vtk

from KPrismSlicerLib.SliceViews import SliceView

COLOURS = {True: (0.1, 0.85, 0.2), False: (0.95, 0.15, 0.1)}
LINE_WIDTH = 3.0


class StrokeLine:
    """A line through device pixels of one view; neither the scene nor the segmentation knows of it.

    Args:
        view: to draw in.
        positive: colour of the polarity.
    """

    def __init__(self, view: SliceView, positive: bool) -> None:
        self._view = view
        self._renderer = view.renderer
        self._points = vtk.vtkPoints()
        self._cells = vtk.vtkCellArray()
        self._line = vtk.vtkPolyData()
        self._line.SetPoints(self._points)
        self._line.SetLines(self._cells)
        mapper = vtk.vtkPolyDataMapper2D()
        mapper.SetInputData(self._line)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(mapper)
        self._actor.GetProperty().SetColor(*COLOURS[positive])
        self._actor.GetProperty().SetLineWidth(LINE_WIDTH)
        if self._renderer is not None:
            self._renderer.AddViewProp(self._actor)

    @property
    def count(self) -> int:
        """Number of points drawn."""
        return int(self._points.GetNumberOfPoints())

    def show(self, pixels: Any) -> None:
        """Draw the line through pixels (x, y) from the lower left corner."""
        self._points.Reset()
        self._cells.Reset()
        for x, y in pixels:
            self._points.InsertNextPoint(x, y, 0.0)
        self._cells.InsertNextCell(len(pixels))
        for number in range(len(pixels)):
            self._cells.InsertCellPoint(number)
        self._points.Modified()
        self._line.Modified()
        self._view.scheduleRender()

    def remove(self) -> None:
        """Take the line away."""
        if self._renderer is not None:
            self._renderer.RemoveViewProp(self._actor)
            self._renderer = None
            self._view.scheduleRender()
