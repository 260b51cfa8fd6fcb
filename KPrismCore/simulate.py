"""The robot user: where the next click goes, given a prediction and the truth.

`next_click` is the rule of the paper's interactive evaluation (click on the centre of the largest error,
spec section 15), with the exact Euclidean distance transform. `noisy_click` is what training mixes in.
`human_click` is ours, a person's hand and eye for evaluation: see there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SimulatedClick = tuple[int, int, bool]
# of `human_click`: an error is small below this share of the object, and is then overlooked this often
SMALL_ERROR = 0.02
OVERLOOKED = 0.5
# how often the hand ends near the border of the error, and how far the others scatter, in depths of the error
AT_BORDER = 0.15
SCATTER = 0.35


@dataclass(frozen=True)
class _Region:
    """One 4-connected error component inside its bounding box; top and left locate the box in the image."""

    pixels: NDArray[np.bool_]
    top: int
    left: int
    size: int


def next_click(
    prediction: NDArray[np.bool_], target: NDArray[np.bool_], rng: np.random.Generator
) -> SimulatedClick | None:
    """Return the robot's next click as (row, column, positive), or None where nothing is wrong.

    The larger of the largest false-negative and the largest false-positive component is clicked
    (the false positive on ties), at the rounded centre of its inner region: the pixels whose
    distance to the border exceeds a third of the greatest. Where that centre lies outside the
    component (a ring, a crescent) a random inner pixel is taken.

    Args:
        prediction: H x W, True where the probability exceeds 0.5.
        target: H x W truth.
        rng: source of the random inner pixel.

    Source: K-Prism's evaluation; spec section 15.
    """
    found = _largest_error(prediction, target)
    if found is None:
        return None
    region, positive = found
    distance = _border_distance(region.pixels)
    inner = distance > distance.max() / 3
    rows, columns = np.nonzero(inner)
    # in the image, not in the box: halves are rounded to the even pixel
    row = round(region.top + float(rows.mean())) - region.top
    column = round(region.left + float(columns.mean())) - region.left
    if not region.pixels[row, column]:
        chosen = int(rng.integers(len(rows)))
        row, column = int(rows[chosen]), int(columns[chosen])
    return region.top + row, region.left + column, positive


def noisy_click(
    prediction: NDArray[np.bool_], target: NDArray[np.bool_], rng: np.random.Generator
) -> SimulatedClick | None:
    """Return a click a person might make: on the same component as `next_click`, but not at its exact centre.

    A random depth between border and centre is drawn, then a random pixel at least that deep.
    Arguments and result are those of `next_click`.
    """
    found = _largest_error(prediction, target)
    if found is None:
        return None
    region, positive = found
    distance = _border_distance(region.pixels)
    rows, columns = np.nonzero(distance > rng.uniform(0.0, 0.8) * distance.max())
    chosen = int(rng.integers(len(rows)))
    return region.top + int(rows[chosen]), region.left + int(columns[chosen]), positive


def human_click(
    prediction: NDArray[np.bool_], target: NDArray[np.bool_], rng: np.random.Generator
) -> SimulatedClick | None:
    """Return the click of an imperfect person, or None where nothing is wrong or the person sees nothing.

    Which error: any connected one, the chance in proportion to its size, so that large errors come first
    but not always. An error smaller than 2 % of the object is overlooked every other time (not before the
    first click): no click in this round, though the mask is not right, and perhaps one in the next. Where:
    about the centre that `next_click` takes, with a normal error of about a third of the region's depth; in
    one of seven clicks anywhere on the region's border. A click always lies on the error it answers: a hand
    that slips off is taken to the nearest of its pixels. Arguments and result are those of `next_click`.
    """
    found = _any_error(prediction, target, rng)
    if found is None:
        return None
    region, positive = found
    small = region.size < SMALL_ERROR * np.count_nonzero(target)
    if small and prediction.any() and rng.random() < OVERLOOKED:
        return None
    row, column = _by_hand(region.pixels, rng)
    return region.top + row, region.left + column, positive


def _by_hand(pixels: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int]:
    """A pixel of a region: near its centre, or on its border."""
    distance = _border_distance(pixels)
    if rng.random() < AT_BORDER:
        rows, columns = np.nonzero(pixels & (distance < 2))
        chosen = int(rng.integers(len(rows)))
        return int(rows[chosen]), int(columns[chosen])
    inner = np.nonzero(distance > distance.max() / 3)
    aim = [float(places.mean()) + rng.normal(0, SCATTER * distance.max()) for places in inner]
    rows, columns = np.nonzero(pixels)
    nearest = int(np.argmin((rows - aim[0]) ** 2 + (columns - aim[1]) ** 2))
    return int(rows[nearest]), int(columns[nearest])


def _any_error(
    prediction: NDArray[np.bool_], target: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[_Region, bool] | None:
    """One of all components of the error, the chance in proportion to the size."""
    missed, count = ndimage.label(target & ~prediction)
    surplus, further = ndimage.label(prediction & ~target)
    sizes = np.concatenate([np.bincount(part.ravel())[1:] for part in (missed, surplus)])
    if count + further == 0:
        return None
    chosen = 1 + int(rng.choice(len(sizes), p=sizes / sizes.sum()))
    positive = chosen <= count
    return _region(missed if positive else surplus, chosen if positive else chosen - count), positive


def _largest_error(prediction: NDArray[np.bool_], target: NDArray[np.bool_]) -> tuple[_Region, bool] | None:
    missed = _largest_component(target & ~prediction)
    surplus = _largest_component(prediction & ~target)
    if missed is not None and (surplus is None or missed.size > surplus.size):
        return missed, True
    if surplus is not None:
        return surplus, False
    return None


def _largest_component(mask: NDArray[np.bool_]) -> _Region | None:
    components, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    # argmax returns the first of equals, and labels are numbered in reading order
    return _region(components, int(np.argmax(sizes)))


def _region(components: NDArray[np.int32], label: int) -> _Region:
    rows, columns = ndimage.find_objects(components, max_label=label)[label - 1]
    pixels = components[rows, columns] == label
    return _Region(pixels, rows.start, columns.start, int(np.count_nonzero(pixels)))


def _border_distance(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each pixel to the nearest pixel outside; the image border counts as outside."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(pixels, 1))
    return distance[1:-1, 1:-1]
