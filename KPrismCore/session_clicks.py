"""Where: the clicks of a session, each act refining the mask of one slice of one segment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from KPrismCore.errors import ClickOutsideError
from KPrismCore.history import SliceResult
from KPrismCore.predictions import Prediction
from KPrismCore.prompts import Click
from KPrismCore.session_base import BoolArray
from KPrismCore.session_prompts import DescribedSession, place_of, without
from KPrismCore.session_segment import Segment
from KPrismCore.session_state import Base, PackedMask, Recall, SliceState
from KPrismCore.slices import Plane, SlicePlane


class ClickedSession(DescribedSession):
    """Adds the prompts that hold for one slice; see `session` for the errors all acts share.

    The acts take `editable`: (rows, columns) of the slice, True where voxels may change; by default
    everywhere.
    """

    def clicks(self, plane: Plane, segment: str | None = None) -> tuple[Click, ...]:
        """The clicks on a slice, oldest first."""
        return self.segment(segment).state.at(plane).clicks

    def add_click(
        self, plane: Plane, click: Click, segment: str | None = None, *, editable: BoolArray | None = None
    ) -> SliceResult:
        """Click on a slice: its mask so far is refined with all its clicks, the class and the references.

        Raises:
            ClickOutsideError: the click is outside the slice.
        """
        return self.add_clicks(plane, [click], segment, editable=editable)

    def add_clicks(
        self,
        plane: Plane,
        clicks: Sequence[Click],
        segment: str | None = None,
        *,
        editable: BoolArray | None = None,
    ) -> SliceResult:
        """Make several clicks at once, as along a stroke: one act, and one answer of the network.

        Raises:
            ClickOutsideError: a click is outside the slice.
        """
        began = time.perf_counter()
        owner = self._open(segment, plane)
        for click in clicks:
            click.require_inside(*plane.shape)
        state = owner.settled(plane)
        joined = (*state.joined, *(number > 0 for number in range(len(clicks))))
        state = replace(state, clicks=(*state.clicks, *clicks), joined=joined)
        prediction = self._predict(owner, plane, state.clicks, owner.previous(state), refining=True)
        recall, label = Recall.of(prediction), "click" if len(clicks) == 1 else "stroke"
        return self._write(label, owner, state, prediction.mask, recall, began, editable=editable)

    def add_click_at(
        self, ijk: ArrayLike, positive: bool = True, *, kind: str | None = None, segment: str | None = None
    ) -> SliceResult:
        """Click at a voxel (3,) IJK, on its slice of a kind (by default the session's); as `add_click`."""
        plane, click = self.locate(ijk, positive, kind)
        return self.add_click(plane, click, segment)

    def locate(
        self, ijk: ArrayLike, positive: bool = True, kind: str | None = None
    ) -> tuple[SlicePlane, Click]:
        """Turn a voxel (3,) IJK into its slice of a kind (the session's by default) and a click on it.

        Raises:
            ClickOutsideError: the voxel is outside the volume.
        """
        geometry, place = self.volume.geometry, np.asarray(ijk, dtype=np.float64)
        if not geometry.contains_ijk(place):
            text = ", ".join(f"{value:g}" for value in place)
            last = ", ".join(
                f"{axis} 0 to {length - 1}" for axis, length in zip("IJK", geometry.size, strict=True)
            )
            raise ClickOutsideError(
                f"The click at I,J,K = {text} is outside the volume.", f"Stay within {last}."
            )
        chosen = kind or self.plane_kind
        axis = SlicePlane(geometry, chosen, 0).normal_axis
        plane = SlicePlane(geometry, chosen, int(np.floor(place[axis] + 0.5)))
        # the outer face of a flipped axis is the far edge of a pixel, which belongs to the next one
        edges = [np.nextafter(length - 0.5, 0) for length in plane.shape[::-1]]
        x, y = np.minimum(plane.ijk_to_pixel(place), edges)
        return plane, Click(float(x), float(y), positive)

    def remove_click(
        self,
        plane: Plane,
        index: int = -1,
        segment: str | None = None,
        *,
        editable: BoolArray | None = None,
    ) -> SliceResult:
        """Remove a click; the slice becomes what it would be had that click not been made.

        A mask drawn by hand stays: clicks made before it only leave the list.

        Raises:
            PromptError: there is no such click.
        """
        began = time.perf_counter()
        owner = self._open(segment, plane)
        state = owner.settled(plane)
        place = place_of(state.clicks, index, "click")
        clicks = without(state.clicks, index, "click")
        settled = state.settled - (place < state.settled)
        state = replace(state, joined=_joined_without(state.joined, place))
        state = self._rebuilt(owner, state, clicks, settled, place < state.settled)
        mask, recall = self._replay(owner, state)
        return self._write("remove click", owner, state, mask, recall, began, editable=editable)

    def move_click(
        self,
        plane: Plane,
        index: int,
        click: Click,
        segment: str | None = None,
        *,
        editable: BoolArray | None = None,
    ) -> SliceResult:
        """Put another click in the place of one; the slice becomes what it would be with that one instead.

        Raises:
            ClickOutsideError: the click is outside the slice.
            PromptError: there is no such click.
        """
        began = time.perf_counter()
        owner = self._open(segment, plane)
        click.require_inside(*plane.shape)
        state = owner.settled(plane)
        place = place_of(state.clicks, index, "click")
        clicks = (*state.clicks[:place], click, *state.clicks[place + 1 :])
        state = self._rebuilt(owner, state, clicks, state.settled, place < state.settled)
        mask, recall = self._replay(owner, state)
        return self._write("move click", owner, state, mask, recall, began, editable=editable)

    def clear_slice(
        self, plane: Plane, segment: str | None = None, *, editable: BoolArray | None = None
    ) -> SliceResult:
        """Remove the mask and all clicks of a slice."""
        began = time.perf_counter()
        owner = self._open(segment, plane)
        state = replace(owner.settled(plane), clicks=(), joined=(), recall=None, base=None, settled=0)
        nothing = np.zeros(plane.shape, dtype=bool)
        return self._write("clear slice", owner, state, nothing, None, began, editable=editable)

    def _rebuilt(
        self, owner: Segment, state: SliceState, clicks: tuple[Click, ...], settled: int, whole: bool
    ) -> SliceState:
        """A slice's prompts with other clicks; with `whole`, the base was made by a click that changed."""
        base = state.base or Base(PackedMask.of(state.plane.read_mask(owner.voxels)))
        if whole and base.recall:
            base = self._whole(owner, state.plane, clicks[:settled])
        return replace(state, clicks=clicks, settled=settled, base=base)

    def _replay(self, owner: Segment, state: SliceState) -> tuple[BoolArray, Recall | None]:
        """What the clicks since the base give, one after the other; those made at once together."""
        base = state.base or Base(PackedMask.of(state.plane.read_mask(owner.voxels)))
        mask, recall = base.mask.mask(), base.recall
        for number in range(state.settled, len(state.clicks)):
            if any(state.joined[number + 1 : number + 2]):
                continue
            previous = recall.prediction(mask) if recall else (mask if mask.any() else None)
            clicks = state.clicks[: number + 1]
            prediction = self._predict(owner, state.plane, clicks, previous, refining=True)
            mask, recall = prediction.mask, Recall.of(prediction)
        return mask, recall

    def _predict(
        self,
        owner: Segment,
        plane: Plane,
        clicks: Sequence[Click],
        previous: BoolArray | Prediction | None,
        *,
        refining: bool = False,
    ) -> Prediction:
        named, shown = owner.state.class_name, owner.state.references
        return self.engine.predict(plane, named, shown, clicks, previous, refining=refining)

    def _whole(self, owner: Segment, plane: Plane, clicks: Sequence[Click]) -> Base:
        """What all prompts together give from nothing; nothing where there is none."""
        if not clicks and not owner.state.has_object:
            return Base(PackedMask.of(np.zeros(plane.shape, dtype=bool)))
        prediction = self._predict(owner, plane, clicks, None)
        return Base(PackedMask.of(prediction.mask), Recall.of(prediction))


def _joined_without(joined: tuple[bool, ...], place: int) -> tuple[bool, ...]:
    """`SliceState.joined` without a click; the next one of a stroke takes the place of its first."""
    following = [joined[place] and one for one in joined[place + 1 : place + 2]]
    return (*joined[:place], *following, *joined[place + 2 :])
