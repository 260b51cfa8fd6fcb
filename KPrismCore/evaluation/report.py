"""From records to figures: per set, and their mean over the sets with its confidence interval."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from KPrismCore.atomic import atomic_path
from KPrismCore.evaluation.benchmark import MODEL, OWN, SAME, Protocol, Record
from KPrismCore.evaluation.metrics import bootstrap_interval, bootstrap_mean_of_means, number_of_clicks

MEAN = "mean over sets"
WORSE_BY = 0.02
Value = float | None


@dataclass(frozen=True)
class Measure:
    """A column of the report: how to take it from a record; None where the record does not have it."""

    name: str
    take: Callable[[Record], Value]
    digits: int = 3


def _after(field: str, count: int, shift: int = 1) -> Callable[[Record], Value]:
    """The score after so many clicks, of a list that begins at `shift` clicks."""

    def take(record: Record) -> Value:
        scores = record.get(field, ())
        return float(scores[count - shift]) if len(scores) > count - shift else None

    return take


def _last(field: str) -> Callable[[Record], Value]:
    return lambda record: float(record[field][-1]) if record.get(field) else None


def _clicks_needed(record: Record) -> Value:
    return float(number_of_clicks(record["clicks"])) if len(record["clicks"]) >= 10 else None


def _got_worse(record: Record) -> Value:
    scores = record["clicks"]
    return float(scores[4] < scores[0] - WORSE_BY) if len(scores) > 4 else None


CLICK_MEASURES = (
    Measure("Dice(1)", _after("clicks", 1)),
    Measure("Dice(5)", _after("clicks", 5)),
    Measure("NoC90", _clicks_needed, 2),
)
MODEL_MEASURES = (
    Measure("Mode 1", _after("class", 0, 0)),
    Measure("Mode 1 + clicks", _last("class")),
    Measure("Mode 2", _after("reference", 0, 0)),
    Measure("Mode 2 + clicks", _last("reference")),
    *CLICK_MEASURES,
    Measure("Dice(3)", _after("clicks", 3)),
    Measure("Dice(10)", _after("clicks", 10)),
    Measure("IoU(5)", _after("iou", 5)),
    Measure("worse after 5", _got_worse),
)


@dataclass(frozen=True)
class Figure:
    """A mean with its 95 % interval over subjects, and the number of cases behind it."""

    mean: float
    low: float
    high: float
    cases: int


Column = tuple[str, str]  # method and measure
Table = dict[str, dict[Column, Figure]]


def tables(records: Iterable[Record]) -> Table:
    """Figures per set and, under `MEAN`, their mean over all sets that have the measure.

    The keys within a set are (method, measure); a peer's method is "random walker, same clicks" or
    "random walker, own clicks".
    """
    grouped: dict[str, dict[Column, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        for measure in MODEL_MEASURES if record["method"] == MODEL else CLICK_MEASURES:
            value = measure.take(record)
            if value is not None:
                column = method_of(record), measure.name
                grouped[record["set_name"]][column].append((value, record["subject"]))
    table: Table = {name: _figures(columns) for name, columns in sorted(grouped.items())}
    if grouped:
        table[MEAN] = _means(grouped)
    return table


def method_of(record: Record) -> str:
    """The method's name in tables."""
    kind = record.get("clicks_of")
    return record["method"] if kind is None else f"{record['method']}, {kind} clicks"


def methods(table: Table) -> list[str]:
    """The methods of a table: the network, then the peers on the same and on their own clicks."""
    found = {method for columns in table.values() for method, _ in columns}
    rank = {MODEL: 0, SAME: 1, OWN: 2}
    return sorted(found, key=lambda name: (rank.get(name.rsplit(", ", 1)[-1].split(" ")[0], 0), name))


def write_report(folder: Path, records: Sequence[Record], facts: Mapping[str, Any]) -> Table:
    """Write report.json, sets.csv, cases.csv and report.md into a folder; return the figures.

    Args:
        folder: made if missing.
        records: of one checkpoint.
        facts: name and hash of the checkpoint, protocol, and whatever a reader has to know.

    Raises:
        OutputFileError: a file cannot be written.
    """
    table = tables(records)
    _write_text(
        folder / "report.json",
        json.dumps(_document(table, records, facts), indent=2, ensure_ascii=False) + "\n",
    )
    _write_text(folder / "report.md", markdown(table, facts))
    _write_rows(folder / "sets.csv", _set_rows(table))
    _write_rows(folder / "cases.csv", _case_rows(records))
    return table


