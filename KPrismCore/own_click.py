"""A click of the model's own on what a class gave, so that it looks again as after a click.

Clicks are what the network outlines best by. Where the user has named a class and not clicked, the middle of
the first answer is the place most certainly in the object; the answer to a click there is averaged with the
first (`Zoom.own`). Ours, not the paper's, where a prompt has one answer.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray


def own_click(mask: NDArray[np.bool_]) -> tuple[int, int] | None:
    """Where to click: the pixel of the largest piece of a mask that is farthest from its outline.

    Args:
        mask: (H, W); pixels that meet at a corner only are not of one piece, and the image's border is part
            of the outline.

    Returns:
        Row and column of the first such pixel in reading order; None where the mask is empty.
    """
    if not mask.any():
        return None
    image = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
    pieces = sitk.RelabelComponent(sitk.ConnectedComponent(image), sortByObjectSize=True)
    depth = sitk.SignedMaurerDistanceMap(
        sitk.Equal(pieces, 1), insideIsPositive=True, squaredDistance=True, useImageSpacing=False
    )
    depths = sitk.GetArrayViewFromImage(depth)
    row, column = np.unravel_index(int(np.argmax(depths)), depths.shape)
    return int(row) - 1, int(column) - 1
