"""Where references were taken from, while that is in the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from KPrismCore.slices import Plane, SlicePlane


@dataclass(frozen=True)
class ReferenceOrigin:
    """Where a reference was taken from.

    Args:
        source: what `ReferenceSources` gave.
        index: of the slice.
        indices: all slices on which the object is marked.
        kind: of the slices, see `KPrismCore.slices`.
    """

    source: Any
    index: int
    indices: tuple[int, ...]
    kind: str

    @property
    def nodes(self) -> tuple[Any, Any]:
        """The nodes that it is read from."""
        return self.source.volumeNode, self.source.segmentationNode


class ReferenceOrigins:
    """The origins of references by their key. Those of removed nodes would keep whole images in memory."""

    def __init__(self) -> None:
        self._origins: dict[str, ReferenceOrigin] = {}

    def of(self, key: str) -> ReferenceOrigin | None:
        """Where a reference was taken from; None where it is not known (any more)."""
        return self._origins.get(key)

    def keep(self, origins: dict[str, ReferenceOrigin]) -> None:
        """Note origins, but for those whose nodes have left the scene meanwhile."""
        for key, origin in origins.items():
            if all(node.GetScene() is not None for node in origin.nodes):
                self._origins[key] = origin

    def forget(self, node: Any) -> bool:
        """Forget what was taken from a node; tell whether there was any."""
        gone = [key for key, origin in self._origins.items() if node in origin.nodes]
        for key in gone:
            del self._origins[key]
        return bool(gone)

    def clear(self) -> None:
        """Forget all."""
        self._origins.clear()


def originsOf(
    source: Any, mask: Any, added: Sequence[Any], planes: Sequence[Plane]
) -> dict[str, ReferenceOrigin]:
    """Where references came from, by their key; oblique ones are left out."""
    found = {}
    for reference, plane in zip(added, planes, strict=True):
        if isinstance(plane, SlicePlane):
            axes = tuple(axis for axis in range(3) if axis != 2 - plane.normal_axis)
            marked = tuple(int(place) for place in np.flatnonzero(mask.any(axis=axes)))
            found[reference.key] = ReferenceOrigin(source, plane.index, marked, plane.kind)
    return found
