"""Acts one after another: each a few steps on the main thread, with the network's work between them.

An act is a generator. It yields a callable to have it run on the worker, and goes on with its result (or
gets its error); it yields None to let the application breathe, and goes on at the next poll. While one act
waits, others queue up behind it and none is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from KPrismSlicerLib.Worker import Job, Worker

Steps = Generator[Callable[[], Any] | None, Any, None]


@dataclass(eq=False)
class Act:
    """Something the user asked for.

    Args:
        label: what it is.
        steps: makes its generator, when its turn comes.
        owner: what it works on; acts of an owner can be dropped together.
        quiet: the module's own, of which the user need not know.
        undoable: whether it becomes a step of the history.
        failed: set when it ended with an error, or was dropped.
        cancelled: set for a run over many slices to end it after the slice it is at.
    """

    label: str
    steps: Callable[[Act], Steps]
    owner: object = None
    quiet: bool = False
    undoable: bool = False
    failed: bool = False
    cancelled: bool = False

    @property
    def happened(self) -> bool:
        """Once it is over: whether there is something to undo."""
        return not self.failed


class ActQueue:
    """First in, first out, one at a time; all methods on the main thread.

    Args:
        worker: runs what acts yield.
        failed: called with the error of an act that failed.
        changed: called when work begins or all is done, with whether there is work.
        translate: makes of the worker's errors those that acts get.
        queued: called when other acts are at work or waiting than before; an act that had its turn at once
            and is over does not count.
    """

    def __init__(
        self,
        worker: Worker,
        failed: Callable[[Exception], None],
        changed: Callable[[bool], None],
        translate: Callable[[Exception], Exception] = lambda error: error,
        queued: Callable[[], None] = lambda: None,
    ) -> None:
        self._worker = worker
        self._failed = failed
        self._changed = changed
        self._translate = translate
        self._queued = queued
        self._waiting: deque[Act] = deque()
        self._current: tuple[Act, Steps] | None = None
        self._job: Job[Any] | None = None
        self._answer: tuple[Any, Exception | None] = (None, None)
        self._pausing = False
        self._stepping = False
        self._doomed = False
        self._told = False
        self._toldActs: tuple[Act, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether there is an act at work or waiting."""
        return self._current is not None or bool(self._waiting)

    @property
    def acts(self) -> tuple[Act, ...]:
        """The act at work, if any, then those that wait."""
        return (*((self._current[0],) if self._current else ()), *self._waiting)

    @property
    def toCome(self) -> tuple[Act, ...]:
        """The user's acts whose outcome is still to be told: without one that is in a step of its own."""
        acts = self.acts[1:] if self._stepping and self._current else self.acts
        return tuple(act for act in acts if not act.quiet)

    def add(self, act: Act) -> None:
        """Put an act at the end; with nothing before it, its first step is done at once."""
        self._waiting.append(act)
        self._advance()

    def poll(self) -> bool:
        """Go on with what the worker has finished; True while there is work."""
        self._worker.poll()
        self._pausing = False
        self._advance()
        return self.busy

    def drop(self, owner: object) -> None:
        """Forget the acts of an owner; of the one at work neither the result nor a further step comes."""
        self._waiting = deque(act for act in self._waiting if act.owner is not owner)
        if self._current is not None and self._current[0].owner is owner:
            if self._stepping:
                # it is being dropped from inside its own step
                self._doomed = True
            else:
                self._end()
        self._advance()

    def clear(self) -> None:
        """Forget all acts."""
        self._waiting.clear()
        if self._stepping:
            self._doomed = True
        elif self._current is not None:
            self._end()
        self._advance()

    def _advance(self) -> None:
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._ready():
                self._step()
        finally:
            self._stepping = False
        if self._toldActs != self.acts:
            self._toldActs = self.acts
            self._queued()
        if self._told != self.busy:
            self._told = self.busy
            self._changed(self._told)

    def _ready(self) -> bool:
        """Whether a step can be done now; begins the next act where none is at work."""
        if self._job is not None or self._pausing:
            return False
        if self._current is None and self._waiting:
            act = self._waiting.popleft()
            self._current = act, act.steps(act)
            self._answer, self._doomed = (None, None), False
        return self._current is not None

    def _step(self) -> None:
        act, steps = self._current
        (value, error), self._answer = self._answer, (None, None)
        try:
            wanted = steps.send(value) if error is None else steps.throw(error)
        except StopIteration:
            self._current = None
        # the one place that reports: whatever an act raises, the next one must get its turn
        except Exception as problem:
            self._current, act.failed = None, True
            if not self._doomed:
                self._failed(problem)
        else:
            if self._doomed:
                self._end()
            elif wanted is None:
                self._pausing = True
            else:
                self._job = self._worker.submit(wanted, self._resume, self._resumeWithError)

    def _resume(self, value: Any) -> None:
        self._job, self._answer = None, (value, None)
        self._advance()

    def _resumeWithError(self, error: Exception) -> None:
        self._job, self._answer = None, (None, self._translate(error))
        self._advance()

    def _end(self) -> None:
        if self._job is not None:
            self._job.cancel()
            self._job = None
        _, steps = self._current
        self._current = None
        steps.close()
