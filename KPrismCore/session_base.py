"""What a session is made of: segments, views of them, the history, and the one place that changes masks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.doubts import Phrase
from KPrismCore.errors import GeometryError, PromptError, ProtectedError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.history import DEFAULT_HISTORY_BYTES, Act, Delta, History, SliceResult
from KPrismCore.labelmaps import Segment as WritableSegment
from KPrismCore.labelmaps import WrittenSegmentation, write_segmentation
from KPrismCore.predictor import Predictor
from KPrismCore.preprocess import Range
from KPrismCore.session_segment import COLOURS, Segment
from KPrismCore.session_state import Recall, SegmentState, SliceState, digest
from KPrismCore.slice_engine import DEFAULT_CACHE_BYTES, SliceEngine
from KPrismCore.slices import Plane, SlicePlane, anatomical_kind
from KPrismCore.terminology import UNSPECIFIED
from KPrismCore.volumes import Volume, require_segmentable

Array = NDArray[Any]
BoolArray = NDArray[np.bool_]


class SessionBase:
    """A volume with segments and a history; `session.AnnotationSession` adds what the user does.

    Args:
        predictor: asked for masks.
        volume: image to annotate; never changed.
        window: (lowest, highest) value shown to the network, instead of the one found from the volume.
        plane_kind: kind of slice where none is named; by default the plane of acquisition
            (`default_plane_kind`).
        cache_bytes: memory for encoded slices.
        history_bytes: memory for undo.

    Raises:
        ImageContentError: the volume cannot be segmented (NaN, constant).
        GeometryError: no such kind of slice.
    """

    def __init__(
        self,
        predictor: Predictor,
        volume: Volume,
        *,
        window: Range | None = None,
        plane_kind: str | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        history_bytes: int = DEFAULT_HISTORY_BYTES,
    ) -> None:
        require_segmentable(volume)
        self.volume = volume
        self.engine = SliceEngine(predictor, volume, window, cache_bytes)
        self.history = History(history_bytes)
        self.plane_kind = plane_kind or default_plane_kind(volume.geometry)
        # an unknown kind is found out now
        self.plane(0)
        self.segments: dict[str, Segment] = {}
        self._current: str | None = None

    @property
    def current(self) -> Segment:
        """The segment that acts change unless they name another.

        Raises:
            PromptError: there is none yet.
        """
        return self.segment(None)

    def segment(self, identifier: str | None) -> Segment:
        """The segment of an identifier; the current one for None.

        Raises:
            PromptError: there is no such segment.
        """
        wanted = self._current if identifier is None else identifier
        if wanted is None:
            raise PromptError("There is no segment yet.", "Add a segment first.")
        if wanted not in self.segments:
            raise PromptError(f"There is no segment '{wanted}'.", "Choose one of the session's segments.")
        return self.segments[wanted]

    def new_segment(
        self,
        name: str | None = None,
        *,
        class_name: str | None = None,
        colour: str | None = None,
        identifier: str | None = None,
        voxels: BoolArray | None = None,
    ) -> Segment:
        """Add an empty segment and make it the current one. Not part of the history.

        Args:
            name: the class's by default.
            class_name: name or synonym of a class of the catalogue.
            colour: #rrggbb; the class's by default.
            identifier: for callers that have one; must be new.
            voxels: KJI, the segment's mask if it has one already; taken over, not copied.

        Raises:
            UnknownClassError: the class is not in the catalogue.
            PromptError: the identifier is taken.
            GeometryError: the voxels have another shape than the volume.
        """
        entry = self.engine.entry(class_name)
        number = 1 + len(self.segments)
        while identifier is None and f"Segment_{number}" in self.segments:
            number += 1
        identifier = identifier or f"Segment_{number}"
        if identifier in self.segments:
            raise PromptError(f"There is a segment '{identifier}' already.", "Use another identifier.")
        shape = self.volume.geometry.shape
        if voxels is not None and voxels.shape != shape:
            raise GeometryError(
                "The mask has another shape than the volume.", f"Give one of {shape} (k, j, i)."
            )
        segment = Segment(
            identifier,
            name or (entry.name if entry else f"Segment {number}"),
            colour or (entry.colour if entry else COLOURS[(number - 1) % len(COLOURS)]),
            np.zeros(shape, dtype=bool) if voxels is None else voxels,
            SegmentState(entry.name if entry else None),
        )
        self.segments[identifier] = segment
        self._current = identifier
        return segment

    def select(self, identifier: str) -> None:
        """Make a segment the current one.

        Raises:
            PromptError: there is no such segment.
        """
        self._current = self.segment(identifier).identifier

    def remove_segment(self, identifier: str) -> None:
        """Remove a segment, and from the history all that concerns it.

        Raises:
            PromptError: there is no such segment.
            ProtectedError: it is locked.
        """
        removed = self.segment(identifier)
        removed.require_open()
        del self.segments[removed.identifier]
        self.history.forget(removed.identifier)
        if self._current == removed.identifier:
            self._current = next(reversed(self.segments), None)

    def plane(self, index: int) -> SlicePlane:
        """The slice of the session's kind at an index in stored order.

        Raises:
            GeometryError: there is no such slice.
        """
        return SlicePlane(self.volume.geometry, self.plane_kind, index)

    def mask(self, segment: str | None = None) -> BoolArray:
        """A copy KJI of a segment's mask."""
        return self.segment(segment).voxels.copy()

    def slice_mask(self, plane: Plane, segment: str | None = None) -> BoolArray:
        """A copy (rows, columns) of a segment's mask on a slice."""
        return plane.read_mask(self.segment(segment).voxels)

    def millilitres(self, segment: str | None = None) -> float:
        """Volume of a segment in ml."""
        return (
            float(np.count_nonzero(self.segment(segment).voxels)) * self.volume.geometry.voxel_volume / 1000
        )

    def doubt(self, segment: str | None = None) -> Phrase | None:
        """What speaks most against trusting the results of a segment's prompts; None for nothing."""
        state = self.segment(segment).state
        return self.engine.doubt(state.class_name, any(one.enabled for one in state.references))

    def export(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> WrittenSegmentation:
        """Write all segments; the ending chooses the format, errors as `labelmaps.write_segmentation`."""
        volume = self.volume
        return write_segmentation(
            path, self._writable(), volume.geometry,
            overwrite=overwrite, two_dimensional=volume.two_dimensional,
        )  # fmt: skip

    def undo(self) -> Act | None:
        """Take the newest act back, exact to the voxel; give it (see its `boxes`); None if there is none.

        Raises:
            ProtectedError: it concerns a segment that is now locked.
        """
        return self._restore(self.history.back, self.history.forward, undone=True)

    def redo(self) -> Act | None:
        """Do again what was undone last; result and errors as `undo`."""
        return self._restore(self.history.forward, self.history.back, undone=False)

    def take_back(self) -> Act | None:
        """As `undo`, for an act that did not come about after all: `redo` does not offer it."""
        act = self.undo()
        if act is not None:
            self.history.forget_undone()
        return act

    def _restore(
        self, move: Callable[[], Act | None], unmove: Callable[[], Act | None], *, undone: bool
    ) -> Act | None:
        act = move()
        if act is None:
            return None
        try:
            # all of them first: an act is taken back whole or not at all
            for identifier in act.parts:
                self.segments[identifier].require_open()
        except ProtectedError:
            unmove()
            raise
        for identifier, part in act.parts.items():
            owner = self.segments[identifier]
            owner.state = part.before if undone else part.after
            for delta in part.deltas:
                delta.flip(owner.voxels)
        return act

    def _open(self, segment: str | None, plane: Plane | None = None) -> Segment:
        """A segment that may be changed, on that slice if one is given."""
        if plane is not None:
            self._require_here(plane)
        owner = self.segment(segment)
        owner.require_open(plane)
        return owner

    def _require_here(self, plane: Plane) -> None:
        if plane.geometry != self.volume.geometry:
            raise GeometryError("The slice belongs to another volume.", "Use slices of the session's volume.")

    def _change(
        self,
        label: str,
        owner: Segment,
        state: SegmentState,
        deltas: Iterable[Delta] = (),
        join: Act | None = None,
    ) -> Act:
        before, owner.state = owner.state, state
        return self.history.record(label, owner.identifier, before, state, deltas, join)

    def _write(
        self,
        label: str,
        owner: Segment,
        state: SliceState,
        mask: BoolArray,
        recall: Recall | None,
        began: float,
        join: Act | None = None,
        editable: BoolArray | None = None,
    ) -> SliceResult:
        """Put a mask on a slice, with the slice's new prompts: the only way for an answer of the network."""
        before = state.plane.read_mask(owner.voxels)
        deltas = owner.write(state.plane, mask, editable)
        left = state.plane.read_mask(owner.voxels)
        if recall:
            recall = replace(recall, digest=digest(left))
        changed = owner.state.with_slice(replace(state, recall=recall))
        act = self._change(label, owner, changed, deltas, join)
        confidence = recall.confidence if recall else None
        seconds = time.perf_counter() - began
        known = recall.known_class if recall else None
        return SliceResult(owner.identifier, state.plane, before, left, confidence, seconds, act, known)

    def _writable(self) -> Sequence[WritableSegment]:
        found = []
        for one in self.segments.values():
            entry = self.engine.entry(one.state.class_name)
            codes = entry.terminology if entry else UNSPECIFIED
            found.append(WritableSegment(one.name, one.voxels, one.colour, codes))
        return found


def default_plane_kind(geometry: VolumeGeometry) -> str:
    """The kind of slice a volume was acquired in: across its thickest voxels; axial where they are cubes."""
    if 1 in geometry.size:
        return anatomical_kind(geometry, "ijk"[geometry.size.index(1)])
    thick = int(np.argmax(geometry.spacing))
    others = np.delete(geometry.spacing, thick)
    cubes = geometry.spacing[thick] <= 1.05 * others.max()
    return "axial" if cubes else anatomical_kind(geometry, "ijk"[thick])
