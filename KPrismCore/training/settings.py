"""The training recipe as one frozen value, read from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from KPrismCore.errors import InputFileError

MODES = ("class", "references", "clicks", "combined")


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a training run, apart from the data.

    Probabilities of modes are given in the order of `MODES` and need not sum to 1;
    those of passes (decoder passes with gradient) and references are for 1, 2, 3, ... and sum to 1.
    A set (or class) is drawn with the root of its number of images, taken within the bounds.
    Images are kept at `image_size` (0: the network's `input_size`); where that is larger, a sample is
    reduced to the network's size, or, with `crop_probability` in click mode, cut out around its target.
    `deformed_share` of the synthetic tasks are bent label maps of real images; the others are made up.
    `augmentation` multiplies the probability of every random change of an image.
    Source of the paper's values: paper section 4.1; spec sections 16 and 19.
    """

    name: str = "small"
    seed: int = 1
    input_size: int = 256
    image_size: int = 0
    crop_probability: float = 0.0
    batch_size: int = 8
    steps: int = 10_000
    learning_rate: float = 1e-3
    final_rate_factor: float = 0.02
    warmup_steps: int = 300
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    norm_momentum: float = 0.1
    freeze_norms_step: int = 0
    mode_probabilities: tuple[float, ...] = (0.27, 0.27, 0.36, 0.1)
    early_mode_probabilities: tuple[float, ...] = (0.1, 0.15, 0.75, 0.0)
    clicks_first_steps: int = 0
    reference_probabilities: tuple[float, ...] = (0.6, 0.25, 0.15)
    pass_probabilities: tuple[float, ...] = (0.2, 0.4, 0.4)
    silent_probability: float = 0.2
    later_pass_factor: float = 0.8
    noisy_click_probability: float = 0.3
    click_loss_factor: float = 0.5
    output_weights: tuple[float, ...] = ()
    synthetic_probability: float = 0.15
    deformed_share: float = 0.0
    component_probability: float = 0.3
    union_probability: float = 0.1
    set_size_bounds: tuple[int, int] = (25, 500)
    class_size_bounds: tuple[int, int] = (25, 500)
    augmentation: float = 1.0
    classes: str = ""
    precision: str = "float32"
    workers: int = 0
    log_steps: int = 50
    save_steps: int = 250
    validate_steps: int = 1000
    validation_images_per_set: int = 2
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept_size(self) -> int:
        """Edge of the squares that images are kept as."""
        return self.image_size or self.input_size

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as numbers, strings, lists and dicts, fit for a state file."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def read_settings(path: Path) -> TrainingSettings:
    """Read settings: the table [training] fills the fields, [network] the network's configuration.

    Raises:
        InputFileError: the file is missing, not TOML, or holds an unknown key or an impossible value;
            or this Python is older than 3.11, which cannot read TOML.
    """
    try:
        import tomllib
    except ModuleNotFoundError as error:
        raise InputFileError("Training needs Python 3.11 or newer.", "Use a newer Python.") from error
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = from_plain({**tables.get("training", {}), "network": tables.get("network", {})})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError, TypeError) as error:
        raise InputFileError(
            f"{path} is not a training configuration ({error}).", "Compare it with train-small.toml."
        ) from error
    return settings


def from_plain(values: Mapping[str, Any]) -> TrainingSettings:
    """Return settings from their plain form; ValueError on unknown keys or bad values."""
    known = {item.name for item in fields(TrainingSettings)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}")
    settings = TrainingSettings(**{key: _frozen(value) for key, value in values.items()})
    _check(settings)
    return settings


def _check(settings: TrainingSettings) -> None:
    for table in (settings.mode_probabilities, settings.early_mode_probabilities):
        if len(table) != len(MODES) or min(table) < 0 or sum(table) <= 0:
            raise ValueError(f"mode probabilities need {len(MODES)} values, none negative")
    for name, table in (
        ("pass_probabilities", settings.pass_probabilities),
        ("reference_probabilities", settings.reference_probabilities),
    ):
        if not table or min(table) < 0 or abs(sum(table) - 1) > 1e-6:
            raise ValueError(f"{name} do not sum to 1")
    if min(settings.batch_size, settings.steps, settings.input_size) < 1:
        raise ValueError("batch_size, steps and input_size must be positive")
    for bounds in (settings.set_size_bounds, settings.class_size_bounds):
        if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
            raise ValueError("size bounds are two positive numbers, the smaller first")
    if settings.kept_size < settings.input_size:
        raise ValueError("image_size is at least input_size")
    _check_shares(settings)
    if settings.precision not in ("float32", "bfloat16"):
        raise ValueError("precision is float32 or bfloat16")


def _check_shares(settings: TrainingSettings) -> None:
    if not 0 <= settings.augmentation <= 2 or not 0 <= settings.crop_probability <= 1:
        raise ValueError("augmentation is between 0 and 2, crop_probability between 0 and 1")
    if not 0 <= settings.deformed_share <= 1:
        raise ValueError("deformed_share is between 0 and 1")


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
