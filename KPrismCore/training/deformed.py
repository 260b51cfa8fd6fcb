"""Made-up tasks from real label maps: their shapes bent, on images of other textures and contrasts.

Shapes keep what real ones have (neighbours, holes, several pieces) and take an appearance that no image set
has, so that clicks and references have to be understood and not remembered. Works on training's squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from KPrismCore.training.synthetic import Field, Picture, deformation, smooth_field

# least difference of grey between the object and any other label, of 1
CONTRAST = 0.12
_NOISE = 0.02


@dataclass(frozen=True, eq=False)
class DeformedTask:
    """A label map and an appearance; every `draw` bends the map anew.

    Args:
        labels: uint8 S x S; 0 is the background.
        target: the labels (their union) that are the object.
        levels: (256,) grey of each label, 0 to 1.
        textures: (256,) strength of each label's texture.
        cells: fineness of the texture.
        colour: (3,) what the object's colour differs by; zeros for grey.
        strength: of the bending; 1 moves shapes by some percent of the image's size.
    """

    labels: NDArray[np.uint8]
    target: tuple[int, ...]
    levels: NDArray[np.float32]
    textures: NDArray[np.float32]
    cells: int
    colour: NDArray[np.float32]
    strength: float

    def draw(self, rng: np.random.Generator) -> Picture:
        """Return one image (uint8 S x S or S x S x 3) of the bent map, and the object's mask (bool S x S).

        Args:
            rng: source of the bending and of the texture; equal states give equal pictures.
        """
        size = len(self.labels)
        rows, columns = deformation(rng, size, self.strength)
        bent = self.labels[rows, columns]
        mask = np.isin(bent, self.target)
        grey = self.levels[bent] + self.textures[bent] * smooth_field(rng, size, self.cells)
        # uneven light, as of a coil or a lamp
        grey = grey * (1 + 0.1 * smooth_field(rng, size, 2)) + self._noise(rng, size)
        picture = grey[..., np.newaxis] + self.colour * mask[..., np.newaxis] if self.colour.any() else grey
        return (255 * np.clip(picture, 0.0, 1.0)).astype(np.uint8), mask

    def _noise(self, rng: np.random.Generator, size: int) -> Field:
        return _NOISE * rng.standard_normal((size, size), dtype=np.float32)


def deform_task(
    rng: np.random.Generator, labels: NDArray[np.uint8], target: tuple[int, ...], strength: float = 1.0
) -> DeformedTask:
    """Give a label map a random appearance.

    Args:
        rng: source of the appearance.
        labels: uint8 S x S of a real image's labels.
        target: the labels that are the object; all others and the background are told apart from it.
        strength: of the bending.
    """
    levels = rng.uniform(0.1, 0.9, 256).astype(np.float32)
    objects = list(target)
    # all parts of the object look alike, and no other label looks like it
    levels[objects] = levels[objects[0]]
    others = np.setdiff1d(np.arange(256), objects)
    near = others[np.abs(levels[others] - levels[objects[0]]) < CONTRAST]
    levels[near] += np.float32(2 * CONTRAST if levels[objects[0]] < 0.5 else -2 * CONTRAST)
    textures = rng.uniform(0.0, 0.06, 256).astype(np.float32)
    colour = rng.uniform(-0.2, 0.2, 3) if rng.random() < 0.3 else np.zeros(3)
    return DeformedTask(
        labels, target, levels, textures, int(rng.integers(6, 48)), colour.astype(np.float32), strength
    )
