"""The clicks as markers in the views: two lists of points, one for each polarity, that follow the logic.

They belong to the scene, so that they are saved with it. They are always locked: Slicer itself never moves or
deletes them; `Interaction` does it through the logic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from numpy.typing import ArrayLike
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError
from KPrismSlicerLib.Events import PlacedClick
from KPrismSlicerLib.SliceViews import SliceView

POLARITIES = (True, False)
# Pixels from a marker's centre that still hit it.
HIT_RADIUS = 8.0
# A marker is shown, and can be hit, on slices nearer than this, in slices of the view.
SHOWN_DEPTH = 0.5
# The colour while a click waits for the network is paler.
COLOURS = {True: ((0.1, 0.85, 0.2), (0.65, 0.9, 0.65)), False: ((0.95, 0.15, 0.1), (0.95, 0.65, 0.6))}
GLYPHS = {True: "ThickCross2D", False: "Square2D"}
MARKER_SIZE = 2.5
ATTRIBUTE = "KPrism.Clicks"


class ClickMarkers:
    """Keeps the two nodes in step with `logic.clicks()`.

    Args:
        logic: gives the clicks of the current segment, those of the slice that a view shows, and
            segmentationNode.
    """

    def __init__(self, logic: Any) -> None:
        self._logic = logic
        self._dragged: tuple[str, tuple[float, ...]] | None = None

    def node(self, positive: bool) -> Any:
        """Return the list of the positive or negative clicks, or None while there never was one."""
        return next(iter(_nodes(positive)), None)

    def sync(self) -> None:
        """Show the clicks that there are now; does nothing while the scene is being closed or read."""
        scene = slicer.mrmlScene
        if scene is None or scene.IsClosing() or scene.IsImporting():
            return
        clicks = [self._shown(click) for click in self._logic.clicks()]
        for positive in POLARITIES:
            wanted = [click for click in clicks if click.positive == positive]
            node, *others = _nodes(positive) or [None]
            # a scene that was read on top of this one brings its own
            for other in others:
                scene.RemoveNode(other)
            if node is None and wanted:
                node = self._newNode(positive)
            if node is not None and _shownPoints(node) != [_pointOf(click) for click in wanted]:
                _show(node, wanted)

    def preview(self, identifier: str, ras: ArrayLike) -> None:
        """Show a click at another place, RAS (3,) in mm, until `endPreview`; the logic is not told."""
        self._dragged = (identifier, tuple(float(value) for value in np.asarray(ras)))
        self.sync()

    def endPreview(self) -> None:
        """Show all clicks where they are."""
        if self._dragged is not None:
            self._dragged = None
            self.sync()

    def clickAt(self, view: SliceView, pixel: tuple[float, float]) -> PlacedClick | None:
        """Return the click whose marker is at a pixel of a view, the nearest of several, or None.

        Of two at one place, the one that belongs to the slice shown is meant.
        """
        return self.ownClickAt(view, pixel) or _nearest(self._logic.clicks(), view, pixel)

    def ownClickAt(self, view: SliceView, pixel: tuple[float, float]) -> PlacedClick | None:
        """As `clickAt`, of the slice shown alone: markers of slices that cross it are drawn there too."""
        try:
            clicks = self._logic.clicksOn(view.node)
        except KPrismError:
            # the view does not cut the image, or it is gone
            return None
        return _nearest(clicks, view, pixel)

    def _shown(self, click: PlacedClick) -> PlacedClick:
        if self._dragged is None or self._dragged[0] != click.identifier:
            return click
        return PlacedClick(click.identifier, self._dragged[1], click.positive, click.planeKey, click.pending)

    def _newNode(self, positive: bool) -> Any:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _title(positive))
        node.SetAttribute(ATTRIBUTE, _polarityName(positive))
        node.SetLocked(True)
        # labels beside the markers would hide what is being segmented
        node.SetControlPointLabelFormat("")
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        selected, pending = COLOURS[positive]
        display.SetSelectedColor(*selected)
        display.SetColor(*pending)
        display.SetGlyphType(display.GetGlyphTypeFromString(GLYPHS[positive]))
        display.SetGlyphScale(MARKER_SIZE)
        display.SetPointLabelsVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        self._putBesideSegmentation(node)
        return node

    def _putBesideSegmentation(self, node: Any) -> None:
        """Put a node under the same patient and study as the segmentation."""
        segmentation = self._logic.segmentationNode
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(segmentation) if segmentation is not None else 0
        if item:
            hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), hierarchy.GetItemParent(item))


Point = tuple[str, tuple[float, ...], bool]


def _nearest(
    clicks: Sequence[PlacedClick], view: SliceView, pixel: tuple[float, float]
) -> PlacedClick | None:
    """The click whose marker is nearest to a pixel of a view; None where none is hit."""
    if not clicks:
        return None
    offsets = view.xyzOf([click.ras for click in clicks]) - view.xyzAt(pixel)
    distances = np.hypot(offsets[:, 0], offsets[:, 1])
    distances[np.abs(offsets[:, 2]) > SHOWN_DEPTH] = np.inf
    nearest = int(np.argmin(distances))
    return clicks[nearest] if distances[nearest] <= HIT_RADIUS else None


def _nodes(positive: bool) -> list[Any]:
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    return [node for node in nodes if node.GetAttribute(ATTRIBUTE) == _polarityName(positive)]


def _title(positive: bool) -> str:
    return _("K-Prism clicks on the object") if positive else _("K-Prism clicks outside the object")


def _polarityName(positive: bool) -> str:
    return "positive" if positive else "negative"


def _pointOf(click: PlacedClick) -> Point:
    return click.identifier, tuple(float(value) for value in click.ras), not click.pending


def _shownPoints(node: Any) -> list[Point]:
    """The points of a node as `_pointOf` gives them."""
    points = []
    for index in range(node.GetNumberOfControlPoints()):
        ras = [0.0, 0.0, 0.0]
        node.GetNthControlPointPositionWorld(index, ras)
        description = node.GetNthControlPointDescription(index)
        points.append((description, tuple(ras), bool(node.GetNthControlPointSelected(index))))
    return points


def _show(node: Any, clicks: Sequence[PlacedClick]) -> None:
    """Make the points of a node the clicks; only what differs is touched."""
    wasModifying = node.StartModify()
    for index in reversed(range(len(clicks), node.GetNumberOfControlPoints())):
        node.RemoveNthControlPoint(index)
    for index, (identifier, ras, selected) in enumerate(map(_pointOf, clicks)):
        if index == node.GetNumberOfControlPoints():
            node.AddControlPointWorld(*ras)
        node.SetNthControlPointPositionWorld(index, ras)
        node.SetNthControlPointDescription(index, identifier)
        node.SetNthControlPointSelected(index, selected)
    node.EndModify(wasModifying)
