"""Runs a program and keeps the window alive meanwhile."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

POLL_SECONDS = 0.02
STOP_SECONDS = 5


@dataclass(frozen=True)
class Ended:
    """How a program ended. code: its exit code, negative for a signal, None where it took too long."""

    code: int | None
    lines: tuple[str, ...]

    @property
    def tail(self) -> str:
        """The last twenty lines."""
        return "\n".join(self.lines[-20:])


def runChild(
    command: list[str],
    idle: Callable[[], None],
    onLine: Callable[[str], None] | None = None,
    seconds: float | None = None,
) -> Ended:
    """Run a program to its end, or for so many seconds; output and errors come as lines.

    Args:
        command: program and arguments.
        idle: called about fifty times a second.
        onLine: called with each line, on this thread.
        seconds: the most that it may take.

    Raises:
        OSError: there is no such program.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    lines: list[str] = []
    try:
        code = _follow(process, idle, lambda line: _take(line, lines, onLine), seconds)
    finally:
        _stop(process)
    return Ended(code, tuple(lines))


def _take(line: str, lines: list[str], onLine: Callable[[str], None] | None) -> None:
    lines.append(line)
    if onLine:
        onLine(line)


def _follow(
    process: subprocess.Popen[str],
    idle: Callable[[], None],
    take: Callable[[str], None],
    seconds: float | None,
) -> int | None:
    arriving: queue.SimpleQueue[str] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, arriving), daemon=True)
    reader.start()
    end = None if seconds is None else time.monotonic() + seconds
    while reader.is_alive() or process.poll() is None or not arriving.empty():
        with contextlib.suppress(queue.Empty):
            take(arriving.get(timeout=POLL_SECONDS))
        idle()
        if end is not None and time.monotonic() > end:
            return None
    return process.returncode


def _read(stream: IO[str], arriving: queue.SimpleQueue[str]) -> None:
    for line in stream:
        arriving.put(line.rstrip())


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
