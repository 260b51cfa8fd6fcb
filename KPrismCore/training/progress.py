"""A run on the screen: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as RemainingColumn


class ProgressLines:
    """Shows the steps of a run; a context manager.

    Args:
        total: steps of the whole run.
        done: steps done so far.
        console: where to show it; standard output where None. The bar needs a terminal.
    """

    def __init__(self, total: int, done: int, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._bar = Progress(
            TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), RemainingColumn(),
            TextColumn("{task.fields[loss]}"), console=self._console,
            disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("steps", total=total, completed=done, loss="")

    def __enter__(self) -> ProgressLines:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, done: int, loss: float) -> None:
        """Move the bar to the steps done, with the mean loss since the last line."""
        self._bar.update(self._task, completed=done, loss=f"loss {loss:.3f}")

    def line(self, text: str) -> None:
        """Print a line; in a terminal above the bar."""
        self._console.print(text, markup=False, soft_wrap=True)
        self._console.file.flush()
