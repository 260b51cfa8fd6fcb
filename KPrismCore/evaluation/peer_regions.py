"""Regions that grow from positive clicks over like pixels and are cut by the negative ones (SimpleITK)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from KPrismCore.evaluation.peer_pixels import distance_to, enlarged, marked, places_on, shrunk, shrunk_size
from KPrismCore.prompts import Click

# a picture and a place (column, row) to the region around it
_Grow = Callable[[sitk.Image, tuple[int, int]], sitk.Image]


@dataclass(frozen=True)
class RegionGrowing:
    """Confidence-connected region growing (SimpleITK) from every positive click, cut by the negative ones.

    A region takes neighbours whose intensity (for colour: distance from the colour clicked on) is within
    `multiplier` standard deviations of the mean around the click. Holes are filled. A pixel nearer to a
    negative click than to any positive one is left out, and so is what then no longer hangs together with a
    positive click.

    The values are the best of 45 tried on 34 training images, one of each set, none of a validation subject
    (Dice after one and after five own clicks).

    Args:
        side: longer side in pixels that the image is shrunk to.
        multiplier: width of the interval, in standard deviations.
        iterations: how often mean and deviation are estimated anew from the region; never was best.
        radius: of the square around a click for the first estimate.
        sigma: Gaussian smoothing in pixels of the shrunk image.
    """

    side: int = 256
    multiplier: float = 2.5
    iterations: int = 0
    radius: int = 1
    sigma: float = 0.5

    def segment(self, image: NDArray[Any], clicks: Sequence[Click]) -> NDArray[np.bool_]:
        """Return the mask (H, W); see `Peer`."""
        return _grown_from_clicks(image, clicks, self.side, self.sigma, self._grown)

    def _grown(self, picture: sitk.Image, seed: tuple[int, int]) -> sitk.Image:
        return sitk.ConfidenceConnected(picture, [seed], self.iterations, self.multiplier, self.radius, 1)


@dataclass(frozen=True)
class ConnectedThreshold:
    """Connected threshold (SimpleITK) from every positive click, cut by the negative ones.

    A region takes what hangs together with the click and is as bright (for colour: of the same colour) up
    to a fixed tolerance. Holes and negative clicks: as `RegionGrowing`.

    The tolerance is the best of 9 tried on 34 training images, one of each set, none of a validation
    subject (Dice after one and after five own clicks).

    Args:
        side: longer side in pixels that the image is shrunk to.
        tolerance: half the width of the interval, as a share of the whole range of grey values.
        sigma: Gaussian smoothing in pixels of the shrunk image.
    """

    side: int = 256
    tolerance: float = 0.1
    sigma: float = 0.5

    def segment(self, image: NDArray[Any], clicks: Sequence[Click]) -> NDArray[np.bool_]:
        """Return the mask (H, W); see `Peer`."""
        return _grown_from_clicks(image, clicks, self.side, self.sigma, self._grown)

    def _grown(self, picture: sitk.Image, seed: tuple[int, int]) -> sitk.Image:
        middle, width = picture[seed], 255 * self.tolerance
        return sitk.ConnectedThreshold(picture, [seed], middle - width, middle + width, 1)


def _grown_from_clicks(
    image: NDArray[Any], clicks: Sequence[Click], side: int, sigma: float, grow: _Grow
) -> NDArray[np.bool_]:
    """What grows from the positive clicks, holes filled, without what is nearer to negative ones."""
    grid = shrunk_size(image, side)
    places = places_on(clicks, image.shape, grid)
    positive = [(row, column) for row, column, wanted in places if wanted]
    negative = [(row, column) for row, column, wanted in places if not wanted]
    pixels = shrunk(image, grid, sigma) * 255
    region = np.zeros(grid, dtype=bool)
    for row, column in positive:
        grown = grow(_picture(pixels, row, column), (column, row))
        region |= sitk.GetArrayFromImage(grown) > 0
    region = ndimage.binary_fill_holes(region)
    if negative:
        region &= distance_to(marked(grid, positive)) < distance_to(marked(grid, negative))
    region |= marked(grid, positive)
    parts, _ = ndimage.label(region, structure=np.ones((3, 3)))
    kept = np.isin(parts, [parts[seed] for seed in positive])
    return enlarged(kept.astype(np.float64), image.shape[:2])


def _picture(pixels: NDArray[np.float64], row: int, column: int) -> sitk.Image:
    """Grey values, or for colour one number per pixel: how far it is from the colour clicked on."""
    if pixels.ndim == 3:
        rows, columns = (slice(max(0, place - 1), place + 2) for place in (row, column))
        pixels = np.linalg.norm(pixels - pixels[rows, columns].mean((0, 1)), axis=2)
    return sitk.GetImageFromArray(pixels.astype(np.float32))
