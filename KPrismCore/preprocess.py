"""The one way from voxel values to what the network sees, for training, evaluation and use.

Voxels -> ``intensity_range`` (once per volume) -> ``to_unit`` (a slice in [0, 1], three channels) -> scaled
and padded by ``letterbox`` -> ``normalise``. A checkpoint carries the ``Preprocessing`` it was trained with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.errors import CheckpointError, ImageContentError, PromptError

Array = NDArray[Any]
Range = tuple[float, float]

# HU, level -/+ half the width; named as 3D Slicer's display presets, which the class tables use too
_WINDOWS: Mapping[str, Range] = {
    "CT-Abdomen": (-160.0, 240.0),
    "CT-Lung": (-1350.0, 150.0),
    "CT-Bone": (-500.0, 1300.0),
    "CT-Brain": (0.0, 80.0),
}
_CLASS_WORDS: Mapping[str, str] = {
    "CT-Lung": r"\b(lungs?|pulmonary nodules?|airways?|trachea|bronch\w*|emphysema|covid\S*)\b",
    "CT-Bone": r"\b(\w*bones?|ribs?|vertebrae?|vertebral|spine|skull|sacrum|femur|hip|humerus|scapula|"
    r"clavic\w+|sternum|mandible|fracture)\b",
    "CT-Brain": r"\b(brain|intracranial|cerebr\w*|cerebell\w*|ha?emorrhage|stroke|ischa?emi\w*)\b",
}
_MAX_SAMPLES = 2_000_000


@dataclass(frozen=True)
class Preprocessing:
    """How a network's images are prepared; recorded in its checkpoint.

    Args:
        mean: taken from values in [0, 1] (0.26 as in spec section 14).
        std: what the difference is divided by (0.30 as in spec section 14).
        ct_windows: presets by name, (lowest, highest) HU.
        ct_default: the preset for CT when neither class nor preset is given.
        class_words: by preset, the regular expression that class names using it match, case ignored.
        percentiles: of a volume's values, taken for black and white outside CT.
        quantise: cut the scaled image to whole grey levels 0..255, as the authors' checkpoints expect.

    Raises:
        ImageContentError: std not positive, a window or the percentiles not increasing, or an unknown preset.
    """

    mean: float = 0.26
    std: float = 0.30
    ct_windows: Mapping[str, Range] = field(default_factory=lambda: dict(_WINDOWS))
    ct_default: str = "CT-Abdomen"
    class_words: Mapping[str, str] = field(default_factory=lambda: dict(_CLASS_WORDS))
    percentiles: Range = (0.5, 99.5)
    quantise: bool = False

    def __post_init__(self) -> None:
        increasing = all(low < high for low, high in (*self.ct_windows.values(), self.percentiles))
        if (
            self.std <= 0
            or not increasing
            or not {self.ct_default, *self.class_words} <= set(self.ct_windows)
        ):
            raise ImageContentError(
                "The preprocessing settings contradict themselves.", "Use consistent settings."
            )

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Build from what ``to_dict`` gave, also through JSON; settings left out keep their defaults.

        Raises:
            CheckpointError: a setting is unknown or has a value that cannot be used.
        """
        unknown = sorted(set(values) - {entry.name for entry in fields(cls)})
        if unknown:
            raise CheckpointError(
                f"The preprocessing has settings this version does not know: {', '.join(unknown)}.",
                "Update the program.",
            )
        known = dict(values)
        try:
            if "ct_windows" in known:
                known["ct_windows"] = {name: _pair(window) for name, window in known["ct_windows"].items()}
            if "percentiles" in known:
                known["percentiles"] = _pair(known["percentiles"])
            return cls(**known)
        except (AttributeError, TypeError, ValueError, ImageContentError) as error:
            raise CheckpointError(
                "The checkpoint's preprocessing cannot be used.", "Use another file."
            ) from error

    def window_preset(self, class_name: str | None) -> str:
        """Name the CT preset that suits a class: by its words, else the default."""
        plain = (class_name or "").replace("_", " ")
        for preset, words in self.class_words.items():
            if re.search(words, plain, re.IGNORECASE):
                return preset
        return self.ct_default


DEFAULT_PREPROCESSING = Preprocessing()


