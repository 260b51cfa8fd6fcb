"""A checkpoint's network on a device: found by name or path, and loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from KPrismCore.catalogue import Catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint
from KPrismCore.confidence import Line
from KPrismCore.decision import HALF
from KPrismCore.device import choose_device, is_out_of_memory, keep_freed_memory, measured_threads
from KPrismCore.errors import CheckpointError
from KPrismCore.network.kprism import KPrism
from KPrismCore.preprocess import Preprocessing
from KPrismCore.recognition import Recognition
from KPrismCore.zoom import Zoom

DEFAULT_MODEL = "kprism-small"
_MODELS = Path(__file__).resolve().parents[1] / "Resources" / "Models"


@dataclass
class Model:
    """A network on its device, with the description of its checkpoint."""

    network: KPrism
    device: torch.device
    catalogue: Catalogue
    preprocessing: Preprocessing
    card: ModelCard
    notes: tuple[str, ...] = ()
    lowest_threshold: float = HALF
    confidence_lines: Mapping[str, Line] = field(default_factory=dict)
    zoom: Zoom | None = None
    recognition: Recognition | None = None

    @property
    def input_size(self) -> int:
        """Side of the network's square input in pixels."""
        return self.network.config.input_size

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self.network.to(device)
        self.device = device


def load_model(name_or_path: str | os.PathLike[str] = DEFAULT_MODEL, device: str = "auto") -> Model:
    """Load a shipped model by name or any checkpoint by path.

    Args:
        name_or_path: "kprism-small", or a `.safetensors` or official `.pth` file.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        CheckpointError: there is no such model, or its file cannot be used.
        DeviceError: there is no such device.
    """
    place = choose_device(device)
    checkpoint = read_checkpoint(find_model(name_or_path))
    keep_freed_memory()
    if place.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(measured_threads())
    return model_of(checkpoint, place)


def model_of(checkpoint: Checkpoint, device: torch.device) -> Model:
    """The checkpoint's network on a device; where its memory does not suffice, on the processor."""
    network = checkpoint.build().for_inference()
    notes = list(checkpoint.notes)
    try:
        network.to(device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        notes.append(f"The memory of {device} does not suffice; the processor is used instead.")
        device = torch.device("cpu")
        network.to(device)
    return Model(
        network, device, checkpoint.catalogue, checkpoint.preprocessing, checkpoint.card, tuple(notes),
        checkpoint.lowest_threshold, checkpoint.confidence_lines, checkpoint.zoom,
        checkpoint.recognition,
    )  # fmt: skip


def find_model(name_or_path: str | os.PathLike[str]) -> Path:
    """Return the file of a shipped model by its name, or of any checkpoint by its path.

    Raises:
        CheckpointError: there is no model of this name.
    """
    path = Path(name_or_path)
    shipped = sorted(file.stem for file in _MODELS.glob("*.safetensors"))
    if path.suffix or path.is_file():
        return path
    if path.name in shipped:
        return _MODELS / f"{path.name}.safetensors"
    known = f", or one of: {', '.join(shipped)}" if shipped else "; no model is shipped in Resources/Models"
    raise CheckpointError(f"There is no model called '{name_or_path}'.", f"Name a checkpoint file{known}.")
