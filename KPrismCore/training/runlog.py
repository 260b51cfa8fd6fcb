"""Two tables, TensorBoard and a line of text that tell how a run goes."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from KPrismCore.atomic import atomic_path
from KPrismCore.training.board import Board
from KPrismCore.training.settings import MODES
from KPrismCore.training.validation import MEASURES

LOG_COLUMNS = (
    "step", "samples", "minutes", "rate", "ms_per_sample", "data_ms", "robot_ms", "backward_ms", "loss",
    *(f"dice_{mode}" for mode in MODES),
)  # fmt: skip
VALIDATION_COLUMNS = ("step", "minutes", "group", *MEASURES)
MEAN_GROUP = "mean"
Scores = dict[str, dict[str, float]]


@dataclass
class Window:
    """Sums of one process over the steps since the last log line; times in seconds."""

    samples: int = 0
    steps: int = 0
    loss: float = 0.0
    data: float = 0.0
    robot: float = 0.0
    backward: float = 0.0
    begin: float = field(default_factory=time.perf_counter)
    dice: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def row(self, step: int, samples: int, minutes: float, rate: float) -> dict[str, str]:
        """Return the window as a row of the log."""
        each = 1000 / max(self.samples, 1)
        spent = time.perf_counter() - self.begin
        row = {
            "step": str(step), "samples": str(samples), "minutes": f"{minutes:.2f}", "rate": f"{rate:.3e}",
            "ms_per_sample": f"{each * spent:.1f}", "data_ms": f"{each * self.data:.1f}",
            "robot_ms": f"{each * self.robot:.1f}", "backward_ms": f"{each * self.backward:.1f}",
            "loss": f"{self.loss / max(self.steps, 1):.4f}",
        }  # fmt: skip
        for mode in MODES:
            scores = self.dice[mode]
            row[f"dice_{mode}"] = f"{sum(scores) / len(scores):.4f}" if scores else ""
        return row


class RunLog:
    """Appends to `log.csv`, `validation.csv` and TensorBoard in the run's folder, and says so on the screen.

    Args:
        folder: the run's folder.
        step: steps done so far; rows of later steps (of a piece that was lost) are removed.
        board: the run's TensorBoard.
        say: shows a line of text.
    """

    def __init__(self, folder: Path, step: int, board: Board, say: Callable[[str], None]) -> None:
        self._log, self._validation = folder / "log.csv", folder / "validation.csv"
        self._board, self._say = board, say
        _begin(self._log, LOG_COLUMNS, step)
        _begin(self._validation, VALIDATION_COLUMNS, step)

    def steps(self, row: dict[str, str]) -> None:
        """Add a row of training."""
        _append(self._log, LOG_COLUMNS, [row])
        self._board.steps(row)
        self._say("  ".join(f"{key} {value}" for key, value in row.items() if value))

    def validation(self, step: int, minutes: float, scores: Scores) -> None:
        """Add the rows of a validation: one per set or class, then the means over them, which are shown."""
        groups = sorted({group for measure in scores.values() for group in measure})
        rows = [
            {"group": group, **{name: f"{by[group]:.4f}" for name, by in scores.items() if group in by}}
            for group in groups
        ]
        means = {name: f"{mean:.4f}" for name, mean in mean_scores(scores).items()}
        rows.append({"group": MEAN_GROUP, **means})
        common = {"step": str(step), "minutes": f"{minutes:.2f}"}
        _append(self._validation, VALIDATION_COLUMNS, [{**common, **row} for row in rows])
        self._board.validation(step, scores)
        self._say(f"validation at step {step}: " + "  ".join(f"{k} {v}" for k, v in means.items()))


def mean_scores(scores: Scores) -> dict[str, float]:
    """Return the mean over sets or classes of every measure that has any."""
    return {name: sum(by.values()) / len(by) for name, by in scores.items() if by}


def read_rows(path: Path, step: int) -> list[dict[str, str]]:
    """Read the rows of a table of a run up to a step; none where there is no table."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    # a loss of power cuts the last line short, or fills it with zeros
    rows = csv.DictReader(text[: text.rfind("\n") + 1].split("\n"))
    return [row for row in rows if _is_whole(row) and int(row["step"]) <= step]


def _begin(path: Path, columns: tuple[str, ...], step: int) -> None:
    kept = read_rows(path, step) if step > 0 else []
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)


def _is_whole(row: Mapping[str | None, str | None]) -> bool:
    """Whether a row of a table has all of its columns, and a step."""
    return (row.get("step") or "").isdigit() and None not in row and None not in row.values()


def _append(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    with path.open("a", newline="", encoding="utf-8") as stream:
        csv.DictWriter(stream, columns, restval="").writerows(rows)
