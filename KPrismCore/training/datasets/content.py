"""What a data set is before it is read: cases of subjects, and what a case holds once it is.

A layout (`layouts`) turns a folder into `FileSet`s of `DataCase`s. Reading one gives `Content`: an image and
its labels on the same grid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.errors import TrainingDataError
from KPrismCore.volumes import Volume

LabelArray = NDArray[np.uint8]
MAX_LABELS = 255


@dataclass(frozen=True)
class Label:
    """One thing that masks show.

    Args:
        name: of the thing; equal names of one set are one label.
        values: of the mask file's pixels; empty for all but 0.
        number: what it is called in the set's masks, 1 to 255; 0 for any that is free.
        terminology: Slicer's terminology entry, or empty.
    """

    name: str
    values: tuple[int, ...] = ()
    number: int = 0
    terminology: str = ""


@dataclass(frozen=True, eq=False)
class Layer:
    """Labels that do not overlap: uint8 KJI, n where `labels[n - 1]` is, 0 elsewhere."""

    array: LabelArray
    labels: tuple[Label, ...]


@dataclass(frozen=True, eq=False)
class Content:
    """An image and what is marked on it, on the image's grid; several layers where labels overlap.

    `value_range` are the values that become black and white, where they are not to be found as prediction
    does.
    """

    volume: Volume
    layers: tuple[Layer, ...]
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class DataCase(ABC):
    """One image with its masks, not yet read. Its `repr` tells all that decides the result.

    Args:
        subject: the patient.
        name: unique within the set.
    """

    subject: str
    name: str

    @property
    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""

    @abstractmethod
    def read(self) -> list[Content]:
        """Read the case; several contents where it has several images.

        Raises:
            KPrismError: a file is missing, damaged, of another grid, or no image or mask.
        """


@dataclass(frozen=True)
class FileSet:
    """One set of cases with one meaning of its label names.

    Args:
        name: of the set, without the characters that class tables separate by.
        layout: how it was recognised, in words.
        modality: in words; empty to take it from the images.
        cases: in a fixed order.
        plane: kinds of slices to cut volumes into, with spaces between; empty for that of the acquisition.
        notes: what the user should know about how the set was read.
    """

    name: str
    layout: str
    modality: str
    cases: tuple[DataCase, ...]
    plane: str = ""
    notes: tuple[str, ...] = field(default=())


def plain_name(text: str) -> str:
    """A name on one line without ; and :, which separate sets and labels in class tables."""
    return " ".join(text.translate(str.maketrans(";:,\n", "    ")).split()) or "unnamed"


def layers_of_labelmap(array: NDArray[Any], labels: Sequence[Label]) -> tuple[Layer, ...]:
    """Turn a labelmap of any whole numbers into layers; labels that share values come on layers of their own.

    Args:
        array: KJI, whole numbers from 0 to 65535.
        labels: what to look for; all values present, each a label of that name, where empty.

    Raises:
        TrainingDataError: negative values, fractions, values above 65535, or more than 255 labels.
    """
    whole = _whole(array)
    present = _values(whole)
    wanted = list(labels) or [_unnamed(value) for value in present]
    groups: list[list[tuple[Label, set[int]]]] = []
    for label in wanted:
        values = set(label.values) or set(present)
        free = (group for group in groups if all(values.isdisjoint(other) for _, other in group))
        group = next(free, None)
        if group is None:
            group = []
            groups.append(group)
        group.append((label, values))
    return tuple(_layer(whole, group) for group in groups)


def layers_of_masks(masks: Iterable[tuple[Label, NDArray[np.bool_]]]) -> tuple[Layer, ...]:
    """Put masks KJI on as few layers as their overlaps allow, in order; empty masks are left out.

    A generator keeps one mask in memory at a time, however many there are.
    """
    layers: list[tuple[LabelArray, list[Label]]] = []
    for label, mask in masks:
        if not mask.any():
            continue
        free = (layer for layer in layers if not layer[0][mask].any() and len(layer[1]) < MAX_LABELS)
        array, labels = next(free, (None, None))
        if array is None or labels is None:
            array, labels = np.zeros(mask.shape, dtype=np.uint8), []
            layers.append((array, labels))
        labels.append(label)
        array[mask] = len(labels)
    return tuple(Layer(array, tuple(labels)) for array, labels in layers)


def _unnamed(value: int) -> Label:
    return Label(f"label {value}", (value,), value if value <= MAX_LABELS else 0)


def _whole(array: NDArray[Any]) -> NDArray[np.uint16]:
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.uint16).max):
        raise TrainingDataError(
            f"A mask has values from {array.min()} to {array.max()}.", "Use label numbers from 0 to 65535."
        )
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.uint16)
    # NaN equals nothing
    if array.dtype.kind == "f" and np.any(whole != array):
        raise TrainingDataError("A mask has fractions of numbers.", "Save it as whole label numbers.")
    return whole


def _values(whole: NDArray[np.uint16]) -> list[int]:
    """The values but 0, in order; plane by plane, since numpy counts in 8 bytes per voxel."""
    seen = np.zeros(np.iinfo(np.uint16).max + 1, dtype=np.bool_)
    for plane in whole:
        seen[plane] = True
    return [int(value) for value in np.nonzero(seen)[0] if value]


def _layer(whole: NDArray[np.uint16], group: list[tuple[Label, set[int]]]) -> Layer:
    if len(group) > MAX_LABELS:
        raise TrainingDataError(
            f"A mask has {len(group)} labels; {MAX_LABELS} are possible.", "Is this file a mask?"
        )
    table = np.zeros(np.iinfo(np.uint16).max + 1, dtype=np.uint8)
    for number, (_, values) in enumerate(group, start=1):
        table[list(values)] = number
    return Layer(table[whole], tuple(label for label, _ in group))
