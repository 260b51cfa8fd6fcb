"""How images of a set hang, against how they are shown in use.

Public sets come rotated or mirrored, as their files were read by whoever made them, while in use a slice is
shown as radiologists hang it (`slices`). A class asked for by name is only found the way it was learned, so a
recipe tells for such sets how to turn their squares, and how often: as the data are, or as in use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

AS_IT_IS = ""
# what is done to a square (rows, columns); "transposed" is about the diagonal from the first pixel
HANGINGS: Mapping[str, Callable[[Array], Array]] = {
    AS_IT_IS: lambda square: square,
    "mirrored": lambda square: square[:, ::-1],
    "upside down": lambda square: square[::-1],
    "turned around": lambda square: square[::-1, ::-1],
    "turned left": lambda square: square.swapaxes(0, 1)[::-1],
    "turned right": lambda square: square.swapaxes(0, 1)[:, ::-1],
    "transposed": lambda square: square.swapaxes(0, 1),
    "transposed and turned around": lambda square: square.swapaxes(0, 1)[::-1, ::-1],
}


def hung(square: Array, hanging: str) -> Array:
    """A view of a square (rows, columns) or (rows, columns, C), turned by a word of `HANGINGS`."""
    return HANGINGS[hanging](square)


def exchanges_axes(hanging: str) -> bool:
    """Whether rows become columns."""
    return hung(np.zeros((1, 2)), hanging).shape == (2, 1)
