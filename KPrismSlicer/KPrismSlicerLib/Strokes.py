"""From the path of the mouse to a click, or to clicks along a stroke. No Qt, no MRML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

# A hand does not hold still: nearer to the press than this many pixels, it is a click.
CLICK_RADIUS = 4.0
# Pixels between the clicks of a stroke: near enough to follow it, few enough for the network.
CLICK_DISTANCE = 24.0
MOST_CLICKS = 16


@dataclass
class MousePath:
    """Where the mouse was while the button was down: device pixels (x, y) and RAS in mm of each event."""

    pixels: list[tuple[float, float]] = field(default_factory=list)
    ras: list[FloatArray] = field(default_factory=list)

    def add(self, pixel: tuple[float, float], ras: ArrayLike) -> None:
        """Take one more position, unless the mouse is where it was."""
        if not self.pixels or self.pixels[-1] != pixel:
            self.pixels.append(pixel)
            self.ras.append(np.asarray(ras, dtype=np.float64))

    @property
    def isDrag(self) -> bool:
        """Whether the mouse has ever been farther from the press than a hand trembles."""
        if len(self.pixels) < 2:
            return False
        offsets = np.subtract(self.pixels, self.pixels[0])
        return bool(np.hypot(offsets[:, 0], offsets[:, 1]).max() > CLICK_RADIUS)

    def clicks(self, distance: float = CLICK_DISTANCE, most: int = MOST_CLICKS) -> FloatArray:
        """Give the points RAS (N, 3) in mm at which a stroke clicks, both of its ends among them.

        Args:
            distance: pixels along the path from click to click; more where `most` clicks would not reach.
            most: number of clicks that is not exceeded.
        """
        ras = np.array(self.ras)
        if not self.isDrag:
            return ras[:1]
        along = _lengths(self.pixels)
        count = int(np.clip(np.round(along[-1] / distance) + 1, 2, most))
        places = np.linspace(0.0, along[-1], count)
        return np.stack([np.interp(places, along, ras[:, axis]) for axis in range(3)], axis=-1)


def _lengths(pixels: Any) -> FloatArray:
    """Length in pixels from the start of a path to each of its points."""
    steps = np.diff(np.asarray(pixels, dtype=np.float64), axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])
