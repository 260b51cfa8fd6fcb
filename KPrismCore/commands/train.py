"""`kprism.py train`: train a network on any data, in as many pieces as needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from KPrismCore.errors import DeviceError, OutputFileError
from KPrismCore.training.class_tables import run_classes
from KPrismCore.training.datasets.opening import open_data
from KPrismCore.training.loop import STATE_NAME, Trainer
from KPrismCore.training.settings import read_settings

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"


def train(
    data: Annotated[
        Path, typer.Argument(help="Folder of the data; see `kprism.py data --help` for the layouts.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the run: state, tables.")],
    config: Annotated[Path, typer.Option(help="The recipe.")] = RESOURCES / "Configs" / "train-small.toml",
    resume: Annotated[bool, typer.Option(help="Continue the run in the folder, if there is one.")] = False,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the whole run.")] = None,
    skip_damaged: Annotated[bool, typer.Option(help="Leave damaged files out.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept slices, if not the run's.")] = None,
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
    sets = open_data(data, settings.kept_size, skip_damaged=skip_damaged, cache=cache or out / "slices")
    classes = run_classes(settings.classes, sets, out)
    trainer = Trainer(settings, sets, classes, out, _device(device))
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
