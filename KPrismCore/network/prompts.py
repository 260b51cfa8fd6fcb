"""Prompts as tensors: what the network is told about the object besides the image."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClickSet:
    """Clicks of a batch, in pixels of the network input.

    points: (B, N, 2) float, (row, column); the centre of the first pixel is (0, 0).
    labels: (B, N) int64; 1 positive, 0 negative, -1 absent (padding).
    rounds: (B,) int64 rounds of clicking so far, for the authors' checkpoints, whose shorter group of
        clicks is filled with dummies up to this number; by default one round for each column.
    """

    points: Tensor
    labels: Tensor
    rounds: Tensor | None = None

    def count(self, label: int) -> Tensor:
        """(B,) number of clicks with this label."""
        return (self.labels == label).sum(1)

    def round_count(self) -> Tensor:
        """(B,) rounds of clicking."""
        return (
            torch.full_like(self.labels[:, 0], self.labels.shape[1]) if self.rounds is None else self.rounds
        )


@dataclass(frozen=True)
class ReferenceFeatures:
    """Encoded references of a batch; independent of the image to segment.

    keys, values: (B, R, C, h, w) of the coarsest level; summaries: (B, R, levels, summaries, width).
    finer_keys, finer_values: those of the second level, or None without `finer_read_out`.
    fits: (B, R, classes) how well each class's own answer fits a reference, see the module `recognition`;
    modality: of their images, None where unknown. The network uses neither.
    """

    keys: Tensor
    values: Tensor
    summaries: Tensor
    finer_keys: Tensor | None = None
    finer_values: Tensor | None = None
    fits: Tensor | None = None
    modality: str | None = None

    @staticmethod
    def concatenate(parts: list[ReferenceFeatures]) -> ReferenceFeatures:
        """Join references that were encoded one by one."""
        values = {item.name: getattr(parts[0], item.name) for item in fields(ReferenceFeatures)}
        names = [name for name, value in values.items() if isinstance(value, Tensor)]
        joined = {name: torch.cat([getattr(part, name) for part in parts], 1) for name in names}
        modality = next((part.modality for part in parts if part.modality), None)
        return ReferenceFeatures(**joined, modality=modality)


@dataclass(frozen=True)
class Prompts:
    """All that is known about the object. Every sample of a batch has the same kinds of prompts.

    class_index: (B,) int64, 1-based; previous: (B, 1, S, S) probability of the mask so far.
    """

    class_index: Tensor | None = None
    clicks: ClickSet | None = None
    references: ReferenceFeatures | None = None
    previous: Tensor | None = None


@dataclass(frozen=True)
class ImageFeatures:
    """Everything the decoder needs of an image, computed once per slice.

    query: (B, C, h, w) the coarsest map, compared with references; levels: per decoder level, coarse
    to fine, (B, width, h, w) projected maps with their position code; fine: (B, C, S/2, S/2) or None.
    finer_query: (B, C, 2h, 2w), compared with references at the second level, or None without
    `finer_read_out`. summaries: those of the references that `levels` was read out from, or None.
    """

    query: Tensor
    levels: tuple[Tensor, ...]
    fine: Tensor | None = None
    finer_query: Tensor | None = None
    summaries: Tensor | None = None
