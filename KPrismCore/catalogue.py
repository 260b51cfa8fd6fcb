"""The classes a checkpoint knows by name: read from a CSV file or the checkpoint, searched by the user."""

from __future__ import annotations

import csv
import difflib
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from KPrismCore.class_table import ClassEntry, broken, entry_from_row
from KPrismCore.errors import InputFileError, UnknownClassError
from KPrismCore.modalities import modality_key

__all__ = ["Catalogue", "ClassEntry", "load_catalogue"]

# likeness (difflib) from which on a misspelt word counts as meant
_FUZZY_CUTOFF = 0.7
_SUGGESTIONS = 4


@dataclass(frozen=True)
class Catalogue:
    """The classes of one checkpoint, in index order. Immutable.

    Raises:
        InputFileError: two classes share an index, a name or a synonym.
    """

    entries: tuple[ClassEntry, ...]
    _by_key: Mapping[str, ClassEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.entries, key=lambda entry: entry.index))
        for one, other in pairwise(ordered):
            if one.index == other.index:
                raise broken(f"the classes '{one.name}' and '{other.name}' have the same index {one.index}")
        by_key: dict[str, ClassEntry] = {}
        for entry in ordered:
            for name in entry.names:
                other = by_key.setdefault(_key(name), entry)
                if other is not entry:
                    raise broken(f"the classes '{other.name}' and '{entry.name}' share the name '{name}'")
        object.__setattr__(self, "entries", ordered)
        object.__setattr__(self, "_by_key", by_key)

    def __iter__(self) -> Iterator[ClassEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def trained(self) -> tuple[ClassEntry, ...]:
        """The classes that may be asked for."""
        return tuple(entry for entry in self.entries if entry.trained)

    def by_index(self, index: int) -> ClassEntry:
        """Return the class of a query slot (from 1), trained or not.

        Raises:
            UnknownClassError: no class has this index.
        """
        for entry in self.entries:
            if entry.index == index:
                return entry
        raise UnknownClassError(
            f"The model has no class with the index {index}.", "Ask for a class by its name."
        )

    def by_name(self, name: str) -> ClassEntry:
        """Return the class of this name or synonym; case, accents, spaces and punctuation do not count.

        Raises:
            UnknownClassError: there is no such class, or it was never trained; the remedy names near matches.
        """
        entry = self._by_key.get(_key(name))
        if entry is None:
            raise UnknownClassError(f"The model has no class '{name}'.", self._suggestion(name))
        if not entry.trained:
            raise UnknownClassError(
                f"The model was not trained for the class '{entry.name}'.",
                "Use clicks or references without a class, or take another class.",
            )
        return entry

    def search(self, text: str) -> list[ClassEntry]:
        """Return the trained classes that fit a text typed by the user, best first; all of them for no text.

        An equal name or synonym comes first, then one that begins with the text, one with a word
        that does, one that contains it, one that resembles it. Equals stay in index order.
        """
        if not _key(text):
            return list(self.trained)
        ranked = [(min(_rank(text, name) for name in entry.names), entry) for entry in self.trained]
        return [entry for rank, entry in sorted(ranked, key=lambda pair: pair[0]) if math.isfinite(rank)]

    def classes_for_modality(self, modality: str | None) -> tuple[ClassEntry, ...]:
        """Return the trained classes seen in a modality (CT, MRI, DICOM's DX); all of them for None or ''."""
        wanted = modality_key(modality or "")
        return tuple(e for e in self.trained if not wanted or wanted in map(modality_key, e.modality))

    def to_list(self) -> list[dict[str, str]]:
        """Return one dictionary of strings per class, with the columns of the class file, ready for JSON."""
        return [entry.to_row() for entry in self.entries]

    @classmethod
    def from_list(cls, rows: Iterable[Mapping[str, str]]) -> Catalogue:
        """Build from what `to_list` gives.

        Raises:
            InputFileError: a value is missing or wrong; the cause names the class and the value.
        """
        return cls(tuple(entry_from_row(row) for row in rows))

    def _suggestion(self, name: str) -> str:
        # abbreviations such as LV resemble too many words
        keys = [key for key, entry in self._by_key.items() if entry.trained and len(key) > 2]
        close = [self._by_key[key] for key in difflib.get_close_matches(_key(name), keys, n=_SUGGESTIONS)]
        near = dict.fromkeys(entry.name for entry in close + self.search(name))
        if near:
            return f"Did you mean {' or '.join(list(near)[:_SUGGESTIONS])}?"
        return f"Its classes are: {', '.join(entry.name for entry in self.trained)}."


def load_catalogue(path: str | os.PathLike[str]) -> Catalogue:
    """Read a class file (CSV, UTF-8, columns as in Resources/Classes).

    Raises:
        InputFileError: the file is missing or no class file, or one of its values is wrong.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            catalogue = Catalogue.from_list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputFileError(
            f"The class file {path} cannot be read ({error}).", "Name a class file (CSV)."
        ) from error
    except InputFileError as error:
        raise InputFileError(f"{path}: {error.cause}", error.remedy) from error
    if not len(catalogue):
        raise InputFileError(f"The class file {path} holds no class.", "Name a class file (CSV).")
    return catalogue


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", plain)


def _key(text: str) -> str:
    return "".join(_words(text))


def _rank(text: str, name: str) -> float:
    """Rank of a name for a searched text: 0 is equal, infinity is no match."""
    wanted, words = _key(text), _words(name)
    key = "".join(words)
    if key == wanted:
        return 0.0
    if key.startswith(wanted):
        return 1.0
    if any("".join(words[start:]).startswith(wanted) for start in range(1, len(words))):
        return 2.0
    if wanted in key:
        return 3.0
    likeness = max(difflib.SequenceMatcher(None, wanted, part).ratio() for part in [key, *words])
    return 5.0 - likeness if likeness >= _FUZZY_CUTOFF else math.inf
