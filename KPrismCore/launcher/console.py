"""What the launcher says: errors with cause and remedy, and one progress line; all on standard error."""

from __future__ import annotations

import io
import shutil
import sys
import time

MINUTE = 60


class LauncherError(Exception):
    """A failure to show to the user without a traceback.

    Args:
        cause: what is wrong.
        remedy: what the user can do about it.
        code: exit code of the launcher.
    """

    def __init__(self, cause: str, remedy: str, code: int = 1) -> None:
        super().__init__(f"{cause} {remedy}")
        self.cause = cause
        self.remedy = remedy
        self.code = code


def print_any_text() -> None:
    """Let standard output and error put a question mark for what a terminal's encoding cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def say(text: str = "") -> None:
    """Print to standard error, so that a command's own output stays clean."""
    print(text, file=sys.stderr, flush=True)


def format_bytes(count: float) -> str:
    """Return a size as people write it: '850 MB', '1.8 GB' (decimal units)."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def format_seconds(seconds: float) -> str:
    """Return a duration as people write it: '45 s', '3 min 05 s'."""
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Progress:
    """One line that is rewritten on a terminal; elsewhere only the main steps, one line each."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.text = ""
        self.live = sys.stderr.isatty()

    def show(self, text: str, main_step: bool = True) -> None:
        """Replace the current step; steps that are not main ones appear on a terminal only."""
        self.text = text
        if self.live:
            self.tick()
        elif main_step:
            say(f"  {text}")

    def tick(self) -> None:
        """Redraw the line with the time passed, so that a long download does not look like a standstill."""
        if self.live and self.text:
            line = f"  [{format_seconds(time.monotonic() - self.start)}] {self.text}"
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + line[:width].ljust(width))
            sys.stderr.flush()

    def note(self, text: str) -> None:
        """Print lines that stay."""
        self.clear()
        say(text)

    def clear(self) -> None:
        """Take the progress line off the terminal."""
        if self.live and self.text:
            sys.stderr.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            sys.stderr.flush()
