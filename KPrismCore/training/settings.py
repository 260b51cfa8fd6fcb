"""The training recipe as one frozen value; `configuration` reads it from TOML files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from KPrismCore.training.changes import Changes

MODES = ("class", "references", "clicks", "combined")
OPTIMIZERS = ("adamw", "muon")
ALL, NEW_CLASSES = "all", "new_classes"
LEARNED = (ALL, NEW_CLASSES)
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class TrainingSettings:
    """Everything that decides a training run, apart from the data.

    Probabilities of modes are given in the order of `MODES` and need not sum to 1;
    those of passes (decoder passes with gradient) and references are for 1, 2, 3, ... and sum to 1.
    A set (or class) is drawn with a power (`size_power`) of its number of images, taken within the bounds,
    times its factor in `sets`: name or pattern -> factor, 1 where none fits; see `set_factor`.
    `batch_size` counts the samples of one optimiser step over all processes and all `accumulation` parts.
    With `epochs` above 0, `steps` follow from the number of training images, and `warmup_steps` from
    `warmup_epochs`; see `schedule.with_length`.
    Images are kept at `image_size` (0: the network's `input_size`); where that is larger, a sample is
    reduced to the network's size. With `crop_probability` in click mode it is cut out around its target
    instead, with an edge between the two shares `crop_sides` of the image (0: the network's size).
    `found_share` of the synthetic tasks are unmarked objects of real images (see `found`), `deformed_share`
    of the rest are bent label maps of real images; the others are made up.
    With `click_first_probability` a task with a class or references has a click from its first pass on; one
    with both, half of the time.
    With `all_subjects` the validation subjects are trained on too, in a last run whose recipe is known to be
    good: no figure can be measured on them afterwards.
    A network with a trunk begins with the `trunk_weights`, a file or the name of a Python package with one
    (see `pretrained`), unless the run begins with a model that has that trunk; the trunk learns at
    `trunk_rate_factor` times the rate, by AdamW with either optimiser, and not at all at 0.
    With `learned` "new_classes" only the queries of classes learn that the model which the run begins with
    does not know; all else stays as it is, to the bit: see `new_classes`.
    `matching_loss_factor` weighs how well the object is found by resemblance to the references alone; see
    `losses.matching_loss`.
    `lungs_from` names sets of chest CTs whose lungs a rule marks, as a further set; see `chest_lungs`.
    `hanging` tells by set name how its images are turned to hang as slices do in use (see `hanging`), which
    happens with `hanging_probability`.
    `complete_sets` names sets whose masks mark each of their labels wherever it is to be seen: with
    `absent_probability` a class that such a set shows is asked for on an image of it with nothing to find.
    `augmentation` multiplies the probability of every random change of an image but mirroring; see `Changes`.
    Source of the paper's values: paper section 4.1; spec sections 16 and 19.
    """

    name: str = "small"
    seed: int = 1
    all_subjects: bool = False
    input_size: int = 256
    image_size: int = 0
    crop_probability: float = 0.0
    crop_sides: tuple[float, float] = (0.0, 0.0)
    batch_size: int = 8
    accumulation: int = 1
    steps: int = 10_000
    epochs: float = 0.0
    warmup_epochs: float = 0.0
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    final_rate_factor: float = 0.02
    warmup_steps: int = 300
    learned: str = ALL
    trunk_weights: str = ""
    trunk_rate_factor: float = 0.1
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
    click_first_probability: float = 0.0
    later_pass_factor: float = 0.8
    noisy_click_probability: float = 0.3
    click_loss_factor: float = 0.5
    matching_loss_factor: float = 0.0
    output_weights: tuple[float, ...] = ()
    synthetic_probability: float = 0.15
    found_share: float = 0.0
    deformed_share: float = 0.0
    component_probability: float = 0.3
    union_probability: float = 0.1
    size_power: float = 0.5
    set_size_bounds: tuple[int, int] = (25, 500)
    class_size_bounds: tuple[int, int] = (25, 500)
    lungs_from: tuple[str, ...] = ()
    hanging_probability: float = 0.5
    complete_sets: tuple[str, ...] = ()
    absent_probability: float = 0.0
    augmentation: float = 1.0
    classes: str = ""
    precision: str = "float32"
    workers: int = 0
    log_steps: int = 50
    save_steps: int = 250
    validate_steps: int = 1000
    validation_images_per_set: int = 2
    changes: Changes = field(default_factory=Changes)
    sets: Mapping[str, float] = field(default_factory=dict)
    hanging: Mapping[str, str] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept_size(self) -> int:
        """Edge of the squares that images are kept as."""
        return self.image_size or self.input_size

    def set_factor(self, name: str) -> float:
        """Factor of a set: its own entry in `sets`, else that of the last pattern (*, ?) to fit, else 1."""
        if name in self.sets:
            return self.sets[name]
        fitting = [factor for pattern, factor in self.sets.items() if fnmatchcase(name, pattern)]
        return fitting[-1] if fitting else 1.0

    def absent_sets(self, names: Iterable[str]) -> list[str]:
        """Entries of `sets` that fit none of these names."""
        known = list(names)
        return [pattern for pattern in self.sets if not any(fnmatchcase(name, pattern) for name in known)]

    def to_plain(self) -> dict[str, Any]:
        """Return the settings as numbers, strings, lists and dicts, fit for a state file."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
