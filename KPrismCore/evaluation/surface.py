"""How far apart the outlines of two masks are: HD95, average surface distance, surface Dice, with MONAI."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

with warnings.catch_warnings():
    # its own use of an argument that it has deprecated
    warnings.simplefilter("ignore", FutureWarning)
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.surface_dice import compute_surface_dice
    from monai.metrics.surface_distance import compute_average_surface_distance

TOLERANCE = 2.0
Mask = NDArray[np.bool_]
Spacing = tuple[float, float]


@dataclass(frozen=True)
class SurfaceScores:
    """Distances between the outlines of mask and truth, in mm or pixels.

    hd95: 95th percentile of the distances from each outline to the other, the larger of both directions.
    mean: average of all distances, both directions together.
    dice: share of both outlines that is within the tolerance of the other.
    """

    hd95: float
    mean: float
    dice: float


def surface_scores(
    mask: Mask, truth: Mask, spacing: Spacing = (1.0, 1.0), tolerance: float = TOLERANCE
) -> SurfaceScores:
    """Compare the outlines of two masks.

    An empty mask has no outline. Where one of the two is empty, the distances count as the diagonal of the
    image, which is the worst that can be, and surface Dice as 0: leaving such cases out would reward a
    method for its worst failures. Where both are empty all is perfect.

    Args:
        mask: (H, W).
        truth: (H, W).
        spacing: mm between rows and between columns; (1, 1) for distances in pixels.
        tolerance: distance that surface Dice forgives, in the same unit.

    Raises:
        ValueError: the shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(f"masks of {mask.shape} and {truth.shape} pixels")
    if not mask.any() or not truth.any():
        diagonal = math.hypot(*(length * step for length, step in zip(mask.shape, spacing, strict=True)))
        alike = bool(mask.any() == truth.any())
        return SurfaceScores(0.0, 0.0, 1.0) if alike else SurfaceScores(diagonal, diagonal, 0.0)
    predicted, wanted = (_tensor(part) for part in _trimmed(mask, truth))
    apart = list(spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        hd95 = compute_hausdorff_distance(
            predicted, wanted, include_background=True, percentile=95, spacing=apart
        )
        mean = compute_average_surface_distance(
            predicted, wanted, include_background=True, symmetric=True, spacing=apart
        )
        share = compute_surface_dice(predicted, wanted, [tolerance], include_background=True, spacing=apart)
    return SurfaceScores(float(hd95), float(mean), float(share))


def _trimmed(mask: Mask, truth: Mask) -> tuple[Mask, Mask]:
    """Both masks in the box around them with a border of background, which changes no distance."""
    either = mask | truth
    rows, columns = (np.nonzero(either.any(axis))[0] for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.pad(mask[box], 1), np.pad(truth[box], 1)


def _tensor(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(mask)[None, None].float()