def markdown(table: Table, facts: Mapping[str, Any]) -> str:
    """The report as text for people."""
    lines = ["# Evaluation", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", *_notes(), ""]
    for method in methods(table):
        measures = MODEL_MEASURES if method == MODEL else CLICK_MEASURES
        names = [measure.name for measure in measures]
        lines += [
            f"## {method}",
            "",
            f"| set | cases | {' | '.join(names)} |",
            "|---" * (len(names) + 2) + "|",
        ]
        for group, columns in table.items():
            cells = [
                format_figure(columns.get((method, m.name)), m.digits, interval=group == MEAN)
                for m in measures
            ]
            cases = max(
                (columns[method, name].cases for name in names if (method, name) in columns), default=0
            )
            if cases:
                lines.append(f"| {group} | {cases} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def format_figure(figure: Figure | None, digits: int, *, interval: bool = False) -> str:
    """A figure as text, with its interval if wanted; a dash for none."""
    if figure is None:
        return "-"
    text = f"{figure.mean:.{digits}f}"
    return f"{text} ({figure.low:.{digits}f} to {figure.high:.{digits}f})" if interval else text


def protocol_facts(protocol: Protocol) -> dict[str, Any]:
    """The protocol for the report's head."""
    facts = asdict(protocol)
    facts["limit"] = "all cases" if protocol.limit is None else f"at most {protocol.limit} cases per set"
    facts["peer_clicks"] = ", ".join(protocol.peer_clicks) or "no peers"
    return facts


def _notes() -> list[str]:
    return [
        "A case is one label on one image, at the image's own size. Dice(k): after k clicks of the robot",
        "user, which clicks on the centre of the largest error. NoC90: clicks until Dice 0.9, failures",
        "counted as 10. Mode 1: from the class name alone, where the network knows the class. Mode 2: from",
        "one reference of another subject of the same set. '+ clicks': after the protocol's further clicks.",
        "'worse after 5': share of cases whose Dice(5) is more than 0.02 below Dice(1). In brackets: 95 %",
        "bootstrap interval over subjects, the sets taken as fixed; sets with one subject do not widen it.",
        "The headline for the peers is 'same clicks': those made on the network's masks, which favours the",
        "network; 'own clicks' are made by the same robot on the peer's own masks.",
        "Each set weighs the same in the mean, also one with very few cases.",
    ]


def _figures(columns: Mapping[Column, Sequence[tuple[float, str]]]) -> dict[Column, Figure]:
    figures = {}
    for column, pairs in columns.items():
        values, subjects = [value for value, _ in pairs], [subject for _, subject in pairs]
        figures[column] = Figure(float(np.mean(values)), *bootstrap_interval(values, subjects), len(values))
    return figures


def _means(grouped: Mapping[str, Mapping[Column, Sequence[tuple[float, str]]]]) -> dict[Column, Figure]:
    groups: dict[Column, list[tuple[list[float], list[str]]]] = defaultdict(list)
    for columns in grouped.values():
        for column, pairs in columns.items():
            groups[column].append(([value for value, _ in pairs], [subject for _, subject in pairs]))
    return {
        column: Figure(
            float(np.mean([np.mean(values) for values, _ in sets])),
            *bootstrap_mean_of_means(sets),
            sum(len(values) for values, _ in sets),
        )
        for column, sets in groups.items()
    }


def class_figures(records: Iterable[Record]) -> dict[str, dict[str, float | int]]:
    """By class name: mean Dice of the cases asked for by that name alone, and their number."""
    scores: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if "class_name" in record:
            scores[record["class_name"]].append(record["class"][0])
    return {
        name: {"dice": round(sum(values) / len(values), 4), "cases": len(values)}
        for name, values in sorted(scores.items())
    }


def _document(table: Table, records: Sequence[Record], facts: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, dict[str, dict[str, Any]]] = {}
    for group, columns in table.items():
        methods_of_group = plain.setdefault(group, {})
        for (method, measure), figure in columns.items():
            rounded = {name: round(value, 4) for name, value in asdict(figure).items()}
            methods_of_group.setdefault(method, {})[measure] = rounded
    means = plain.pop(MEAN, {})
    brief = {
        method: {name: [figure["mean"], figure["low"], figure["high"]] for name, figure in measures.items()}
        for method, measures in means.items()
    }
    summary = {**facts, "sets": len(plain), "means": brief, "classes": class_figures(records)}
    return {"facts": dict(facts), "summary": summary, "sets": plain}


def _set_rows(table: Table) -> list[dict[str, Any]]:
    return [
        {"set": group, "method": method, "measure": measure, **asdict(figure)}
        for group, columns in table.items()
        for (method, measure), figure in columns.items()
    ]


def _case_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        row = {name: record[name] for name in ("set_name", "identity", "subject", "label_name")}
        row["method"] = method_of(record)
        row |= {f"dice_{count}": score for count, score in enumerate(record["clicks"], start=1)}
        row |= {f"class_{count}": score for count, score in enumerate(record.get("class", ()))}
        row |= {f"reference_{count}": score for count, score in enumerate(record.get("reference", ()))}
        rows.append(row)
    return rows


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
