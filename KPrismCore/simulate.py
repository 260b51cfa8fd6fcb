"""The robot user: where the next click goes, given a prediction and the truth.

The rule is that of the paper's interactive evaluation (click on the centre of the largest error,
spec section 15), with the exact Euclidean distance transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SimulatedClick = tuple[int, int, bool]


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
    row, column = round(float(rows.mean())), round(float(columns.mean()))
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
    label = int(np.argmax(sizes))
    rows, columns = ndimage.find_objects(components, max_label=label)[label - 1]
    return _Region(components[rows, columns] == label, rows.start, columns.start, int(sizes[label]))


def _border_distance(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance of each pixel to the nearest pixel outside; the image border counts as outside."""
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(pixels, 1))
    return distance[1:-1, 1:-1]
