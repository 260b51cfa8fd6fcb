"""A click on a mask that is good already: it changes what it is about, and leaves the rest.

The network answers for a whole image, and now and then a click on a small error costs a large piece
elsewhere. Of a mask the network was sure of, only those changed regions are taken over that a click is in;
interactive methods call it progressive merge (Chen et al. 2022, FocalClick). A region ends half-way to a
click of the other kind: two clicks side by side are about the edge between them. Pixels are (rows, columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore.prompts import Click

Mask = NDArray[np.bool_]


def corrected(before: Mask, after: Mask, clicks: Sequence[Click]) -> Mask:
    """The mask before, changed to the one after in the regions that a click of their kind is in.

    Args:
        before, after: (H, W).
        clicks: all on this image, inside of it, oldest first. Positive ones add regions, negative ones
            take them away; neighbours at a corner belong together.

    Returns:
        (H, W); all that changed nearer to clicks of its kind where the newest click is in no region: nothing
        says what it is about.
    """
    if len({click.positive for click in clicks}) == 2:
        after = _nearer_to_their_kind(before, after, clicks)
    mask = before.copy()
    met = False
    for positive in (True, False):
        region = _regions(after & ~before if positive else before & ~after, clicks, positive)
        mask[region] = positive
        met = met or (clicks[-1].positive == positive and bool(region[_pixel(clicks[-1], mask.shape)]))
    return mask if met else after


def _nearer_to_their_kind(before: Mask, after: Mask, clicks: Sequence[Click]) -> Mask:
    """The mask after (H, W), without changes that are nearer to a click of the other kind."""
    rows, columns = np.nonzero(before != after)
    added = after[rows, columns]
    nearest = {
        kind: np.min(
            [np.hypot(rows - click.y, columns - click.x) for click in clicks if click.positive == kind],
            axis=0,
        )
        for kind in (True, False)
    }  # fmt: skip
    against = np.where(added, nearest[True] > nearest[False], nearest[False] > nearest[True])
    mask = after.copy()
    mask[rows[against], columns[against]] = ~added[against]
    return mask


def _regions(changed: Mask, clicks: Sequence[Click], positive: bool) -> Mask:
    """The regions (H, W) of what changed that a click of this kind is in."""
    pixels = {_pixel(click, changed.shape) for click in clicks if click.positive == positive}
    seeds = [(column, row) for row, column in pixels if changed[row, column]]
    if not seeds:
        return np.zeros_like(changed)
    found = sitk.ConnectedThreshold(
        sitk.GetImageFromArray(changed.astype(np.uint8)), seedList=seeds, lower=1, upper=1,
        connectivity=sitk.ConnectedThresholdImageFilter.FullConnectivity,
    )  # fmt: skip
    return np.asarray(sitk.GetArrayFromImage(found) > 0)


def _pixel(click: Click, shape: tuple[int, ...]) -> tuple[int, int]:
    """Row and column of the pixel that a click is in."""
    row, column = (
        min(max(round(place), 0), length - 1) for place, length in zip((click.y, click.x), shape, strict=True)
    )
    return row, column
