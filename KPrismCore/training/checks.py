"""What a recipe must fulfil before anything is trained."""

from __future__ import annotations

from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.training.changes import Changes
from KPrismCore.training.hanging import HANGINGS
from KPrismCore.training.settings import LEARNED, MODES, NEW_CLASSES, OPTIMIZERS, PRECISIONS, TrainingSettings

SHARES = (
    "silent_probability", "noisy_click_probability", "synthetic_probability", "component_probability",
    "union_probability", "crop_probability", "found_share", "deformed_share", "click_first_probability",
    "hanging_probability", "absent_probability",
)  # fmt: skip


def check_settings(settings: TrainingSettings) -> None:
    """Raise ValueError, in words, on the first value that no run could use."""
    _check_probabilities(settings)
    _check_counts(settings)
    _check_ranges(settings)
    _check_changes(settings.changes)
    if settings.trunk_rate_factor < 0:
        raise ValueError("trunk_rate_factor must not be negative")
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer is {' or '.join(OPTIMIZERS)}")
    if settings.learned not in LEARNED:
        raise ValueError(f"learned is {' or '.join(LEARNED)}")
    if settings.learned == NEW_CLASSES and settings.weight_decay > 0:
        raise ValueError("weight_decay is 0 where new classes only learn: it would change the known ones")
    if settings.precision not in PRECISIONS:
        raise ValueError(f"precision is {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}")


def check_share(settings: TrainingSettings, processes: int) -> int:
    """Return how many samples one process takes through the network at once.

    Raises:
        InputFileError: the batch cannot be shared equally by the processes and the accumulated parts.
    """
    parts = processes * settings.accumulation
    if settings.batch_size % parts:
        raise InputFileError(
            f"A batch of {settings.batch_size} cannot be shared equally by {processes} processes "
            f"with {settings.accumulation} parts each.",
            f"Set batch_size to a multiple of {parts}; it counts the samples of all processes.",
        )
    return settings.batch_size // parts


def check_network(settings: TrainingSettings, config: KPrismConfig, classes: int) -> None:
    """Compare a recipe with its network.

    Args:
        settings: the recipe.
        config: the network.
        classes: largest index of the class table.

    Raises:
        InputFileError: the factors of the decoder's outputs are not as many as there are outputs.
        TrainingDataError: a class index is beyond the network's classes.
    """
    outputs = config.layers + (config.fine_head_channels > 0)
    given = len(settings.output_weights)
    if given not in (0, outputs):
        raise InputFileError(
            f"output_weights has {given} values, and the network {outputs} outputs.",
            "Give one value per decoder layer (and one for the fine head), or none.",
        )
    if classes > config.classes:
        raise TrainingDataError(
            f"The class table has index {classes}, the network {config.classes} classes.",
            "Raise classes in the table [network].",
        )


def _check_probabilities(settings: TrainingSettings) -> None:
    for table in (settings.mode_probabilities, settings.early_mode_probabilities):
        if len(table) != len(MODES) or min(table) < 0 or sum(table) <= 0:
            raise ValueError(f"mode probabilities need {len(MODES)} values, none negative")
    for name, table in (
        ("pass_probabilities", settings.pass_probabilities),
        ("reference_probabilities", settings.reference_probabilities),
    ):
        if not table or min(table) < 0 or abs(sum(table) - 1) > 1e-6:
            raise ValueError(f"{name} do not sum to 1")
    shares = {name: getattr(settings, name) for name in SHARES}
    for name, value in {**shares, **settings.changes.probabilities}.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is between 0 and 1")


def _check_counts(settings: TrainingSettings) -> None:
    if min(settings.batch_size, settings.steps, settings.input_size, settings.accumulation) < 1:
        raise ValueError("batch_size, steps, input_size and accumulation must be positive")
    if min(settings.log_steps, settings.save_steps, settings.validate_steps) < 1:
        raise ValueError("log_steps, save_steps and validate_steps must be positive")
    if min(settings.epochs, settings.warmup_epochs, settings.warmup_steps) < 0:
        raise ValueError("epochs and warm-up must not be negative")
    if settings.warmup_epochs > 0 and settings.epochs == 0:
        raise ValueError("warmup_epochs needs epochs; beside steps it is warmup_steps")
    if settings.kept_size < settings.input_size:
        raise ValueError("image_size is at least input_size")


def _check_ranges(settings: TrainingSettings) -> None:
    for bounds in (settings.set_size_bounds, settings.class_size_bounds):
        if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
            raise ValueError("size bounds are two positive numbers, the smaller first")
    sides = settings.crop_sides
    if len(sides) != 2 or not (0 < sides[0] <= sides[1] <= 1 or sides == (0.0, 0.0)):
        raise ValueError("crop_sides are two shares of the image, the smaller first, or two zeros")
    if not 0 <= settings.augmentation <= 2 or not 0 <= settings.size_power <= 1:
        raise ValueError("augmentation is between 0 and 2, size_power between 0 and 1")
    if not 0 <= settings.ema_decay < 1 or settings.clip_norm <= 0:
        raise ValueError("ema_decay is at least 0 and below 1, clip_norm positive")
    factors = (settings.later_pass_factor, settings.click_loss_factor, settings.matching_loss_factor)
    if min(factors) < 0:
        raise ValueError("factors of the loss are not negative")
    if any(factor < 0 for factor in settings.sets.values()):
        raise ValueError("a factor in [sets] is not negative")
    for name, hanging in settings.hanging.items():
        if hanging not in HANGINGS:
            words = ", ".join(filter(None, HANGINGS))
            raise ValueError(f"{name} in [hanging] is one of: {words}")


def _check_changes(changes: Changes) -> None:
    for limits in (
        changes.scale, changes.gamma_range, changes.blur_range, changes.curve_points, changes.coarse_range,
    ):  # fmt: skip
        if len(limits) != 2 or limits[0] > limits[1]:
            raise ValueError("a range in [changes] is two numbers, the smaller first")
    if changes.curve_points[0] < 3 or not all(isinstance(count, int) for count in changes.curve_points):
        raise ValueError("curve_points are whole numbers from 3 on")
    if not 0 < changes.coarse_range[0] <= changes.coarse_range[1] <= 1:
        raise ValueError("coarse_range are shares of the image's edge")
