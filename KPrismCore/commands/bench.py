"""`kprism.py bench`: what encoding and prompting cost on this machine."""

from __future__ import annotations

import platform
import sys
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from KPrismCore.commands.console import counted
from KPrismCore.device import choose_device, measured_threads, use_threads
from KPrismCore.evaluation.speed import SpeedReport, measure_speed
from KPrismCore.model import DEFAULT_MODEL, load_model
from KPrismCore.network.config import FULL
from KPrismCore.network.kprism import KPrism


def bench(
    model: Annotated[
        str, typer.Option(help="The checkpoint to time beside the full network.")
    ] = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Processor threads; 0 chooses by a measurement.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each way.")] = 5,
    full: Annotated[
        bool, typer.Option(help="Time the full network (512 pixels, 40 M parameters) too.")
    ] = True,
) -> None:
    """Time encoder, first prompt and further clicks; the fast path against the plain one, in one run."""
    place = choose_device(device)
    loaded = load_model(model, device).network
    use_threads(threads or measured_threads())
    console = Console()
    console.print(f"{platform.system()} {platform.machine()}, torch {torch.__version__}, {place}, "
                  f"{counted(torch.get_num_threads(), 'thread')}")  # fmt: skip
    networks = {f"checkpoint {model}": loaded}
    if full:
        torch.manual_seed(0)
        networks["full configuration"] = KPrism(FULL).for_inference().to(place)
    for name, network in networks.items():
        report = measure_speed(network, place, repeats)
        size = network.config.input_size
        console.print(f"[bold]{escape(name)}[/], {size} pixels: encoder {report.encoder:.0f} ms, "
                      f"one reference {report.reference:.0f} ms")  # fmt: skip
        console.print(_table(report))
    if sys.platform != "win32":
        console.print(f"peak memory of the process: {_peak_memory():.0f} MB")


def _table(report: SpeedReport) -> Table:
    table = Table(
        "prompt", "ms", "plain / fast", "authors' way / fast", "fast / convolutions", "convolutions' share"
    )
    for cost in report.prompts:
        name = f"click number {cost.clicks}" if cost.clicks else "first prompt: class"
        table.add_row(
            name, f"{cost.fast:.0f}", f"{cost.plain / cost.fast:.2f}", f"{cost.authors / cost.fast:.2f}",
            f"{cost.fast / cost.convolutions:.2f}", f"{cost.convolutions / cost.fast:.0%}",
        )  # fmt: skip
    return table


def _peak_memory() -> float:
    """MB of resident memory, at most so far; not on Windows."""
    import resource  # Windows has no such module

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
