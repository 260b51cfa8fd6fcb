"""From a training run's state to a checkpoint that describes itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomllib
import torch
from torch import Tensor

from KPrismCore.catalogue import Catalogue
from KPrismCore.checkpoint import ALL_SUBJECTS, Checkpoint, ModelCard, save_checkpoint
from KPrismCore.decision import LOWEST_THRESHOLD
from KPrismCore.errors import CheckpointError, InputFileError, OutputFileError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.preprocess import Preprocessing
from KPrismCore.training.batches import BatchStream
from KPrismCore.training.class_tables import class_file, only_trained, run_catalogue
from KPrismCore.training.configuration import from_plain
from KPrismCore.training.data import TaskSampler, read_classes, recipe_parts
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.recalibrate import BATCHES, recalibrate
from KPrismCore.training.runlog import MEAN_GROUP, read_rows
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.state import NAMED, STATE_NAME, load_state
from KPrismCore.zoom import Zoom

# numbers from which on a weight is worth halving
_LARGE = 1024


def read_card(path: Path) -> ModelCard:
    """Read a model card: a TOML file with the fields of `ModelCard`.

    `training` and `metrics` are filled on export.

    Raises:
        InputFileError: the file is missing, not TOML, or has a field that a card does not have.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputFileError(f"{path} is not a model card ({error}).", "Name a TOML file.") from error
    unknown = sorted(set(values) - set(ModelCard.__dataclass_fields__))
    if unknown:
        raise InputFileError(
            f"The card {path} has unknown fields: {', '.join(unknown)}.",
            f"A card has {', '.join(ModelCard.__dataclass_fields__)}.",
        )
    return ModelCard.from_dict(values)


def run_checkpoint(run: Path, card: ModelCard) -> Checkpoint:
    """Make a checkpoint of a run's averaged weights.

    Args:
        run: folder with the run's state file.
        card: what is known beforehand; the facts of the training and its last quick validation are added.

    Raises:
        CheckpointError: there is no state, or it cannot be read.
        InputFileError: the run's class file is not there.
    """
    path = run / STATE_NAME
    if not path.is_file():
        raise CheckpointError(f"{run} holds no {STATE_NAME}.", "Name the folder of a training run.")
    state = load_state(path)
    classes = run_catalogue(from_plain(state["settings"]).classes, run)
    return state_checkpoint(state, card, _quick_validation(run, state["step"]), classes)


def state_checkpoint(
    state: Mapping[str, Any], card: ModelCard, metrics: Mapping[str, Any], catalogue: Catalogue
) -> Checkpoint:
    """Make a checkpoint of the averaged weights in a training state.

    Args:
        state: what the state file holds.
        card: what is known beforehand; the facts of the training are added.
        metrics: results to put on the card.
        catalogue: the classes of the run; those that its data did not show cannot be asked for.
    """
    settings = from_plain(state["settings"])
    return Checkpoint(
        config=KPrismConfig.from_dict(state["network"]),
        weights=state["average"],
        catalogue=only_trained(catalogue, state.get(NAMED)),
        preprocessing=Preprocessing(),
        card=replace(card, training=_facts(state, settings), metrics=dict(metrics)),
        lowest_threshold=LOWEST_THRESHOLD,
        # only of a network that was trained on enlarged parts
        zoom=Zoom() if settings.crop_probability > 0 and settings.crop_sides[1] > 0 else None,
    )


def recalibrated(
    checkpoint: Checkpoint, sets: Iterable[ImageSet], run: Path, batches: int = BATCHES
) -> Checkpoint:
    """Return the checkpoint with the normalisation statistics of its own weights; see `recalibrate`.

    The images are those that a later part of the run would train on, with its recipe and its subjects.

    Args:
        checkpoint: of the run.
        sets: whole image sets, as for training.
        run: folder of the run, for its recipe.
        batches: how many training batches to take the mean over.
    """
    settings = from_plain(load_state(run / STATE_NAME)["settings"])
    table = class_file(settings.classes, run)
    classes = read_classes(table) if table else {}
    training, _ = recipe_parts(sets, settings)
    stream = BatchStream(TaskSampler(training, classes, settings), settings)
    network: KPrism = checkpoint.build()
    # batches after the run's last one: no batch of the training is met again
    seen = recalibrate(network, (stream[settings.steps + number] for number in range(batches)))
    facts = {**checkpoint.card.training, "normalisation_images": seen}
    card = replace(checkpoint.card, training=facts)
    return replace(checkpoint, weights=network.state_dict(), card=card)


def halved(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint with its large weights in half precision, as they are kept, not computed with.

    Norms, biases and small tables stay as they are, and so does a weight beyond the range of float16.
    """
    return replace(checkpoint, weights={name: _halved(value) for name, value in checkpoint.weights.items()})


def _halved(weight: Tensor) -> Tensor:
    if weight.ndim < 2 or weight.numel() < _LARGE or weight.dtype != torch.float32:
        return weight
    half = weight.half()
    return half if bool(half.isfinite().all()) else weight


def write_export(path: Path, checkpoint: Checkpoint, limit_megabytes: float | None = None) -> float:
    """Write a checkpoint and return its weights' size in megabytes (10^6 bytes).

    Raises:
        OutputFileError: it is larger than allowed, or cannot be written.
    """
    megabytes = stored_megabytes(checkpoint)
    if limit_megabytes is not None and megabytes > limit_megabytes:
        raise OutputFileError(
            f"The checkpoint would have {megabytes:.1f} MB; {limit_megabytes:g} MB are allowed.",
            "Add --eight-bit or --half, allow more with --limit, or train a smaller network.",
        )
    save_checkpoint(path, checkpoint)
    return megabytes


def stored_megabytes(checkpoint: Checkpoint) -> float:
    """The size of a checkpoint's weights in its file, in megabytes (10^6 bytes)."""
    return sum(weight.element_size() * weight.nelement() for weight in checkpoint.stored().values()) / 1e6


def _facts(state: Mapping[str, Any], settings: TrainingSettings) -> dict[str, Any]:
    recipe = settings.to_plain()
    del recipe["network"]  # the checkpoint has it in full
    return {
        "steps": state["step"], "samples": state["samples"], "minutes": round(state["seconds"] / 60, 1),
        "seed": settings.seed, "complete": state["step"] >= settings.steps,
        "weights": "moving average", "processes": state.get("processes", 1), "settings": recipe,
        ALL_SUBJECTS: state.get(ALL_SUBJECTS, False),
    }  # fmt: skip


def _quick_validation(run: Path, step: int) -> dict[str, Any]:
    """The last means of the run's own quick validation up to a step; empty where there was none.

    A run that was killed has measured weights of later steps, which its state does not have.
    """
    rows = [row for row in read_rows(run / "validation.csv", step) if row["group"] == MEAN_GROUP]
    if not rows:
        return {}
    kept = {
        name: float(value) for name, value in rows[-1].items() if name not in ("group", "minutes") and value
    }
    return {"quick_validation": kept}
