"""Random changes of one image and its mask: geometry, intensity, blur and noise, by MONAI's transforms.

What image and references of one task must share (mirroring, inversion) is a `Style`; the rest is drawn for
each image on its own. Source: paper section 4.1; spec section 14.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data import set_track_meta
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandGridDistortiond,
    RandHistogramShiftd,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSimulateLowResolutiond,
    Transform,
)
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from KPrismCore.training.changes import Changes
from KPrismCore.training.hanging import AS_IT_IS, hung

MIN_MASK_PIXELS = 12
_KEYS = ("image", "mask")
_MODES = ("bilinear", "nearest")
# sets whose pictures have no up, down, left or right that a class depends on
FREE_ORIENTATIONS = ("endoscopy", "microscopy", "histology", "dermoscopy", "octa")


@dataclass(frozen=True)
class Style:
    """What one task's image and references have in common: how they hang, mirroring, inverted intensities."""

    hanging: str = AS_IT_IS
    flip_rows: bool = False
    flip_columns: bool = False
    invert: bool = False


def draw_style(
    rng: np.random.Generator,
    modality: str,
    *,
    class_mode: bool,
    strength: float = 1.0,
    changes: Changes | None = None,
    hanging: str = AS_IT_IS,
    hanging_probability: float = 0.0,
) -> Style:
    """Draw a style; in class mode orientation is kept where it has a meaning (left and right kidney).

    Args:
        rng: source of everything random.
        modality: of the images.
        class_mode: whether a class is asked for by name.
        strength: multiplies the probability of an inversion.
        changes: how often is mirrored and inverted.
        hanging: how the images are turned to hang as in use, see `hanging`.
        hanging_probability: how often they are.
    """
    changes = changes or Changes()
    if hanging and rng.random() >= hanging_probability:
        hanging = AS_IT_IS
    flips, inversion = rng.random(2) < changes.flip, rng.random() < strength * changes.inversion
    free = changes.class_flips or any(word in modality.lower() for word in FREE_ORIENTATIONS)
    if class_mode and not free:
        return Style(hanging)
    return Style(hanging, bool(flips[0]), bool(flips[1]), bool(inversion) and not class_mode)


