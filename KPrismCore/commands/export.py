"""`kprism.py export`: make a checkpoint file of a training run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from KPrismCore.checkpoint import Checkpoint
from KPrismCore.device import use_threads
from KPrismCore.errors import InputFileError, OutputFileError
from KPrismCore.evaluation.card_figures import with_figures
from KPrismCore.recognition import Recognition
from KPrismCore.training.datasets.opening import open_data
from KPrismCore.training.export import (
    halved,
    read_card,
    recalibrated,
    run_checkpoint,
    stored_megabytes,
    write_export,
)
from KPrismCore.training.mixing import mixed
from KPrismCore.training.new_classes import START_NAME, adds_classes, begun_card, with_rest_of_start
from KPrismCore.training.recalibrate import BATCHES
from KPrismCore.training.warm_start import open_start
from KPrismCore.zoom import Zoom

Parts = Annotated[
    bool | None,
    typer.Option(
        help="Let clicks look at parts, and what a class gave be looked at again, by the rules of today, or "
        "not; if not given as the model does that only got classes, else if the network was trained on parts."
    ),
]
_NO_LINES = (
    "Nothing corrects its confidence yet: it takes itself for surer than it is, and its masks for good "
    "too early. Measure it (`evaluate`) and export it again with --metrics report.json."
)


def export(
    run: Annotated[Path, typer.Argument(help="Folder of the training run.")],
    out: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    card: Annotated[Path | None, typer.Option(help="Model card (TOML).")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The training data; with it the normalisation statistics are taken anew."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept slices, if not the run's.")] = None,
    batches: Annotated[int, typer.Option(min=1, help="Batches for these statistics.")] = BATCHES,
    mix: Annotated[
        str | None, typer.Option(help="Model or run this one began with, to mix in; needs --data.")
    ] = None,
    mix_share: Annotated[float, typer.Option(help="Share of its weights.")] = 0.35,
    metrics: Annotated[
        Path | None,
        typer.Option(
            help="report.json of `evaluate`, for card and confidence; after a training on all subjects "
            "the model it began with, which has figures on subjects it had not seen."
        ),
    ] = None,
    half: Annotated[bool, typer.Option(help="Keep large weights as float16: half the size.")] = False,
    eight_bit: Annotated[
        bool, typer.Option(help="Keep the largest as 8-bit numbers, as --half the others: a quarter.")
    ] = False,
    zoom: Parts = None,
    recognition: Annotated[
        bool, typer.Option(help="Answer references with the class they show as well; not the paper's way.")
    ] = False,
    limit: Annotated[
        float | None, typer.Option(min=0, help="Largest size allowed, in MB; any if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 1,
) -> None:
    """Write the averaged weights of a run with configuration, classes, preprocessing and model card."""
    use_threads(threads)
    _check_target(run, out, overwrite)
    _check_together(run, data, mix)
    described = read_card(card) if card else begun_card(run, out.stem)
    checkpoint = run_checkpoint(run, described)
    steps = checkpoint.card.training["steps"]
    checkpoint = with_rest_of_start(checkpoint, run)
    if mix is not None:
        checkpoint = mixed(checkpoint, open_start(mix), mix_share)
    if metrics is not None:
        # after the mixing, which brings in what the other was trained on
        checkpoint = with_figures(checkpoint, metrics)
    if data is not None:
        size = checkpoint.config.input_size
        checkpoint = recalibrated(
            checkpoint, open_data(data, size, skip_damaged=True, cache=cache or run / "slices"), run, batches
        )
    checkpoint = _with_rules(checkpoint, zoom, recognition)
    if half or eight_bit:
        checkpoint = _made_small(checkpoint, eight_bit)
    megabytes = write_export(out, checkpoint, limit)
    print(f"{out}: {megabytes:.1f} MB, {steps} steps")
    if not checkpoint.confidence_lines:
        print(_NO_LINES)


def _with_rules(checkpoint: Checkpoint, zoom: bool | None, recognition: bool) -> Checkpoint:
    """Return the checkpoint with the rules that were asked for, and its own where none was."""
    return replace(
        checkpoint,
        zoom=checkpoint.zoom if zoom is None else Zoom() if zoom else None,
        recognition=Recognition() if recognition else checkpoint.recognition,
    )


def _made_small(checkpoint: Checkpoint, eight_bit: bool) -> Checkpoint:
    """Return the checkpoint with smaller weights, and say so where they were that small already."""
    smaller = replace(halved(checkpoint), eight_bit=eight_bit or checkpoint.eight_bit)
    if stored_megabytes(smaller) == stored_megabytes(checkpoint):
        # as of a model that got classes: it keeps its weights as it did
        print("The weights are kept that small already: --half and --eight-bit change nothing.")
    return smaller


def _check_target(run: Path, out: Path, overwrite: bool) -> None:
    """Refuse, before all else, a name that no command could open, and one that is taken."""
    if out.suffix.lower() != ".safetensors":
        raise OutputFileError(f"{out} has an unknown ending.", "Name a file that ends in .safetensors.")
    if out.resolve() == (run / START_NAME).resolve():
        raise OutputFileError(f"{out} is the model that the run began with.", "Choose another name.")
    if out.exists() and not overwrite:
        raise OutputFileError(f"{out} exists.", "Choose another name, or add --overwrite.")


def _check_together(run: Path, data: Path | None, mix: str | None) -> None:
    """Refuse options that do not go together."""
    if adds_classes(run) and (data or mix):
        raise InputFileError(
            "The run only added classes; all else of its model stays as it is.", "Leave out --data and --mix."
        )
    if mix is not None and data is None:
        raise InputFileError(
            "Mixed weights need normalisation statistics of their own.", "Give the training data (--data)."
        )
