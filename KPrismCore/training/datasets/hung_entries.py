"""A set as it hangs in use: its slices turned, their spacings with them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from KPrismCore.training.datasets.entries import Entries, Pair
from KPrismCore.training.hanging import exchanges_axes, hung
from KPrismCore.training.packs import Pixels


class HungEntries(Entries):
    """The entries of a set with every slice turned, see `hanging`.

    Args:
        entries: as the set is.
        hanging: one of the words of `hanging.HANGINGS`.
    """

    def __init__(self, entries: Entries, hanging: str) -> None:
        super().__init__(entries.name, entries.modality, entries.labels, entries.subjects, entries.augmented)
        self._entries, self._hanging = entries, hanging

    def slices(self, entry: int) -> list[Pair]:
        """The slices, turned."""
        return [(self._hung(image), self._hung(mask)) for image, mask in self._entries.slices(entry)]

    def checksum(self, entry: int) -> tuple[object, ...]:
        """As `Entries.checksum`, another for each way to turn."""
        return self._hanging, *self._entries.checksum(entry)

    def spacing(self, entry: int, number: int) -> tuple[float, float]:
        """As `Entries.spacing`, of the turned slice."""
        return self._turned(self._entries.spacing(entry, number))

    def aspect(self, entry: int, number: int) -> tuple[float, float]:
        """As `Entries.aspect`, of the turned slice."""
        return self._turned(self._entries.aspect(entry, number))

    def counterparts(self, entry: int, number: int, other: int) -> Iterable[int]:
        """Those of the slice as it is."""
        return self._entries.counterparts(entry, number, other)

    def _hung(self, pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(hung(pixels, self._hanging))

    def _turned(self, spacing: tuple[float, float]) -> tuple[float, float]:
        return spacing[::-1] if exchanges_axes(self._hanging) else spacing
