"""How long a run lasts, and its learning rate at every step. Source: paper section 4.1; spec section 16."""

from __future__ import annotations

import math
from dataclasses import replace

from KPrismCore.training.settings import TrainingSettings


def with_length(settings: TrainingSettings, images: int) -> TrainingSettings:
    """Return the settings with `steps` and `warmup_steps` that follow from their epochs, if they have any.

    An epoch is as many samples as there are training images.

    Args:
        settings: the recipe; one without `epochs` is returned as it is.
        images: number of training images.
    """
    if settings.epochs == 0:
        return settings
    per_epoch = images / settings.batch_size
    warmup = settings.warmup_steps
    if settings.warmup_epochs > 0:
        warmup = round(settings.warmup_epochs * per_epoch)
    return replace(settings, steps=max(1, round(settings.epochs * per_epoch)), warmup_steps=warmup)


def with_steps(settings: TrainingSettings, steps: int) -> TrainingSettings:
    """Return the settings with another length in steps; a warm-up in epochs keeps its share of the run."""
    warmup = settings.warmup_steps
    if settings.epochs > 0 and settings.warmup_epochs > 0:
        warmup = round(steps * settings.warmup_epochs / settings.epochs)
    return replace(settings, steps=steps, warmup_steps=warmup, epochs=0.0, warmup_epochs=0.0)


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """Return the rate of a step (0-based): linear warm-up, then a cosine down to the final factor."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return settings.learning_rate * (settings.final_rate_factor + (1 - settings.final_rate_factor) * cosine)
