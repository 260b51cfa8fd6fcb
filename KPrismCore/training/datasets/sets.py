"""Sets that can be opened: for training as squares, for evaluation at the images' own size."""

from __future__ import annotations

import time
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from KPrismCore.errors import KPrismError, OutputFileError, TrainingDataError
from KPrismCore.training.datasets.content import MAX_LABELS, DataCase, FileSet, Label
from KPrismCore.training.datasets.entries import Entries, PackEntries, StoredEntries
from KPrismCore.training.datasets.store import SliceStore, StoredSlices
from KPrismCore.training.packs import ImageSet, Pixels, Sample, read_pack

Report = Callable[[str], None]
Read = TypeVar("Read")
UNKNOWN = "unknown"
_NAMED = 10
# seconds
_SILENCE = 20.0


@dataclass(eq=False)
class Reader:
    """Reads cases through a store and remembers the damaged ones.

    Args:
        store: of the slices.
        skip_damaged: leave damaged cases out and say so, instead of an error at the end.
        report: where to say it.
    """

    store: SliceStore
    skip_damaged: bool = False
    report: Report = print
    damaged: list[KPrismError] = field(default_factory=list)

    def slices(self, case: DataCase, size: int, plane: str) -> StoredSlices | None:
        """The case's slices; None for a damaged case, which is remembered.

        Raises:
            OutputFileError: the slices cannot be kept.
        """
        try:
            return self.store.slices(case, size, plane)
        except OutputFileError:
            raise
        except KPrismError as error:
            self.damaged.append(_naming_files(error, case))
            return None

    def pack(self, read: Callable[[], Read]) -> Read | None:
        """What a function that reads a pack gives; None for a damaged one, which is remembered."""
        try:
            return read()
        except TrainingDataError as error:
            self.damaged.append(error)
            return None

    def finish(self) -> None:
        """Speak about the damaged cases.

        Raises:
            TrainingDataError: there are any, and they are not to be skipped.
        """
        if not self.damaged:
            return
        causes = [error.cause for error in self.damaged]
        if not self.skip_damaged:
            more = f" And {len(causes) - _NAMED} more." if len(causes) > _NAMED else ""
            # what helps, where it is the same for all
            remedies = {error.remedy for error in self.damaged}
            remedy = remedies.pop() if len(remedies) == 1 else "Mend them or copy them again."
            raise TrainingDataError(
                f"{len(causes)} damaged: {' '.join(causes[:_NAMED])}{more}",
                f"{remedy} Or leave them out with --skip-damaged.",
            )
        for cause in causes:
            self.report(f"Skipped: {cause}")


def _naming_files(error: KPrismError, case: DataCase) -> KPrismError:
    """The error with the case's first files, unless it names one of them already."""
    files = case.files
    if not files or any(str(file) in error.cause for file in files):
        return error
    more = [file.name for file in files[1:3]] + ["..."] * (len(files) > 3)
    return type(error)(f"{' with '.join([str(files[0]), *more])}: {error.cause}", error.remedy)


class OpenSet(ABC):
    """One set of a data folder.

    Args:
        name: of the set.
        layout: how it was recognised, in words.
        notes: what the user should know about it.
    """

    def __init__(self, name: str, layout: str, notes: tuple[str, ...] = ()) -> None:
        self.name, self.layout, self.notes = name, layout, notes

    def places(self, folder: Path) -> set[str]:
        """In which folders directly in this one the set has files; an empty name stands for itself."""
        return {""}

    @abstractmethod
    def image_set(self, size: int, reader: Reader) -> ImageSet | None:
        """The set as squares for training; None where nothing of it is usable."""

    @abstractmethod
    def entries(self, reader: Reader) -> Entries | None:
        """The set at its own size for evaluation; None where nothing of it is usable."""


