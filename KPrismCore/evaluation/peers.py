"""The classical methods that take the same clicks: what a user has without a trained network.

Each works on the image alone, from all clicks so far; none is told a previous mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.peer_growcut import GrowCut
from KPrismCore.evaluation.peer_regions import ConnectedThreshold, RegionGrowing
from KPrismCore.evaluation.peer_walker import RandomWalker
from KPrismCore.prompts import Click


class Peer(Protocol):
    """Anything that makes a mask of an image and clicks."""

    def segment(self, image: NDArray[Any], clicks: Sequence[Click]) -> NDArray[np.bool_]:
        """Return the mask (H, W) of the object clicked on.

        Args:
            image: uint8 (H, W) or (H, W, 3).
            clicks: in pixels of the image, at least one positive.
        """
        ...


PEERS: Mapping[str, Peer] = {
    "random walker": RandomWalker(),
    "grow-cut": GrowCut(),
    "region growing": RegionGrowing(),
    "connected threshold": ConnectedThreshold(),
}
