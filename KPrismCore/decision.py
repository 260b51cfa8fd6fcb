"""From a probability to a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LOWEST_THRESHOLD = 0.15
HALF = 0.5
_STEPS = 8


def decide(probability: NDArray[np.float32], lowest: float = LOWEST_THRESHOLD) -> NDArray[np.bool_]:
    """The mask (H, W) of a probability: the one to expect the greatest Dice of, cut between `lowest` and 0.5.

    Cutting at one half makes the fewest wrong pixels, but of an unsure object too small a mask: the greatest
    Dice is had at half of that Dice (Lipton, Elkan and Narayanaswamy 2014, theorem 1). Where nothing is more
    likely object than not, the mask is empty.
    """
    half = probability > HALF
    if lowest >= HALF or not half.any():
        return half
    thresholds = np.linspace(lowest, HALF, _STEPS)
    likely = probability[probability > lowest]
    total = float(probability.sum(dtype=np.float64))
    chosen = [likely[likely > threshold] for threshold in thresholds]
    expected = [2 * float(part.sum(dtype=np.float64)) / (total + part.size) for part in chosen]
    return probability > thresholds[int(np.argmax(expected))]
