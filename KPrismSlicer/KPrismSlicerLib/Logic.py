"""AnnotationLogic: everything the panel can do, on the scene, without a widget.

It is the only user of the session, the worker and the bridge. All methods are called on the main thread and
return at once: what the user asks for becomes an act that waits for its turn (`ActQueue`), and listeners hear
how it went (`Events`). `poll` has to be called while there is work; scripts call `waitForIdle`.

Points are RAS in mm, in world coordinates. A slice node of None means the middle slice of acquisition.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError
from KPrismCore.slices import Plane
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.ClickLogic import ClickLogic
from KPrismSlicerLib.Events import ActResult, HistoryChanged, PromptsChanged
from KPrismSlicerLib.Labels import labelText
from KPrismSlicerLib.Review import nextToCheck
from KPrismSlicerLib.SliceActs import ClickAct, HistoryAct, RunAct


class AnnotationLogic(ClickLogic):
    """See the module. What cannot be done is told as `ActFailed`; the acts themselves do not raise.

    Args:
        bridge: reads and writes the scene; `SceneBridge.SceneBridge` by default.
        worker: runs the network; `Worker.Worker` by default.
        modelLoader: called on the worker with (name or path, device, notify); gives the predictor.
    """

    # planes

    def planeOf(self, sliceNode: Any) -> Plane:
        """The plane of the image that a slice view shows: along the voxels where it is aligned, else oblique.

        Raises:
            InputFileError: there is no image.
            ClickOutsideError: the view does not cut it.
        """
        return self._shownCase().planeOf(sliceNode, self.segmentId)

    def sliceCount(self, sliceNode: Any) -> int:
        """Number of slices parallel to the one that a view shows; 0 where it shows none of the image."""
        stack = self._stack(sliceNode)
        return stack.count if stack else 0

    def sliceIndex(self, sliceNode: Any) -> int | None:
        """Place of the slice that a view shows, from 0; None where it shows none of the image."""
        stack = self._stack(sliceNode)
        return stack.index if stack else None

    # history

    def undo(self) -> None:
        """Take the newest act back, after those that are waiting."""
        self._addHistoryAct(_("undo"), True)

    def redo(self) -> None:
        """Do again what was undone last."""
        self._addHistoryAct(_("redo"), False)

    @property
    def canUndo(self) -> bool:
        """Whether there is an act to take back."""
        return self.undoLabel is not None

    @property
    def canRedo(self) -> bool:
        """Whether there is an act to do again."""
        return self.redoLabel is not None

    @property
    def undoLabel(self) -> str | None:
        """What `undo` would take back."""
        label = self.session.history.undo_label if self.session is not None else None
        waiting = [act.label for act in self._queue.acts if isinstance(act, (ClickAct, RunAct))]
        return waiting[-1] if waiting else (labelText(label) if label is not None else None)

    @property
    def redoLabel(self) -> str | None:
        """What `redo` would do again."""
        label = self.session.history.redo_label if self.session is not None else None
        return labelText(label) if label is not None else None

    def takeEdits(self) -> None:
        """Take over what other tools have done to the segments, so that undo and redo are about that."""
        case = self._case
        if case is None or case.session is None:
            return

        def steps(_act: Act) -> Steps:
            if not case.hasMoved:
                yield from self._mirror.sync()
                self._tell(PromptsChanged())
                self._tell(HistoryChanged())

        self._queue.add(Act(_("edit"), steps, case, quiet=True))

    # how far

    def predictSlice(self, sliceNode: Any) -> None:
        """Segment the slice that a view shows from class and references, and its clicks if it has any."""
        found = self._target(sliceNode)
        if found is not None:
            case, segmentId, plane = found
            self._addSliceAct(
                "prediction",
                found,
                lambda allowed: case.session.predict_slice(plane, segmentId, editable=allowed),
            )

    def predictRange(self, sliceNode: Any, first: int, last: int) -> None:
        """Segment slices parallel to the shown one, from place `first` to `last`, both included.

        They are one undo step. Places outside the image are left out, accepted slices left alone.
        """
        found = self._target(sliceNode)
        if found is None:
            return
        case, segmentId, plane = found
        try:
            stack = case.stackOf(sliceNode, segmentId)
            places = range(max(0, first), min(stack.count - 1, last) + 1)
            planes = [case.known(stack.at(place), segmentId) for place in places]
        except KPrismError as error:
            self._fail(error)
            return
        shown = plane if stack.index in places else None
        planes = [shown if place == stack.index else one for place, one in zip(places, planes, strict=True)]
        label = _("run over {count} slices").format(count=len(planes))

        def steps(act: RunAct) -> Steps:
            return self._runSteps(act, case, segmentId, planes, shown)

        self._queue.add(RunAct(label, steps, case, undoable=True))

    def predictVolume(self, sliceNode: Any) -> None:
        """Segment all slices parallel to the shown one; else as `predictRange`."""
        self.predictRange(sliceNode, 0, self.sliceCount(sliceNode) - 1)

    def keepConnected(self, sliceNode: Any) -> None:
        """Remove what does not hang together, in 3-D, with the mask on the slice that a view shows.

        Accepted slices, and pieces that were clicked on, stay with what hangs together with them.
        """
        found = self._target(sliceNode)
        if found is not None:
            case, segmentId, plane = found

            def steps(_act: Act) -> Steps:
                return self._connectedSteps(case, segmentId, plane)

            self._queue.add(Act(labelText("keep connected"), steps, case, undoable=True))

    @property
    def isRunning(self) -> bool:
        """Whether a run over many slices is at work, which `cancel` would end."""
        return any(isinstance(act, RunAct) for act in self._queue.acts[:1])

    def cancel(self) -> None:
        """End runs over many slices after the slice they are at; what is finished is kept."""
        for act in self._queue.acts:
            if isinstance(act, RunAct):
                act.cancelled = True

    # done

    def accept(self, sliceNode: Any, on: bool = True) -> None:
        """Confirm the slice that a view shows, so that nothing changes it; or take that back."""
        found = self._target(sliceNode)
        if found is None:
            return
        case, segmentId, plane = found
        label = labelText("accept" if on else "reopen")

        def steps(_act: Act) -> Steps:
            session = yield from self._ready(case, segmentId)
            session.accept(plane, on, segmentId)
            yield from self._finish(case, ActResult(label, segmentId))

        self._queue.add(Act(label, steps, case, undoable=True))

    def isAccepted(self, sliceNode: Any) -> bool:
        """Whether the slice that a view shows is confirmed for the current segment."""
        state = self._state
        if state is None or not state.accepted:
            return False
        try:
            return bool(state.at(self.planeOf(sliceNode)).accepted)
        except KPrismError:
            return False

    def checkNext(self, sliceNode: Any) -> np.ndarray | None:
        """Where the next slice to look at is, RAS (3,) in mm: the least sure of those that `unchecked` gives.

        Asked again with that slice in view, it is the one after it. None where there is none, which is told.
        """
        found = self._target(sliceNode)
        if found is None:
            return None
        case, segmentId, _plane = found
        unchecked = case.session.unchecked(segmentId) if self._state is not None else []
        following = nextToCheck(unchecked, case.stackOf(sliceNode, segmentId))
        if following is None:
            self._say(_("No slice is left to check: each is accepted, has clicks, or was not segmented."))
            return None
        text = _("Slice {slice}: {percent} % sure. {count} more to check.")
        sure = round(100 * following.confidence)
        self._say(text.format(slice=following.index, percent=sure, count=following.others))
        return following.centre

    def setLocked(self, segmentId: str, on: bool) -> None:
        """Lock a segment, so that nothing here changes it, or unlock it. Not part of the history."""
        case = self._case
        if case is None or segmentId not in case.segmentIds:
            return

        def steps(_act: Act) -> Steps:
            self._bridge.setLocked(case.segmentationNode, segmentId, on)
            self._tellAll()
            yield from ()

        # in its turn: acts that wait were asked for before
        self._queue.add(Act(_("lock"), steps, case))

    # details

    def _stack(self, sliceNode: Any) -> Any:
        try:
            return self._shownCase().stackOf(sliceNode, self.segmentId)
        except KPrismError:
            return None

    def _addHistoryAct(self, label: str, undone: bool) -> None:
        if self._case is None:
            return
        try:
            lost = self._beginAgain() if self._case.hasMoved else None
        except KPrismError as error:
            lost = error
        if lost is not None:
            # nothing is left to undo: that is what came of it
            self._fail(lost)
            return
        case, target = self._case, self._undoTarget() if undone else None
        if isinstance(target, RunAct):
            # nobody waits for slices that are to be undone
            target.cancelled = True

        def steps(_act: Act) -> Steps:
            return self._historySteps(case, undone, target)

        self._queue.add(HistoryAct(label, steps, case, undone=undone, target=target))

    def _undoTarget(self) -> Act | None:
        """The act under way that undo would take back; None where it is one that is done."""
        steps: list[Act | None] = []
        for act in self._queue.acts:
            if isinstance(act, HistoryAct) and act.undone:
                del steps[-1:]
            elif isinstance(act, HistoryAct):
                steps.append(None)
            elif act.undoable:
                steps.append(act)
        return steps[-1] if steps else None
