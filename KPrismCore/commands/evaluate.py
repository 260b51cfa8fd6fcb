"""`kprism.py evaluate`: measure a checkpoint, another one beside it, and classical methods, on any data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from KPrismCore.device import use_threads
from KPrismCore.errors import TrainingDataError
from KPrismCore.evaluation.benchmark import Benchmark
from KPrismCore.evaluation.cases import Case, DataPlace, EvaluationSet
from KPrismCore.evaluation.cluster import Workers
from KPrismCore.evaluation.cluster_worker import Recipe
from KPrismCore.evaluation.figures import MEAN, Table, format_figure, methods
from KPrismCore.evaluation.measures import CLICK_MEASURES, HEADLINE
from KPrismCore.evaluation.protocol import (
    EVERYONE,
    FAST,
    FULL,
    HELD_OUT,
    MODEL,
    OWN,
    PREVIOUS,
    SAME,
    Protocol,
    Record,
)
from KPrismCore.evaluation.report import write_report
from KPrismCore.evaluation.results import results_of
from KPrismCore.evaluation.runs import Chosen, Measured, measured_by_workers, measured_here
from KPrismCore.evaluation.sheet import draw_sheet
from KPrismCore.evaluation.store import RecordStore
from KPrismCore.evaluation.throughput import Throughput, measure_throughput
from KPrismCore.model import DEFAULT_MODEL, Model, load_model
from KPrismCore.predictor import Predictor

RECORDS = "records.jsonl"
Fast = Annotated[
    bool, typer.Option(help="A quarter of the cases, one click after a first mask, one reference.")
]
Full = Annotated[
    bool, typer.Option(help="Also 5 and 9 references, 10 single ones, an imperfect person's clicks.")
]
Previous = Annotated[str, typer.Option(help="Another model, measured on the same cases and clicks.")]
WorkerCount = Annotated[
    int, typer.Option(min=0, help="Processes that share the cases, each on one thread; 0: this one.")
]
GpuShare = Annotated[
    float, typer.Option(min=0, help="Share of a GPU for each worker, such as 0.5; 0: the processor.")
]
ClusterAddress = Annotated[
    str, typer.Option(help="Address of a running Ray cluster for the workers; else this computer.")
]
PEER_CLICKS = {"same": (SAME,), "own": (OWN,), "both": (SAME, OWN), "none": ()}


def evaluate(
    data: Annotated[
        Path, typer.Option(help="Folder of the data; see `kprism.py data --help` for the layouts.")
    ],
    model: Annotated[
        str, typer.Option(help="Name of a shipped model, or a checkpoint file.")
    ] = DEFAULT_MODEL,
    out: Annotated[
        Path, typer.Option(help="Folder for the results; a broken run goes on from there.")
    ] = Path("evaluation"),
    limit: Annotated[
        int | None, typer.Option(min=0, help="Cases per set (0: all); 20 if not given, 5 with --fast.")
    ] = None,
    sets: Annotated[str, typer.Option(help="Only these sets: a,b,c.")] = "",
    fast: Fast = False,
    full: Full = False,
    previous: Previous = "",
    peers: Annotated[str | None, typer.Option(help="Clicks for the peers: same, own, both or none.")] = None,
    all_subjects: Annotated[bool, typer.Option(help="For data no training has seen: all subjects.")] = False,
    skip_damaged: Annotated[bool, typer.Option(help="Leave damaged files out.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept slices, if not within --out.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0 finds out what is fastest.")] = 1,
    workers: WorkerCount = 0,
    gpus_per_worker: GpuShare = 0.0,
    address: ClusterAddress = "",
) -> None:
    """Measure a model on the validation subjects: class, references, clicks, and other methods beside it.

    On one processor core about 5 minutes with --fast, 30 without, an hour with --full. The report is
    report.html. With --workers the cases are shared out over processes with Ray; the records are the same. On
    a cluster this folder, the data and the checkpoints lie at the same places on all machines.
    """
    console = Console()
    team = _team(workers, gpus_per_worker, address)
    protocol = replace(_protocol(limit, peers, fast=fast, full=full), everyone=all_subjects)
    loaded = load_model(model, device)
    other = load_model(previous, device) if previous else None
    if threads > 0:
        use_threads(threads)
    benchmark = Benchmark(Predictor(loaded), protocol, previous=Predictor(other) if other else None)
    names = [name.strip() for name in sets.split(",") if name.strip()]
    there = DataPlace(data.resolve(), skip_damaged, (cache or out / "slices").resolve())
    packs = there.sets(names, everyone=all_subjects)
    place = "cpu" if device == "auto" and not gpus_per_worker else device
    recipe = Recipe(
        _anywhere(model), protocol, there, benchmark.checkpoints, _anywhere(previous), device=place
    )
    chosen = _chosen(data, packs, protocol.limit)
    store = RecordStore(out / RECORDS)
    records = _run(console, chosen, _measured(benchmark, chosen, store, recipe, team), store)
    facts = _facts(benchmark, loaded, other, protocol)
    results = results_of(records, facts, _throughput(loaded, *chosen[0]))
    write_report(out, results, draw_sheet(benchmark.mask, packs, records))
    _show(console, results.table)
    if warning := _warning(protocol, loaded, other):
        console.print(warning)
    console.print(f"Report, tables and pictures are in {escape(str(out))}; begin with report.html.")


def _protocol(limit: int | None, peers: str | None, *, fast: bool, full: bool) -> Protocol:
    if fast and full:
        raise typer.BadParameter("Choose one of --fast and --full.", param_hint="--full")
    protocol = FAST if fast else FULL if full else Protocol()
    if peers is not None:
        if peers not in PEER_CLICKS:
            raise typer.BadParameter(f"Choose one of {', '.join(PEER_CLICKS)}.", param_hint="--peers")
        protocol = replace(protocol, peer_clicks=PEER_CLICKS[peers])
    if limit is not None:
        protocol = replace(protocol, limit=limit or None)
    return protocol


def _chosen(data: Path, packs: dict[str, EvaluationSet], limit: int | None) -> Chosen:
    chosen = [(image_set, case) for image_set in packs.values() for case in image_set.cases(limit)]
    if not chosen:
        raise TrainingDataError(
            f"No set of {data} has a subject to evaluate.", "Use --all-subjects, or more data."
        )
    return chosen


def _facts(benchmark: Benchmark, model: Model, other: Model | None, protocol: Protocol) -> dict[str, str]:
    """The head of the report."""
    subjects = EVERYONE if protocol.everyone else HELD_OUT
    return {
        **_described("", model, benchmark.checkpoints[MODEL]),
        **(_described(f"{PREVIOUS}: ", other, benchmark.checkpoints[PREVIOUS]) if other else {}),
        "subjects": f"{subjects} {_warning(protocol, model, other)}".strip(),
        **protocol.facts(),
    }


def _warning(protocol: Protocol, *models: Model | None) -> str:
    """What to say where a model was trained on the subjects it is measured on; empty for nothing."""
    if protocol.everyone or not any(one is not None and one.card.saw_all_subjects for one in models):
        return ""
    return "A model was trained on these subjects too: its figures do not tell what it can do."


def _described(prefix: str, model: Model, weights: str) -> dict[str, str]:
    steps = str(model.card.training.get("steps", "unknown"))
    return {f"{prefix}model": model.card.name, f"{prefix}weights": weights, f"{prefix}steps": steps}


def _throughput(model: Model, image_set: EvaluationSet, case: Case) -> Throughput:
    return measure_throughput(Predictor(model), *image_set.pixels(case), modality=image_set.modality)


def _measured(
    benchmark: Benchmark, chosen: Chosen, store: RecordStore, recipe: Recipe, team: Workers | None
) -> Measured:
    if team is None:
        return measured_here(benchmark, chosen, store.records)
    return measured_by_workers(benchmark, chosen, store.records, recipe, team)


def _team(count: int, gpus: float, address: str) -> Workers | None:
    """Who measures besides this process; None for nobody."""
    if count:
        return Workers(count, gpus, address or None)
    if gpus or address:
        raise typer.BadParameter("This needs --workers N.", param_hint="--address, --gpus-per-worker")
    return None


def _anywhere(model: str) -> str:
    """A name of a shipped model as it is, a file as a path that is right in any folder."""
    return str(Path(model).resolve()) if model and Path(model).is_file() else model


def _run(console: Console, chosen: Chosen, measured: Measured, store: RecordStore) -> list[Record]:
    """Keep records as they come, and show how far it is; return them in the order of the cases."""
    # names of sets and labels may hold brackets, which rich takes for styles
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    found: dict[int, list[Record]] = {}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=len(chosen))
        for number, records in measured:
            case = chosen[number][1]
            progress.update(task, description=f"{case.set_name}: {case.label_name}")
            found[number] = []
            for record in records:
                store.add(record)
                found[number].append(record)
            progress.advance(task)
    return [record for number in sorted(found) for record in found[number]]


def _show(console: Console, table: Table) -> None:
    grid = Grid("set", "cases", *(measure.name for measure in HEADLINE), title="Dice by set")
    for group, columns in table.items():
        figures = [columns.get((MODEL, measure.name)) for measure in HEADLINE]
        cases = max((figure.cases for figure in figures if figure), default=0)
        cells = [format_figure(figure, m.digits) for m, figure in zip(HEADLINE, figures, strict=True)]
        grid.add_row(escape(group), str(cases), *cells, style="bold" if group == MEAN else None)
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
