"""`kprism.py train`: train a network on packs, in as many pieces as needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from KPrismCore.errors import DeviceError, OutputFileError
from KPrismCore.training.data import read_classes
from KPrismCore.training.loop import STATE_NAME, Trainer
from KPrismCore.training.packs import read_packs
from KPrismCore.training.settings import read_settings

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"


def train(
    data: Annotated[Path, typer.Argument(help="Folder of image sets, each with a train.npz.")],
    out: Annotated[Path, typer.Argument(help="Folder of the run: state, tables.")],
    config: Annotated[Path, typer.Option(help="The recipe.")] = RESOURCES / "Configs" / "train-small.toml",
    resume: Annotated[bool, typer.Option(help="Continue the run in the folder, if there is one.")] = False,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the whole run.")] = None,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Train a network. Ctrl+C stops after the current step and saves; --resume continues exactly there."""
    torch.set_num_threads(threads)
    settings = read_settings(config)
    if steps is not None:
        settings = replace(settings, steps=steps)
    if (out / STATE_NAME).exists() and not resume:
        raise OutputFileError(f"{out} holds a training run.", "Add --resume, or name another folder.")
    classes = read_classes(RESOURCES / "Classes" / settings.classes) if settings.classes else {}
    trainer = Trainer(settings, read_packs(data, settings.kept_size), classes, out, _device(device))
    if resume and trainer.state_path.exists():
        trainer.resume()
    trainer.run(minutes)


def _device(name: str) -> torch.device:
    available = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name == "cuda" and not available:
        raise DeviceError("There is no CUDA device.", "Use --device cpu.")
    return torch.device(name)


if __name__ == "__main__":
    typer.run(train)
