"""The "where" of the logic: clicks, on any slice, and acts on the slice that a view shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from slicer.i18n import tr as _

from KPrismCore.errors import ClickOutsideError, KPrismError
from KPrismCore.prompts import Click
from KPrismCore.slices import Plane, SlicePlane
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.Case import Case
from KPrismSlicerLib.Events import ActStarted, PlacedClick, PromptsChanged
from KPrismSlicerLib.Labels import labelText
from KPrismSlicerLib.LogicBase import ActDropped, noModel
from KPrismSlicerLib.PieceActs import PieceActs
from KPrismSlicerLib.SliceActs import ClickAct, ShownClicks

MOST_STROKE_CLICKS = 16


class ClickLogic(PieceActs):
    """See the module; points are RAS in mm, in world coordinates."""

    # clicks

    def click(self, ras: ArrayLike, positive: bool, sliceNode: Any) -> None:
        """Click at a point RAS (3,) on the slice that a view shows."""
        self._addClicks([ras], positive, sliceNode, "click")

    def stroke(self, points: ArrayLike, positive: bool, sliceNode: Any) -> None:
        """Draw a stroke through points RAS (N, 3) on the slice that a view shows: one act, one prediction."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
        if len(points) > MOST_STROKE_CLICKS:
            points = points[np.linspace(0, len(points) - 1, MOST_STROKE_CLICKS).round().astype(int)]
        self._addClicks(list(points), positive, sliceNode, "stroke")

    def clicks(self) -> tuple[PlacedClick, ...]:
        """The clicks of the current segment, oldest first, on all slices, with those that are waiting."""
        shown: ShownClicks = {}
        state = self._state
        if state is not None:
            for key, one in state.slices.items():
                for click in one.clicks:
                    placed = self._placed(self._case, one.plane, click, key)
                    shown[placed.identifier] = placed
        for act in self._queue.acts:
            if isinstance(act, ClickAct) and act.owner is self._case and act.segmentId == self.segmentId:
                act.preview(shown)
        return tuple(shown.values())

    def clicksOn(self, sliceNode: Any) -> tuple[PlacedClick, ...]:
        """Those of `clicks` that are on the slice that a view shows, and not on one that crosses it.

        Raises:
            InputFileError: there is no image.
            ClickOutsideError: the view does not cut it.
        """
        case = self._shownCase()
        plane, clicks = case.planeOf(sliceNode, self.segmentId), self.clicks()
        key = _keyOf(case, plane) if clicks else ""
        return tuple(one for one in clicks if one.planeKey == key)

    def moveClick(self, identifier: str, ras: ArrayLike) -> None:
        """Move a click to the point of its slice nearest to RAS (3,)."""
        point = np.asarray(ras, dtype=np.float64)
        made: list[Click] = []

        def change(session: Any, plane: Plane, index: int, segmentId: str, allowed: Any) -> Any:
            return session.move_click(plane, index, made[0], segmentId, editable=allowed)

        def prepare(case: Case, plane: Plane, former: Click) -> None:
            x, y = plane.ras_to_pixel(point)
            made.append(Click(float(x), float(y), former.positive))
            made[0].require_inside(*plane.shape)
            case.clicks.moved(identifier, made[0])

        def preview(shown: ShownClicks) -> None:
            if identifier in shown:
                former = shown[identifier]
                place = tuple(float(value) for value in point)
                shown[identifier] = PlacedClick(identifier, place, former.positive, former.planeKey, True)

        self._addClickChange("move click", identifier, change, preview, prepare)

    def removeClick(self, identifier: str) -> None:
        """Remove a click; its slice becomes what it would be without it."""

        def change(session: Any, plane: Plane, index: int, segmentId: str, allowed: Any) -> Any:
            return session.remove_click(plane, index, segmentId, editable=allowed)

        self._addClickChange("remove click", identifier, change, lambda shown: shown.pop(identifier, None))

    def clearSlice(self, sliceNode: Any) -> None:
        """Empty the slice that a view shows: its mask and its clicks."""

        def preview(shown: ShownClicks) -> None:
            key = _keyOf(case, plane)
            for identifier in [one for one, click in shown.items() if click.planeKey == key]:
                del shown[identifier]

        found = self._target(sliceNode)
        if found is not None:
            case, segmentId, plane = found
            self._addSliceAct(
                "clear slice",
                found,
                lambda allowed: case.session.clear_slice(plane, segmentId, editable=allowed),
                preview,
            )

    # details

    def _target(
        self, sliceNode: Any, clicks: Callable[[Plane], Any] | None = None
    ) -> tuple[Case, str, Plane] | None:
        """What an act on the slice of a view is about; None where it cannot be done, which is told.

        Args:
            sliceNode: of the view.
            clicks: checks that the plane can be clicked; then the segment is made if there is none.
        """
        try:
            if self._predictor is None and self._model.status != "loading":
                raise noModel()
            plane = self._requireCase().planeOf(sliceNode, self.segmentId)
            # what is refused must not leave a segment behind
            if clicks is not None:
                clicks(plane)
            segmentId = self._requireSegment(make=clicks is not None)
        except KPrismError as error:
            self._fail(error)
            return None
        return self._case, segmentId, plane

    def _addClicks(self, points: list[ArrayLike], positive: bool, sliceNode: Any, label: str) -> None:
        made: list[Click] = []

        def place(plane: Plane) -> None:
            pixels = plane.ras_to_pixel(np.array(points, dtype=np.float64))
            made.extend(Click(float(x), float(y), positive) for x, y in pixels[plane.contains_pixel(pixels)])
            if not made:
                raise ClickOutsideError(_("The click is outside the image."), _("Click on the image."))

        # who clicks on an image wants a segment
        found = self._target(sliceNode, place)
        if found is None:
            return
        case, segmentId, plane = found

        def compute(allowed: Any) -> Any:
            if label == "click":
                return case.session.add_click(plane, made[0], segmentId, editable=allowed)
            return case.session.add_clicks(plane, made, segmentId, editable=allowed)

        def preview(shown: ShownClicks) -> None:
            for click in made:
                placed = self._placed(case, plane, click, pending=True)
                shown.setdefault(placed.identifier, placed)

        self._addSliceAct(label, found, compute, preview)

    def _addSliceAct(
        self,
        label: str,
        found: tuple[Case, str, Plane],
        compute: Callable[[Any], Any],
        preview: Callable[[ShownClicks], None] = lambda _shown: None,
    ) -> None:
        case, segmentId, plane = found
        text = labelText(label)

        def steps() -> Steps:
            self._tell(ActStarted(text))
            yield from self._sliceSteps(case, segmentId, plane, compute)

        attempt = self._attempt(case, segmentId, steps())
        act = ClickAct(text, lambda _act: attempt, case, undoable=True, segmentId=segmentId, preview=preview)
        self._queue.add(act)
        self._tell(PromptsChanged())

    def _addClickChange(
        self,
        label: str,
        identifier: str,
        change: Callable[..., Any],
        preview: Callable[[ShownClicks], None],
        prepare: Callable[[Case, Plane, Click], None] = lambda _case, _plane, _click: None,
    ) -> None:
        """Queue an act on a click; where it is among its slice's is looked up when its turn comes."""
        case, segmentId = self._case, self.segmentId
        if case is None or segmentId is None:
            return
        text = labelText(label)

        def steps(_act: Act) -> Steps:
            session = yield from self._ready(case, segmentId)
            for one in session.segments[segmentId].state.slices.values():
                index = case.clicks.find(identifier, one.clicks)
                if index is not None:
                    break
            else:
                # undone or removed meanwhile
                raise ActDropped
            self._tell(ActStarted(text))
            plane = one.plane
            prepare(case, plane, one.clicks[index])
            yield from self._sliceSteps(
                case, segmentId, plane, lambda allowed: change(session, plane, index, segmentId, allowed)
            )

        self._queue.add(ClickAct(text, steps, case, undoable=True, segmentId=segmentId, preview=preview))
        self._tell(PromptsChanged())

    def _placed(
        self, case: Case, plane: Plane, click: Click, key: str | None = None, pending: bool = False
    ) -> PlacedClick:
        key = _keyOf(case, plane) if key is None else key
        x, y, z = (float(value) for value in plane.pixel_to_ras((click.x, click.y)))
        return PlacedClick(case.clicks.identifier(click), (x, y, z), click.positive, key, pending)


def _keyOf(case: Case, plane: Plane) -> str:
    if case.session is None:
        # what tells planes apart otherwise comes with torch, and a click must not wait for torch
        if isinstance(plane, SlicePlane):
            return repr((plane.normal_axis, plane.index))
        return repr((plane.origin.tolist(), plane.x_direction.tolist(), plane.y_direction.tolist()))
    from KPrismCore.session_state import plane_key

    return plane_key(plane)
