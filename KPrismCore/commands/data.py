"""`kprism.py data`: what is recognised in a data folder, how it is split, what is damaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from KPrismCore.atomic import atomic_path
from KPrismCore.errors import OutputFileError, TrainingDataError
from KPrismCore.training.datasets.contact_sheet import draw_contact_sheet
from KPrismCore.training.datasets.opening import Found, find_sets
from KPrismCore.training.datasets.sets import UNKNOWN, Reader
from KPrismCore.training.datasets.split import no_validation, part_warnings, split_warnings
from KPrismCore.training.datasets.store import SliceStore
from KPrismCore.training.packs import ImageSet, split_by_subject

SIZE = 256


def data(
    folder: Annotated[Path, typer.Argument(help="Folder of the data.")],
    sheet: Annotated[Path | None, typer.Option(help="Picture to write (.png), with outlines.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder to keep slices in, for training.")] = None,
    size: Annotated[int, typer.Option(min=32, help="Edge of the squares that training takes.")] = SIZE,
) -> None:
    """Show what train and evaluate would find in a folder.

    Layouts: images/ and masks/; name.nii.gz and name_seg.nii.gz; a folder per patient with image and label,
    or with a mask file per label; volumes with .seg.nrrd, or scenes (.mrb), of 3D Slicer; DICOM series with
    SEG; nnU-Net and Decathlon (dataset.json); the paper's public sets as published or as its authors
    converted them; training packs; anything that a kprism-data.toml in the folder describes. One folder may
    hold several.
    """
    if sheet is not None and sheet.suffix.lower() != ".png":
        raise OutputFileError(f"{sheet} has an unknown ending.", "Name a file that ends in .png.")
    console = Console()
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    found = find_sets(folder)
    reader = Reader(SliceStore(cache), skip_damaged=True, report=say)
    opened = {name: one.image_set(size, reader) for name, one in found.sets.items()}
    sets = [one for one in opened.values() if one is not None]
    # a name is rather broken than cut: --sets of `evaluate` takes it
    named = Column("set", overflow="fold")
    grid = Table(named, "layout", "modality", "patients", "images", "classes", title=escape(str(folder)))
    for name, one in found.sets.items():
        grid.add_row(*map(escape, (name, one.layout, *_row(opened[name]))))
    console.print(grid)
    for remark in _remarks(found, sets, reader):
        say(remark)
    if not sets:
        raise TrainingDataError(f"Nothing in {folder} is usable.", "See what is damaged above.")
    if sheet is not None:
        with atomic_path(sheet) as temporary:
            temporary.write_bytes(draw_contact_sheet(sets))
        say(f"{sheet} shows some of them.")


def _remarks(found: Found, sets: list[ImageSet], reader: Reader) -> Iterator[str]:
    """What the user should know, a sentence each."""
    yield from (f"{name}: {note}." for name, one in found.sets.items() for note in one.notes)
    unknown = [one.name for one in sets if one.modality == UNKNOWN]
    yield from (f"{name}: the modality is not known; a kprism-data.toml can tell it." for name in unknown)
    yield from (f"{name}: of no known layout, left out." for name in found.unknown)
    yield from (f"Damaged: {error.cause}" for error in reader.damaged)
    yield from (*split_warnings(sets), *part_warnings(sets), *no_validation(sets))


def _row(image_set: ImageSet | None) -> tuple[str, ...]:
    """Modality; subjects and images for training + for validation; labels with their images."""
    if image_set is None:
        return "-", "-", "-", "nothing usable"
    parts = split_by_subject(image_set)
    subjects = " + ".join(str(len({sample.subject for sample in part.samples})) for part in parts)
    images = " + ".join(str(len(part.samples)) for part in parts)
    shown = Counter(number for sample in image_set.samples for number in sample.labels())
    classes = ", ".join(f"{name} ({shown[number]})" for number, name in image_set.labels.items())
    return image_set.modality, subjects, images, classes
