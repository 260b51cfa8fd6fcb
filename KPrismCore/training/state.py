"""The training state file: everything needed to continue a run exactly, and the averaged weights."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from KPrismCore.atomic import UNFINISHED, atomic_path
from KPrismCore.errors import CheckpointError

STATE_NAME = "state.pt"
# in a state: indices of the classes that were trained by name; absent or None for all of the class table
NAMED = "named_classes"
# 1 had the states of random generators, which are seeded by step now, and no facts of the processes
FORMAT = 2
READABLE = (1, FORMAT)
ModelType = TypeVar("ModelType", bound=nn.Module)


class WeightAverage(Generic[ModelType]):
    """Exponential moving average of a model's weights (the exported ones); buffers are copied.

    Args:
        model: the model to follow.
        decay: weight of the past; smaller in the first steps, where the past is worth nothing.
    """

    def __init__(self, model: ModelType, decay: float) -> None:
        self.model: ModelType = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: ModelType, step: int) -> None:
        """Follow the model after its optimiser step number `step` (0-based)."""
        weight = 1.0 - min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)
        for own, new in zip(self.model.buffers(), model.buffers(), strict=True):
            own.copy_(new)


def save_state(path: Path, values: dict[str, Any]) -> None:
    """Write tensors and plain values, atomically.

    Raises:
        OutputFileError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            torch.save({"format": FORMAT, **values}, temporary)
        except RuntimeError as error:
            # torch tells a full disk by the places in its file, which say nothing to anybody
            raise OSError("it was not written to its end") from error


def tidy_up(folder: Path) -> None:
    """Remove what a run in this folder that was killed while it wrote a file has left."""
    for path in folder.glob(f"{UNFINISHED}*"):
        path.unlink(missing_ok=True)


def load_state(path: Path) -> dict[str, Any]:
    """Read a state file; nothing in it is executed.

    Raises:
        CheckpointError: the file is not a training state of a format known here.
    """
    try:
        values: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        known = values["format"] in READABLE
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is not a training state ({error}).", "Start the training anew."
        ) from error
    if not known:
        raise CheckpointError(f"{path} has another format ({values['format']}).", "Start the training anew.")
    return values


# of settings, what does not change the weights; networks are compared on their own
_HARMLESS = frozenset(
    ("name", "network", "workers", "log_steps", "save_steps", "validate_steps", "validation_images_per_set")
)


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the settings that differ and decide the weights, of those that both versions know.

    Args:
        before: of a state file, as `TrainingSettings.to_plain` gives them.
        now: the same of the run that goes on.
    """
    both = before.keys() & now.keys() - _HARMLESS
    return sorted(name for name in both if before[name] != now[name])
