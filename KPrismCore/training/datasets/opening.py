"""Opens a data folder, whatever its layout, for training or evaluation.

The layouts are tried in order on the folder itself; where none fits, on each folder below it, so that one
folder may hold sets of several layouts. Deeper ones are tried only where none of a level has sets. Tables of
published sets often fit the folder around a set as well: what lies beside it there is looked at too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.converted_layout import ConvertedLayout
from KPrismCore.training.datasets.dicom_layout import DicomLayout
from KPrismCore.training.datasets.entries import Entries
from KPrismCore.training.datasets.folder_layout import FolderLayout
from KPrismCore.training.datasets.label_files_layout import LabelFilesLayout
from KPrismCore.training.datasets.nnunet_layout import NnUNetLayout
from KPrismCore.training.datasets.pack_layout import PackLayout
from KPrismCore.training.datasets.published_layout import PublishedLayout
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet, Reader, Report
from KPrismCore.training.datasets.slicer_layout import SlicerLayout
from KPrismCore.training.datasets.split import no_validation, part_warnings, split_warnings
from KPrismCore.training.datasets.store import SliceStore
from KPrismCore.training.datasets.tree import Tree
from KPrismCore.training.packs import ImageSet

SEARCH_DEPTH = 3


class Layout(Protocol):
    """One way to lay out a data set."""

    def recognises(self, tree: Tree) -> bool:
        """Whether a folder has this layout."""
        ...

    def sets(self, tree: Tree) -> list[OpenSet]:
        """The sets of a folder that has it."""
        ...


# published sets come before nnU-Net, whose description some of them carry; plain folders last
LAYOUTS: tuple[Layout, ...] = (
    PackLayout(), PublishedLayout(), ConvertedLayout(), NnUNetLayout(), SlicerLayout(), DicomLayout(),
    LabelFilesLayout(),
    FolderLayout(),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a data folder holds: its sets by name, and the folders beside them that no layout fits."""

    sets: dict[str, OpenSet]
    unknown: tuple[str, ...]


def find_sets(path: Path, names: Sequence[str] = ()) -> Found:
    """Find the sets of a folder without reading any image.

    Args:
        path: the folder.
        names: the sets wanted; all where empty.

    Raises:
        TrainingDataError: no such folder, no set in it, or one of the names is not there.
        KPrismError: a description of a set is malformed.
    """
    if not path.is_dir():
        raise TrainingDataError(f"{path} is no folder.", "Name the folder that holds the data.")
    opened, unknown = _found(Tree.of(path), SEARCH_DEPTH)
    if not opened:
        raise TrainingDataError(
            f"{path} holds no data of a known layout.",
            "See `python3 kprism.py data --help` for the layouts, or describe yours in a kprism-data.toml.",
        )
    sets: dict[str, OpenSet] = {}
    for one in opened:
        part = sets.get(one.name)
        if isinstance(one, OpenFiles) and isinstance(part, OpenFiles) and one.published and part.published:
            sets[one.name] = part.joined(one)
            continue
        one.name = _free_name(one.name, sets)
        sets[one.name] = one
    missing = sorted(set(names) - set(sets))
    if missing:
        raise TrainingDataError(f"{path} has no set {', '.join(missing)}.", f"It has {', '.join(sets)}.")
    wanted = {name: one for name, one in sets.items() if not names or name in names}
    return Found(wanted, tuple(unknown))


def open_data(
    path: Path,
    size: int,
    *,
    skip_damaged: bool = False,
    cache: Path | None = None,
    report: Report = print,
) -> list[ImageSet]:
    """Open a data folder of any known layout for training.

    Args:
        path: the folder.
        size: edge S of the squares in pixels.
        skip_damaged: leave damaged files out and name them, instead of an error that names them all.
        cache: folder in which slices of volumes and pictures are kept between runs; a temporary one where
            None. report: where warnings go.

    Raises:
        TrainingDataError: nothing usable, or damaged files.
        KPrismError: see `find_sets`.
    """
    reader = Reader(SliceStore(cache), skip_damaged, report)
    there = find_sets(path)
    for name in there.unknown:
        report(f"{name}: of no known layout, left out.")
    found = [one.image_set(size, reader) for one in there.sets.values()]
    reader.finish()
    sets = [one for one in found if one is not None]
    if not any(one.samples for one in sets):
        raise TrainingDataError(f"{path} shows no image with a mask to learn from.", "Check the masks.")
    for warning in [*split_warnings(sets), *part_warnings(sets), *no_validation(sets)]:
        report(warning)
    return sets


def open_entries(
    path: Path,
    names: Sequence[str] = (),
    *,
    skip_damaged: bool = False,
    cache: Path | None = None,
    report: Report = print,
) -> dict[str, Entries]:
    """Open a data folder for evaluation, at the images' own size; arguments and errors as `open_data`."""
    reader = Reader(SliceStore(cache), skip_damaged, report)
    found = {name: one.entries(reader) for name, one in find_sets(path, names).sets.items()}
    reader.finish()
    return {name: entries for name, entries in found.items() if entries is not None}


def _found(tree: Tree, depth: int) -> tuple[list[OpenSet], list[str]]:
    """The sets of a folder, or of the nearest level below it that has any; and what has none on it."""
    level = [tree]
    while level:
        fitting = [(one, next((kind for kind in LAYOUTS if kind.recognises(one)), None)) for one in level]
        opened, unknown = [], [one for one, layout in fitting if layout is None]
        for one, layout in fitting:
            found = [] if layout is None else layout.sets(one)
            opened += found
            for name in _beside(one, found) if isinstance(layout, PublishedLayout) else ():
                further, strange = _found(one.below(name), depth - 1)
                opened += further
                unknown += [one.below(name)] if not further else [one.below(name).below(s) for s in strange]
        if opened:
            return opened, [one.folder.relative_to(tree.folder).as_posix() for one in unknown]
        depth -= 1
        level = [one.below(name) for one in level for name in one.folders] if depth >= 0 else []
    return [], []


def _beside(tree: Tree, found: Sequence[OpenSet]) -> list[str]:
    """The folders in which no set found has files; none where one has some in the folder around them."""
    used = {place for one in found for place in one.places(tree.folder)}
    return [] if "" in used else [name for name in tree.folders if name not in used]


def _free_name(name: str, taken: dict[str, OpenSet]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