def intensity_range(
    array: Array,
    modality: str | None = None,
    *,
    class_name: str | None = None,
    preset: str | None = None,
    window: Range | None = None,
    settings: Preprocessing = DEFAULT_PREPROCESSING,
) -> Range:
    """Find the values that become black and white, from a whole volume so that all its slices agree.

    In this order: the window given; [0, 255] for 8-bit pictures (colour or one slice), 8-bit CT, whose window
    has been applied already, and all 8-bit data when ``settings.quantise``; for CT the preset given, else
    that of the class; otherwise percentiles, leaving out a constant background.

    Args:
        array: KJI, KJIC, (H, W) or (H, W, 3); any numeric type.
        modality: 'CT', 'MR', ... or None where unknown.
        class_name: of the structure sought; chooses the CT preset.
        preset: name of a CT preset, such as a class table's; empty for none; without effect outside CT.
        window: (lowest, highest) value, given by the user.
        settings: of the checkpoint.

    Returns:
        (low, high) with low < high.

    Raises:
        PromptError: no such preset, or a window that does not increase or has no end.
        ImageContentError: the array holds no finite value, or NaN or infinity among those looked at.
    """
    if window is not None:
        if not window[0] < window[1]:
            raise PromptError(f"The window {window} does not increase.", "Give the lower value first.")
        if not np.isfinite(window[1] - window[0]):
            raise PromptError(f"The window {window} has no end.", "Give two finite values.")
        return float(window[0]), float(window[1])
    if preset and preset not in settings.ct_windows:
        raise PromptError(
            f"There is no window '{preset}'.", f"Choose one of {', '.join(settings.ct_windows)}."
        )
    if array.dtype == np.uint8 and (settings.quantise or modality == "CT" or _is_picture(array)):
        return 0.0, 255.0
    if modality == "CT":
        return settings.ct_windows[preset or settings.window_preset(class_name)]
    return _robust_range(_sample(array), settings.percentiles)


def to_unit(image: Array, value_range: Range) -> NDArray[np.float32]:
    """Map a 2-D image to [0, 1] in three channels.

    Args:
        image: (H, W), (H, W, 1), (H, W, 3), or (H, W, 4) whose alpha is dropped; any numeric type.
        value_range: from ``intensity_range``.

    Returns:
        float32 (H, W, 3).

    Raises:
        ImageContentError: another shape.
    """
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ImageContentError(
            f"An array of shape {image.shape} is not a grey or colour image.", "Choose one slice."
        )
    low, high = value_range
    # float32 holds all 8- and 16-bit values exactly; wider ones are brought near 0 before they are rounded
    wide: NDArray[Any] = image[..., :3].astype(np.float32 if image.dtype.itemsize <= 2 else np.float64)
    # a range too narrow for float32 would be none; what is far outside of it is black or white
    width = max(high - low, float(np.finfo(np.float32).tiny))
    with np.errstate(over="ignore"):
        unit = np.clip(((wide - low) / width).astype(np.float32), 0, 1)
    return np.ascontiguousarray(np.broadcast_to(unit, (*unit.shape[:2], 3)))


def normalise(
    unit: NDArray[np.float32], settings: Preprocessing = DEFAULT_PREPROCESSING
) -> NDArray[np.float32]:
    """Standardise an image (H, W, 3) in [0, 1], scaled and padded already: float32 (3, H, W), contiguous."""
    scaled = (unit.astype(np.float32) - np.float32(settings.mean)) / np.float32(settings.std)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def _pair(values: Any) -> Range:
    low, high = values
    return float(low), float(high)


def _is_colour(array: Array) -> bool:
    return array.ndim in (3, 4) and array.shape[-1] in (3, 4)


def _is_picture(array: Array) -> bool:
    return _is_colour(array) or array.ndim == 2 or array.shape[0] == 1


def _sample(array: Array) -> Array:
    """Thin out a large array evenly along its axes in space, always in the same way."""
    axes = array.ndim - 1 if _is_colour(array) else array.ndim
    step = max(1, int(np.ceil((array.size / _MAX_SAMPLES) ** (1 / axes))))
    return array[(slice(None, None, step),) * axes].ravel()


def _robust_range(values: Array, percentiles: Range) -> Range:
    if values.size == 0 or not np.isfinite(values).all():
        raise ImageContentError("The image holds NaN or infinite values.", "Replace them by numbers.")
    foreground = values[values != _background(values)]
    low, high = np.percentile(foreground if foreground.size else values, percentiles)
    if low == high:
        # a mask-like image: percentiles fall on one value
        low, high = values.min(), values.max()
    return (float(low), float(high)) if low < high else (float(low), float(low) + 1.0)


def _background(values: Array) -> Any:
    """The value that fills the outside: the lowest one or zero, whichever is common; NaN for none."""
    candidates = (values.min(), values.dtype.type(0))
    shares = [float(np.mean(values == candidate)) for candidate in candidates]
    best = int(np.argmax(shares))
    return candidates[best] if shares[best] >= 0.01 else np.nan