class OpenPack(OpenSet):
    """A training pack (`packs`)."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent.name, "training pack")
        self._path = path

    def image_set(self, size: int, reader: Reader) -> ImageSet | None:
        """See `read_pack`."""
        read = reader.pack(lambda: read_pack(self._path, size))
        return replace(read, name=self.name) if read is not None else None

    def entries(self, reader: Reader) -> Entries | None:
        """See `PackEntries`."""
        return reader.pack(lambda: PackEntries(self._path, self.name))


class OpenFiles(OpenSet):
    """A set of cases in files.

    Args:
        files: the cases.
        published: parts in several folders are one set, whose patients are the same by name.
    """

    def __init__(self, files: FileSet, *, published: bool = False) -> None:
        super().__init__(files.name, files.layout, files.notes)
        self._files, self.published = files, published

    def joined(self, other: OpenFiles) -> OpenFiles:
        """This set with another part of it."""
        layouts = dict.fromkeys((self._files.layout, other._files.layout))
        files = replace(
            self._files,
            layout=" and ".join(layouts),
            cases=self._files.cases + other._files.cases,
            notes=tuple(dict.fromkeys(self._files.notes + other._files.notes)),
        )
        return OpenFiles(files, published=self.published)

    def places(self, folder: Path) -> set[str]:
        """See `OpenSet`."""
        files = (file.relative_to(folder) for case in self._files.cases for file in case.files)
        return {file.parts[0] if len(file.parts) > 1 else "" for file in files}

    def image_set(self, size: int, reader: Reader) -> ImageSet | None:
        """Squares that stay on disk until they are looked at."""
        cases, stored, labels = self._read(size, reader)
        samples: list[Sample] = []
        for case, slices in zip(cases, stored, strict=True):
            table = number_table(slices.labels, labels)
            samples += [StoredSample(slices, number, table, case) for number in range(len(slices))]
        if not samples:
            return None
        codes = {label.name: label.terminology for one in stored for label in one.labels if label.terminology}
        return ImageSet(self.name, self._modality(stored), labels, tuple(samples), codes)

    def entries(self, reader: Reader) -> Entries | None:
        """Slices at their own size, which stay on disk until they are looked at."""
        cases, stored, labels = self._read(0, reader)
        if not stored:
            return None
        tables = [number_table(slices.labels, labels) for slices in stored]
        subjects = [case.subject for case in cases]
        return StoredEntries(self.name, self._modality(stored), labels, subjects, stored, tables)

    def _read(self, size: int, reader: Reader) -> tuple[list[DataCase], list[StoredSlices], dict[int, str]]:
        read = list(self._slices(size, reader))
        # cases that show nothing must not count in the split either, which training and evaluation make alike
        usable = [(case, slices) for case, slices in read if slices is not None and len(slices)]
        empty = sum(slices is not None and not len(slices) for _, slices in read)
        if empty:
            reader.report(f"{self.name}: {empty} of {len(read)} images have no mask of 16 pixels or more.")
        labels = number_labels(label for _, slices in usable for label in slices.labels)
        return [case for case, _ in usable], [slices for _, slices in usable], labels

    def _slices(self, size: int, reader: Reader) -> Iterator[tuple[DataCase, StoredSlices | None]]:
        """Read case by case, with a word from time to time: hundreds of volumes take minutes at first."""
        spoken = time.monotonic()
        for number, case in enumerate(self._files.cases, start=1):
            yield case, reader.slices(case, size, self._files.plane)
            if time.monotonic() - spoken > _SILENCE:
                spoken = time.monotonic()
                reader.report(f"{self.name}: {number} of {len(self._files.cases)} images read.")

    def _modality(self, stored: Sequence[StoredSlices]) -> str:
        """The set's own, else the most frequent one of the images."""
        known = Counter(slices.modality for slices in stored if slices.modality)
        return self._files.modality or (known.most_common(1)[0][0] if known else UNKNOWN)


class StoredSample(Sample):
    """A sample whose pixels are read from the store each time they are asked for."""

    def __init__(self, stored: StoredSlices, number: int, table: Pixels, case: DataCase) -> None:
        values = {
            "subject": case.subject, "name": case.name, "augmented": False,
            "_stored": stored, "_number": number, "_table": table,
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)

    _stored: StoredSlices
    _number: int
    _table: Pixels

    @property
    def image(self) -> Pixels:
        """Image uint8 S x S or S x S x 3."""
        return self._stored.pixels(self._number)[0]

    @property
    def mask(self) -> Pixels:
        """Mask uint8 S x S of the set's labels."""
        return self._table[self._stored.pixels(self._number)[1]]

    @property
    def fingerprint(self) -> str:
        """A hash of the image's bytes."""
        return self._stored.fingerprints[self._number]

    def labels(self) -> list[int]:
        """The labels with at least 16 pixels, which are known without reading the pixels."""
        return sorted(int(self._table[number]) for number in self._stored.present[self._number])

    def checksum(self) -> tuple[int, ...]:
        """Numbers that change with the pixels, known without reading these."""
        return *self._stored.checksums[self._number], zlib.crc32(self._table.tobytes())


def number_labels(labels: Iterable[Label]) -> dict[int, str]:
    """Number the labels of a set by name: those that want a number get it where it is free.

    Raises:
        TrainingDataError: there are more than 255.
    """
    wanted: dict[str, int] = {}
    for label in labels:
        wanted[label.name] = wanted.get(label.name) or label.number
    if len(wanted) > MAX_LABELS:
        raise TrainingDataError(
            f"A set has {len(wanted)} labels; {MAX_LABELS} are possible.", "Split it into several sets."
        )
    numbered: dict[int, str] = {}
    for name in sorted(wanted, key=lambda name: (wanted[name] == 0, wanted[name], name)):
        free = (number for number in range(1, MAX_LABELS + 1) if number not in numbered)
        number = wanted[name] if 0 < wanted[name] <= MAX_LABELS else 0
        numbered[number if number and number not in numbered else next(free)] = name
    return dict(sorted(numbered.items()))


def number_table(labels: Sequence[Label], numbered: dict[int, str]) -> Pixels:
    """Make the table (256,) from a case's numbers to its set's."""
    numbers = {name: number for number, name in numbered.items()}
    table = np.zeros(MAX_LABELS + 1, dtype=np.uint8)
    for position, label in enumerate(labels, start=1):
        table[position] = numbers[label.name]
    return table