class Augmenter:
    """Change an image and its mask together; a given rng state always gives the same result.

    Args:
        size: edge of the squares in pixels.
        changes: how strong and how often.
        strength: multiplies the probability of every change.
    """

    def __init__(self, size: int, changes: Changes | None = None, strength: float = 1.0) -> None:
        # plain tensors: metadata doubles the time and is not used here
        set_track_meta(False)
        # a picture of one grey has no curve to redraw, and stays as it is
        warnings.filterwarnings("ignore", message="The image's intensity is a single value")
        to = changes or Changes()
        self._transforms = Compose([*_of_place(to, size, strength), *_of_appearance(to, strength)])

    def __call__(
        self, image: NDArray[Any], mask: NDArray[Any], style: Style, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the changed image (3, S, S) in [0, 1] and mask (1, S, S) of 0 and 1, both float32.

        Args:
            image: uint8 S x S or S x S x 3.
            mask: bool S x S.
            style: mirroring and inversion of the whole task.
            rng: source of everything random.

        A mask that would nearly vanish is kept as it was, with its image.
        """
        picture, target = to_tensors(image, mask, style)
        self._transforms.set_random_state(seed=int(rng.integers(2**31)))
        changed = self._transforms({"image": picture, "mask": target})
        if changed["mask"].sum() >= min(MIN_MASK_PIXELS, int(target.sum())):
            picture, target = changed["image"], changed["mask"]
        return picture.clamp(0.0, 1.0).expand(3, -1, -1), target


def _of_place(to: Changes, size: int, strength: float) -> list[Transform]:
    """What moves image and mask together; MONAI takes a range for each axis, and none as standing still."""
    return [
        RandAffined(
            _KEYS, prob=min(1.0, strength * to.affine), rotate_range=np.deg2rad(to.rotation),
            translate_range=(to.shift * size,) * 2, scale_range=(to.scale,) * 2, shear_range=(to.shear,) * 2,
            mode=_MODES, padding_mode="zeros", spatial_size=(size, size), cache_grid=True,
        ),
        RandGridDistortiond(
            _KEYS, prob=min(1.0, strength * to.distortion), distort_limit=to.distortion_limit, mode=_MODES,
            padding_mode="zeros",
        ),
    ]  # fmt: skip


def _of_appearance(to: Changes, strength: float) -> list[Transform]:
    """What changes the image alone."""

    def often(probability: float) -> float:
        return min(1.0, strength * probability)

    return [
        RandAdjustContrastd("image", prob=often(to.gamma), gamma=to.gamma_range),
        RandScaleIntensityd("image", prob=often(to.contrast), factors=to.contrast_limit),
        RandShiftIntensityd("image", prob=often(to.brightness), offsets=to.brightness_limit),
        RandGaussianSmoothd("image", prob=often(to.blur), sigma_x=to.blur_range, sigma_y=to.blur_range),
        RandGaussianNoised("image", prob=often(to.noise), std=to.noise_deviation),
        RandScaleIntensityd("image", prob=often(to.tint), factors=to.tint_limit, channel_wise=True),
        RandShiftIntensityd("image", prob=often(to.tint), offsets=to.tint_limit / 2, channel_wise=True),
        RandHistogramShiftd("image", prob=often(to.curve), num_control_points=to.curve_points),
        RandBiasFieldd("image", prob=often(to.field), coeff_range=(-to.field_limit, to.field_limit)),
        RandSimulateLowResolutiond(
            "image", prob=often(to.coarse), zoom_range=to.coarse_range, downsample_mode="area",
            upsample_mode="bilinear",
        ),
    ]  # fmt: skip


def to_tensors(image: NDArray[Any], mask: NDArray[Any], style: Style) -> tuple[Tensor, Tensor]:
    """Return image (1 or 3, S, S) in [0, 1] and mask (1, S, S) as float32, in the given style."""
    rows = slice(None, None, -1 if style.flip_rows else 1)
    columns = slice(None, None, -1 if style.flip_columns else 1)
    image, mask = hung(image, style.hanging), hung(mask, style.hanging)
    channels = image[rows, columns].transpose(2, 0, 1) if image.ndim == 3 else image[None, rows, columns]
    picture = torch.from_numpy(np.ascontiguousarray(channels, dtype=np.float32) / np.float32(255))
    target = torch.from_numpy(np.ascontiguousarray(mask[None, rows, columns], dtype=np.float32))
    return (1.0 - picture if style.invert else picture), target


def fit(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    size: int,
    rng: np.random.Generator,
    *,
    crop: bool,
    sides: tuple[float, float] = (0.0, 0.0),
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return image and mask as squares of `size`: reduced, or cut out around a random pixel of the target.

    A target that scaling would nearly erase is cut out in any case, with the edge `size`; where there is no
    target the image is reduced.

    Args:
        image: uint8 L x L or L x L x 3, L at least `size`.
        mask: bool L x L.
        size: edge of the result in pixels.
        rng: source of the place.
        crop: cut out rather than reduce.
        sides: least and greatest edge of what is cut out, in shares of L; it is scaled to `size`. With
            (0, 0) the edge is `size`, so that nothing is scaled.
    """
    empty = not mask.any()
    crop = crop and not empty
    scaled = crop and sides[1] > 0
    if len(mask) == size and not scaled:
        return image, mask
    side = round(rng.uniform(*sides) * len(mask)) if scaled else len(mask)
    if scaled or not crop:
        window = _window(mask, max(1, side), rng) if scaled else np.s_[:, :]
        small = _resized_mask(mask[window], size)
        if empty or small.sum() >= MIN_MASK_PIXELS:
            return _resized(image[window], size), small
    window = _window(mask, size, rng)
    return image[window], mask[window]


def _window(mask: NDArray[np.bool_], side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """A square of this edge that holds a random pixel of the target."""
    rows, columns = np.nonzero(mask)
    chosen, last = int(rng.integers(len(rows))), len(mask) - side
    top, left = (int(np.clip(place[chosen] - rng.integers(side), 0, last)) for place in (rows, columns))
    return slice(top, top + side), slice(left, left + side)


def _resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    rule = Image.Resampling.BOX if len(pixels) > size else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((size, size), rule))


def _resized_mask(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    return np.asarray(_resized(mask.astype(np.uint8) * 255, size) >= 128)  # at least half of a pixel
