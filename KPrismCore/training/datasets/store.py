"""Slices kept on disk, one compressed file per case, so that volumes are read once and memory stays small.

A file is named by a hash of what decides its content: the case, the size and age of its files, the size of
the slices, and the version of the preparation. It is complete or not there; a damaged one is made anew.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from KPrismCore.atomic import atomic_path
from KPrismCore.errors import InputFileError
from KPrismCore.preprocess import DEFAULT_PREPROCESSING
from KPrismCore.training.datasets.content import DataCase, Label
from KPrismCore.training.datasets.slicing import VERSION, CaseSlices, case_slices, present_labels, square
from KPrismCore.training.packs import Pixels

# decoded slices that a process keeps at hand
AT_HAND = 8


@dataclass(frozen=True)
class StoredSlices:
    """The kept slices of one case.

    Args:
        path: the file.
        labels: of the case; mask pixels n are the nth.
        modality: of the image, as far as it is known.
        spacings: per slice, mm from row to row and from column to column.
        places: per slice, where it lies in its volume, as `Slice` has it.
        present: per slice, the numbers of the labels with at least 16 pixels.
        fingerprints: per slice, a hash of the image's bytes.
        checksums: per slice, those of image and mask in the file.
    """

    path: Path
    labels: tuple[Label, ...]
    modality: str
    spacings: tuple[tuple[float, float], ...]
    places: tuple[float, ...]
    present: tuple[tuple[int, ...], ...]
    fingerprints: tuple[str, ...]
    checksums: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.places)

    def pixels(self, index: int) -> tuple[Pixels, Pixels]:
        """Image and mask of a slice, read from the file unless it was a moment ago."""
        return _pixels(self.path, index)


class SliceStore:
    """Slices of cases, made where they are not kept already.

    Args:
        folder: where to keep them; a temporary one, removed at the end of the program, where None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _temporary_folder()

    def slices(self, case: DataCase, size: int, plane: str = "") -> StoredSlices:
        """Give the slices of a case.

        Args:
            case: what to read.
            size: edge of the squares they are fitted into; 0 to keep them as they are.
            plane: kinds of slices with spaces between; empty for the one a volume was acquired in.

        Raises:
            KPrismError: the case cannot be read; see `DataCase.read`.
            OutputFileError: the slices cannot be kept.
        """
        path = self.folder / f"{_key(case, size, plane)}.npz"
        kept = _opened(path)
        if kept is not None:
            return kept
        made = case_slices(case.read(), plane)
        _write(path, made, size)
        stored = _opened(path)
        if stored is None:
            raise InputFileError(f"{path} cannot be read again.", "Check the disk of the cache folder.")
        return stored


@lru_cache(maxsize=1)
def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kprism-slices-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _key(case: DataCase, size: int, plane: str) -> str:
    seen = hashlib.sha256(repr((VERSION, DEFAULT_PREPROCESSING, size, plane, case)).encode())
    for path in case.files:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                state = file.stat()
            except OSError as error:
                raise InputFileError(
                    f"{file} cannot be read ({error.strerror}).", "Check the path and its permissions."
                ) from error
            seen.update(repr((file.name, state.st_size, state.st_mtime_ns)).encode())
    return seen.hexdigest()[:32]


def _write(path: Path, made: CaseSlices, size: int) -> None:
    slices = [square(one, size) if size else one for one in made.slices]
    arrays = {f"image{number}": one.image for number, one in enumerate(slices)}
    arrays |= {f"mask{number}": one.mask for number, one in enumerate(slices)}
    meta = {
        "labels": [asdict(label) for label in made.labels],
        "modality": made.modality,
        "spacings": [one.spacing for one in slices],
        "places": [one.place for one in slices],
        "present": [present_labels(one.mask) for one in slices],
        "fingerprints": [hashlib.sha256(one.image.tobytes()).hexdigest()[:16] for one in slices],
    }
    entries: dict[str, Any] = {"meta": np.array(json.dumps(meta)), **arrays}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **entries)


def _opened(path: Path) -> StoredSlices | None:
    """What a file holds; None where there is none, or a damaged one."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            meta = json.loads(str(archive["meta"]))
        with zipfile.ZipFile(path) as kept:
            sums = {entry.filename: entry.CRC for entry in kept.infolist()}
        labels = tuple(Label(**{**label, "values": tuple(label["values"])}) for label in meta["labels"])
        return StoredSlices(
            path,
            labels,
            str(meta["modality"]),
            tuple((float(row), float(column)) for row, column in meta["spacings"]),
            tuple(meta["places"]),
            tuple(tuple(numbers) for numbers in meta["present"]),
            tuple(meta["fingerprints"]),
            tuple((sums[f"image{n}.npy"], sums[f"mask{n}.npy"]) for n in range(len(meta["places"]))),
        )
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile):
        return None


@lru_cache(maxsize=AT_HAND)
def _pixels(path: Path, index: int) -> tuple[Pixels, Pixels]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            image, mask = archive[f"image{index}"], archive[f"mask{index}"]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputFileError(
            f"The kept slices {path} are damaged or gone ({error}).", "Delete the cache folder; begin anew."
        ) from error
    return image, mask
