"""Results for machines: report.json, whose `summary` goes onto a checkpoint's card, and the CSV files."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from KPrismCore.atomic import atomic_path
from KPrismCore.evaluation.confidence_lines import fitted_lines
from KPrismCore.evaluation.figures import MEAN, Figure, Table, method_of, modalities_of
from KPrismCore.evaluation.measures import HEADLINE, MODEL_MEASURES
from KPrismCore.evaluation.protocol import MODEL, Record
from KPrismCore.evaluation.results import Results, Trust, class_figures

# key on a card, and the measure that it is the mean of
CARD = {"dice_1": "Dice(1)", "dice_5": "Dice(5)", "class": "Mode 1", "reference": "Mode 2"}
CASE_COLUMNS = ("set_name", "identity", "subject", "label_name", "modality")


def document(results: Results) -> dict[str, Any]:
    """Everything but the single cases, as plain values for JSON."""
    plain = {group: _by_method(columns) for group, columns in results.table.items() if group != MEAN}
    throughput = results.throughput
    return {
        "facts": dict(results.facts),
        "summary": summary(results),
        "means": _by_method(results.table.get(MEAN, {})),
        "sets": plain,
        "modalities": {group: _by_method(columns) for group, columns in results.modalities.items()},
        "differences": {name: _rounded(figure) for name, figure in results.differences.items()},
        "curves": {name: [_rounded(figure) for figure in found] for name, found in results.curves.items()},
        "experts": {name: np.round(found, 4).tolist() for name, found in results.experts.items()},
        "calibration": {mode: _trust(found) for mode, found in results.trust.items()},
        "confidence_lines": fitted_lines(results.records),
        "throughput": None if throughput is None else asdict(throughput),
    }


def summary(results: Results) -> dict[str, Any]:
    """What a checkpoint's card tells: means, and per class, set and group of modalities what it can do.

    `sets` is {name: {modality, cases, dice_1, dice_5, class, reference}} and `modalities` {group: the same
    without modality, with sets: their number}; Dice from 0 to 1, None where not measured.
    """
    headline = [measure.name for measure in HEADLINE]
    means = {
        method: {name: [figures[name][part] for part in ("mean", "low", "high")] for name in found}
        for method, figures in _by_method(results.table.get(MEAN, {})).items()
        if (found := [name for name in headline if name in figures])
    }
    groups = modalities_of(results.records)
    sets = {
        name: {"modality": groups[name], **_card(columns)}
        for name, columns in results.table.items()
        if name != MEAN
    }
    modalities = {
        group: {"sets": sum(groups[name] == group for name in sets), **_card(columns)}
        for group, columns in results.modalities.items()
    }
    return {
        **results.facts, "means": means, "classes": class_figures(results.records),
        "sets": sets, "modalities": modalities,
    }  # fmt: skip


def write_tables(folder: Path, results: Results) -> None:
    """Write sets.csv, cases.csv and subjects.csv.

    Raises:
        OutputFileError: a file cannot be written.
    """
    _write_rows(folder / "sets.csv", _set_rows(results.table))
    _write_rows(folder / "cases.csv", case_rows(results.records))
    _write_rows(folder / "subjects.csv", subject_rows(results.records))


def case_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """One row per case and method, all its parts together: every measure, and the curves click by click."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        method = method_of(record)
        named = {name: record.get(name, "") for name in CASE_COLUMNS}
        row = rows.setdefault((method, record.get("identity", "")), {**named, "method": method})
        row |= _measured(record)
        row |= {f"dice_{count}": score for count, score in enumerate(record.get("clicks", ()), start=1)}
        for field in ("class", "reference"):
            row |= {f"{field}_{count}": score for count, score in enumerate(record.get(field, ()))}
        row |= {
            f"exemplar_{count}": score for count, score in enumerate(record.get("exemplars", ()), start=1)
        }
    return list(rows.values())


def subject_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """One row per patient and method: the number of cases and the mean of every measure."""
    found: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    cases: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for record in records:
        place = record["set_name"], record["subject"], method_of(record)
        cases[place].add(record.get("identity", ""))
        for name, value in _measured(record).items():
            found[place][name].append(value)
    return [
        {"set_name": place[0], "subject": place[1], "method": place[2], "cases": len(cases[place])}
        | {name: round(float(np.mean(values)), 6) for name, values in columns.items()}
        for place, columns in found.items()
    ]


def _measured(record: Record) -> dict[str, float]:
    taken = {measure.name: measure.take(record) for measure in MODEL_MEASURES}
    return {name: value for name, value in taken.items() if value is not None}


def _card(columns: Mapping[tuple[str, str], Figure]) -> dict[str, Any]:
    figures = {key: columns.get((MODEL, name)) for key, name in CARD.items()}
    cases = max((figure.cases for figure in figures.values() if figure), default=0)
    return {"cases": cases} | {key: figure and round(figure.mean, 4) for key, figure in figures.items()}


def _by_method(columns: Mapping[tuple[str, str], Figure]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (method, measure), figure in columns.items():
        found.setdefault(method, {})[measure] = _rounded(figure)
    return found


def _rounded(figure: Figure) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in asdict(figure).items()}


def _trust(trust: Trust) -> dict[str, Any]:
    correlation = None if np.isnan(trust.correlation) else round(trust.correlation, 4)
    parts = {"pixels": trust.pixels, "masks": trust.masks}
    return {
        "confidence_error": round(trust.confidence_error, 4),
        "correlation": correlation,
        **{f"{name}_error": round(found.error, 4) for name, found in parts.items()},
        **{
            name: {field: np.round(values, 5).tolist() for field, values in asdict(found).items()}
            for name, found in parts.items()
        },
    }


def _set_rows(table: Table) -> list[dict[str, Any]]:
    return [
        {"set": group, "method": method, "measure": measure, **asdict(figure)}
        for group, columns in table.items()
        for (method, measure), figure in columns.items()
    ]


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
