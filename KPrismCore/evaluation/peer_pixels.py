"""What the classical methods share: a shrunk image, the clicks on it, and the way back to full size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import resize

from KPrismCore.prompts import Click

OBJECT, BACKGROUND = 1, 2


def shrunk_size(image: NDArray[Any], side: int) -> tuple[int, int]:
    """The shrunk size; small images keep theirs."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(3, round(height * scale)), max(3, round(width * scale))


def shrunk(image: NDArray[Any], grid: tuple[int, int], sigma: float) -> NDArray[np.float64]:
    """The image at the grid's size, smoothed, in [0, 1]; one equal channel for colour that is grey."""
    pixels = resize(image.astype(np.float64) / 255, grid + image.shape[2:], order=1, anti_aliasing=True)
    smooth: NDArray[np.float64] = ndimage.gaussian_filter(pixels, (sigma, sigma, 0)[: pixels.ndim])
    return smooth


def enlarged(chance: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a map on the grid exceeds one half, at the image's own size."""
    mask: NDArray[np.bool_] = resize(chance, shape, order=1) > 0.5
    return mask


def places_on(
    clicks: Sequence[Click], shape: tuple[int, ...], grid: tuple[int, int]
) -> list[tuple[int, int, bool]]:
    """The clicks as (row, column, positive) on the grid, pixel centres being integers on both sides."""
    places = []
    for click in clicks:
        row = int((click.y + 0.5) * grid[0] / shape[0])
        column = int((click.x + 0.5) * grid[1] / shape[1])
        places.append((min(max(row, 0), grid[0] - 1), min(max(column, 0), grid[1] - 1), click.positive))
    return places


def marked(grid: tuple[int, int], places: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """The grid with these places True."""
    points = np.zeros(grid, dtype=bool)
    for place in places:
        points[place] = True
    return points


def distance_to(points: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The distance of every pixel to the nearest of the points."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(~points)
    return distance


def seeds_on(
    grid: tuple[int, int], places: Sequence[tuple[int, int, bool]], radius: int
) -> NDArray[np.int64]:
    """Seeds for methods that need some of both kinds: `OBJECT`, `BACKGROUND`, and 0 for what is to be found.

    Clicks are small discs. The image's border is background, except near a positive click: with no
    background at all everything would be object, and with it next to negative clicks the random walker's
    Dice after five clicks was better as well.
    """
    seeds = np.zeros(grid, dtype=np.int64)
    seeds[[0, -1]] = seeds[:, [0, -1]] = BACKGROUND
    rows, columns = np.ogrid[: grid[0], : grid[1]]
    for row, column, positive in places:
        if positive:
            seeds[(rows - row) ** 2 + (columns - column) ** 2 <= (3 * radius) ** 2] = 0
    # discs first, then all centres: the disc of a later click does not wipe out an earlier click
    for reach in (radius, 0):
        for row, column, positive in places:
            disc = (rows - row) ** 2 + (columns - column) ** 2 <= reach**2
            seeds[disc] = OBJECT if positive else BACKGROUND
    if not (seeds == BACKGROUND).any():
        seeds[np.unravel_index(np.argmax(distance_to(seeds == OBJECT)), grid)] = BACKGROUND
    return seeds
