"""An annotation session: one volume, its segments, and everything the user asks for.

Every act is one undo step, exact to the voxel. A click changes its slice of its segment and nothing else;
accepted slices and locked segments never change. Frames are those of `slices`: clicks in pixels (x, y) of a
plane, masks of a segment KJI on the volume's grid. Not for several threads at a time.

Errors that all acts share: PromptError (no such segment), ProtectedError (it is locked, or the slice is
accepted), GeometryError (a slice of another volume). An act that fails changes nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from KPrismCore import session_store
from KPrismCore.errors import ClickOutsideError
from KPrismCore.predictor import Prediction, Predictor
from KPrismCore.prompts import Click
from KPrismCore.session_base import Array, BoolArray, SliceResult, default_plane_kind
from KPrismCore.session_prompts import DescribedSession, place_of, without
from KPrismCore.session_segment import Segment
from KPrismCore.session_state import Base, PackedMask, Recall
from KPrismCore.slice_engine import nothing_to_go_by
from KPrismCore.slices import Plane, SlicePlane
from KPrismCore.volumes import Volume

__all__ = ["AnnotationSession", "Progress", "SliceResult", "default_plane_kind"]


@dataclass(frozen=True)
class Progress:
    """A step of `predict_range`, done of total; `result` is None for a slice left alone as it is accepted."""

    done: int
    total: int
    result: SliceResult | None


class AnnotationSession(DescribedSession):
    """See the module; class and references are in `DescribedSession`, the rest is in `SessionBase`."""

    # where

    def clicks(self, plane: Plane, segment: str | None = None) -> tuple[Click, ...]:
        """The clicks on a slice, oldest first."""
        return self.segment(segment).state.at(plane).clicks

    def add_click(self, plane: Plane, click: Click, segment: str | None = None) -> SliceResult:
        """Click on a slice: its mask so far is refined with all its clicks, the class and the references.

        Raises:
            ClickOutsideError: the click is outside the slice.
        """
        began = time.perf_counter()
        owner = self._open(segment, plane)
        click.require_inside(*plane.shape)
        state = owner.settled(plane)
        state = replace(state, clicks=(*state.clicks, click))
        prediction = self._predict(owner, plane, state.clicks, owner.previous(state))
        return self._write("click", owner, state, prediction.mask, Recall.of(prediction), began)

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
        x, y = plane.ijk_to_pixel(place)
        return plane, Click(float(x), float(y), positive)

    def remove_click(self, plane: Plane, index: int = -1, segment: str | None = None) -> SliceResult:
        """Remove a click; the slice becomes what it would be had that click not been made.

        A mask drawn by hand stays: clicks made before it only leave the list.

        Raises:
            PromptError: there is no such click.
        """
        began = time.perf_counter()
        owner = self._open(segment, plane)
        state = owner.settled(plane)
        clicks = without(state.clicks, index, "click")
        was_settled = place_of(state.clicks, index, "click") < state.settled
        settled, base = (
            state.settled - was_settled,
            state.base or Base(PackedMask.of(plane.read_mask(owner.voxels))),
        )
        if was_settled and base.recall:
            base = self._whole(owner, plane, clicks[:settled])
        mask, recall = base.mask.mask(), base.recall
        for number in range(settled, len(clicks)):
            previous = recall.prediction() if recall else (mask if mask.any() else None)
            prediction = self._predict(owner, plane, clicks[: number + 1], previous)
            mask, recall = prediction.mask, Recall.of(prediction)
        state = replace(state, clicks=clicks, settled=settled, base=base)
        return self._write("remove click", owner, state, mask, recall, began)

    def set_mask(self, mask: Array, plane: Plane | None = None, segment: str | None = None) -> None:
        """Replace the mask of a slice (rows, columns), or of the whole segment (KJI), by one drawn or loaded.

        Accepted slices keep theirs. The next click refines it.

        Raises:
            GeometryError: the mask has another shape.
        """
        owner = self._open(segment, plane)
        deltas = owner.write_volume(mask) if plane is None else owner.write(plane, mask)
        if deltas:
            self._change("edit", owner, owner.state, deltas)

    def accept(self, plane: Plane, accepted: bool = True, segment: str | None = None) -> None:
        """Confirm a slice: nothing changes it until this is taken back with `accepted=False`."""
        owner = self._open(segment)
        self._require_here(plane)
        if accepted != self.is_accepted(plane, segment):
            state = replace(owner.state.at(plane), accepted=accepted)
            self._change("accept" if accepted else "reopen", owner, owner.state.with_slice(state))

    def is_accepted(self, plane: Plane, segment: str | None = None) -> bool:
        """Tell whether a slice is confirmed."""
        return self.segment(segment).state.at(plane).accepted

    # how far

    def predict_slice(
        self,
        plane: Plane,
        segment: str | None = None,
        *,
        refine: bool = False,
        join: SliceResult | None = None,
    ) -> SliceResult:
        """Segment a slice from class and references, and from its clicks if it has any.

        Args:
            refine: start from the slice's mask instead of from nothing.
            join: make this part of the undo step of an earlier result, if that is still the newest step.

        Raises:
            PromptError: there is no class, reference or click.
        """
        began = time.perf_counter()
        owner = self._open(segment, plane)
        state = owner.settled(plane)
        previous = owner.previous(state) if refine else None
        prediction = self._predict(owner, plane, state.clicks, previous)
        state = replace(state, base=None, settled=len(state.clicks))
        label, act = "prediction", join.act if join else None
        return self._write(label, owner, state, prediction.mask, Recall.of(prediction), began, act)

    def predict_range(
        self, planes: Sequence[Plane], segments: Sequence[str] | None = None, *, refine: bool = False
    ) -> Iterator[Progress]:
        """Segment many slices, each as `predict_slice`; accepted ones are left alone. All is one undo step.

        Stop iterating, or close the generator, to cancel: what is finished is kept.

        Args:
            segments: their identifiers; the current one by default.

        Raises:
            PromptError: a slice has neither class nor reference nor click; nothing has changed then.
        """
        owners = [self._open(one) for one in (segments or (None,))]
        steps = [(plane, owner.identifier) for plane in planes for owner in owners]
        for owner in owners:
            if not owner.state.has_object and not all(owner.state.at(plane).clicks for plane in planes):
                raise nothing_to_go_by()
        newest: SliceResult | None = None
        for done, (plane, name) in enumerate(steps, 1):
            result = None
            if not self.is_accepted(plane, name):
                result = newest = self.predict_slice(plane, name, refine=refine, join=newest)
            yield Progress(done, len(steps), result)

    # tomorrow

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all but the history: a JSON file, and beside it a .seg.nrrd with the masks that it names.

        An interruption at any moment leaves the session saved before, or the new one, whole.

        Raises:
            OutputFileError: a file cannot be written.
        """
        session_store.save(self, path)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], predictor: Predictor, volume: Volume, **options: Any
    ) -> AnnotationSession:
        """Read a saved session and go on exactly where it was.

        Args:
            volume: the image that it was made on; its modality is taken from the session.
            options: `cache_bytes` and `history_bytes` of the constructor.

        Raises:
            SessionFileError: missing, damaged, of a newer version, or made on another volume; or its masks
                are missing or were changed.
            UnknownClassError: the model lacks one of its classes.
        """
        return session_store.load(cls, path, predictor, volume, options)

    def _predict(
        self, owner: Segment, plane: Plane, clicks: Sequence[Click], previous: BoolArray | Prediction | None
    ) -> Prediction:
        return self.engine.predict(plane, owner.state.class_name, owner.state.references, clicks, previous)

    def _whole(self, owner: Segment, plane: Plane, clicks: Sequence[Click]) -> Base:
        """What all prompts together give from nothing; nothing where there is none."""
        if not clicks and not owner.state.has_object:
            return Base(PackedMask.of(np.zeros(plane.shape, dtype=bool)))
        prediction = self._predict(owner, plane, clicks, None)
        return Base(PackedMask.of(prediction.mask), Recall.of(prediction))
