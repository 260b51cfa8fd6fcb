"""Random walker from clicks."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import random_walker

from KPrismCore.evaluation.peer_pixels import OBJECT, enlarged, places_on, seeds_on, shrunk, shrunk_size
from KPrismCore.prompts import Click

_FLAT = 1e-3


@dataclass(frozen=True)
class RandomWalker:
    """Random walker (Grady 2006; scikit-image): each pixel goes to the seeds a random walk meets first.

    Clicks are small discs of seeds. The image's border is background, except near a positive click: with no
    background at all everything would be object, and with it next to negative clicks the Dice after five
    clicks was better as well.

    The values are the best of 23 tried on 34 training images, one of each set, none of a validation subject
    (Dice after one and after five own clicks). A side of 192 pixels was slower and no better: a seed then
    reaches less far.

    Args:
        side: longer side in pixels that the image is shrunk to.
        beta: how much an edge hinders the walk.
        sigma: Gaussian smoothing in pixels of the shrunk image.
        radius: of the discs, in pixels of the shrunk image.
    """

    side: int = 128
    beta: float = 2000.0
    sigma: float = 0.5
    radius: int = 2

    def segment(self, image: NDArray[Any], clicks: Sequence[Click]) -> NDArray[np.bool_]:
        """Return the mask (H, W); see `Peer`."""
        grid = shrunk_size(image, self.side)
        pixels = shrunk(image, grid, self.sigma)
        seeds = seeds_on(grid, places_on(clicks, image.shape, grid), self.radius)
        if not (seeds == OBJECT).any():
            return np.zeros(image.shape[:2], dtype=bool)
        if np.ptp(pixels) < _FLAT:
            # scikit-image divides by the deviation and then never converges; a faint ramp has no edges either
            pixels = np.broadcast_to(np.linspace(0.0, _FLAT, grid[0])[:, None], grid)
        channels = 2 if pixels.ndim == 3 else None
        with warnings.catch_warnings():
            # it warns where a seed is enclosed by others, which several clicks in one spot bring about
            warnings.simplefilter("ignore")
            chances = random_walker(
                pixels,
                seeds,
                beta=self.beta,
                mode="cg_j",
                tol=1e-3,
                channel_axis=channels,
                return_full_prob=True,
            )
        return enlarged(chances[OBJECT - 1], image.shape[:2])
