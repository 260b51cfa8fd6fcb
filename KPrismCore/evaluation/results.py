"""All that a report says, worked out once from the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.calibration import Reliability, binned, reliability
from KPrismCore.evaluation.figures import (
    Figure,
    Table,
    curve,
    differences,
    mean_over_sets,
    modality_tables,
    tables,
)
from KPrismCore.evaluation.measures import (
    EXEMPLARS,
    FURTHER,
    HEADLINE,
    NOISY,
    NOISY_REFINED,
    OUTLINES,
    REFINED,
    SHOTS,
)
from KPrismCore.evaluation.protocol import MODEL, PREVIOUS, SAME, Record
from KPrismCore.evaluation.throughput import Throughput

PROMPTS = {
    "class": "semantic (class)",
    "reference": "in-context (reference)",
    "clicks": "interactive (clicks)",
}
TRUSTED = ("class", "reference", "clicks_1", "clicks_5")
COMPARED = (
    *HEADLINE, *REFINED, *FURTHER, *SHOTS, *EXEMPLARS, *NOISY, *NOISY_REFINED,
    *(measures[-1] for measures in OUTLINES.values()),
)  # fmt: skip


@dataclass(frozen=True)
class Trust:
    """How far a mode's probabilities and confidence can be trusted.

    pixels, masks: reliability of pixel probabilities and of `Prediction.confidence`; confidence_error: mean
    distance of confidence from the Dice; correlation: of the two over all cases (NaN with fewer than
    three).
    """

    pixels: Reliability
    masks: Reliability
    confidence_error: float
    correlation: float
    cases: list[tuple[float, float]]


@dataclass(frozen=True)
class Results:
    """Figures of a report; what was not measured is empty.

    curves: mean Dice after 0, 1, 2, ... clicks. experts: mean gates by kind of prompt, (layers, mixtures,
    experts).
    differences: network minus previous checkpoint.
    """

    records: Sequence[Record]
    facts: Mapping[str, Any]
    table: Table
    modalities: Table
    curves: dict[str, list[Figure]]
    experts: dict[str, NDArray[np.float64]]
    trust: dict[str, Trust]
    differences: dict[str, Figure] = field(default_factory=dict)
    throughput: Throughput | None = None


def results_of(
    records: Sequence[Record], facts: Mapping[str, Any], throughput: Throughput | None = None
) -> Results:
    """Work out all figures.

    Args:
        records: of one checkpoint, its peers and the previous checkpoint.
        facts: name and hash of the checkpoint, protocol, and whatever a reader has to know.
        throughput: what `measure_throughput` found.
    """
    return Results(
        records=records,
        facts=facts,
        table=tables(records),
        modalities=modality_tables(records),
        curves=_curves(records),
        experts=_experts(records),
        trust={mode: trust for mode in TRUSTED if (trust := _trust(records, mode)) is not None},
        differences=differences(records, COMPARED, PREVIOUS),
        throughput=throughput,
    )


def class_figures(records: Iterable[Record]) -> dict[str, dict[str, float | int]]:
    """By class name: mean Dice of the network's cases asked for by that name alone, and their number."""
    scores: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if "class_name" in record and record["method"] == MODEL:
            scores[record["class_name"]].append(record["class"][0])
    return {
        name: {"dice": round(sum(values) / len(values), 4), "cases": len(values)}
        for name, values in sorted(scores.items())
    }


def _curves(records: Sequence[Record]) -> dict[str, list[Figure]]:
    """The convergence curves; without a click a method that has nothing but clicks has no mask, so Dice 0."""
    nothing = Figure(0.0, 0.0, 0.0, 0)
    wanted = {
        "Mode 3: clicks": (MODEL, "clicks"),
        "Mode 1 refine: class, then clicks": (MODEL, "class"),
        "Mode 2 refine: reference, then clicks": (MODEL, "reference"),
        "Mode 3, an imperfect person's clicks": (MODEL, "noisy"),
        f"{PREVIOUS}, own clicks": (PREVIOUS, "clicks"),
    }
    wanted |= {
        f"{record['method']}, same clicks": (f"{record['method']}, {SAME} clicks", "clicks")
        for record in records
        if record.get("clicks_of") == SAME
    }
    found = {name: curve(records, *source) for name, source in wanted.items()}
    return {
        name: [nothing, *figures] if wanted[name][1] in ("clicks", "noisy") else figures
        for name, figures in found.items()
        if figures
    }


def _experts(records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
    found = {}
    for prompt, name in PROMPTS.items():
        means = mean_over_sets(records, partial(_gates, prompt))
        if means is not None:
            found[name] = means
    return found


def _gates(prompt: str, record: Record) -> Any:
    return record.get("experts", {}).get(prompt)


def _trust(records: Sequence[Record], mode: str) -> Trust | None:
    """Of one of the modes that were looked at closely; None where it was not measured."""

    def detail(record: Record) -> dict[str, Any] | None:
        return record.get("details", {}).get(mode)

    def mask_cells(record: Record) -> list[list[float]] | None:
        close = detail(record)
        return None if close is None else binned(np.array([close["confidence"]]), np.array([close["dice"]]))

    pixels = mean_over_sets(records, lambda record: (detail(record) or {}).get("bins"))
    masks = mean_over_sets(records, mask_cells)
    errors = mean_over_sets(
        records, lambda record: (close := detail(record)) and abs(close["confidence"] - close["dice"])
    )
    if pixels is None or masks is None or errors is None:
        return None
    close = [found for record in records if record["method"] == MODEL and (found := detail(record))]
    cases = [(float(found["confidence"]), float(found["dice"])) for found in close]
    return Trust(reliability(pixels), reliability(masks), float(errors), _correlation(cases), cases)


def _correlation(cases: Sequence[tuple[float, float]]) -> float:
    """Pearson's; NaN where one of both does not vary."""
    said, true = np.array(cases).T
    enough = len(cases) > 2 and said.std() > 0 and true.std() > 0
    return float(np.corrcoef(said, true)[0, 1]) if enough else float("nan")
