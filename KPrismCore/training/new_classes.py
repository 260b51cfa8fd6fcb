"""Teach a model further classes by name, and change nothing else of it.

Only the queries of the new classes learn, the network stays as it is: whatever the model answered before, it
answers to the bit afterwards. With so few numbers to learn, a few images and minutes on a processor suffice
where the network can tell the structure already (Lester et al. 2021, "The power of scale for
parameter-efficient prompt tuning"; the paper of K-Prism trains all of its classes at once).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from torch import nn

from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.checkpoint import ALL_SUBJECTS, Checkpoint, ModelCard, read_checkpoint, save_checkpoint
from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.training.class_tables import RUN_CLASSES, data_classes, run_classes, write_classes
from KPrismCore.training.configuration import from_plain
from KPrismCore.training.data import read_classes
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.settings import ALL, NEW_CLASSES, TrainingSettings
from KPrismCore.training.state import STATE_NAME, load_state
from KPrismCore.training.tasks import Classes
from KPrismCore.training.warm_start import CLASS_TABLES, same_class

# in the run's folder: what is trained of its classes, and the model that gets them
NEW_TABLE, START_NAME = "new-classes.csv", "start.safetensors"


def learn_only(model: nn.Module, learned: str) -> None:
    """Let all of a network learn, or the queries of its classes alone."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(learned == ALL or name in CLASS_TABLES)


def forget_attempt(run: Path) -> None:
    """Remove the tables and the model of an attempt that ended before it had a state.

    The next one may train something else on other data, and would go by them.
    """
    for name in (RUN_CLASSES, NEW_TABLE, START_NAME):
        (run / name).unlink(missing_ok=True)


def network_settings(settings: TrainingSettings, run: Path, start: Checkpoint | None) -> TrainingSettings:
    """Return the recipe with the network and the size of the model that gets new classes.

    Args:
        settings: the recipe; one that trains all is returned as it is.
        run: folder of the run; if it has a state, the run goes on as it began.
        start: the model.

    Raises:
        InputFileError: there is neither.
        CheckpointError: the state cannot be read.
    """
    if settings.learned == ALL:
        return settings
    if (run / STATE_NAME).exists():
        before = from_plain(load_state(run / STATE_NAME)["settings"])
        return replace(settings, network=before.network, input_size=before.input_size)
    if start is None:
        raise InputFileError("New classes are added to a model.", "Name it with --init.")
    return replace(settings, network=start.config.to_dict(), input_size=start.config.input_size)


def with_classes(
    settings: TrainingSettings,
    sets: Sequence[ImageSet],
    run: Path,
    start: Checkpoint | None,
    report: Callable[[str], None] = print,
) -> tuple[TrainingSettings, Classes]:
    """Return the recipe, whose network has a place for every class, and the classes to train.

    Where new classes only are trained, the run's catalogue has those of the model besides. Both tables and
    the model are written into its folder, from where a continued run and `export` take them.

    Args:
        settings: from `network_settings`.
        sets: the whole image sets.
        run: folder of the run.
        start: the model that gets new classes; not needed by a continued run.
        report: where to tell the classes.

    Raises:
        TrainingDataError: the model knows all classes already.
        InputFileError, OutputFileError: a table cannot be read or written.
    """
    if settings.learned == ALL:
        return settings, run_classes(settings.classes, sets, run, report)
    if start is not None and not (run / STATE_NAME).exists():
        new = _new(data_classes(settings.classes, sets), start.catalogue)
        write_classes(run / RUN_CLASSES, Catalogue((*start.catalogue, *new)))
        write_classes(run / NEW_TABLE, new)
        save_checkpoint(run / START_NAME, start)
        report(f"New classes: {', '.join(entry.name for entry in new)}.")
    highest = max(entry.index for entry in load_catalogue(run / RUN_CLASSES))
    return replace(settings, network=_grown(settings.network, highest)), read_classes(run / NEW_TABLE)


def adds_classes(run: Path) -> bool:
    """Whether a run adds classes to a model, and trains nothing else."""
    return (run / START_NAME).is_file()


def begun_card(run: Path, name: str) -> ModelCard:
    """The card of the model that a run adds classes to, under another name; an empty one for other runs."""
    return replace(read_checkpoint(run / START_NAME).card if adds_classes(run) else ModelCard(), name=name)


def with_rest_of_start(checkpoint: Checkpoint, run: Path) -> Checkpoint:
    """Return what a run made, with all that its model had besides weights and classes.

    So it answers as that one in every way: with its preprocessing and rules, the figures on its card and its
    confidence. A run that trained all is returned as it is.

    Args:
        checkpoint: the weights, classes and facts of the run.
        run: its folder.

    Raises:
        CheckpointError: the model in the folder cannot be read.
    """
    if not adds_classes(run):
        return checkpoint
    start, card = read_checkpoint(run / START_NAME), checkpoint.card
    facts = {
        **start.card.training, "new_classes": card.training,
        ALL_SUBJECTS: start.card.saw_all_subjects or card.saw_all_subjects,
    }  # fmt: skip
    return replace(
        start,
        config=checkpoint.config,
        # kept as the model kept them: the file is no larger, and nothing is rounded that was not
        weights={name: value.to(start.weights[name].dtype) for name, value in checkpoint.weights.items()},
        catalogue=checkpoint.catalogue,
        card=replace(card, training=facts, metrics={**start.card.metrics, **card.metrics}),
    )


def _new(found: Catalogue, known: Catalogue) -> Catalogue:
    """The classes that are not known, at their own indices where these are free."""
    taken = {entry.index for entry in known}
    new = []
    for entry in found.trained:
        if same_class(entry, known) is None:
            free = entry.index if entry.index not in taken else next(i for i in count(1) if i not in taken)
            taken.add(free)
            new.append(replace(entry, index=free))
    if not new:
        raise TrainingDataError(
            "The model knows all classes of the data by name.",
            f'Train all of it: set learned to "{ALL}", not "{NEW_CLASSES}". '
            "Beside sets of the class table other labels are not taken: give their data alone.",
        )
    return Catalogue(tuple(new))


def _grown(network: Mapping[str, Any], classes: int) -> dict[str, Any]:
    return {**network, "classes": max(classes, KPrismConfig.from_dict(network).classes)}
