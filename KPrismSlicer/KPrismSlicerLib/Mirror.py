"""Keeps the session's masks and those in the scene the same, whoever changes them.

Before an act, what other tools did to the segments becomes an act of its own, so that undo covers it. After
an act, exactly the voxels that it changed are written. A segment joins the session when it is first needed.

The generators are steps of an act, see `ActQueue`: what takes long runs on the worker. Masks are bool KJI on
the image's grid, boxes are slices k, j, i.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer.i18n import tr as _

from KPrismCore.errors import GeometryError, KPrismError, UnknownClassError
from KPrismCore.slices import BoolArray, Plane
from KPrismSlicerLib.ActQueue import Steps
from KPrismSlicerLib.Case import Case
from KPrismSlicerLib.Changes import changeOf, crossing, takeEdit, takeErasure
from KPrismSlicerLib.SceneState import restorePrompts

if TYPE_CHECKING:
    # they load torch
    from KPrismCore.geometry import Box
    from KPrismCore.history import Act
    from KPrismCore.session import AnnotationSession
    from KPrismCore.session_segment import Segment

# boxes restored in one go; each takes a millisecond or two
_BOXES_AT_ONCE = 16
# no segment's revision
_UNKNOWN = -1


class Mirror:
    """Works on one case, with its session open.

    Args:
        bridge: reads and writes the scene.
        case: with a session.
        tell: called with sentences for the status line.
        warn: called with errors that do not stop the act.
    """

    def __init__(
        self, bridge: Any, case: Case, tell: Callable[[str], None], warn: Callable[[KPrismError], None]
    ) -> None:
        self._bridge = bridge
        self._case = case
        self._tell = tell
        self._warn = warn
        # the state of each segment's voxels in the scene that the session knows
        self._revisions: dict[str, int] = {}

    def track(self, segmentId: str) -> Segment:
        """Give the session a segment of the scene, with its voxels and the prompts that were saved.

        Raises:
            GeometryError: the segment cannot be read on the image's grid.
        """
        if segmentId not in self._session.segments:
            className = self._case.fresh.pop(segmentId, None)
            self._join(segmentId, self._read(segmentId), className)
        return self._session.segments[segmentId]

    def sync(self) -> Steps:
        """Take over what happened in the scene since the last act.

        Raises:
            GeometryError: the image or the segmentation was moved or replaced meanwhile.
        """
        case = self._case
        self._requirePlace()
        self.forgetRemoved()
        if case.hasNewContent:
            case.takeContent(self._bridge.volumeOf(case.volumeNode))
        self.followLocks()
        for segmentId in tuple(self._session.segments):
            if self._isEdited(segmentId):
                yield from self._takeEdit(segmentId)

    def forgetRemoved(self) -> None:
        """Let go of the segments that the scene no longer has; their acts leave the history."""
        present = self._case.segmentIds
        for segmentId in [one for one in self._session.segments if one not in present]:
            self._session.segments[segmentId].locked = False
            self._session.remove_segment(segmentId)
            self._revisions.pop(segmentId, None)

    def followLocks(self) -> None:
        """Let the session know which segments are locked or completed, and what they are called."""
        if self._case.segmentationNode is None:
            return
        segmentation = self._case.segmentationNode.GetSegmentation()
        for segmentId, owner in self._session.segments.items():
            owner.name = segmentation.GetSegment(segmentId).GetName()
            owner.locked = self._bridge.isLocked(self._case.segmentationNode, segmentId)

    def write(self, segmentId: str, act: Act, first: int = 0) -> Steps:
        """Bring what an act changed in a segment into the scene, and what that erased into the act.

        Args:
            first: number of its changes that are written already (a run over many slices).

        Raises:
            GeometryError: the image or the segmentation was moved while the network ran; nothing is written.
        """
        self._requirePlace()
        owner = self._session.segments[segmentId]
        deltas = act.parts[segmentId].deltas[first:]
        if not deltas:
            return
        box, before, after = changeOf(owner.voxels, deltas)
        if self._isEdited(segmentId):
            # painted on while the network ran: what the hand did last stays, and becomes an act by `sync`
            painted = self._read(segmentId)[box]
            after = np.where(painted != before, painted, after)
            before = painted
        node, image = self._case.segmentationNode, self._case.volumeNode
        with self._writing():
            erased = self._bridge.write(node, segmentId, image, before, after, box)
        for other, (part, had, has) in erased.items():
            yield from self._erase(other, part, had, has, act)

    def restore(self, act: Act) -> Steps:
        """Bring the segments that an act of the history concerns into the scene, after undo or redo."""
        changes = sorted(
            ((segmentId, box) for segmentId, boxes in act.boxes.items() for box in boxes), key=_sliceFirst
        )
        node, image = self._case.segmentationNode, self._case.volumeNode
        for start in range(0, len(changes), _BOXES_AT_ONCE):
            present = self._case.segmentIds
            voxels = {one: owner.voxels for one, owner in self._session.segments.items() if one in present}
            some = [
                (one, voxels[one], box)
                for one, box in changes[start : start + _BOXES_AT_ONCE]
                if one in voxels
            ]
            if start:
                # a run over a whole volume is much to write: the application gets its turn
                yield None
            self._requirePlace()
            with self._writing():
                self._bridge.restoreAll(node, image, some)

    def protected(self, plane: Plane, segmentId: str, allowed: BoolArray | None) -> BoolArray | None:
        """Where an act may change pixels (rows, columns): not where it would erase accepted slices of others.

        Args:
            allowed: what the scene's settings allow; None for everywhere.
        """
        for other, owner in self._session.segments.items():
            if other == segmentId or not owner.state.accepted:
                continue
            kept = plane.read_mask(owner.voxels) & crossing(plane, owner.state.accepted)
            if kept.any():
                allowed = ~kept if allowed is None else allowed & ~kept
        return allowed

    def _requirePlace(self) -> None:
        if self._case.hasMoved:
            raise GeometryError(_("The image or the segmentation was moved or replaced."), _("Do it again."))

    @property
    def _session(self) -> AnnotationSession:
        return self._case.session

    def _join(self, segmentId: str, voxels: BoolArray, className: str | None = None) -> None:
        segment = self._case.segmentationNode.GetSegmentation().GetSegment(segmentId)
        red, green, blue = (round(255 * part) for part in segment.GetColor())
        self._session.new_segment(
            segment.GetName(),
            class_name=className,
            colour=f"#{red:02x}{green:02x}{blue:02x}",
            identifier=segmentId,
            voxels=voxels,
        )
        self._revisions[segmentId] = self._revision(segmentId)
        saved = self._case.saved.pop(segmentId, None)
        if saved is not None:
            try:
                restorePrompts(self._session, saved)
            except UnknownClassError as error:
                self._case.lackedClasses[segmentId] = str(saved["class"])
                self._warn(error)
            except KPrismError as error:
                self._warn(error)

    def _takeEdit(self, segmentId: str) -> Steps:
        revision, mask = self._revision(segmentId), self._read(segmentId)
        session = self._session
        reopened = yield lambda: takeEdit(session, segmentId, mask)
        self._revisions[segmentId] = revision
        if reopened:
            name = session.segments[segmentId].name
            text = _("Another tool changed accepted slices of '{name}'; they are open again.")
            self._tell(text.format(name=name))

    def _erase(self, other: str, box: Box, had: BoolArray, has: BoolArray, act: Act) -> Steps:
        """Note in an act the voxels that its new ones pushed out of another segment."""
        session = self._session
        if other not in session.segments:
            mask = self._read(other)
            mask[box] = had
            self._join(other, mask)
        kept = yield lambda: takeErasure(session, other, box, had & ~has, act)
        if kept:
            with self._writing():
                self._bridge.restore(
                    self._case.segmentationNode, other, self._case.volumeNode,
                    session.segments[other].voxels, box,
                )  # fmt: skip

    def _read(self, segmentId: str) -> BoolArray:
        mask = self._bridge.readSegment(self._case.segmentationNode, segmentId, self._case.volumeNode)
        # the session takes it over, so it must be nobody else's
        return np.require(mask, bool, ["OWNDATA", "WRITEABLE"])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Own writes do not count as edits by others, not even where segments share an image.

        After one that failed, the next `sync` looks at what is in the scene.
        """
        edited = {segmentId for segmentId in self._revisions if self._isEdited(segmentId)}
        try:
            yield
        except KPrismError:
            self._revisions = dict.fromkeys(self._revisions, _UNKNOWN)
            raise
        for segmentId in self._revisions.keys() - edited:
            self._revisions[segmentId] = self._revision(segmentId)

    def _isEdited(self, segmentId: str) -> bool:
        return segmentId in self._revisions and self._revisions[segmentId] != self._revision(segmentId)

    def _revision(self, segmentId: str) -> int:
        """Grows with every change of a segment; of several segments if they share an image."""
        if segmentId not in self._case.segmentIds:
            return 0
        return int(self._bridge.revision(self._case.segmentationNode, segmentId))


def _sliceFirst(change: tuple[str, Box]) -> tuple[int, ...]:
    """Sorts changes by slice, so that what went from one segment to another is restored together."""
    return tuple(part.start if part.stop - part.start == 1 else -1 for part in change[1])
