"""Scores of masks, and what can be said of their mean.

Dice and IoU: spec section 17, on masks at the image's own size. Number of clicks: paper section 4.1; its cap
and the treatment of failures are not fixed there and are ours.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TARGET_DICE = 0.9
MAX_CLICKS = 10
RESAMPLES = 2000


def dice(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    """Dice of two masks of one shape, 2|A&B| / (|A|+|B|); 1 where both are empty.

    Raises:
        ValueError: the shapes differ.
    """
    overlap, sizes = _counts(mask, truth)
    return 2 * overlap / sizes if sizes else 1.0


def iou(mask: NDArray[Any], truth: NDArray[Any]) -> float:
    """Intersection over union of two masks of one shape; 1 where both are empty.

    Raises:
        ValueError: the shapes differ.
    """
    overlap, sizes = _counts(mask, truth)
    return overlap / (sizes - overlap) if sizes else 1.0


def number_of_clicks(scores: Sequence[float], target: float = TARGET_DICE, cap: int = MAX_CLICKS) -> int:
    """The number of clicks after which the score first reaches the target; the cap where it never does.

    Args:
        scores: after 1, 2, 3, ... clicks.
        target: score to reach.
        cap: clicks counted; a failure counts as the cap.
    """
    reached = (count for count, score in enumerate(scores[:cap], start=1) if score >= target)
    return next(reached, cap)


def bootstrap_interval(
    values: Sequence[float],
    subjects: Sequence[Hashable],
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Confidence interval of the mean of values whose subjects, not values, are independent.

    Whole subjects are drawn with replacement (percentile bootstrap), so that many slices of one patient do
    not feign certainty. With a single subject the interval is the mean itself and says nothing.

    Args:
        values: one per item.
        subjects: the subject of each item.
        level: share of the distribution between the two ends.
        resamples: number of draws.
        seed: of the draws.

    Raises:
        ValueError: no value, or not one subject per value.
    """
    sums, counts = _per_subject(values, subjects)
    rng = np.random.default_rng(seed)
    return _ends(_resampled_means(rng, sums, counts, resamples), level)


def bootstrap_mean_of_means(
    groups: Sequence[tuple[Sequence[float], Sequence[Hashable]]],
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Confidence interval of the mean over groups (image sets) of each group's mean.

    Subjects are drawn within each group; the groups themselves are taken as fixed. Groups of one subject
    do not widen the interval.

    Args:
        groups: (values, their subjects) of each group.
        level: share of the distribution between the two ends.
        resamples: number of draws.
        seed: of the draws.

    Raises:
        ValueError: no group, or one that `bootstrap_interval` refuses.
    """
    if not groups:
        raise ValueError("no group")
    rng = np.random.default_rng(seed)
    means = [_resampled_means(rng, *_per_subject(*group), resamples) for group in groups]
    return _ends(np.mean(means, axis=0), level)


def _counts(mask: NDArray[Any], truth: NDArray[Any]) -> tuple[int, int]:
    if mask.shape != truth.shape:
        raise ValueError(f"masks of {mask.shape} and {truth.shape} pixels")
    first, second = mask > 0, truth > 0
    return int(np.count_nonzero(first & second)), int(np.count_nonzero(first)) + int(np.count_nonzero(second))


def _per_subject(
    values: Sequence[float], subjects: Sequence[Hashable]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum and the number of each subject's values."""
    if not values or len(values) != len(subjects):
        raise ValueError(f"{len(values)} values of {len(subjects)} subjects")
    numbers: dict[Hashable, int] = {}
    places = [numbers.setdefault(subject, len(numbers)) for subject in subjects]
    sums = np.bincount(places, weights=np.asarray(values, dtype=np.float64)).astype(np.float64)
    return sums, np.bincount(places).astype(np.float64)


def _resampled_means(
    rng: np.random.Generator, sums: NDArray[np.float64], counts: NDArray[np.float64], resamples: int
) -> NDArray[np.float64]:
    drawn = rng.integers(len(sums), size=(resamples, len(sums)))
    return sums[drawn].sum(1) / counts[drawn].sum(1)


def _ends(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
