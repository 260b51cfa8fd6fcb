"""Where pixels are, for the attention: codes that are made of a row's and a column's. Spec section 5."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Places:
    """Position codes of H x W pixels: that of a row beside that of a column.

    rows: (B or 1, H, a); columns: (B or 1, W, C - a). What is linear in the codes is therefore the sum of a
    table over rows and one over columns.
    """

    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> Places:
        """Any codes (B or 1, L, C), as L rows of one pixel."""
        return cls(codes, codes[:, :1, :0])

    @cached_property
    def codes(self) -> Tensor:
        """(B or 1, H*W, C), row by row."""
        shape = (-1, self.rows.shape[1], self.columns.shape[1], -1)
        parts = self.rows[:, :, None].expand(shape), self.columns[:, None].expand(shape)
        return torch.cat(parts, 3).flatten(1, 2)


def sine_places(height: int, width: int, channels: int, device: torch.device) -> Places:
    """The sine code, rows in the first half of the channels. Spec section 5."""
    with torch.inference_mode(False):
        return _sine_places(height, width, channels, str(device))


@lru_cache(maxsize=32)
def _sine_places(height: int, width: int, channels: int, device: str) -> Places:
    half = channels // 2
    exponent = 2 * torch.div(torch.arange(half, dtype=torch.float32), 2, rounding_mode="floor") / half
    frequency = 10000.0**exponent

    def encode(length: int) -> Tensor:
        position = torch.arange(1, length + 1, dtype=torch.float32) / (length + 1e-6) * (2 * math.pi)
        angle = position[:, None] / frequency
        code = torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)
        return code[None].to(device)

    places = Places(encode(height), encode(width))
    _ = places.codes  # made here, as a tensor that training may use too
    return places
