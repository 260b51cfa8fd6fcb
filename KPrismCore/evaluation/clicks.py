"""A series of clicks on one case, made by the robot user or taken over from another series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.metrics import dice, iou
from KPrismCore.prompts import Click
from KPrismCore.simulate import SimulatedClick, next_click

Mask = NDArray[np.bool_]
Segment = Callable[[Sequence[Click]], Mask]
Rule = Callable[[Mask, Mask, np.random.Generator], SimulatedClick | None]


@dataclass
class ClickSeries:
    """A robot's work on one case: Dice and IoU after each click, and the clicks.

    Where the rule gives no click the scores of the last mask are repeated: with the paper's rule, since the
    mask has no error left.
    """

    dice: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    mask: Mask | None = None

    def add(self, mask: Mask, truth: Mask) -> None:
        """Note the scores of the next mask."""
        self.dice.append(dice(mask, truth))
        self.iou.append(iou(mask, truth))
        self.mask = mask


def click_series(
    segment: Segment,
    truth: Mask,
    count: int,
    seed: int,
    start: Mask | None = None,
    *,
    rule: Rule = next_click,
    seen: Callable[[int], None] = lambda _number: None,
) -> ClickSeries:
    """Let the robot click so many times; each time `segment` gets all clicks so far.

    Args:
        segment: makes a mask (H, W) of the clicks.
        truth: (H, W).
        count: number of clicks.
        seed: of the robot's random choices, so that first clicks agree between methods.
        start: the mask the first click corrects; an empty one where None.
        rule: where the robot clicks.
        seen: called after each round with its number, from 1.
    """
    series, rng = ClickSeries(), np.random.default_rng(seed)
    mask = np.zeros_like(truth) if start is None else start
    for number in range(1, count + 1):
        found = rule(mask, truth, rng)
        if found is not None:
            row, column, positive = found
            series.clicks.append(Click(column, row, positive))
            mask = segment(series.clicks)
        series.add(mask, truth)
        seen(number)
    return series


def replayed(segment: Segment, truth: Mask, clicks: Sequence[Click], count: int) -> ClickSeries:
    """Scores of a method after 1, 2, ... of somebody else's clicks, repeated where these end early."""
    series = ClickSeries()
    for number in range(1, count + 1):
        if number <= len(clicks):
            series.add(segment(clicks[:number]), truth)
        elif series.mask is not None:
            series.add(series.mask, truth)
    return series
