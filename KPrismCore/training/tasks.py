"""What a training step is made of: a thing to segment, an image to do it on, and a batch of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.training.packs import Pixels

Classes = Mapping[int, Mapping[str, Sequence[str]]]
Pair = tuple[Pixels, NDArray[np.bool_]]


@dataclass(frozen=True)
class Source:
    """One thing to segment: labels (their union) of one set, and the samples that show any of them."""

    set_index: int
    labels: tuple[int, ...]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """One image with its target, references and class (0 where the mode has none), before augmentation.

    `set_name` is empty where they are made up or of no set's own labels.
    """

    query: Pair
    references: tuple[Pair, ...]
    modality: str
    class_index: int = 0
    set_name: str = ""


@dataclass(frozen=True)
class Batch:
    """The input of one training step, or one process's part of it.

    `images` (B, 3, S, S) float32 in [0, 1], `targets` (B, 1, S, S) of 0 and 1; `reference_images`
    (B, R, 3, S, S) and `reference_masks` (B, R, 1, S, S), or None; `class_index` (B,) 1-based, or None.
    `passes` decoder passes with gradient follow `silent_rounds` without. `first` is the index of the first
    sample among those of the whole step.
    """

    step: int
    mode: str
    images: Tensor
    targets: Tensor
    class_index: Tensor | None
    reference_images: Tensor | None
    reference_masks: Tensor | None
    passes: int
    silent_rounds: int
    first: int = 0
