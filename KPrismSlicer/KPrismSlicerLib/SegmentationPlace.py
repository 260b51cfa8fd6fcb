"""Where a segmentation lies on an image, to notice when one of them moves without the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from KPrismCore.errors import GeometryError
from KPrismSlicerLib.Grids import TOLERANCE, FloatArray, ijkToSegmentation
from KPrismSlicerLib.SegmentLayers import referenceGrid


@dataclass(frozen=True, eq=False)
class SegmentationPlace:
    """One moment's place. A transform leaves no trace in labelmaps, so their times do not tell.

    Args:
        toSegmentation: (4, 4) from the image's IJK to the segmentation's own RAS.
        toGrid: (4, 4) from the image's IJK to that of the segmentation's reference geometry; None where it
            has none.
    """

    toSegmentation: FloatArray
    toGrid: FloatArray | None

    @classmethod
    def of(cls, segmentationNode: Any, volumeNode: Any) -> SegmentationPlace | None:
        """The place now; None without a segmentation, or where it cannot be told (a bent transform)."""
        if segmentationNode is None:
            return None
        try:
            matrix = ijkToSegmentation(volumeNode, segmentationNode)
            grid = referenceGrid(segmentationNode.GetSegmentation())
            place = cls(matrix, None if grid is None else np.linalg.inv(grid) @ matrix)
        except (GeometryError, np.linalg.LinAlgError):
            # what is to be written there is refused elsewhere
            return None
        # what is no number never equals itself, and would count as moved for ever
        return place if np.isfinite(matrix).all() else None

    @classmethod
    def fromDict(cls, values: Mapping[str, Any]) -> SegmentationPlace:
        """Inverse of `toDict`; ValueError, KeyError or TypeError where it is damaged."""
        grid = values["toGrid"]
        return cls(_matrix(values["toSegmentation"]), None if grid is None else _matrix(grid))

    def toDict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        grid = None if self.toGrid is None else self.toGrid.tolist()
        return {"toSegmentation": self.toSegmentation.tolist(), "toGrid": grid}

    def hasMovedFrom(self, former: SegmentationPlace, size: tuple[int, int, int]) -> bool:
        """Whether other voxels of the segmentation lie on an image of a size (i, j, k) than did before.

        A transform that is hardened changes the first matrix, another reference geometry the second: neither
        moves a voxel.
        """
        if not _differ(self.toSegmentation, former.toSegmentation, size):
            return False
        if self.toGrid is None or former.toGrid is None:
            return True
        return _differ(self.toGrid, former.toGrid, size)


def _differ(one: FloatArray, other: FloatArray, size: tuple[int, int, int]) -> bool:
    """Whether two matrices from IJK put a corner of the image elsewhere, by more than grids may differ."""
    if np.array_equal(one, other):
        return False
    corners = np.array([(*corner, 1) for corner in product(*((0, n) for n in size))], dtype=np.float64)
    try:
        apart = corners @ (np.linalg.inv(other) @ one).T - corners
    except np.linalg.LinAlgError:
        return True
    return not float(np.abs(apart).max()) <= TOLERANCE


def _matrix(values: Any) -> FloatArray:
    return np.array(values, dtype=np.float64).reshape(4, 4)
