"""`kprism.py convert` and `kprism.py info`: checkpoint files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from KPrismCore.checkpoint import read_checkpoint, save_checkpoint
from KPrismCore.errors import OutputFileError


def convert(
    source: Annotated[Path, typer.Argument(help="An official .pth checkpoint.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Convert an official checkpoint into one file that describes itself."""
    if target.suffix.lower() != ".safetensors":
        raise OutputFileError(f"{target} has an unknown ending.", "Name a file that ends in .safetensors.")
    if target.exists() and not overwrite:
        raise OutputFileError(f"{target} exists.", "Choose another name, or add --overwrite.")
    checkpoint = read_checkpoint(source)
    checkpoint.build()  # nothing is written that does not load
    save_checkpoint(target, checkpoint)
    console = Console()
    for note in checkpoint.notes:
        console.print(note)
    console.print(f"{target} ({target.stat().st_size / 1e6:.1f} MB) holds {len(checkpoint.weights)} tensors.")


def info(file: Annotated[Path, typer.Argument(help="A checkpoint: .safetensors or official .pth.")]) -> None:
    """Describe a checkpoint: network, classes, preprocessing, data, licence, metrics."""
    checkpoint = read_checkpoint(file)
    network = checkpoint.build()
    console = Console()
    count = sum(parameter.numel() for parameter in network.parameters())
    console.print(
        f"[bold]{checkpoint.card.name}[/]: {count / 1e6:.2f} M parameters, {file.stat().st_size / 1e6:.1f} MB"
    )
    card = checkpoint.card
    for title, text in (
        ("About", card.description),
        ("Use", card.intended_use),
        ("Limits", card.limits),
        ("Licence", card.licence),
        ("Modalities", ", ".join(card.modalities)),
    ):
        if text:
            console.print(f"[bold]{title}:[/] {text}")
    for note in checkpoint.notes:
        console.print(f"[bold]Note:[/] {note}")
    console.print(_facts("Network", checkpoint.config.to_dict()))
    console.print(_facts("Preprocessing", checkpoint.preprocessing.to_dict()))
    for title, values in (("Training", card.training), ("Metrics", card.metrics)):
        if values:
            console.print(_facts(title, dict(values)))
    table = Table("index", "class", "modality", "SNOMED CT", title="Classes")
    for entry in checkpoint.catalogue.trained:
        code = entry.terminology.type
        table.add_row(str(entry.index), entry.name, ", ".join(entry.modality), f"{code.value} {code.meaning}")
    console.print(table)
    for item in card.data:
        console.print("Data: " + ", ".join(f"{value}" for value in item.values() if value))


def _facts(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    for name, value in values.items():
        table.add_row(name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
    return table
