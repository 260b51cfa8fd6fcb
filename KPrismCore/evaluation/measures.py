"""The columns of a report: what is taken from a record, and what one reads together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from KPrismCore.evaluation.metrics import MAX_CLICKS, number_of_clicks
from KPrismCore.evaluation.protocol import Record

WORSE_BY = 0.02
Value = float | None
# what was looked at closely: key in a record's details, and its name
CLOSE = {
    "class": "Mode 1: class",
    "reference": "Mode 2: one reference",
    "reference_3": "Mode 2: 3 references",
    "reference_5": "Mode 2: 5 references",
    "reference_9": "Mode 2: 9 references",
    "clicks_1": "Mode 3: 1 click",
    "clicks_5": "Mode 3: 5 clicks",
    "class_refined": "Mode 1 and its last click",
    "reference_refined": "Mode 2 and its last click",
}


@dataclass(frozen=True)
class Measure:
    """A column of the report: how to take it from a record; None where the record does not have it."""

    name: str
    take: Callable[[Record], Value]
    digits: int = 3


def iou_of(score: float) -> float:
    """The intersection over union that belongs to a Dice."""
    return score / (2 - score)


def _after(field: str, count: int, shift: int = 1) -> Callable[[Record], Value]:
    """The score after so many clicks, of a list that begins at `shift` clicks."""

    def take(record: Record) -> Value:
        scores = record.get(field, ())
        return float(scores[count - shift]) if len(scores) > count - shift else None

    return take


def _overlap(take: Callable[[Record], Value]) -> Callable[[Record], Value]:
    def taken(record: Record) -> Value:
        score = take(record)
        return None if score is None else iou_of(score)

    return taken


def _clicks_needed(field: str, target: float) -> Callable[[Record], Value]:
    def take(record: Record) -> Value:
        scores = record.get(field, ())
        return float(number_of_clicks(scores, target)) if len(scores) >= MAX_CLICKS else None

    return take


def _clicks_added(field: str, target: float) -> Callable[[Record], Value]:
    """Clicks needed after a first mask; none where that is good enough."""

    def take(record: Record) -> Value:
        scores = record.get(field, ())
        if len(scores) <= MAX_CLICKS:
            return None
        return 0.0 if scores[0] >= target else float(number_of_clicks(scores[1:], target))

    return take


def _got_worse(record: Record) -> Value:
    scores = record.get("clicks", ())
    return float(scores[4] < scores[0] - WORSE_BY) if len(scores) > 4 else None


def _shots(count: int) -> Callable[[Record], Value]:
    return lambda record: record.get("shots", {}).get(str(count))


def _exemplars(of: Callable[[Any], Any]) -> Callable[[Record], Value]:
    """A statistic of at least two exemplars."""

    def take(record: Record) -> Value:
        scores = record.get("exemplars", ())
        return float(of(np.asarray(scores))) if len(scores) > 1 else None

    return take


def _close(mode: str, field: str, unit: str | None = None) -> Callable[[Record], Value]:
    """A figure of a mask looked at closely; with a unit only where the record is in it."""

    def take(record: Record) -> Value:
        if unit is not None and record.get("unit") != unit:
            return None
        value = record.get("details", {}).get(mode, {}).get(field)
        return None if value is None else float(value)

    return take


CLICK_MEASURES = (
    Measure("Dice(1)", _after("clicks", 1)),
    Measure("Dice(5)", _after("clicks", 5)),
    Measure("NoC90", _clicks_needed("clicks", 0.9), 2),
    Measure("NoC95", _clicks_needed("clicks", 0.95), 2),
)
HEADLINE = (
    Measure("Mode 1", _after("class", 0, 0)),
    Measure("Mode 2", _after("reference", 0, 0)),
    *CLICK_MEASURES,
)
_FIRST = (("Mode 1", "class"), ("Mode 2", "reference"))
REFINED = tuple(
    measure
    for mode, field in _FIRST
    for measure in (
        Measure(f"{mode} + 1 click", _after(field, 1, 0)),
        Measure(f"{mode} + 5 clicks", _after(field, 5, 0)),
        Measure(f"{mode} refine NoC90", _clicks_added(field, 0.9), 2),
        Measure(f"{mode} refine NoC95", _clicks_added(field, 0.95), 2),
    )
)
FURTHER = (
    Measure("Dice(3)", _after("clicks", 3)),
    Measure("Dice(10)", _after("clicks", 10)),
    Measure("worse after 5", _got_worse),
)
OVERLAP = (
    Measure("IoU Mode 1", _overlap(_after("class", 0, 0))),
    Measure("IoU Mode 2", _overlap(_after("reference", 0, 0))),
    Measure("IoU(1)", _after("iou", 1)),
    Measure("IoU(5)", _after("iou", 5)),
)
SHOTS = tuple(Measure(f"Mode 2, {count} references", _shots(count)) for count in (3, 5, 9))
EXEMPLARS = (
    Measure("exemplar mean", _exemplars(np.mean)),
    Measure("exemplar std", _exemplars(np.std)),
    Measure("exemplar min", _exemplars(np.min)),
    Measure("exemplar max", _exemplars(np.max)),
)
NOISY = (
    Measure("noisy Dice(1)", _after("noisy", 1)),
    Measure("noisy Dice(5)", _after("noisy", 5)),
    Measure("noisy NoC90", _clicks_needed("noisy", 0.9), 2),
    Measure("noisy NoC95", _clicks_needed("noisy", 0.95), 2),
)
NOISY_REFINED = tuple(
    measure
    for mode, field in _FIRST
    for measure in (
        Measure(f"noisy {mode} + 5 clicks", _after(f"noisy_{field}", 5, 0)),
        Measure(f"noisy {mode} refine NoC90", _clicks_added(f"noisy_{field}", 0.9), 2),
    )
)
# by mode: distances in each unit, and what has none
OUTLINES = {
    mode: (
        Measure(f"HD95, {name} [pixels]", _close(mode, "hd95", "pixels"), 1),
        Measure(f"ASD, {name} [pixels]", _close(mode, "asd", "pixels"), 2),
        Measure(f"HD95, {name} [mm]", _close(mode, "hd95", "mm"), 1),
        Measure(f"ASD, {name} [mm]", _close(mode, "asd", "mm"), 2),
        Measure(f"surface Dice, {name}", _close(mode, "surface_dice")),
    )
    for mode, name in CLOSE.items()
}
MODEL_MEASURES = (
    *HEADLINE, *REFINED, *FURTHER, *OVERLAP, *SHOTS, *EXEMPLARS, *NOISY, *NOISY_REFINED,
    *(measure for measures in OUTLINES.values() for measure in measures),
)  # fmt: skip
