"""Small pictures of references: the slice in grey with the outline of its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import qt

if TYPE_CHECKING:
    # it loads torch
    from KPrismCore.references import Reference

SIZE = 56
# drawn at twice the size, for dense screens
_PIXELS = 2 * SIZE
_BACKGROUND = 24


def thumbnail(reference: Reference, colour: str) -> Any:
    """A QPixmap of a reference, the mask outlined in '#rrggbb'."""
    rgb = thumbnailArray(reference, colour)
    rows, columns = rgb.shape[:2]
    pixmap = qt.QPixmap()
    # portable pixmap: Qt reads it everywhere, and it needs no encoder
    pixmap.loadFromData(b"P6 %d %d 255\n" % (columns, rows) + rgb.tobytes())
    return pixmap


def thumbnailArray(reference: Reference, colour: str) -> np.ndarray:
    """The picture (rows, columns, 3) uint8 of a reference; its pixels keep their shape in mm."""
    grey = _shades(reference.image, reference.value_range)
    rows, columns, place = _grid(reference.mask.shape, reference.spacing)
    picture = np.full((_PIXELS, _PIXELS, 3), _BACKGROUND, dtype=np.uint8)
    picture[place] = grey[rows][:, columns]
    inside = np.zeros((_PIXELS, _PIXELS), dtype=bool)
    inside[place] = reference.mask[rows][:, columns]
    picture[outline(inside)] = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return picture


def outline(mask: np.ndarray) -> np.ndarray:
    """The pixels bool (rows, columns) of a mask that have a neighbour outside it, three pixels wide."""
    core = mask
    for _round in range(3):
        padded = np.pad(core, 1)
        core = core & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~core


def _shades(image: np.ndarray, valueRange: tuple[float, float]) -> np.ndarray:
    """(H, W) or (H, W, C) as stored -> (H, W, 3) uint8."""
    low, high = valueRange
    unit = (image.astype(np.float32) - low) / max(high - low, 1e-6)
    shades = (255 * np.nan_to_num(np.clip(unit, 0, 1))).astype(np.uint8)
    return shades[..., :3] if shades.ndim == 3 else np.repeat(shades[..., None], 3, axis=2)


def _grid(shape: tuple[int, int], spacing: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, Any]:
    """Rows and columns of the image to show, and where in the square they go."""
    size = np.array(shape) * np.array(spacing, dtype=float)
    shown = np.maximum(1, np.round(_PIXELS * size / size.max())).astype(int)
    rows, columns = ((np.arange(n) + 0.5) * side / n for n, side in zip(shown, shape, strict=True))
    top, left = (_PIXELS - shown) // 2
    place = (slice(top, top + shown[0]), slice(left, left + shown[1]))
    return rows.astype(int), columns.astype(int), place
