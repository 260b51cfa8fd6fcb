"""Undo and redo: what each act changed, to the voxel, in little memory.

An act keeps the bits that it flipped inside their bounding box, packed and compressed. Flipping them again
undoes it, and once more redoes it, on whatever kind of plane they were drawn. The prompts are immutable
values (`session_state`) and are kept as they were before and after.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from KPrismCore.geometry import Box, bounding_box
from KPrismCore.session_state import SegmentState
from KPrismCore.slices import Plane

BoolArray = NDArray[np.bool_]
DEFAULT_HISTORY_BYTES = 256 << 20


@dataclass(frozen=True)
class Delta:
    """The voxels that changed inside a box.

    Args:
        box: slices k, j, i.
        bits: True where a voxel changed, C order, packed and compressed.
    """

    box: Box
    bits: bytes

    @classmethod
    def between(cls, before: BoolArray, after: BoolArray, box: Box) -> Delta | None:
        """Compare two states (K, J, I) of a box; None where they are equal."""
        changed = before ^ after
        tight = bounding_box(changed)
        if tight is None:
            return None
        corner = [part.start for part in box]
        k, j, i = (
            slice(one.start + start, one.stop + start) for one, start in zip(tight, corner, strict=True)
        )
        return cls((k, j, i), zlib.compress(np.packbits(changed[tight]).tobytes(), 1))

    def flip(self, voxels: BoolArray) -> None:
        """Flip the changed voxels of an array KJI in place."""
        part = voxels[self.box]
        packed = np.frombuffer(zlib.decompress(self.bits), dtype=np.uint8)
        part ^= np.unpackbits(packed, count=part.size).astype(bool).reshape(part.shape)


@dataclass
class Part:
    """What an act did to one segment: its prompts before and after, and the voxels that it flipped."""

    before: SegmentState
    after: SegmentState
    deltas: list[Delta] = field(default_factory=list)


@dataclass
class Act:
    """One act of the user.

    Args:
        label: what it was, in a word or two.
        parts: what it did, by segment identifier.
        size: bytes it takes.
    """

    label: str
    parts: dict[str, Part] = field(default_factory=dict)
    size: int = 0

    @property
    def boxes(self) -> dict[str, list[Box]]:
        """By segment identifier, the boxes (slices k, j, i) inside which voxels changed."""
        return {name: [delta.box for delta in part.deltas] for name, part in self.parts.items()}


@dataclass(frozen=True, eq=False)
class SliceResult:
    """What an act did to a slice.

    Args:
        segment: its identifier.
        plane: the slice.
        before, after: masks (rows, columns).
        confidence: 0 to 1, see `Prediction`; None where the network was not asked.
        seconds: the act took.
        act: the step of the history that it belongs to.
        known_class: that references were recognised as, see `Prediction`.
    """

    segment: str
    plane: Plane
    before: BoolArray
    after: BoolArray
    confidence: float | None
    seconds: float
    act: Act
    known_class: str | None = None

    @property
    def added(self) -> BoolArray:
        """Pixels (rows, columns) that joined the mask."""
        return self.after & ~self.before

    @property
    def removed(self) -> BoolArray:
        """Pixels (rows, columns) that left the mask."""
        return self.before & ~self.after


class History:
    """Acts done and undone, the oldest dropped where they would take too much memory.

    Args:
        limit: bytes that all acts together may take; the newest act is always kept.
    """

    def __init__(self, limit: int = DEFAULT_HISTORY_BYTES) -> None:
        self.limit = limit
        self._done: deque[Act] = deque()
        self._undone: list[Act] = []

    def __len__(self) -> int:
        return len(self._done)

    @property
    def size(self) -> int:
        """Bytes that the acts take."""
        return sum(act.size for act in (*self._done, *self._undone))

    @property
    def undo_label(self) -> str | None:
        """What `undo` would take back."""
        return self._done[-1].label if self._done else None

    @property
    def redo_label(self) -> str | None:
        """What `redo` would do again."""
        return self._undone[-1].label if self._undone else None

    def record(
        self,
        label: str,
        segment: str,
        before: SegmentState,
        after: SegmentState,
        deltas: Iterable[Delta] = (),
        join: Act | None = None,
    ) -> Act:
        """Note an act, or more of the act `join` while that is the newest one. Forgets what was undone."""
        deltas = list(deltas)
        self._undone.clear()
        if join is None or not self._done or self._done[-1] is not join:
            join = Act(label)
            self._done.append(join)
        part = join.parts.setdefault(segment, Part(before, after))
        part.after = after
        part.deltas += deltas
        join.size += sum(len(delta.bits) for delta in deltas) + after.size_beyond(before)
        total = self.size
        while total > self.limit and len(self._done) > 1:
            total -= self._done.popleft().size
        return join

    def back(self) -> Act | None:
        """Move the newest act to those undone and give it; None where there is none."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def forward(self) -> Act | None:
        """Move the act undone last to those done and give it; None where there is none."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def forget_undone(self) -> None:
        """Forget the act undone last, so that it cannot be done again."""
        if self._undone:
            self._undone.pop()

    def forget(self, segment: str) -> None:
        """Drop a segment's part in all acts, and the acts that did nothing else."""
        for act in (*self._done, *self._undone):
            act.parts.pop(segment, None)
        self._done = deque(act for act in self._done if act.parts)
        self._undone = [act for act in self._undone if act.parts]
