"""What was measured of a checkpoint, for its card and its confidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from KPrismCore.abilities import EARLIER
from KPrismCore.checkpoint import Checkpoint, read_checkpoint
from KPrismCore.confidence import Line, read_lines
from KPrismCore.errors import InputFileError
from KPrismCore.evaluation.protocol import HELD_OUT


def with_figures(checkpoint: Checkpoint, source: Path) -> Checkpoint:
    """Return the checkpoint with figures on its card and the lines that correct its confidence.

    Args:
        checkpoint: of a run.
        source: report.json of `evaluate`, of which the means are taken, without its single sets and cases; or
            the checkpoint that a last training on all subjects began with, which has figures and lines.

    Raises:
        InputFileError: neither of them, one without figures, or figures that mean nothing: of subjects that
            it was trained on, or of other weights where its own can be measured.
        CheckpointError: a damaged checkpoint.
    """
    if source.suffix.lower() == ".safetensors":
        if not checkpoint.card.saw_all_subjects:
            raise InputFileError(
                "The run kept its validation subjects apart, and has figures of its own.",
                "Measure it (`evaluate`), and name the report.json.",
            )
        metrics, lines = _of_earlier(source)
    else:
        metrics, lines = _of_report(source)
        _check_weights(checkpoint, metrics)
        if checkpoint.card.saw_all_subjects and str(metrics.get("subjects", "")).startswith(HELD_OUT):
            raise InputFileError(
                "It was trained on the validation subjects too: figures on them tell nothing.",
                "Name the model that it began with, or a report of data that it has not seen "
                "(`evaluate --all-subjects`).",
            )
    return replace(checkpoint, card=replace(checkpoint.card, metrics=metrics), confidence_lines=lines)


def _of_earlier(path: Path) -> tuple[dict[str, Any], Mapping[str, Line]]:
    earlier = read_checkpoint(path)
    if not earlier.card.metrics:
        raise InputFileError(f"{path} has no figures on its card.", "Measure it first (`evaluate`).")
    return {**earlier.card.metrics, EARLIER: True}, earlier.confidence_lines


def _check_weights(checkpoint: Checkpoint, metrics: Mapping[str, Any]) -> None:
    """Refuse the report of another stage of a training; reports that tell no steps are believed."""
    measured, trained = str(metrics.get("steps", "")), checkpoint.card.training.get("steps")
    if measured.isdigit() and trained is not None and int(measured) != trained:
        raise InputFileError(
            f"The report is of a model of {measured} training steps, this one has {trained}.",
            "Export it without --metrics, measure it (`evaluate`), and name that report.json.",
        )


def _of_report(path: Path) -> tuple[dict[str, Any], Mapping[str, Line]]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return dict(report["summary"]), read_lines(report.get("confidence_lines", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputFileError(
            f"{path} is not a report of `evaluate` ({error}).", "Name its report.json."
        ) from error
