"""`kprism.py verify`: our network against the golden files of the authors' code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from KPrismCore.commands.console import counted
from KPrismCore.errors import CheckpointError, InputFileError
from KPrismCore.network.golden import CaseResult, cases, golden_network, run_case, use_folding
from KPrismCore.network.golden_loop import loops, run_loop
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.recipe import read_manifest

MANIFEST = "state_dict_manifest.json"
PATHS = {"fast": True, "plain": False}


def verify(
    golden: Annotated[Path, typer.Argument(help="Folder of golden files.")],
    manifest: Annotated[
        Path | None, typer.Option(help="The state dict manifest; by default near the folder.")
    ] = None,
) -> None:
    """Regenerate the golden weights, run every case on both paths, and print the differences."""
    description, _ = read_manifest(manifest or _find_manifest(golden))
    console, table, failed = Console(), _table(), 0
    for name, results in _runs(golden, description):
        table.add_row(name, *(text for path in PATHS for text in _cells(results[path])))
        console.print(f"{name}: " + ", ".join(f"{path} {results[path].largest:.1e}" for path in PATHS))
        failed += not all(result.passed for result in results.values())
    console.print(table)
    if failed:
        raise CheckpointError(
            f"Outside the tolerances: {counted(failed, 'case')}.",
            "This network would not give the authors' results; report it.",
        )
    console.print("All cases are within the tolerances (spec section 21), on both paths.")


def _runs(golden: Path, description: dict[str, Any]) -> Iterator[tuple[str, dict[str, CaseResult]]]:
    """Every case by name with its result on each path; networks are made once per seed."""
    network, seed = None, None
    for case in cases(golden):
        if network is None or case.seed != seed:
            network, seed = golden_network(description, case.seed), case.seed
        results = {}
        for path, folding in PATHS.items():
            use_folding(network, folding)
            results[path] = run_case(network, case)
        yield case.name, results
    if network is not None:
        yield from _loop_runs(golden, network)


def _loop_runs(golden: Path, network: KPrism) -> Iterator[tuple[str, dict[str, CaseResult]]]:
    """The passes of the authors' inference loop, with the weights of the cases beside it."""
    for loop in loops(golden):
        found = {}
        for path, folding in PATHS.items():
            use_folding(network, folding)
            found[path] = list(run_loop(network, loop))
        for number in range(loop.passes):
            yield found["fast"][number].name, {path: results[number] for path, results in found.items()}


def _find_manifest(golden: Path) -> Path:
    for place in (golden / MANIFEST, golden.parent / MANIFEST):
        if place.is_file():
            return place
    if not golden.is_dir():
        raise InputFileError(f"There is no folder {golden}.", "Check the path.")
    raise InputFileError(f"There is no {MANIFEST} in or beside {golden}.", "Name it with --manifest.")


def _table() -> Table:
    table = Table(title="Difference to the authors' logits (largest, RMS / deviation) and mask pixels")
    table.add_column("case")
    for name in PATHS:
        for column in ("largest", "RMS", "mask"):
            table.add_column(f"{name} {column}", justify="right")
    return table


def _cells(result: CaseResult) -> tuple[str, str, str]:
    colour = "green" if result.passed else "red"
    return f"[{colour}]{result.largest:.1e}[/]", f"{result.rms_share:.1e}", str(result.mask_bits)
