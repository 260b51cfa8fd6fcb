"""Training packs: one compressed .npz per image set, read once and kept in memory as small squares.

A pack holds either 2-D slices (grey: PNG, colour: JPEG, masks: PNG) or small volumes (raw uint8,
axes I, J, K of an RAS grid). Everything becomes a uint8 square of the network's input size, letterboxed
with zeros in the middle, the mask by nearest neighbour.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from KPrismCore.errors import TrainingDataError

Pixels = NDArray[np.uint8]
VALIDATION_SHARE = 0.2
SLICES_PER_VOLUME = 12
MIN_TARGET_PIXELS = 16
PACK_NAME = "train.npz"


@dataclass(frozen=True)
class Sample:
    """One square slice: image uint8 S x S or S x S x 3, mask uint8 S x S of labels (0 is background)."""

    image: Pixels
    mask: Pixels
    subject: str
    name: str
    augmented: bool

    def labels(self) -> list[int]:
        """Return the labels with at least 16 pixels; fewer cannot be segmented at this size."""
        counts = np.bincount(self.mask.ravel(), minlength=2)
        return [int(label) for label in np.nonzero(counts >= MIN_TARGET_PIXELS)[0] if label > 0]

    def checksum(self) -> tuple[int, ...]:
        """Return numbers that change with the pixels of image or mask."""
        return zlib.crc32(self.image.tobytes()), zlib.crc32(self.mask.tobytes())


@dataclass(frozen=True)
class ImageSet:
    """One set of images with one meaning of its label numbers.

    `codes` are Slicer's terminology entries by label name, where the data have them.
    """

    name: str
    modality: str
    labels: dict[int, str]
    samples: tuple[Sample, ...]
    codes: Mapping[str, str] = field(default_factory=dict)


def read_packs(folder: Path, size: int) -> list[ImageSet]:
    """Read every `<folder>/<set>/train.npz`, in alphabetical order of the sets.

    Args:
        folder: holds one folder per set.
        size: edge S of the squares in pixels.

    Raises:
        TrainingDataError: there is no pack, or one cannot be read.
    """
    paths = sorted(folder.glob(f"*/{PACK_NAME}"))
    if not paths:
        raise TrainingDataError(
            f"{folder} holds no training pack.", f"Choose the folder that holds <set>/{PACK_NAME}."
        )
    return [read_pack(path, size) for path in paths]


def read_pack(path: Path, size: int) -> ImageSet:
    """Read one pack; the set is named after its folder. Errors as `read_packs`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            fields = {key: archive[key] for key in archive.files}
        meta = json.loads(str(fields["meta"]))
        labels = {int(number): str(name) for number, name in meta["labels"].items()}
        samples = tuple(_samples(fields, size))
        modality = str(meta["modality"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise TrainingDataError(
            f"{path} is not a complete training pack ({error}).", "Copy or make the pack again."
        ) from error
    return ImageSet(path.parent.name, modality, labels, samples)


def split_by_subject(image_set: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Return the training and the validation part of a set; no subject is on both sides.

    A fifth of the subjects, chosen by a hash of set and subject name, is for validation; at least
    one where there are two or more, and never all of them. Warped copies (`augmented`) are used
    for training only, so a subject known by such copies alone stays in training.
    """
    subjects = {sample.subject for sample in image_set.samples}
    candidates = {sample.subject for sample in image_set.samples if not sample.augmented}
    ranked = sorted(candidates, key=lambda subject: _rank(image_set.name, subject))
    count = min(max(1, int(VALIDATION_SHARE * len(subjects))), len(subjects) - 1)
    held = set(ranked[:count])
    training = tuple(sample for sample in image_set.samples if sample.subject not in held)
    validation = tuple(
        sample for sample in image_set.samples if sample.subject in held and not sample.augmented
    )
    return _with_samples(image_set, training), _with_samples(image_set, validation)


def training_parts(sets: Iterable[ImageSet], everyone: bool = False) -> tuple[list[ImageSet], list[ImageSet]]:
    """The training and the validation parts of sets; with `everyone`, all subjects and empty parts."""
    if everyone:
        whole = list(sets)
        return whole, [_with_samples(image_set, ()) for image_set in whole]
    split = [split_by_subject(image_set) for image_set in sets]
    return [training for training, _ in split], [validation for _, validation in split]


def letterbox(pixels: Pixels, size: int, resample: Image.Resampling) -> Pixels:
    """Scale an H x W[x3] array to fit a size x size square and centre it on zeros."""
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    new = max(1, round(height * scale)), max(1, round(width * scale))
    if new != (height, width):
        pixels = np.asarray(Image.fromarray(pixels).resize((new[1], new[0]), resample))
    square = np.zeros((size, size, *pixels.shape[2:]), dtype=np.uint8)
    top, left = (size - new[0]) // 2, (size - new[1]) // 2
    square[top : top + new[0], left : left + new[1]] = pixels
    return square


def volume_slices(image: Pixels, mask: Pixels) -> list[tuple[Pixels, Pixels]]:
    """Return at most 12 slices with a mask, spread over the three planes, as a viewer shows them.

    The volume's axes are I, J, K towards right, anterior, superior. Rows run to posterior (axial)
    or inferior (coronal, sagittal); columns to the left, or to posterior in sagittal slices.
    """
    pairs = []
    for axis in range(3):
        occupied = np.nonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))[0]
        if len(occupied) == 0:
            continue
        positions = np.linspace(0.1, 0.9, SLICES_PER_VOLUME // 3) * (len(occupied) - 1)
        for index in occupied[np.unique(positions.round().astype(int))]:
            planes = (np.take(array, int(index), axis=axis).T[::-1, ::-1] for array in (image, mask))
            first, second = (np.ascontiguousarray(plane) for plane in planes)
            pairs.append((first, second))
    return pairs


def _with_samples(image_set: ImageSet, samples: tuple[Sample, ...]) -> ImageSet:
    return replace(image_set, samples=samples)


def _rank(set_name: str, subject: str) -> bytes:
    return hashlib.sha256(f"{set_name}/{subject}".encode()).digest()


def _samples(fields: dict[str, NDArray[np.generic]], size: int) -> Iterator[Sample]:
    volumes = str(fields["kind"]) == "volumes"
    for index in range(len(fields["off"]) - 1):
        image = _bytes(fields["data"], fields["off"], index)
        mask = _bytes(fields["mdata"], fields["moff"], index)
        subject, name = str(fields["subject"][index]), str(fields["name"][index])
        if volumes:
            shape = tuple(int(length) for length in fields["shape"][index])
            pairs = volume_slices(
                np.frombuffer(image, np.uint8).reshape(shape), np.frombuffer(mask, np.uint8).reshape(shape)
            )
        else:
            pairs = [(np.asarray(Image.open(io.BytesIO(image))), np.asarray(Image.open(io.BytesIO(mask))))]
        for grey, labels in pairs:
            # BILINEAR of Pillow widens its support when it shrinks, so that it averages areas
            yield Sample(
                letterbox(grey, size, Image.Resampling.BILINEAR),
                letterbox(labels, size, Image.Resampling.NEAREST),
                subject,
                name,
                bool(fields["aug"][index]),
            )


def _bytes(data: NDArray[np.generic], offsets: NDArray[np.generic], index: int) -> bytes:
    return data[int(offsets[index]) : int(offsets[index + 1])].tobytes()
