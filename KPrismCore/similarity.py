"""How alike slices look, on small pictures of them: for the choice of references."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from KPrismCore.preprocess import Range
from KPrismCore.slices import Plane
from KPrismCore.volumes import Volume

FloatArray = NDArray[np.float64]
SIDE = 24


def small_pictures(volume: Volume, planes: Sequence[Plane], value_range: Range) -> FloatArray:
    """Slices of a volume as vectors (N, 576) of length one around zero; a constant slice is all zero.

    Args:
        volume: the image.
        planes: its slices.
        value_range: the values that are black and white.
    """
    low, high = value_range
    pictures = []
    for plane in planes:
        pixels = np.asarray(plane.extract(volume.array), dtype=np.float32)
        grey = pixels.mean(axis=-1) if pixels.ndim == 3 else pixels
        shown = torch.from_numpy(np.clip((grey - low) / (high - low), 0.0, 1.0))
        picture = functional.adaptive_avg_pool2d(shown[None, None], SIDE).flatten().double().numpy()
        centred = picture - picture.mean()
        length = float(np.linalg.norm(centred))
        pictures.append(centred / length if length > 0 else centred)
    return np.array(pictures).reshape(len(pictures), SIDE * SIDE)


def greatest_likeness(pictures: FloatArray, others: FloatArray) -> FloatArray:
    """The correlation (N,), -1 to 1, of each of N pictures with the one of M others most like it."""
    if not len(others):
        return np.zeros(len(pictures))
    return np.asarray((pictures @ others.T).max(axis=1))
