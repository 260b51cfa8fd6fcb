"""Two classical methods that take the same clicks: what a user has without a trained network.

Each works on the image alone, from all clicks so far; neither is told a previous mask.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import random_walker
from skimage.transform import resize

from KPrismCore.prompts import Click

_OBJECT, _BACKGROUND = 1, 2
_FLAT = 1e-3


class Peer(Protocol):
    """Anything that makes a mask of an image and clicks."""

    def segment(self, image: NDArray[Any], clicks: Sequence[Click]) -> NDArray[np.bool_]:
        """Return the mask (H, W) of the object clicked on.

        Args:
            image: uint8 (H, W) or (H, W, 3).
            clicks: in pixels of the image, at least one positive.
        """
        ...


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
        grid = _grid(image, self.side)
        pixels = _shrunk(image, grid, self.sigma)
        seeds = self._seeds(grid, _places(clicks, image.shape, grid))
        if not (seeds == _OBJECT).any():
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
        return _enlarged(chances[_OBJECT - 1], image.shape[:2])

    def _seeds(self, grid: tuple[int, int], places: Sequence[tuple[int, int, bool]]) -> NDArray[np.int64]:
        seeds = np.zeros(grid, dtype=np.int64)
        seeds[[0, -1]] = seeds[:, [0, -1]] = _BACKGROUND
        rows, columns = np.ogrid[: grid[0], : grid[1]]
        for row, column, positive in places:
            if positive:
                seeds[(rows - row) ** 2 + (columns - column) ** 2 <= (3 * self.radius) ** 2] = 0
        # discs first, then all centres: the disc of a later click does not wipe out an earlier click
        for radius in (self.radius, 0):
            for row, column, positive in places:
                disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
                seeds[disc] = _OBJECT if positive else _BACKGROUND
        if not (seeds == _BACKGROUND).any():
            seeds[np.unravel_index(np.argmax(_distance(seeds == _OBJECT)), grid)] = _BACKGROUND
        return seeds


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
        grid = _grid(image, self.side)
        places = _places(clicks, image.shape, grid)
        positive = [(row, column) for row, column, wanted in places if wanted]
        negative = [(row, column) for row, column, wanted in places if not wanted]
        pixels = _shrunk(image, grid, self.sigma) * 255
        region = np.zeros(grid, dtype=bool)
        for seed in positive:
            region |= self._grown(pixels, seed)
        region = ndimage.binary_fill_holes(region)
        if negative:
            region &= _distance(_points(grid, positive)) < _distance(_points(grid, negative))
        region |= _points(grid, positive)
        parts, _ = ndimage.label(region, structure=np.ones((3, 3)))
        kept = np.isin(parts, [parts[seed] for seed in positive])
        return _enlarged(kept.astype(np.float64), image.shape[:2])

    def _grown(self, pixels: NDArray[np.float64], seed: tuple[int, int]) -> NDArray[np.bool_]:
        if pixels.ndim == 3:
            # one number per pixel: how far its colour is from the colour clicked on
            rows, columns = (slice(max(0, place - 1), place + 2) for place in seed)
            pixels = np.linalg.norm(pixels - pixels[rows, columns].mean((0, 1)), axis=2)
        picture = sitk.GetImageFromArray(pixels.astype(np.float32))
        place = [(seed[1], seed[0])]
        grown = sitk.ConfidenceConnected(picture, place, self.iterations, self.multiplier, self.radius, 1)
        return np.asarray(sitk.GetArrayFromImage(grown) > 0)


PEERS: Mapping[str, Peer] = {"random walker": RandomWalker(), "region growing": RegionGrowing()}


def _grid(image: NDArray[Any], side: int) -> tuple[int, int]:
    """The shrunk size; small images keep theirs."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(3, round(height * scale)), max(3, round(width * scale))


def _shrunk(image: NDArray[Any], grid: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    """The image at the grid's size, smoothed, in [0, 1]; one equal channel for colour that is grey."""
    pixels = resize(image.astype(np.float64) / 255, grid + image.shape[2:], order=1, anti_aliasing=True)
    smooth: NDArray[np.float64] = ndimage.gaussian_filter(pixels, (sigma, sigma, 0)[: pixels.ndim])
    return smooth


def _enlarged(chance: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = resize(chance, shape, order=1) > 0.5
    return mask


def _places(
    clicks: Sequence[Click], shape: tuple[int, ...], grid: tuple[int, int]
) -> list[tuple[int, int, bool]]:
    """The clicks as (row, column, positive) on the grid, pixel centres being integers on both sides."""
    places = []
    for click in clicks:
        row = int((click.y + 0.5) * grid[0] / shape[0])
        column = int((click.x + 0.5) * grid[1] / shape[1])
        places.append((min(max(row, 0), grid[0] - 1), min(max(column, 0), grid[1] - 1), click.positive))
    return places


def _points(grid: tuple[int, int], places: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    points = np.zeros(grid, dtype=bool)
    for place in places:
        points[place] = True
    return points


def _distance(points: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The distance of every pixel to the nearest of the points."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(~points)
    return distance
