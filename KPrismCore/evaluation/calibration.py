"""Whether probabilities mean what they say: reliability of pixels and of the confidence of whole masks.

Expected calibration error: Naeini et al. 2015, Guo et al. 2017, here of the foreground probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
MARGIN = 0.1
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Reliability:
    """Cells of equal width of the probability, each with what was said and what was true.

    weight: share of all that falls into the cell, adding up to 1; said: mean probability there; true: share
    of the object (or mean Dice) there. Arrays of `BINS` values; cells with no weight hold 0.
    """

    weight: NDArray[np.float64]
    said: NDArray[np.float64]
    true: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of what is said from what is true, 0 to 1."""
        return float((self.weight * np.abs(self.said - self.true)).sum())


def pixel_bins(probability: NDArray[Any], mask: Mask, truth: Mask) -> list[list[float]]:
    """Per cell: share of the pixels, and their shares times mean probability and times share of the object.

    Only the box around mask and truth is looked at, widened by a tenth of its sides and at least 4 pixels:
    far from the object nearly every pixel is background and said to be, which would make every model look
    calibrated.

    Args:
        probability: (H, W), 0 to 1.
        mask: (H, W), what was predicted.
        truth: (H, W).
    """
    box = _box(mask | truth)
    return binned(probability[box].ravel(), truth[box].ravel())


def binned(said: NDArray[Any], true: NDArray[Any]) -> list[list[float]]:
    """Three sums per cell for `reliability`: weights, weights times said, weights times true.

    Args:
        said: (N,) values in [0, 1].
        true: (N,) bool, or values in [0, 1].
    """
    values = np.clip(np.asarray(said, dtype=np.float64), 0, 1)
    cells = np.minimum((values * BINS).astype(int), BINS - 1)
    sums = (
        np.bincount(cells, weights=part, minlength=BINS)
        for part in (np.ones_like(values), values, np.asarray(true, dtype=np.float64))
    )
    return [[round(float(value) / max(1, len(values)), 6) for value in row] for row in sums]


def reliability(cells: NDArray[np.float64]) -> Reliability:
    """What a mean of results of `binned` says, (3, BINS)."""
    weight, said, true = cells
    filled = np.where(weight > 0, weight, 1)
    return Reliability(weight / max(float(weight.sum()), 1e-12), said / filled, true / filled)


def _box(mask: Mask) -> tuple[slice, slice]:
    """The box around a mask with a margin, inside the image; the whole image for an empty mask."""
    if not mask.any():
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    sides = []
    for axis, length in ((1, mask.shape[0]), (0, mask.shape[1])):
        places = np.nonzero(mask.any(axis))[0]
        first, last = int(places[0]), int(places[-1]) + 1
        margin = max(4, round(MARGIN * (last - first)))
        sides.append(slice(max(0, first - margin), min(length, last + margin)))
    return sides[0], sides[1]
