"""`kprism.py evaluate`: measure a checkpoint, and two classical methods, on packs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from KPrismCore.errors import TrainingDataError
from KPrismCore.evaluation.benchmark import FAST, MODEL, OWN, SAME, Benchmark, Protocol, Record
from KPrismCore.evaluation.cases import EvaluationSet, evaluation_sets
from KPrismCore.evaluation.report import (
    CLICK_MEASURES,
    MEAN,
    MODEL_MEASURES,
    Table,
    format_figure,
    methods,
    protocol_facts,
    write_report,
)  # fmt: skip
from KPrismCore.evaluation.sheet import write_sheet
from KPrismCore.evaluation.store import RecordStore
from KPrismCore.predictor import DEFAULT_MODEL, Predictor, load_model

RECORDS = "records.jsonl"
SHOWN = ("Mode 1", "Mode 2", *(measure.name for measure in CLICK_MEASURES))
PEER_CLICKS = {"same": (SAME,), "own": (OWN,), "both": (SAME, OWN), "none": ()}


def evaluate(
    data: Annotated[Path, typer.Option(help="Folder with one folder per image set, each with a train.npz.")],
    model: Annotated[
        str, typer.Option(help="Name of a shipped model, or a checkpoint file.")
    ] = DEFAULT_MODEL,
    out: Annotated[
        Path, typer.Option(help="Folder for the results; a broken run goes on from there.")
    ] = Path("evaluation"),
    limit: Annotated[
        int | None, typer.Option(help="Cases per set (0: all); 20 if not given, 5 with --fast.")
    ] = None,
    sets: Annotated[str, typer.Option(help="Only these sets: a,b,c.")] = "",
    fast: Annotated[bool, typer.Option(help="A quarter of the cases, no own clicks of the peers.")] = False,
    peers: Annotated[str | None, typer.Option(help="Clicks for the peers: same, own, both or none.")] = None,
    all_subjects: Annotated[bool, typer.Option(help="For data no training has seen: all subjects.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int, typer.Option(help="Processor threads; 0 finds out what is fastest.")] = 1,
) -> None:
    """Measure a model on the validation subjects: class, reference, clicks, and the peers on the same clicks.

    About 20 minutes on one processor core; with --fast about 5.
    """
    console = Console()
    loaded = load_model(model, device)
    if threads > 0:
        torch.set_num_threads(threads)
    protocol = _protocol(limit, peers, fast=fast)
    benchmark = Benchmark(Predictor(loaded), protocol)
    names = [name.strip() for name in sets.split(",") if name.strip()]
    packs = {
        path.parent.name: EvaluationSet(path, everyone=all_subjects) for path in evaluation_sets(data, names)
    }
    records = _run(console, benchmark, packs, protocol.limit, RecordStore(out / RECORDS))
    if not records:
        raise TrainingDataError(
            f"No set of {data} has a subject to evaluate.", "Use --all-subjects, or more data."
        )
    facts = {
        "model": loaded.card.name, "weights": benchmark.checkpoint,
        "steps": loaded.card.training.get("steps", "unknown"),
        "subjects": "all" if all_subjects else "validation part of the training sets",
        **protocol_facts(protocol),
    }  # fmt: skip
    table = write_report(out, records, facts)
    write_sheet(out / "sheet.png", benchmark, packs, records)
    _show(console, table)
    console.print(f"Report, tables and pictures are in {out}.")


def _protocol(limit: int | None, peers: str | None, *, fast: bool) -> Protocol:
    protocol = FAST if fast else Protocol()
    if peers is not None:
        if peers not in PEER_CLICKS:
            raise typer.BadParameter(f"Choose one of {', '.join(PEER_CLICKS)}.", param_hint="--peers")
        protocol = replace(protocol, peer_clicks=PEER_CLICKS[peers])
    if limit is not None:
        protocol = replace(protocol, limit=limit or None)
    return protocol


def _run(
    console: Console,
    benchmark: Benchmark,
    sets: dict[str, EvaluationSet],
    limit: int | None,
    store: RecordStore,
) -> list[Record]:
    chosen = [(image_set, case) for image_set in sets.values() for case in image_set.cases(limit)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    records = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(chosen))
        for image_set, case in chosen:
            progress.update(task, description=f"{case.set_name}: {case.label_name}")
            for record in benchmark.records(image_set, case, store.records):
                store.add(record)
                records.append(record)
            progress.advance(task)
    return records


def _show(console: Console, table: Table) -> None:
    grid = Grid("set", "cases", *SHOWN, title="Dice by set")
    digits = {measure.name: measure.digits for measure in MODEL_MEASURES}
    for group, columns in table.items():
        figures = [columns.get((MODEL, name)) for name in SHOWN]
        cases = max((figure.cases for figure in figures if figure), default=0)
        cells = [format_figure(figure, digits[name]) for name, figure in zip(SHOWN, figures, strict=True)]
        grid.add_row(group, str(cases), *cells, style="bold" if group == MEAN else None)
    console.print(grid)
    compared = Grid(
        "method", *(measure.name for measure in CLICK_MEASURES), title="Mean over sets, 95 % interval"
    )
    for method in methods(table):
        figures = [table[MEAN].get((method, measure.name)) for measure in CLICK_MEASURES]
        cells = [
            format_figure(figure, measure.digits, interval=True)
            for figure, measure in zip(figures, CLICK_MEASURES, strict=True)
        ]
        compared.add_row(method, *cells, style="bold" if method == MODEL else None)
    console.print(compared)


if __name__ == "__main__":
    typer.run(evaluate)
