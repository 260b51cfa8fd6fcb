"""TensorBoard logs of a run: loss, rate, seconds per sample, Dice of every mode, and the validations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from KPrismCore.training.packages import optional

FOLDER = "tensorboard"


class Board:
    """Writes to `<run>/tensorboard`; a context manager that closes the file.

    Args:
        folder: the run's folder.
        step: steps done so far; what was written for later ones is hidden.

    Raises:
        MissingPackageError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int) -> None:
        module = optional("torch.utils.tensorboard", "tensorboard")
        self._writer: Any = module.SummaryWriter(str(folder / FOLDER), purge_step=step + 1 if step else None)

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def steps(self, row: Mapping[str, str]) -> None:
        """Add a row of the log; columns without a value are left out."""
        step = int(row["step"])
        for name, value in row.items():
            if name != "step" and value:
                self._writer.add_scalar(f"train/{name}", float(value), step)

    def validation(self, step: int, scores: Mapping[str, Mapping[str, float]]) -> None:
        """Add a quick validation: the mean of every measure, and each set and class."""
        for measure, groups in scores.items():
            if groups:
                mean = sum(groups.values()) / len(groups)
                self._writer.add_scalar(f"validation/{measure}", mean, step)
            for group, value in groups.items():
                self._writer.add_scalar(f"validation_{measure}/{group}", value, step)
        self._writer.flush()
