"""Weights between those of two runs that began one with the other's: often better than either.

The error of a network is nearly flat between two ends of one training, and their mean forgets what was
peculiar to each (Wortsman et al. 2022, "Model soups"; Izmailov et al. 2018, stochastic weight averaging).
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from KPrismCore.checkpoint import ALL_SUBJECTS, Checkpoint
from KPrismCore.errors import CheckpointError, InputFileError


def mixed(checkpoint: Checkpoint, other: Checkpoint, share: float) -> Checkpoint:
    """Return the checkpoint with `share` of the other's weights in each of its own.

    Weights that the other lacks, or has in another shape, stay as they are: those of blocks that were added
    between the two. The statistics of normalisation fit neither afterwards; see `recalibrated`. The lines of
    the other's confidence stand in for those of a run, which has none before it is measured: without any it
    would take itself for surer than it is.

    Raises:
        InputFileError: the share is not between 0 and 1.
        CheckpointError: nothing of the other fits, or its classes are others.
    """
    if not 0 < share < 1:
        raise InputFileError(f"The share {share} is not between 0 and 1.", "Give 0.35, for example.")
    trained = [{entry.index: entry.name for entry in c.catalogue.trained} for c in (checkpoint, other)]
    common = [name for name, value in checkpoint.weights.items() if _fits(value, other.weights.get(name))]
    if not common or trained[0] != trained[1]:
        cause = "its classes are others" if common else "no weight fits"
        raise CheckpointError(
            f"'{other.card.name}' cannot be mixed in: {cause}.",
            "Name a run or a model that this one began with.",
        )
    weights = dict(checkpoint.weights)
    for name in common:
        weights[name] = (1 - share) * weights[name].float() + share * other.weights[name].float()
    seen = checkpoint.card.saw_all_subjects or other.card.saw_all_subjects
    facts = {
        **checkpoint.card.training, "mixed_with": other.card.name, "mixed_share": share, ALL_SUBJECTS: seen,
    }  # fmt: skip
    return replace(
        checkpoint,
        weights=weights,
        card=replace(checkpoint.card, training=facts),
        confidence_lines=checkpoint.confidence_lines or other.confidence_lines,
    )


def _fits(value: Tensor, found: Tensor | None) -> bool:
    return found is not None and found.shape == value.shape and value.is_floating_point()
