"""From records to figures: per set, their mean over the sets, and differences, with confidence intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.measures import MODEL_MEASURES, Measure
from KPrismCore.evaluation.metrics import bootstrap_interval, bootstrap_mean_of_means
from KPrismCore.evaluation.protocol import MODEL, OWN, PREVIOUS, SAME, Record
from KPrismCore.modalities import modality_group

MEAN = "mean over sets"
# rounding of means that are the same
_NO_WIDTH = 1e-9


@dataclass(frozen=True)
class Figure:
    """A mean with its 95 % interval over subjects, and the number of cases behind it."""

    mean: float
    low: float
    high: float
    cases: int

    @property
    def has_interval(self) -> bool:
        """Whether the interval has a width: one subject has none, which is no certainty."""
        return self.high - self.low > _NO_WIDTH


Column = tuple[str, str]  # method and measure
Table = dict[str, dict[Column, Figure]]
Pairs = list[tuple[float, str]]  # value and subject
Grouped = dict[str, dict[Column, Pairs]]


def tables(records: Iterable[Record]) -> Table:
    """Figures per set and, under `MEAN`, their mean over all sets that have the measure.

    The keys within a set are (method, measure); a peer's method is "random walker, same clicks" or
    "random walker, own clicks".
    """
    grouped = _grouped(records)
    table: Table = {name: _figures(columns) for name, columns in sorted(grouped.items())}
    if grouped:
        table[MEAN] = _means(grouped.values())
    return table


def modality_tables(records: Sequence[Record]) -> Table:
    """The same per group of modalities: the mean over its sets."""
    modalities = modalities_of(records)
    by_group: dict[str, list[dict[Column, Pairs]]] = defaultdict(list)
    for name, columns in sorted(_grouped(records).items()):
        by_group[modalities[name]].append(columns)
    return {group: _means(sets) for group, sets in sorted(by_group.items())}


def modalities_of(records: Iterable[Record]) -> dict[str, str]:
    """The group of modalities of every set, by name."""
    return {record["set_name"]: modality_group(str(record.get("modality", ""))) for record in records}


def differences(records: Sequence[Record], measures: Iterable[Measure], other: str) -> dict[str, Figure]:
    """By measure: the network minus another method on the cases that both have, mean over sets.

    Args:
        records: of both.
        measures: what is compared.
        other: the other method, as `method_of` names it.
    """
    found = {}
    for measure in measures:
        ours, theirs = (_by_case(records, measure, method) for method in (MODEL, other))
        groups: dict[str, Pairs] = defaultdict(list)
        for place in ours.keys() & theirs.keys():
            groups[place[0]].append((ours[place] - theirs[place], place[1]))
        if groups:
            # in a fixed order, on which the draws of the interval depend
            found[measure.name] = _mean_figure([sorted(groups[name]) for name in sorted(groups)])
    return found


def curve(records: Iterable[Record], method: str, field: str) -> list[Figure]:
    """Mean over sets of a list of scores, place by place, with intervals.

    Args:
        records: any; those of the method that have the list are taken.
        method: as `method_of` names it.
        field: "clicks", "class", "reference" or "noisy".
    """
    sets: dict[str, list[tuple[Sequence[float], str]]] = defaultdict(list)
    for record in records:
        if method_of(record) == method and record.get(field):
            sets[record["set_name"]].append((record[field], record["subject"]))
    count = min((len(scores) for rows in sets.values() for scores, _ in rows), default=0)
    return [
        _mean_figure([[(scores[place], subject) for scores, subject in sets[name]] for name in sorted(sets)])
        for place in range(count)
    ]


def mean_over_sets(
    records: Iterable[Record], take: Callable[[Record], Any], method: str = MODEL
) -> NDArray[np.float64] | None:
    """The mean over sets of the mean over each one's cases of an array of numbers; None where none has it.

    Args:
        records: any.
        take: the array of a record, of one shape for all; None where the record has none.
        method: whose records are taken, as `method_of` names it.
    """
    sets: dict[str, list[Any]] = defaultdict(list)
    for record in records:
        value = take(record) if method_of(record) == method else None
        if value is not None:
            sets[record["set_name"]].append(np.asarray(value, dtype=np.float64))
    means = [np.mean(sets[name], axis=0) for name in sorted(sets)]
    return np.mean(means, axis=0, dtype=np.float64) if means else None


def method_of(record: Record) -> str:
    """The method's name in tables."""
    kind = record.get("clicks_of")
    return record["method"] if kind is None else f"{record['method']}, {kind} clicks"


def methods(table: Table) -> list[str]:
    """The methods of a table: the network, another checkpoint, then peers on the same and on own clicks."""
    found = {method for columns in table.values() for method, _ in columns}
    ends = {f"{SAME} clicks": 2, f"{OWN} clicks": 3}
    first = {MODEL: 0, PREVIOUS: 1}
    return sorted(found, key=lambda name: (first.get(name, ends.get(name.rsplit(", ", 1)[-1], 0)), name))


def format_figure(figure: Figure | None, digits: int, *, interval: bool = False, signed: bool = False) -> str:
    """A figure as text, with its interval if wanted and there is one; a dash for none."""
    if figure is None:
        return "-"
    sign = "+" if signed else ""
    text = f"{figure.mean:{sign}.{digits}f}"
    ends = f" ({figure.low:{sign}.{digits}f} to {figure.high:{sign}.{digits}f})"
    return text + ends if interval and figure.has_interval else text


def _grouped(records: Iterable[Record]) -> Grouped:
    grouped: Grouped = defaultdict(lambda: defaultdict(list))
    for record in records:
        for measure in MODEL_MEASURES:
            value = measure.take(record)
            if value is not None:
                column = method_of(record), measure.name
                grouped[record["set_name"]][column].append((value, record["subject"]))
    return grouped


def _by_case(records: Iterable[Record], measure: Measure, method: str) -> dict[tuple[str, str, str], float]:
    taken = {
        (record["set_name"], record["subject"], record["identity"]): measure.take(record)
        for record in records
        if method_of(record) == method and measure.take(record) is not None
    }
    return {place: value for place, value in taken.items() if value is not None}


def _figures(columns: Mapping[Column, Pairs]) -> dict[Column, Figure]:
    figures = {}
    for column, pairs in columns.items():
        values, subjects = [value for value, _ in pairs], [subject for _, subject in pairs]
        figures[column] = Figure(float(np.mean(values)), *bootstrap_interval(values, subjects), len(values))
    return figures


def _means(sets: Iterable[Mapping[Column, Pairs]]) -> dict[Column, Figure]:
    groups: dict[Column, list[Pairs]] = defaultdict(list)
    for columns in sets:
        for column, pairs in columns.items():
            groups[column].append(pairs)
    return {column: _mean_figure(found) for column, found in groups.items()}


def _mean_figure(sets: Sequence[Pairs]) -> Figure:
    """The mean over sets of the mean of each."""
    groups = [([value for value, _ in pairs], [subject for _, subject in pairs]) for pairs in sets]
    return Figure(
        float(np.mean([np.mean(values) for values, _ in groups])),
        *bootstrap_mean_of_means(groups),
        sum(len(values) for values, _ in groups),
    )
