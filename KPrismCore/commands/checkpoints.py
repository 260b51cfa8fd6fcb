"""`kprism.py convert` and `kprism.py info`: checkpoint files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from KPrismCore.abilities import FIGURE_TABLES, Abilities, read_abilities
from KPrismCore.catalogue import Catalogue
from KPrismCore.checkpoint import read_checkpoint, save_checkpoint
from KPrismCore.commands.ability_tables import in_words, print_abilities
from KPrismCore.errors import OutputFileError
from KPrismCore.model import find_model


def convert(
    source: Annotated[Path, typer.Argument(readable=False, help="An official .pth checkpoint.")],
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
        console.print(escape(note))
    megabytes, count = target.stat().st_size / 1e6, len(checkpoint.weights)
    console.print(f"{escape(str(target))} ({megabytes:.1f} MB) holds {count} tensors.")


def info(
    model: Annotated[
        str, typer.Argument(metavar="FILE", help="Checkpoint: .safetensors, .pth, or a shipped model's name.")
    ],
) -> None:
    """Describe a checkpoint: what it can do, classes, licence, network, preprocessing, training, data."""
    file = find_model(model)
    checkpoint = read_checkpoint(file)
    network = checkpoint.build()
    console = Console()
    count = sum(parameter.numel() for parameter in network.parameters())
    console.print(
        f"[bold]{escape(checkpoint.card.name)}[/]: {count / 1e6:.2f} M parameters, "
        f"{file.stat().st_size / 1e6:.1f} MB"
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
            console.print(f"[bold]{title}:[/] {escape(text)}")
    for note in checkpoint.notes:
        console.print(f"[bold]Note:[/] {escape(note)}")
    abilities = read_abilities(card.metrics)
    print_abilities(console, abilities)
    console.print(_classes(checkpoint.catalogue, abilities))
    console.print(_facts("Network", checkpoint.config.to_dict()))
    console.print(_facts("Preprocessing", checkpoint.preprocessing.to_dict()))
    if checkpoint.zoom is not None:
        console.print(_facts("Zoom of clicks", checkpoint.zoom.to_dict()))
    if checkpoint.recognition is not None:
        console.print(_facts("Recognition of references", checkpoint.recognition.to_dict()))
    # what was printed in words; older cards have a mere number of sets
    told = [name for name in FIGURE_TABLES if isinstance(card.metrics.get(name), Mapping)]
    plain = {name: value for name, value in card.metrics.items() if name not in told}
    for title, values in (("Training", card.training), ("Metrics", plain)):
        if values:
            console.print(_facts(title, dict(values)))
    for item in card.data:
        console.print(escape("Data: " + ", ".join(f"{value}" for value in item.values() if value)))


def _classes(catalogue: Catalogue, abilities: Abilities) -> Table:
    table = Table("index", "class", "modality", "by name alone", "SNOMED CT", title="Classes")
    for entry in catalogue.trained:
        code, score = entry.terminology.type, abilities.class_named(entry.name)
        cells = (entry.name, ", ".join(entry.modality), in_words(score), f"{code.value} {code.meaning}")
        table.add_row(str(entry.index), *map(escape, cells))
    return table


def _facts(title: str, values: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    for name, value in values.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        table.add_row(name, escape(text))
    return table
