"""Fit a 2-D image into the network's square and take the result back (spec section 14).

Frames: an image pixel is (x, y), x the column, y the row; a network pixel is (row, col). Pixel centres are
integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from KPrismCore.errors import ImageContentError
from KPrismCore.preprocess import DEFAULT_PREPROCESSING, Preprocessing, normalise

Rounding = Literal["truncate", "round"]
_ROUNDING_ERROR = 1e-6  # pixels


@dataclass(frozen=True)
class Letterbox:
    """Scale an image so that its longer side fills the square; centre it on zeros.

    Args:
        height: rows of the image.
        width: columns of the image.
        size: side S of the network's square.
        spacing: mm from row to row and from column to column; unequal ones are made square.
        rounding: 'truncate' as the authors do for queries, 'round' as they do for references.
        antialias: smooth before shrinking the image. The authors do not.

    Raises:
        ImageContentError: a side, the size or the spacing is not positive.
    """

    height: int
    width: int
    size: int
    spacing: tuple[float, float] = (1.0, 1.0)
    rounding: Rounding = "truncate"
    antialias: bool = False

    def __post_init__(self) -> None:
        if not min(self.height, self.width, self.size, *self.spacing) > 0:
            raise ImageContentError(
                f"{self.height} x {self.width} pixels of spacing {self.spacing} cannot be scaled.",
                "Check the image's size and spacing.",
            )

    @property
    def new_height(self) -> int:
        """Rows of the scaled image within the square."""
        return self._scaled(self.height, self.spacing[0])

    @property
    def new_width(self) -> int:
        """Columns of the scaled image within the square."""
        return self._scaled(self.width, self.spacing[1])

    @property
    def top(self) -> int:
        """First row of the square that holds image."""
        return (self.size - self.new_height) // 2

    @property
    def left(self) -> int:
        """First column of the square that holds image."""
        return (self.size - self.new_width) // 2

    @property
    def inside(self) -> tuple[slice, slice]:
        """Index of the image in a map (..., S, S) of the network, without the padding."""
        return (
            slice(self.top, self.top + self.new_height),
            slice(self.left, self.left + self.new_width),
        )

    def image(self, image: Tensor) -> Tensor:
        """Scale bilinearly: float (..., C, H, W) -> (..., C, S, S), zero outside the image."""
        return self._pad(_resize(image, self._inner, "bilinear", self.antialias))

    def mask(self, mask: Tensor) -> Tensor:
        """Scale to the nearest pixel: any type (..., H, W) -> (..., S, S), zero outside the image."""
        return self._pad(_resize(mask.float(), self._inner, "nearest")).to(mask.dtype)

    def restore(self, square: Tensor) -> Tensor:
        """Take a map of the network back: float (..., S, S) -> (..., H, W), bilinear, without the padding."""
        return _resize(square[(..., *self.inside)], (self.height, self.width), "bilinear")

    def points_to_network(self, points: Tensor) -> Tensor:
        """Convert pixels (..., 2) as (x, y) of the image to (row, col) of the square, float32, fractional."""
        shift = points.new_tensor((self.left, self.top), dtype=torch.float64) - 0.5
        return ((points.double() + 0.5) * self._ratio(points) + shift).flip(-1).float()

    def points_from_network(self, points: Tensor) -> Tensor:
        """Convert pixels (..., 2) as (row, col) of the square to (x, y) of the image, float32, fractional."""
        shift = points.new_tensor((self.left, self.top), dtype=torch.float64) - 0.5
        return ((points.double().flip(-1) - shift) / self._ratio(points) - 0.5).float()

    @property
    def _inner(self) -> tuple[int, int]:
        return self.new_height, self.new_width

    def _ratio(self, like: Tensor) -> Tensor:
        # the new size is whole, so rows and columns have ratios of their own: those of the resampling
        return like.new_tensor(
            (self.new_width / self.width, self.new_height / self.height), dtype=torch.float64
        )

    def _scaled(self, length: int, spacing: float) -> int:
        scale = self.size / max(self.height * self.spacing[0], self.width * self.spacing[1])
        exact = length * spacing * scale
        # a hair below a whole number is that number: the same image has 255 or 256 rows otherwise, as its
        # spacing was computed
        whole = round(exact) if self.rounding == "round" else int(exact + _ROUNDING_ERROR)
        return min(max(whole, 1), self.size)

    def _pad(self, inner: Tensor) -> Tensor:
        bottom, right = self.size - self.new_height - self.top, self.size - self.new_width - self.left
        return functional.pad(inner, (self.left, right, self.top, bottom))


def network_input(
    unit: NDArray[np.float32], letterbox: Letterbox, settings: Preprocessing = DEFAULT_PREPROCESSING
) -> Tensor:
    """Turn an image in [0, 1] into the network's input: scale, pad with zero, normalise (spec section 14).

    Args:
        unit: float32 (H, W, 3) from ``preprocess.to_unit``.
        letterbox: for this height and width.
        settings: of the checkpoint; ``quantise`` repeats the authors' 8-bit grey levels.

    Returns:
        float32 (3, S, S), on the CPU.
    """
    image = torch.from_numpy(np.array(unit.transpose(2, 0, 1), order="C"))
    if settings.quantise:
        # in grey levels, where 8-bit images are whole numbers and truncation meets no rounding errors
        grey = letterbox.image((image * 255).round())
        image = (grey.round() if letterbox.rounding == "round" else grey.floor()) / 255
    else:
        image = letterbox.image(image)
    return torch.from_numpy(normalise(image.permute(1, 2, 0).numpy(), settings))


def _resize(
    image: Tensor, size: tuple[int, int], mode: Literal["bilinear", "nearest"], antialias: bool = False
) -> Tensor:
    """Resample (..., H, W) whatever its leading dimensions."""
    # every channel on its own: with several, torch rounds differently with one thread than with more
    flat = image.reshape(-1, 1, *image.shape[-2:])
    if mode == "nearest":
        scaled = functional.interpolate(flat, size=size, mode="nearest")
    else:
        scaled = functional.interpolate(
            flat, size=size, mode="bilinear", align_corners=False, antialias=antialias
        )
    return scaled.reshape(*image.shape[:-2], *size)
