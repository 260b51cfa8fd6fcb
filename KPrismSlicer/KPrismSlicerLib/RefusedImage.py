"""An image that was chosen and cannot be opened as it is: it stays chosen until it can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from KPrismCore.errors import GeometryError, KPrismError
from KPrismCore.geometry import VolumeGeometry
from KPrismSlicerLib.Case import placeOf


@dataclass(frozen=True, eq=False)
class RefusedImage:
    """What to come back to when the user has done what the error asks for.

    Args:
        volumeNode: the image.
        segmentationNode: what belonged to it, or None.
        error: why it cannot be opened.
        segmentId: the segment that was current.
        geometry: of the image when it was open; None where it never was.
        lost: what was lost as it was open and moved; None for nothing.
    """

    volumeNode: Any
    segmentationNode: Any
    error: KPrismError
    segmentId: str | None = None
    geometry: VolumeGeometry | None = None
    lost: GeometryError | None = None
    _state: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_state", self._stateNow())

    @property
    def hasChanged(self) -> bool:
        """Whether it is worth another try: its transform, grid or voxels have changed."""
        return self._state != self._stateNow()

    def _stateNow(self) -> tuple[float, ...]:
        image = self.volumeNode.GetImageData()
        return (*placeOf(self.volumeNode), image.GetMTime() if image is not None else 0)
