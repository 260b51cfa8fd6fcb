"""The training state file: everything needed to continue a run exactly, and the averaged weights."""

from __future__ import annotations

import copy
import pickle
import random
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from KPrismCore.atomic import atomic_path
from KPrismCore.errors import CheckpointError

FORMAT = 1
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
    """Write tensors and plain values, with the state of the random generators, atomically.

    Raises:
        OutputFileError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        torch.save({"format": FORMAT, **values, "random": _random_state()}, temporary)


def load_state(path: Path) -> dict[str, Any]:
    """Read a state file; nothing in it is executed. `restore_random` is left to the caller.

    Raises:
        CheckpointError: the file is not a training state of this format.
    """
    try:
        values: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        known = values["format"] == FORMAT
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"{path} is not a training state ({error}).", "Start the training anew."
        ) from error
    if not known:
        raise CheckpointError(f"{path} has another format ({values['format']}).", "Start the training anew.")
    return values


def restore_random(values: dict[str, Any]) -> None:
    """Set the generators of torch, numpy and Python as they were when the state was written."""
    torch.set_rng_state(values["torch"])
    name, keys, position, has_gauss, gauss = values["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = values["python"]
    random.setstate((version, tuple(internal), gauss_next))


def _random_state() -> dict[str, Any]:
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, internal, gauss_next = random.getstate()
    numbers = torch.from_numpy(np.asarray(keys).astype(np.int64))
    return {
        "torch": torch.get_rng_state(),
        "numpy": [str(name), numbers, int(position), int(has_gauss), float(gauss)],
        "python": [version, list(internal), gauss_next],
    }
