"""Which slice to look at next: of those that only the network has answered on, the least sure first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from KPrismCore.oblique import ObliquePlane
from KPrismCore.slices import Plane, SlicePlane
from KPrismSlicerLib.SlicePlanes import SliceStack

# how far from 1 the cosine between two parallel planes may be
_TILT = 1e-6


@dataclass(frozen=True, eq=False)
class SliceToCheck:
    """A slice to look at.

    Args:
        plane: it.
        index: its place among those parallel to it, from 0.
        confidence: of the network's answer on it, 0 to 1.
        others: how many more there are to look at.
    """

    plane: Plane
    index: int
    confidence: float
    others: int

    @property
    def centre(self) -> np.ndarray:
        """Its middle, RAS (3,) in mm."""
        rows, columns = self.plane.shape
        return np.asarray(self.plane.pixel_to_ras(((columns - 1) / 2, (rows - 1) / 2)))


def nextToCheck(unchecked: Sequence[tuple[Plane, float]], stack: SliceStack) -> SliceToCheck | None:
    """The slice after the one in view, or the first of all where that is none of them; None for no slice.

    Args:
        unchecked: slices with their confidence, in the order in which to look at them.
        stack: the slice in view and those parallel to it; others are left out.
    """
    placed = [(_placeOf(plane, stack), plane, sure) for plane, sure in unchecked]
    found = [SliceToCheck(plane, place, sure, 0) for place, plane, sure in placed if place is not None]
    if not found:
        return None
    places = [one.index for one in found]
    following = places.index(stack.index) + 1 if stack.index in places else 0
    return replace(found[following % len(found)], others=len(found) - 1)


def _placeOf(plane: Plane, stack: SliceStack) -> int | None:
    """The place of a slice among those of a stack; None where it is not parallel to them."""
    shown = stack.plane
    if isinstance(plane, SlicePlane) and isinstance(shown, SlicePlane):
        return plane.index if plane.normal_axis == shown.normal_axis else None
    if isinstance(plane, ObliquePlane) and isinstance(shown, ObliquePlane):
        cosine = float(plane.normal @ shown.normal)
        if cosine < 1 - _TILT:
            return None
        height = float((plane.origin - shown.origin) @ shown.normal)
        return stack.index + round(height / shown.slab_thickness)
    return None
