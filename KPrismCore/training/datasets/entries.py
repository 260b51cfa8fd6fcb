"""Images of a set at their own size, one entry per case, for evaluation and for contact sheets."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.store import StoredSlices
from KPrismCore.training.packs import Pixels, volume_slices

Pair = tuple[Pixels, Pixels]


class Entries(ABC):
    """The cases of one set; an entry is a case's number, a slice its number within the case.

    Args:
        name: of the set.
        modality: in words.
        labels: names by number in the masks.
        subjects: patient of each entry.
        augmented: whether an entry is a warped copy that its source made.
    """

    def __init__(
        self,
        name: str,
        modality: str,
        labels: Mapping[int, str],
        subjects: Sequence[str],
        augmented: Sequence[bool] = (),
    ) -> None:
        self.name, self.modality = name, modality
        self.labels, self.subjects = dict(labels), tuple(subjects)
        self.augmented = tuple(augmented) or (False,) * len(self.subjects)

    @abstractmethod
    def slices(self, entry: int) -> list[Pair]:
        """Images uint8 (H, W) or (H, W, 3) and masks uint8 (H, W) of an entry."""

    @abstractmethod
    def checksum(self, entry: int) -> tuple[object, ...]:
        """Values that change with the images or masks of an entry."""

    @abstractmethod
    def spacing(self, entry: int, number: int) -> tuple[float, float]:
        """Mm from row to row and from column to column; (1, 1) where it is not known."""

    def aspect(self, entry: int, number: int) -> tuple[float, float]:
        """Spacing that prediction is to make square, as training did. Pixels of packs are taken as square
        whatever they are.
        """
        return 1.0, 1.0

    @abstractmethod
    def counterparts(self, entry: int, number: int, other: int) -> Iterable[int]:
        """Slices of another entry that may stand beside a slice of this one, the most alike first."""


class PackEntries(Entries):
    """The images of a pack, decoded when they are asked for.

    Args:
        path: the pack file.
        name: of the set; that of the pack's folder where empty.

    Raises:
        TrainingDataError: the file is not a complete pack.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        try:
            with np.load(path, allow_pickle=False) as archive:
                self._fields = {key: archive[key] for key in archive.files}
            meta = json.loads(str(self._fields["meta"]))
            labels = {int(number): str(name) for number, name in meta["labels"].items()}
            self._volumes = str(self._fields["kind"]) == "volumes"
            subjects = [str(subject) for subject in self._fields["subject"]]
            augmented = [bool(copy) for copy in self._fields["aug"]]
            super().__init__(name or path.parent.name, str(meta["modality"]), labels, subjects, augmented)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise TrainingDataError(
                f"{path} is not a complete pack ({error}).", "Copy or make it again."
            ) from error

    def slices(self, entry: int) -> list[Pair]:
        """The image, or of a volume at most 12 slices through the three planes."""
        image, mask = (self._bytes(*keys, entry) for keys in (("data", "off"), ("mdata", "moff")))
        if not self._volumes:
            return [(_picture(image), _picture(mask))]
        shape = tuple(int(length) for length in self._fields["shape"][entry])
        volumes = (np.frombuffer(content, np.uint8).reshape(shape) for content in (image, mask))
        return volume_slices(*volumes)

    def checksum(self, entry: int) -> tuple[object, ...]:
        """As `Entries.checksum`."""
        return tuple(zlib.crc32(self._bytes(*keys, entry)) for keys in (("data", "off"), ("mdata", "moff")))

    def spacing(self, entry: int, number: int) -> tuple[float, float]:
        """As `Entries.spacing`; of volumes, cut in all three planes, only equal spacings count as known."""
        known = self._fields.get("spacing")
        steps = [] if known is None else [float(step) for step in known[entry]]
        if len(steps) < 2 or not all(np.isfinite(step) and step > 0 for step in steps):
            return 1.0, 1.0
        if self._volumes and len(set(steps)) > 1:
            return 1.0, 1.0
        return steps[0], steps[1]

    def counterparts(self, entry: int, number: int, other: int) -> Iterable[int]:
        """The slice with the same number in the row of slices, so that planes agree."""
        return (number if self._volumes else 0,)

    def _bytes(self, data: str, offsets: str, entry: int) -> bytes:
        begin, end = (int(place) for place in self._fields[offsets][entry : entry + 2])
        content: bytes = self._fields[data][begin:end].tobytes()
        return content


class StoredEntries(Entries):
    """Cases whose slices are kept by a `SliceStore`.

    Args:
        name: of the set.
        modality: in words.
        labels: names by number in the masks.
        subjects: patient of each entry.
        stored: the kept slices of each entry.
        tables: per entry, uint8 (256,): the set's number of each of the case's.
    """

    def __init__(
        self,
        name: str,
        modality: str,
        labels: Mapping[int, str],
        subjects: Sequence[str],
        stored: Sequence[StoredSlices],
        tables: Sequence[Pixels],
    ) -> None:
        super().__init__(name, modality, labels, subjects)
        self._stored, self._tables = tuple(stored), tuple(tables)

    def slices(self, entry: int) -> list[Pair]:
        """The slices kept of a case."""
        stored, table = self._stored[entry], self._tables[entry]
        pairs = (stored.pixels(number) for number in range(len(stored)))
        return [(image, table[mask]) for image, mask in pairs]

    def checksum(self, entry: int) -> tuple[object, ...]:
        """As `Entries.checksum`, known without reading the pixels."""
        return *self._stored[entry].checksums, zlib.crc32(self._tables[entry].tobytes())

    def spacing(self, entry: int, number: int) -> tuple[float, float]:
        """As the file tells it; pictures have (1, 1)."""
        return self._stored[entry].spacings[number]

    def aspect(self, entry: int, number: int) -> tuple[float, float]:
        """As the file tells it, since `slicing.square` makes pixels square."""
        return self._stored[entry].spacings[number]

    def counterparts(self, entry: int, number: int, other: int) -> Iterable[int]:
        """All slices, those that lie alike in their volume first."""
        place, places = self._stored[entry].places[number], self._stored[other].places
        return sorted(range(len(places)), key=lambda one: (abs(places[one] - place), one))


def _picture(content: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(content)))
