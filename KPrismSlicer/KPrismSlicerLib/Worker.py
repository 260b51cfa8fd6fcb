"""One long-lived thread for the network. Qt, MRML and VTK stay on the main thread.

A thread that lives as long as the module keeps what torch and CUDA prepare per thread: the second click is
several times faster than it would be on a fresh one.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class Job(Generic[T]):
    """Something to compute.

    Args:
        function: runs on the worker's thread.
        done, failed: called with the result or the error, on the thread that polls.
        cancelled: set it to have the result dropped; a job that has not begun then does not run at all.
    """

    function: Callable[[], T]
    done: Callable[[T], None]
    failed: Callable[[Exception], None]
    cancelled: bool = False

    def cancel(self) -> None:
        """Have the result dropped."""
        self.cancelled = True


class Worker:
    """Runs jobs one after another in the order given. The thread starts with the first."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job[Any] | None] = queue.SimpleQueue()
        self._finished: deque[tuple[Job[Any], Any, Exception | None]] = deque()
        self._thread: threading.Thread | None = None
        self._stopped = False
        # counts on the main thread only
        self._open = 0

    def submit(
        self, function: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]
    ) -> Job[T]:
        """Have something computed; see `Job`.

        Raises:
            RuntimeError: the worker was stopped.
        """
        if self._stopped:
            raise RuntimeError("the worker was stopped")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="K-Prism network", daemon=True)
            self._thread.start()
        job = Job(function, done, failed)
        self._open += 1
        self._jobs.put(job)
        return job

    def poll(self) -> bool:
        """Deliver the results that are there, on the calling thread; True while work remains."""
        while self._finished:
            job, result, error = self._finished.popleft()
            self._open -= 1
            if job.cancelled:
                continue
            if error is None:
                job.done(result)
            else:
                job.failed(error)
        return self._open > 0

    def wait(self, seconds: float) -> bool:
        """Poll until nothing remains; False where that takes longer than `seconds`."""
        end = time.monotonic() + seconds
        while self.poll():
            if time.monotonic() > end:
                return False
            time.sleep(0.001)
        return True

    def stop(self, seconds: float = 0.0) -> bool:
        """End the thread after the job it is at, all others are dropped; True if it ended in that time."""
        self._stopped = True
        if self._thread is None:
            return True
        while not self._jobs.empty():
            try:
                waiting = self._jobs.get_nowait()
            except queue.Empty:
                break
            if waiting is not None:
                waiting.cancel()
        self._jobs.put(None)
        self._thread.join(seconds)
        self._finished.clear()
        self._open = 0
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.cancelled:
                self._finished.append((job, None, None))
                continue
            try:
                result, error = job.function(), None
            # the one place that must let nothing pass: an error here would end the thread silently
            except Exception as caught:
                result, error = None, caught
            self._finished.append((job, result, error))
            # what the job holds, such as a volume, must not live until the next one comes
            del job, result, error
