"""What is evaluated: images at their own size, one label at a time, of subjects kept out of the training."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.packs import (
    MIN_TARGET_PIXELS,
    PACK_NAME,
    ImageSet,
    Pixels,
    Sample,
    split_by_subject,
    volume_slices,
)  # fmt: skip

_NOTHING = np.zeros((0, 0), dtype=np.uint8)
Pair = tuple[Pixels, Pixels]


@dataclass(frozen=True)
class Case:
    """One label on one image.

    Args:
        set_name: of the pack.
        entry: number of the image or volume in the pack.
        slice_index: number of the slice of a volume; 0 for an image.
        label: its number in the mask.
        label_name: its name.
        subject: the patient.
        identity: differs between any two cases, also of packs that share a name.
    """

    set_name: str
    entry: int
    slice_index: int
    label: int
    label_name: str
    subject: str
    identity: str


class EvaluationSet:
    """One pack, whose images are decoded when they are asked for.

    Args:
        path: the pack file; the set is named after its folder.
        everyone: take all subjects, for data that no training has seen; else the validation subjects
            of `split_by_subject`.

    Raises:
        TrainingDataError: the file is not a complete pack.
    """

    def __init__(self, path: Path, *, everyone: bool = False) -> None:
        try:
            with np.load(path, allow_pickle=False) as archive:
                self._fields = {key: archive[key] for key in archive.files}
            meta = json.loads(str(self._fields["meta"]))
            self.labels = {int(number): str(name) for number, name in meta["labels"].items()}
            self.modality = str(meta["modality"])
            self.name = path.parent.name
            self._subjects = [str(subject) for subject in self._fields["subject"]]
            self._volumes = str(self._fields["kind"]) == "volumes"
            whole = ImageSet(self.name, self.modality, self.labels, tuple(self._stand_ins()))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise TrainingDataError(
                f"{path} is not a complete pack ({error}).", "Copy or make it again."
            ) from error
        training, held = split_by_subject(whole)
        self._asked = _entries(
            sample for sample in (whole if everyone else held).samples if not sample.augmented
        )
        self._known = _entries((whole if everyone else training).samples)
        self.slices = lru_cache(maxsize=16)(self._decoded)

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
        volume, the slice with the same number in the row of slices through the three planes, so that planes
        agree.
        """
        return list(islice(self._row_of_references(case), count))

    def spacing(self, case: Case) -> tuple[float, float]:
        """Mm from row to row and from column to column; (1, 1) where it is not known.

        Slices of a volume are cut in all three planes; for them only equal spacings count as known.
        """
        known = self._fields.get("spacing")
        steps = [] if known is None else [float(step) for step in known[case.entry]]
        if len(steps) < 2 or not all(np.isfinite(step) and step > 0 for step in steps):
            return 1.0, 1.0
        if self._volumes and len(set(steps)) > 1:
            return 1.0, 1.0
        return steps[0], steps[1]

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
        number = case.slice_index if self._volumes else 0
        if number >= len(pairs):
            return None
        image, mask = pairs[number]
        enough = np.count_nonzero(mask == case.label) >= MIN_TARGET_PIXELS
        return (image, mask == case.label) if enough else None

    def _stand_ins(self) -> Iterable[Sample]:
        """Samples without pixels, which is all that the split looks at; named by their number."""
        for entry, (subject, augmented) in enumerate(zip(self._subjects, self._fields["aug"], strict=True)):
            yield Sample(_NOTHING, _NOTHING, subject, str(entry), bool(augmented))

    def _cases_of(self, entry: int) -> Iterable[Case]:
        for number, (image, mask) in enumerate(self.slices(entry)):
            counts = np.bincount(mask.ravel(), minlength=max(self.labels) + 1)
            for label, label_name in self.labels.items():
                if counts[label] >= MIN_TARGET_PIXELS:
                    content = _hash(image.tobytes() + mask.tobytes())[:8]
                    identity = f"{self.name}/{entry}.{number}:{label}#{content}"
                    yield Case(self.name, entry, number, label, label_name, self._subjects[entry], identity)

    def _decoded(self, entry: int) -> list[Pair]:
        image, mask = (self._bytes(*keys, entry) for keys in (("data", "off"), ("mdata", "moff")))
        if not self._volumes:
            return [(_picture(image), _picture(mask))]
        shape = tuple(int(length) for length in self._fields["shape"][entry])
        volumes = (np.frombuffer(content, np.uint8).reshape(shape) for content in (image, mask))
        return volume_slices(*volumes)

    def _bytes(self, data: str, offsets: str, entry: int) -> bytes:
        begin, end = (int(place) for place in self._fields[offsets][entry : entry + 2])
        content: bytes = self._fields[data][begin:end].tobytes()
        return content


def evaluation_sets(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """The packs of a folder, `<folder>/<set>/train.npz`, by name.

    Args:
        folder: holds one folder per set.
        names: the sets wanted; all where empty.

    Raises:
        TrainingDataError: there is none, or one of the names is not there.
    """
    paths = {path.parent.name: path for path in sorted(folder.glob(f"*/{PACK_NAME}"))}
    if not paths:
        raise TrainingDataError(
            f"{folder} holds no pack.", f"Choose the folder that holds <set>/{PACK_NAME}."
        )
    missing = sorted(set(names) - set(paths))
    if missing:
        raise TrainingDataError(f"{folder} has no set {', '.join(missing)}.", f"It has {', '.join(paths)}.")
    return [path for name, path in paths.items() if not names or name in names]


def _entries(samples: Iterable[Sample]) -> list[int]:
    return [int(sample.name) for sample in samples]


def _picture(content: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(content)))


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
