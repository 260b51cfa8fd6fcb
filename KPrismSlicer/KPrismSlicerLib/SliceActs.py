"""Acts on slices, step by step: one slice, many slices, undo and redo. What they are is in `Logic`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError, PromptError
from KPrismCore.slices import BoolArray, Plane
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.Case import Case
from KPrismSlicerLib.Changes import takeBackFrom
from KPrismSlicerLib.Events import ActResult, ActStarted, PlacedClick, RangeProgress
from KPrismSlicerLib.Labels import labelText
from KPrismSlicerLib.LogicBase import ActDropped
from KPrismSlicerLib.PromptLogic import PromptLogic

if TYPE_CHECKING:
    # they load torch
    from KPrismCore import history
    from KPrismCore.session import SliceResult

ShownClicks = dict[str, PlacedClick]


@dataclass(eq=False)
class ClickAct(Act):
    """An act that changes clicks.

    Args:
        segmentId: of the clicks.
        preview: changes the clicks that are shown (by identifier) to what the act will make of them.
    """

    segmentId: str = ""
    preview: Callable[[ShownClicks], None] = lambda _shown: None


@dataclass(eq=False)
class RunAct(Act):
    """An act over many slices, which can be cancelled.

    Args:
        begun: set when the first slice is done.
    """

    begun: bool = False

    @property
    def happened(self) -> bool:
        """Whether a slice was done: that is kept, however the run ended."""
        return self.begun


@dataclass(eq=False)
class HistoryAct(Act):
    """Undo or redo.

    Args:
        undone: whether it is undo.
        target: the act that undo is for, where that was still under way; None for whatever was done last.
    """

    undone: bool = True
    target: Act | None = None


class SliceActs(PromptLogic):
    """See the module."""

    def _sliceSteps(
        self, case: Case, segmentId: str, plane: Plane, compute: Callable[[BoolArray | None], SliceResult]
    ) -> Steps:
        """One slice: `compute` gets where it may change pixels (None for everywhere), on the worker."""
        yield from self._ready(case, segmentId)
        began = time.perf_counter()
        result = yield from self._computed(case, segmentId, plane, compute)
        try:
            yield from self._mirror.write(segmentId, result.act)
        except KPrismError:
            # locked meanwhile, or the like: the session must not have what the scene has not
            yield case.session.take_back
            raise
        self._uncover(case, segmentId)
        yield from self._finish(case, _shown(result, time.perf_counter() - began))

    def _computed(
        self, case: Case, segmentId: str, plane: Plane, compute: Callable[[BoolArray | None], SliceResult]
    ) -> Steps:
        node, image, mirror = case.segmentationNode, case.volumeNode, self._mirror
        self._bridge.checkWritable(node, segmentId, image)
        allowed = self._bridge.editable(node, segmentId, image, plane)
        result = yield lambda: compute(mirror.protected(plane, segmentId, allowed))
        # the segment may have been removed meanwhile
        self._requirePresent(case, segmentId)
        return result

    def _runSteps(
        self, act: RunAct, case: Case, segmentId: str, planes: Sequence[Plane], shown: Plane | None
    ) -> Steps:
        """Many slices, all one undo step; `shown` is the slice whose change the view can show."""
        session = yield from self._ready(case, segmentId)
        self._requirePrompts(case, segmentId, planes)
        self._tell(ActStarted(act.label))
        run = _Run(len(planes))
        try:
            for plane in planes:
                if act.cancelled:
                    break
                result = None
                if not session.is_accepted(plane, segmentId):
                    yield from self._runSlice(case, segmentId, plane, run)
                    act.begun = True
                    result = _shown(run.newest, run.newest.seconds)
                    if plane is shown:
                        run.shown = result
                self._tell(run.step(result))
                # hand edits meanwhile; between slices the application gets its turn
                yield None
                yield from self._ready(case, segmentId)
        except KPrismError:
            # what is finished is kept
            yield from self._finish(case, run.result(act.label, segmentId))
            raise
        yield from self._finish(case, run.result(act.label, segmentId))

    def _runSlice(self, case: Case, segmentId: str, plane: Plane, run: _Run) -> Steps:
        session, newest = case.session, run.newest
        former = session.segments[segmentId].state
        first = len(newest.act.parts[segmentId].deltas) if newest is not None else 0

        def compute(allowed: BoolArray | None) -> SliceResult:
            return session.predict_slice(plane, segmentId, join=newest, editable=allowed)

        result = yield from self._computed(case, segmentId, plane, compute)
        if newest is None or result.act is not newest.act:
            # an edit by hand came between: the run goes on in a step of its own
            first = 0
        try:
            yield from self._mirror.write(segmentId, result.act, first)
        except KPrismError:
            yield lambda: takeBackFrom(session, segmentId, result.act, first, former)
            raise
        if run.newest is None:
            # who hides it during the run means it
            self._uncover(case, segmentId)
        run.newest = result

    def _uncover(self, case: Case, segmentId: str) -> None:
        """Who changes a segment has to see it: show one that is hidden, and say so."""
        if segmentId in case.segmentIds and self._bridge.uncover(case.segmentationNode, segmentId):
            name = case.segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
            self._say(_("'{name}' was hidden. It is shown again, as it changed.").format(name=name))

    def _requirePrompts(self, case: Case, segmentId: str, planes: Sequence[Plane]) -> None:
        state = case.session.segments[segmentId].state
        if not state.has_object and not all(state.at(plane).clicks for plane in planes):
            raise PromptError(
                _("There is nothing to go by on all of these slices."),
                _("Choose a class or add a reference."),
            )

    def _historySteps(self, case: Case, undone: bool, target: Act | None = None) -> Steps:
        if target is not None and not target.happened:
            # it was refused, and nothing else is to be undone in its place
            raise ActDropped
        session = yield from self._ready(case, None)
        began = time.perf_counter()
        # what is shown of it: its own slice, before and after
        act, change = yield lambda: _moved(session, undone)
        if act is None:
            raise ActDropped
        try:
            yield from self._mirror.restore(act)
        except KPrismError:
            yield session.redo if undone else session.undo
            raise
        for segmentId, part in act.parts.items():
            if part.before.class_name != part.after.class_name and segmentId in case.segmentIds:
                self._followClass(case, segmentId, part, undone)
        for segmentId in [one for one, part in act.parts.items() if part.deltas][:1]:
            # the first is the one that the act was for
            self._uncover(case, segmentId)
        text = _("undo: {label}") if undone else _("redo: {label}")
        segmentId = next(iter(act.parts), "")
        text = text.format(label=self._labelOf(case, act, segmentId))
        result = ActResult(text, segmentId, seconds=time.perf_counter() - began)
        if change is not None:
            plane, added, removed, segmentId = change
            result = ActResult(text, segmentId, plane, added, removed, None, result.seconds)
        yield from self._finish(case, result)

    def _labelOf(self, case: Case, act: history.Act, segmentId: str) -> str:
        """An act, with the segment that it was for where another one is current."""
        label = labelText(act.label)
        if segmentId == self.segmentId or segmentId not in case.segmentIds:
            return label
        name = case.segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
        return _("{act} of '{segment}'").format(act=label, segment=name)


class _Run:
    """How far a run over many slices is."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.newest: SliceResult | None = None
        self.shown: ActResult | None = None
        self._began = time.perf_counter()
        self._computed = 0
        self._confidences: list[float] = []
        self._changed = (0, 0)

    def step(self, result: ActResult | None) -> RangeProgress:
        """Count a slice; `result` is None for one left alone, which takes no time."""
        self.done += 1
        if result is not None:
            self._computed += 1
            self._confidences.append(result.confidence or 0.0)
            joined, left = self._changed
            self._changed = (joined + np.count_nonzero(result.added), left + np.count_nonzero(result.removed))
        each = (time.perf_counter() - self._began) / max(self._computed, 1)
        return RangeProgress(self.done, self.total, each * (self.total - self.done), result)

    def result(self, label: str, segmentId: str) -> ActResult:
        """The run as one act."""
        seconds, shown = time.perf_counter() - self._began, self.shown
        mean = sum(self._confidences) / len(self._confidences) if self._confidences else None
        if shown is None:
            return ActResult(label, segmentId, confidence=mean, seconds=seconds, changed=self._changed)
        return ActResult(
            label, segmentId, shown.plane, shown.added, shown.removed, mean, seconds, self._changed,
            shown.knownClass,
        )  # fmt: skip


