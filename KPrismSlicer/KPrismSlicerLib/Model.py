"""Loading the network, on the worker's thread: nothing here runs before the user asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from KPrismSlicerLib.Events import ModelState

DEFAULT = "default"


def loadPredictor(nameOrPath: str, device: str, notify: Callable[[str], None]) -> Any:
    """Load a checkpoint and make the predictor (KPrismCore.predictor.Predictor) that uses it.

    Args:
        nameOrPath: 'default', the name of a shipped model, or the path of a checkpoint.
        device: 'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'.
        notify: called on the worker's thread with a sentence when the predictor has to leave the GPU.

    Raises:
        CheckpointError, DeviceError: as `KPrismCore.model.load_model`.
    """
    # torch comes with it: seconds, and only here
    from KPrismCore.model import DEFAULT_MODEL, load_model
    from KPrismCore.predictor import Predictor

    model = load_model(DEFAULT_MODEL if nameOrPath == DEFAULT else nameOrPath, device)
    return Predictor(model, notify)


def readyState(predictor: Any) -> ModelState:
    """Describe a predictor that can be used."""
    model = predictor.model
    notes = tuple(getattr(model, "notes", ()))
    return ModelState("ready", model.card.name, deviceText(model.device), model.card, model.catalogue, notes)


def deviceText(device: Any) -> str:
    """Say what a torch device is: the GPU's name and memory, or the processor with its threads."""
    import torch

    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        return _("{name}, {memory:.0f} GB").format(name=found.name, memory=found.total_memory / 2**30)
    if device.type == "mps":
        return _("Apple GPU")
    count = torch.get_num_threads()
    return _("CPU, 1 thread") if count == 1 else _("CPU, {count} threads").format(count=count)
