"""Public data sets in the layout they are published in, described by tables (Resources/DataSets).

A table says by a regular expression which files are images (relative to the set's top folder), and by
templates of its named groups where an image's masks are and whose they are. A file `kprism-data.toml` of the
same form in a data folder describes any other layout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.training.datasets.cases import FileCase
from KPrismCore.training.datasets.content import FileSet, Label, plain_name
from KPrismCore.training.datasets.mask_files import MASK_READERS
from KPrismCore.training.datasets.sets import OpenFiles, OpenSet
from KPrismCore.training.datasets.tree import Tree

TABLES = Path(__file__).resolve().parents[3] / "Resources" / "DataSets"
OWN_TABLE = "kprism-data.toml"
_KEYS = {
    "name",
    "window",
    "folder",
    "title",
    "modality",
    "plane",
    "image",
    "masks",
    "subject",
    "reader",
    "labels",
}


@dataclass(frozen=True)
class PublishedSet:
    """One table.

    Args:
        name: of the set; tables of the same name are parts of one set.
        title: in words.
        modality: in words.
        plane: kinds of slices with spaces between; empty for the one a volume was acquired in.
        folder: matches the name of the set's top folder, for layouts that tell too little.
        image: matches the paths of images.
        masks: templates of mask paths, where * stands for any part of a name; the first that fits any file.
        subject: template of the patient.
        reader: key of `MASK_READERS`.
        labels: what the masks show.
        window: values that become black and white; None to find them as prediction does.
    """

    name: str
    title: str
    modality: str
    plane: str
    folder: re.Pattern[str]
    image: re.Pattern[str]
    masks: tuple[str, ...]
    subject: str
    reader: str
    labels: tuple[Label, ...]
    window: tuple[float, float] | None = None

    def cases(self, tree: Tree) -> tuple[list[FileCase], int]:
        """The images that have masks, and the number of those that have none."""
        cases: list[FileCase] = []
        without = 0
        if self.folder.fullmatch(tree.name) is None:
            return cases, without
        for file in tree.files:
            found = self.image.fullmatch(file)
            if found is None:
                continue
            groups = {key: value or "" for key, value in found.groupdict().items()}
            masks = self._masks(tree, groups)
            without += not masks
            if masks:
                cases.append(
                    FileCase(
                        subject=self.subject.format_map(groups),
                        name=file,
                        image=tree.path(file),
                        masks=tuple(tree.path(mask) for mask in masks),
                        labels=self.labels,
                        reader=self.reader,
                        modality=self.modality,
                        value_range=self.window,
                    )
                )
        return cases, without

    def _masks(self, tree: Tree, groups: Mapping[str, str]) -> list[str]:
        for template in self.masks:
            name = template.format_map(groups)
            if "*" not in name:
                if name in tree.file_set:
                    return [name]
                continue
            pattern = re.compile(re.escape(name).replace(r"\*", "[^/]*"))
            found = [file for file in tree.siblings(name) if pattern.fullmatch(file)]
            if found:
                return found
        return []


class PublishedLayout:
    """See the module."""

    def recognises(self, tree: Tree) -> bool:
        """Whether any image of any table is there, with its mask."""
        return bool(self._found(tree))

    def sets(self, tree: Tree) -> list[OpenSet]:
        """The sets that are there.

        Raises:
            InputFileError: a table is malformed.
        """
        opened: list[OpenSet] = []
        for name, parts in self._found(tree).items():
            cases = tuple(case for _, found, _ in parts for case in found)
            without = sum(missing for _, _, missing in parts)
            notes = (f"{without} images have no published mask",) if without else ()
            first = parts[0][0]
            files = FileSet(name, first.title, first.modality, cases, first.plane, notes)
            opened.append(OpenFiles(files, published=True))
        return opened

    def _found(self, tree: Tree) -> dict[str, list[tuple[PublishedSet, list[FileCase], int]]]:
        tables = list(published_sets())
        if OWN_TABLE in tree.here:
            tables = [*read_table(tree.path(OWN_TABLE)), *tables]
        found: dict[str, list[tuple[PublishedSet, list[FileCase], int]]] = {}
        for table in tables:
            cases, without = table.cases(tree)
            if cases:
                found.setdefault(table.name, []).append((table, cases, without))
        return found


@lru_cache(maxsize=1)
def published_sets() -> tuple[PublishedSet, ...]:
    """The tables that come with the program; none in a Python older than 3.11, which cannot read them.

    Raises:
        InputFileError: a table is malformed.
    """
    if find_spec("tomllib") is None:
        return ()
    return tuple(one for path in sorted(TABLES.glob("*.toml")) for one in read_table(path))


def read_table(path: Path) -> list[PublishedSet]:
    """Read a file of tables `[[sets]]`; see `PublishedSet` for the keys.

    Raises:
        InputFileError: it is not TOML, or a table is malformed; or this Python is older than 3.11.
    """
    try:
        import tomllib
    except ModuleNotFoundError as error:
        raise InputFileError("Data tables need Python 3.11 or newer.", "Use a newer Python.") from error
    try:
        return [_set(values) for values in tomllib.loads(path.read_text(encoding="utf-8"))["sets"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, re.error, TrainingDataError) as error:
        raise InputFileError(
            f"{path} is no table of data sets ({error}).", "Compare it with Resources/DataSets."
        ) from error


def _set(values: Mapping[str, Any]) -> PublishedSet:
    unknown = sorted(set(values) - _KEYS)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}")
    reader = str(values.get("reader", "labelmap"))
    if reader not in MASK_READERS:
        raise ValueError(f"no reader {reader}; there are {', '.join(MASK_READERS)}")
    image = re.compile(values["image"])
    masks, subject = _texts(values["masks"]), str(values["subject"])
    for template in (*masks, subject):
        template.format_map(dict.fromkeys(image.groupindex, ""))
    return PublishedSet(
        plain_name(values["name"]), str(values.get("title", values["name"])), str(values["modality"]),
        str(values.get("plane", "")), re.compile(values.get("folder", ".*")), image, masks, subject, reader,
        tuple(_label(label) for label in values["labels"]), _window(values.get("window")),
    )  # fmt: skip


def _window(values: Sequence[float] | None) -> tuple[float, float] | None:
    if values is None:
        return None
    low, high = (float(value) for value in values)
    if not low < high:
        raise ValueError("a window does not increase")
    return low, high


def _texts(values: str | Sequence[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _label(values: Mapping[str, Any]) -> Label:
    numbers = values.get("values", [])
    return Label(plain_name(values["name"]), tuple(int(one) for one in numbers), int(values.get("number", 0)))
