"""What is evaluated: images at their own size, one label at a time, of subjects kept out of the training."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.entries import Entries, PackEntries
from KPrismCore.training.datasets.hung_entries import HungEntries
from KPrismCore.training.datasets.opening import open_entries
from KPrismCore.training.packs import MIN_TARGET_PIXELS, ImageSet, Pixels, Sample, split_by_subject

_NOTHING = np.zeros((0, 0), dtype=np.uint8)
# decoded entries: references come from all subjects in turn
SLICES_AT_HAND = 8
LARGE = 512


@dataclass(frozen=True)
class Case:
    """One label on one image.

    Args:
        set_name: of the set.
        entry: number of the image or volume in the set.
        slice_index: number of the slice of a volume; 0 for an image.
        label: its number in the mask.
        label_name: its name.
        subject: the patient.
        identity: differs between any two cases, also of sets that share a name.
    """

    set_name: str
    entry: int
    slice_index: int
    label: int
    label_name: str
    subject: str
    identity: str


class EvaluationSet:
    """One set, whose images are decoded when they are asked for.

    Args:
        source: the set's images at their own size (`datasets.opening.open_entries`), or the path of a pack.
        everyone: take all subjects, for data that no training has seen; else the validation subjects
            of `split_by_subject`.

    Raises:
        TrainingDataError: the file is not a complete pack.
    """

    def __init__(self, source: Entries | Path, *, everyone: bool = False) -> None:
        self._entries = PackEntries(source) if isinstance(source, Path) else source
        self.labels, self.modality, self.name = (
            self._entries.labels, self._entries.modality, self._entries.name,
        )  # fmt: skip
        self._subjects = self._entries.subjects
        whole = ImageSet(self.name, self.modality, self.labels, tuple(self._stand_ins()))
        training, held = split_by_subject(whole)
        self._asked = _entries(
            sample for sample in (whole if everyone else held).samples if not sample.augmented
        )
        self._known = _entries((whole if everyone else training).samples)
        self.slices = lru_cache(maxsize=SLICES_AT_HAND)(self._entries.slices)

    @cached_property
    def known(self) -> str:
        """A hash of all that references may be taken from, and in which order."""
        entries = ((entry, self._subjects[entry], self._entries.checksum(entry)) for entry in self._known)
        return _hash(repr(list(entries)))[:16]

    def cases(self, limit: int | None = None) -> list[Case]:
        """All cases with at least 16 pixels, or a subset that is always the same.

        The subset takes the labels in turn, and for each label as many subjects as possible.
        """
        found = [case for entry in self._asked for case in self._cases_of(entry)]
        return found if limit is None else _spread(found, limit)

    def pixels(self, case: Case) -> tuple[Pixels, NDArray[np.bool_]]:
        """The image, uint8 (H, W) or (H, W, 3), and the truth (H, W)."""
        image, mask = self.slices(case.entry)[case.slice_index]
        return image, mask == case.label

    def reference(self, case: Case) -> tuple[Pixels, NDArray[np.bool_]] | None:
        """An image of another subject, and where the case's label is on it; None where there is none.

        Always the same one for a case: the first of `references`.
        """
        return next(iter(self.references(case, 1)), None)

    def references(self, case: Case, count: int) -> list[tuple[Pixels, NDArray[np.bool_]]]:
        """Up to so many different references of a case, none of its own subject; the first is `reference`.

        Always the same row of references for a case: every other subject once before any comes twice. Of a
        volume, the slice that lies most alike (`Entries.counterparts`).
        """
        return list(islice(self._row_of_references(case), count))

    def spacing(self, case: Case) -> tuple[float, float]:
        """Mm from row to row and from column to column; (1, 1) where it is not known."""
        return self._entries.spacing(case.entry, case.slice_index)

    def aspect(self, case: Case) -> tuple[float, float]:
        """Spacing that prediction makes square (`Entries.aspect`); (1, 1) to leave pixels as they are."""
        return self._entries.aspect(case.entry, case.slice_index)

    def _row_of_references(self, case: Case) -> Iterator[tuple[Pixels, NDArray[np.bool_]]]:
        others = [entry for entry in self._known if self._subjects[entry] != case.subject]
        used: set[str] = set()
        postponed = []
        for entry in sorted(others, key=lambda entry: _hash(f"{case.identity}>{entry}")):
            if self._subjects[entry] in used:
                postponed.append(entry)
                continue
            pair = self._labelled(case, entry)
            if pair is not None:
                used.add(self._subjects[entry])
                yield pair
        yield from (pair for pair in (self._labelled(case, entry) for entry in postponed) if pair is not None)

    def _labelled(self, case: Case, entry: int) -> tuple[Pixels, NDArray[np.bool_]] | None:
        """The entry's image and where the case's label is on it; None where it is not."""
        pairs = self.slices(entry)
        for number in self._entries.counterparts(case.entry, case.slice_index, entry):
            image, mask = pairs[number] if number < len(pairs) else (_NOTHING, _NOTHING)
            if np.count_nonzero(mask == case.label) >= least_pixels(mask.shape):
                return image, mask == case.label
        return None

    def _stand_ins(self) -> Iterable[Sample]:
        """Samples without pixels, which is all that the split looks at; named by their number."""
        for entry, (subject, augmented) in enumerate(
            zip(self._subjects, self._entries.augmented, strict=True)
        ):
            yield Sample(_NOTHING, _NOTHING, subject, str(entry), bool(augmented))

    def _cases_of(self, entry: int) -> Iterable[Case]:
        for number, (image, mask) in enumerate(self.slices(entry)):
            counts = np.bincount(mask.ravel(), minlength=max(self.labels) + 1)
            for label, label_name in self.labels.items():
                if counts[label] >= least_pixels(mask.shape):
                    content = _hash(image.tobytes() + mask.tobytes())[:8]
                    identity = f"{self.name}/{entry}.{number}:{label}#{content}"
                    yield Case(self.name, entry, number, label, label_name, self._subjects[entry], identity)


def least_pixels(shape: tuple[int, ...]) -> float:
    """Pixels that a label needs on an image (H, W): 16, and more on images larger than 512 x 512, where 16
    would be lost at the network's size.
    """
    return MIN_TARGET_PIXELS * max(1.0, max(shape, default=0) / LARGE) ** 2


@dataclass(frozen=True)
class DataPlace:
    """Where the data are, and how they are opened: the same in every process.

    Args:
        folder: holds the data, in any known layout.
        skip_damaged: leave damaged files out and name them.
        cache: folder in which slices are kept between runs; a temporary one where None.
        hanging: by set name how its images are turned, see `hanging`; the others stay as they are.
    """

    folder: Path
    skip_damaged: bool = False
    cache: Path | None = None
    hanging: Mapping[str, str] = field(default_factory=dict)

    def sets(self, names: Sequence[str] = (), *, everyone: bool = False) -> dict[str, EvaluationSet]:
        """Open sets by name.

        Args:
            names: the sets wanted; all where empty.
            everyone: as `EvaluationSet` takes it.

        Raises:
            TrainingDataError: there is none, one of the names is not there, sets are to be turned but none of
                these, or files are damaged.
        """
        found = open_entries(self.folder, names, skip_damaged=self.skip_damaged, cache=self.cache)
        if self.hanging and not self.hanging.keys() & found:
            raise TrainingDataError(
                f"None of the sets that are to be turned is there: {', '.join(self.hanging)}.",
                f"There are {', '.join(found)}; leave --hanging out, or name these in its table.",
            )
        turned = {
            name: HungEntries(entries, self.hanging[name]) if name in self.hanging else entries
            for name, entries in found.items()
        }
        return {name: EvaluationSet(entries, everyone=everyone) for name, entries in turned.items()}


def _entries(samples: Iterable[Sample]) -> list[int]:
    return [int(sample.name) for sample in samples]


def _hash(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def _spread(cases: Sequence[Case], limit: int) -> list[Case]:
    """A subset in which every label, and for each label every subject, comes once before any comes twice."""
    used: Counter[tuple[Any, ...]] = Counter()
    by_label: dict[int, list[tuple[int, str, Case]]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: _hash(case.identity)):
        by_label[case.label].append((used[case.label, case.subject], _hash(case.identity), case))
        used[case.label, case.subject] += 1
    ranked = []
    for label, entries in by_label.items():
        ordered = sorted(entries, key=lambda entry: entry[:2])
        ranked += [(rank, label, case) for rank, (_, _, case) in enumerate(ordered)]
    chosen = sorted(ranked, key=lambda entry: entry[:2])[:limit]
    return sorted(
        (case for _, _, case in chosen), key=lambda case: (case.entry, case.slice_index, case.label)
    )
