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

from KPrismCore import session_store
from KPrismCore.errors import PromptError
from KPrismCore.history import Act, SliceResult
from KPrismCore.pieces import apart_from
from KPrismCore.predictor import Predictor
from KPrismCore.session_base import Array, BoolArray, default_plane_kind
from KPrismCore.session_clicks import ClickedSession
from KPrismCore.session_state import Recall, SliceState
from KPrismCore.slice_engine import nothing_to_go_by
from KPrismCore.slices import Plane
from KPrismCore.volumes import Volume

__all__ = ["AnnotationSession", "Progress", "SliceResult", "default_plane_kind"]


@dataclass(frozen=True)
class Progress:
    """A step of `predict_range`, done of total; `result` is None for a slice left alone as it is accepted."""

    done: int
    total: int
    result: SliceResult | None


class AnnotationSession(ClickedSession):
    """See the module; clicks are in `ClickedSession`, class and references in `DescribedSession`, the rest
    is in `SessionBase`.
    """

    def set_mask(
        self,
        mask: Array,
        plane: Plane | None = None,
        segment: str | None = None,
        *,
        label: str = "edit",
        join: Act | None = None,
    ) -> Act | None:
        """Replace the mask of a slice (rows, columns), or of the whole segment (KJI), by one drawn or loaded.

        Accepted slices keep theirs. The next click refines it. Gives the undo step; None where nothing
        changed.

        Args:
            label: what the step is called.
            join: make this part of an earlier step, if that is still the newest.

        Raises:
            GeometryError: the mask has another shape.
        """
        owner = self._open(segment, plane)
        deltas = owner.write_volume(mask) if plane is None else owner.write(plane, mask)
        return self._change(label, owner, owner.state, deltas, join) if deltas else None

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

    def unchecked(self, segment: str | None = None) -> list[tuple[Plane, float]]:
        """The slices that the network has answered on and the user has neither accepted nor clicked on.

        Returns:
            Slices of any kind, each with the answer's confidence (0 to 1), the least sure first.
        """
        found = [
            (state.plane, state.recall.confidence)
            for state in self.segment(segment).state.slices.values()
            if state.recall is not None and not state.accepted and not state.clicks
        ]
        return sorted(found, key=lambda one: one[1])

    # how far

    def predict_slice(
        self,
        plane: Plane,
        segment: str | None = None,
        *,
        refine: bool = False,
        join: SliceResult | None = None,
        editable: BoolArray | None = None,
    ) -> SliceResult:
        """Segment a slice from class and references, and from its clicks if it has any.

        Args:
            refine: start from the slice's mask instead of from nothing.
            join: make this part of the undo step of an earlier result, if that is still the newest step.
            editable: (rows, columns) True where voxels may change; everywhere by default.

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
        recall = Recall.of(prediction)
        return self._write(label, owner, state, prediction.mask, recall, began, act, editable)

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

    def apart(self, plane: Plane, segment: str | None = None) -> BoolArray:
        """The voxels KJI in pieces that neither a slice shows nor the user confirmed.

        A piece hangs together in space, at corners too. Confirmed are accepted slices and positive clicks.

        Raises:
            PromptError: the slice has no mask.
        """
        owner = self._open(segment)
        self._require_here(plane)
        if not plane.read_mask(owner.voxels).any():
            raise PromptError(
                f"There is nothing of '{owner.name}' on this slice.", "Go to a slice on which it is right."
            )
        seeds = np.zeros_like(owner.voxels)
        confirmed = [(one, np.ones(one.shape, dtype=bool)) for one in (plane, *owner.state.accepted)]
        clicked = [(state.plane, _marks(state)) for state in owner.state.slices.values() if state.clicks]
        for one, pixels in (*confirmed, *clicked):
            seeds[tuple(one.voxels_of(pixels).T[::-1])] = True
        return apart_from(owner.voxels, seeds)

    def remove_pieces(self, pieces: BoolArray, segment: str | None = None) -> Act | None:
        """Remove voxels KJI, such as those `apart`; give the undo step, None where nothing changed.

        Accepted slices keep theirs.
        """
        return self.set_mask(self.segment(segment).voxels & ~pieces, segment=segment, label="keep connected")

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


def _marks(state: SliceState) -> BoolArray:
    """The pixels (rows, columns) of a slice with a positive click."""
    marks = np.zeros(state.plane.shape, dtype=bool)
    for click in state.clicks:
        if click.positive:
            marks[round(click.y), round(click.x)] = True
    return marks