def _shown(result: SliceResult, seconds: float) -> ActResult:
    return ActResult(
        labelText(result.act.label), result.segment, result.plane, result.added, result.removed,
        result.confidence, seconds, knownClass=result.known_class,
    )  # fmt: skip


def _moved(session: Any, undone: bool) -> tuple[Any, Any]:
    """Undo or redo, on the worker.

    Returns:
        The act, and (plane, added, removed, segment id) where it is about one slice.
    """
    act = session.undo() if undone else session.redo()
    found = _sliceOf(act) if act is not None else None
    if found is None:
        return act, None
    segmentId, plane = found
    voxels = session.segments[segmentId].voxels
    after = plane.read_mask(voxels)
    former = voxels.copy()
    for delta in reversed(act.parts[segmentId].deltas):
        delta.flip(former)
    before = plane.read_mask(former)
    return act, (plane, after & ~before, before & ~after, segmentId)


def _sliceOf(act: history.Act) -> tuple[str, Plane] | None:
    """The segment and the only slice whose prompts an act changed; None where there are several or none."""
    changed = [
        (segmentId, state.plane)
        for segmentId, part in act.parts.items()
        for key, state in part.after.slices.items()
        if part.before.slices.get(key) is not state
    ]
    return changed[0] if len(changed) == 1 else None
