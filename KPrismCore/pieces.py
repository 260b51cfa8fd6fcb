"""Pieces of a mask in space, and which of them hang together with what is known to be right.

A class asked for by name marks slices beyond its structure too. What it marks there mostly lies apart from
the structure, while the structure itself is one piece, or a few that a slice shows together.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore.geometry import bounding_box

BoolArray = NDArray[np.bool_]


def apart_from(mask: BoolArray, seeds: BoolArray) -> BoolArray:
    """The voxels of a mask in pieces without a seed.

    Args:
        mask: KJI; voxels that share a face, an edge or a corner are of one piece.
        seeds: KJI; those outside the mask count for nothing.

    Returns:
        KJI, a new array.
    """
    apart = np.zeros_like(mask)
    box = bounding_box(mask)
    if box is None:
        return apart
    image = sitk.GetImageFromArray(mask[box].astype(np.uint8))
    pieces = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    kept = np.zeros(int(pieces.max()) + 1, dtype=bool)
    kept[pieces[seeds[box]]] = True
    # the ground is no piece
    kept[0] = True
    apart[box] = ~kept[pieces]
    return apart
