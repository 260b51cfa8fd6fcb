"""Made-up tasks: random smooth shapes with random textures, to segment things no image set has.

A task is one random object (shape and appearance) that can be drawn several times: as the image and,
with other deformations, as its references. Works on arrays of the network's input size; a drawing
takes a few milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]
Picture = tuple[NDArray[np.uint8], NDArray[np.bool_]]
MIN_PIXELS = 30
_KINDS = ("regions", "blob", "tube")


def smooth_field(rng: np.random.Generator, size: int, cells: int) -> Field:
    """Return a smooth random S x S field of about unit variance whose hills are about size / cells wide."""
    coarse = rng.standard_normal((cells + 1, cells + 1)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class SyntheticTask:
    """The fixed part of a made-up task; every `draw` deforms it anew."""

    kind: str
    size: int
    base: tuple[Field, ...]
    levels: NDArray[np.float32]
    contrast: float
    texture_cells: int
    texture_strength: float
    colour: NDArray[np.float32]

    def draw(self, rng: np.random.Generator, background: NDArray[np.uint8] | None = None) -> Picture:
        """Return one image (uint8 S x S or S x S x 3) of the object, and its mask (bool S x S).

        Args:
            rng: source of the deformation and the texture.
            background: uint8 S x S or S x S x 3 to draw the object into; a made-up one where None.
        """
        rows, columns = deformation(rng, self.size)
        fields = [field[rows, columns] for field in self.base]
        mask, canvas = self._regions(fields) if self.kind == "regions" else self._shape(fields)
        texture = self.texture_strength * smooth_field(rng, self.size, self.texture_cells)
        if background is not None:
            return _paint(background, mask, self.contrast, texture), mask
        grey = canvas + texture + 0.02 * rng.standard_normal((self.size, self.size)).astype(np.float32)
        if self.colour.any():
            grey = grey[..., None] + self.colour * mask[..., None]
        return (255 * np.clip(grey, 0.0, 1.0)).astype(np.uint8), mask

    def _regions(self, fields: list[Field]) -> tuple[NDArray[np.bool_], Field]:
        regions = np.argmax(np.stack(fields), axis=0)
        return regions == 0, self.levels[regions]

    def _shape(self, fields: list[Field]) -> tuple[NDArray[np.bool_], Field]:
        mask = fields[0] > 0
        clutter = self.levels[1] + 0.15 * fields[1]
        return mask, np.where(mask, self.levels[1] + self.contrast, clutter).astype(np.float32)


def draw_task(rng: np.random.Generator, size: int) -> SyntheticTask:
    """Draw a random task for squares of the given size; its first drawing has at least 30 object pixels."""
    kind = str(rng.choice(_KINDS))
    levels = rng.uniform(0.1, 0.9, 8).astype(np.float32)
    # towards mid-grey, so that the object is never lost in black or white
    contrast = float(rng.uniform(0.08, 0.4) * (1.0 if levels[1] < 0.5 else -1.0))
    near = np.abs(levels[1:] - levels[0]) < 0.08
    levels[1:][near] += np.float32(0.2 if levels[0] < 0.5 else -0.2)
    if kind == "regions":
        base = tuple(smooth_field(rng, size, int(rng.integers(3, 8))) for _ in range(int(rng.integers(3, 7))))
    else:
        shape = _blob(rng, size) if kind == "blob" else _tube(rng, size)
        base = (shape, smooth_field(rng, size, int(rng.integers(3, 16))))
    colour = rng.uniform(-0.2, 0.2, 3) if rng.random() < 0.3 else np.zeros(3)
    return SyntheticTask(
        kind, size, base, levels, contrast,
        int(rng.integers(6, 48)), float(rng.uniform(0.0, 0.08)), colour.astype(np.float32),
    )  # fmt: skip


def _blob(rng: np.random.Generator, size: int) -> Field:
    """Return a field that is positive inside a random star-shaped outline."""
    centre, radius = rng.uniform(0.3, 0.7, 2) * size, rng.uniform(0.04, 0.25) * size
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    down, right = rows - centre[0], columns - centre[1]
    angle = np.arctan2(down, right)
    outline = np.ones_like(angle)
    for wave in range(2, 6):
        outline += rng.uniform(0, 0.4 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return (radius * outline - np.hypot(down, right)).astype(np.float32)


def _tube(rng: np.random.Generator, size: int) -> Field:
    """Return a field that is positive along the level lines of a smooth field: curved tubes, often closed."""
    field = smooth_field(rng, size, int(rng.integers(2, 5)))
    down, right = np.gradient(field)
    # dividing by the slope turns field values into distances, so that the tube has an even width
    distance = np.abs(field) / (np.hypot(down, right) + np.float32(1e-3))
    return (rng.uniform(1.2, 6.0) - distance).astype(np.float32)


def deformation(
    rng: np.random.Generator, size: int, strength: float = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return row and column indices (S x S) of a random smooth warp with rotation, scale and shift.

    Args:
        rng: source of the warp.
        size: edge S of the square.
        strength: multiplies the bending; rotation, scale and shift stay.
    """
    turn, scale = rng.uniform(-0.6, 0.6), rng.uniform(0.8, 1.25)
    shift = rng.uniform(-0.1, 0.1, 2) * size
    rows, columns = np.mgrid[:size, :size].astype(np.float32) - np.float32((size - 1) / 2)
    bend = 0.03 * strength * size
    cosine, sine = np.float32(np.cos(turn) * scale), np.float32(np.sin(turn) * scale)
    warped_rows = cosine * rows - sine * columns + bend * smooth_field(rng, size, 4) + shift[0]
    warped_columns = sine * rows + cosine * columns + bend * smooth_field(rng, size, 4) + shift[1]
    middle = (size - 1) / 2
    return (
        np.clip(np.rint(warped_rows + middle), 0, size - 1).astype(np.intp),
        np.clip(np.rint(warped_columns + middle), 0, size - 1).astype(np.intp),
    )


def _paint(
    background: NDArray[np.uint8], mask: NDArray[np.bool_], contrast: float, texture: Field
) -> NDArray[np.uint8]:
    """Shift the intensities of a real image inside the mask."""
    change = (255 * (contrast + texture) * mask).astype(np.float32)
    changed = background + (change[..., None] if background.ndim == 3 else change)
    return np.clip(changed, 0, 255).astype(np.uint8)
