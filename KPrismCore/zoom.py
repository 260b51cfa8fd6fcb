"""Clicks on a small object: the part of the image around it, at the full size of the network.

Interactive methods call it zoom-in (Sofiiuk et al. 2020, f-BRS, section 4); K-Prism's paper does without.
Pixels are (rows, columns) of the image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from KPrismCore.prompts import Click

Value = TypeVar("Value", bound=np.generic)
# edges lie on a grid of so many parts of the image, so that the next click often meets the same part
_GRID = 16


@dataclass(frozen=True)
class Zoom:
    """When and how far to go closer; all edges in shares of the image's longer side.

    margin: edge of the part over that of the object and its clicks. least: smallest edge of a part, which
    has at least `least_pixels` pixels. most: largest edge for which it is worth while. alone: from how many
    clicks on a mask is refined by them alone, which is what a part is looked at for; the mask so far then
    stands for the class and the references. sure: from which confidence on a mask is then changed only where
    a click is, see `correction`. whole: weight of the answer to the whole image beside that to a part, of 1.
    own: weight of the answer to a click of the model's own beside that to a class alone, see `own_click`.
    """

    margin: float = 1.8
    least: float = 0.3
    least_pixels: int = 96
    most: float = 0.8
    alone: int = 1
    sure: float = 0.85
    whole: float = 0.35
    own: float = 0.5

    def __post_init__(self) -> None:
        weights = 0 <= self.whole < 1 and 0 <= self.own <= 1
        shares = 0 < self.least <= self.most <= 1 and 0 <= self.sure <= 1 and weights
        if not shares or min(self.margin, self.least_pixels, self.alone) < 1:
            raise ValueError("a zoom has shares between 0 and 1, and margin and numbers of at least 1")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Zoom | None:
        """Inverse of `to_dict`; None for None. Older checkpoints do without `whole` and `own`.

        Raises:
            TypeError, ValueError: unknown names, or impossible values.
        """
        return None if values is None else cls(**{"whole": 0.0, "own": 0.0, **values})

    def window(
        self, mask: NDArray[np.bool_], clicks: Sequence[Click], spacing: tuple[float, float]
    ) -> Window | None:
        """The part of an image to look at; None for the whole image.

        Args:
            mask: (H, W), the object so far; where it is empty nothing is known of the object's size.
            clicks: in pixels of the image; all of them are in the part.
            spacing: mm between rows and between columns; a part is square in mm, as far as the image goes.
        """
        if not mask.any():
            return None
        places = ([click.y for click in clicks], [click.x for click in clicks])
        spans = [_span(np.asarray(mask.any(1 - axis)), places[axis]) for axis in (0, 1)]
        whole = max(length * step for length, step in zip(mask.shape, spacing, strict=True))
        wanted = max((high - low) * step for (low, high), step in zip(spans, spacing, strict=True))
        edge = max(wanted * self.margin, self.least * whole, self.least_pixels * min(spacing))
        edge = math.ceil(edge / whole * _GRID) * whole / _GRID
        if edge > self.most * whole:
            return None
        sides = [
            _side(span, edge / step, length, max(1, round(whole / step / _GRID)))
            for span, step, length in zip(spans, spacing, mask.shape, strict=True)
        ]
        return Window(*sides[0], *sides[1])


@dataclass(frozen=True)
class Window:
    """A part of an image: rows `top` to below `bottom`, columns `left` to before `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def cut(self) -> tuple[slice, slice]:
        """Index of the part in an array (H, W, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clicks(self, clicks: Sequence[Click]) -> list[Click]:
        """Clicks of the image as clicks of the part."""
        return [Click(click.x - self.left, click.y - self.top, click.positive) for click in clicks]

    def put_back(self, part: NDArray[Value], shape: tuple[int, int]) -> NDArray[Value]:
        """The part in an image (H, W) of zeros."""
        whole = np.zeros(shape, dtype=part.dtype)
        whole[self.cut] = part
        return whole


def _span(used: NDArray[np.bool_], places: Sequence[float]) -> tuple[int, int]:
    """First and past the last line that is used or clicked on."""
    lines = [*np.flatnonzero(used)[[0, -1]].tolist(), *(round(place) for place in places)]
    return min(lines), max(lines) + 1


def _side(span: tuple[int, int], edge: float, length: int, grid: int) -> tuple[int, int]:
    """Lines of a part of this edge around a span, within the image and, if the span allows, on a grid."""
    side = min(length, math.ceil(edge))
    first = round(((span[0] + span[1] - side) / 2) / grid) * grid
    first = min(max(first, span[1] - side), span[0])
    first = min(max(first, 0), length - side)
    return first, first + side
