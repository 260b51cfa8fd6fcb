"""One segment of a session: its voxels, its prompts, and what must not change in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.errors import GeometryError, ProtectedError
from KPrismCore.geometry import Box
from KPrismCore.history import Delta
from KPrismCore.predictions import Prediction
from KPrismCore.session_state import Base, PackedMask, SegmentState, SliceState, digest, plane_key
from KPrismCore.slices import Plane, SlicePlane

BoolArray = NDArray[np.bool_]
COLOURS = ("#e6663a", "#3aa0e6", "#5fbf4c", "#d8b32a", "#a06ad6", "#e0569b", "#2fb5a3", "#9c7a53")


@dataclass(eq=False)
class Segment:
    """A segment.

    Args:
        identifier: unique in the session; never shown.
        name: shown to the user.
        colour: #rrggbb.
        voxels: KJI.
        state: its prompts.
        locked: whether nothing may change it.
    """

    identifier: str
    name: str
    colour: str
    voxels: BoolArray
    state: SegmentState = field(default_factory=SegmentState)
    locked: bool = False

    def require_open(self, plane: Plane | None = None) -> None:
        """Check that the segment, and the slice if one is given, may be changed.

        Raises:
            ProtectedError: the segment is locked or the slice is accepted.
        """
        if self.locked:
            raise ProtectedError(f"The segment '{self.name}' is locked.", "Unlock it first.")
        if plane is not None and self.state.at(plane).accepted:
            raise ProtectedError(
                f"This slice of '{self.name}' is accepted.", "Take the acceptance back to change it."
            )

    def settled(self, plane: Plane) -> SliceState:
        """The slice's prompts; if the mask is not the last click's answer, later clicks build on it."""
        state, mask = self.state.at(plane), plane.read_mask(self.voxels)
        answered = state.recall is not None and state.recall.digest == digest(mask)
        if answered and state.base is not None:
            return state
        recall = state.recall if answered else None
        base = Base(PackedMask.of(mask), recall)
        return replace(state, recall=recall, base=base, settled=len(state.clicks))

    def previous(self, state: SliceState) -> BoolArray | Prediction | None:
        """The slice's mask so far: the last answer itself if it still stands, as that is free of losses."""
        mask = state.plane.read_mask(self.voxels)
        if state.recall is not None:
            return state.recall.prediction(mask)
        return mask if mask.any() else None

    def write(self, plane: Plane, mask: NDArray[Any], editable: BoolArray | None = None) -> list[Delta]:
        """Put a mask (rows, columns) on a slice; voxels of accepted slices that cross it keep their value.

        Args:
            editable: (rows, columns) True where voxels may change; everywhere by default.
        """
        box = _box_of(plane)
        before = self.voxels[box].copy()
        crossing = [other for other in self.state.accepted if not _apart(plane, other)]
        parts = [_common_voxels(plane, crossing)] if crossing else []
        if editable is not None and not editable.all():
            parts.append(plane.voxels_of(~editable))
        kept = np.concatenate(parts) if parts else np.zeros((0, 3), dtype=np.intp)
        index = tuple(kept.T[::-1])
        values = self.voxels[index]
        plane.write(mask, self.voxels)
        self.voxels[index] = values
        delta = Delta.between(before, self.voxels[box], box)
        return [delta] if delta else []

    def write_volume(self, mask: NDArray[Any]) -> list[Delta]:
        """Put a mask KJI on the whole segment; accepted slices keep their voxels.

        Raises:
            GeometryError: the mask has another shape.
        """
        if mask.shape != self.voxels.shape:
            raise GeometryError(
                f"A mask of shape {mask.shape} does not fit a volume of {self.voxels.shape} (k, j, i).",
                "Use a mask on the grid of the session's volume.",
            )
        after = np.array(mask != 0)
        for plane in self.state.accepted:
            index = tuple(_voxels(plane).T[::-1])
            after[index] = self.voxels[index]
        k, j, i = self.voxels.shape
        delta = Delta.between(self.voxels, after, (slice(0, k), slice(0, j), slice(0, i)))
        if delta is None:
            return []
        # in place: views of the voxels stay valid
        self.voxels[...] = after
        return [delta]


def _box_of(plane: Plane) -> Box:
    """The smallest box, as slices k, j, i, with all voxels of a plane."""
    if isinstance(plane, SlicePlane):
        box = [slice(0, length) for length in plane.geometry.shape]
        box[2 - plane.normal_axis] = slice(plane.index, plane.index + 1)
        return box[0], box[1], box[2]
    voxels = _voxels(plane)
    if not len(voxels):
        return slice(0, 0), slice(0, 0), slice(0, 0)
    i, j, k = (slice(int(low), int(high) + 1) for low, high in zip(voxels.min(0), voxels.max(0), strict=True))
    return k, j, i


def _voxels(plane: Plane) -> NDArray[np.intp]:
    """All voxels (N, 3) IJK that a plane can write to."""
    return plane.voxels_of(np.ones(plane.shape, dtype=bool))


def _apart(one: Plane, other: Plane) -> bool:
    """Whether two planes surely share no voxel: different slices across the same axis."""
    if not (isinstance(one, SlicePlane) and isinstance(other, SlicePlane)):
        return False
    return one.normal_axis == other.normal_axis and plane_key(one) != plane_key(other)


def _common_voxels(plane: Plane, others: Sequence[Plane]) -> NDArray[np.intp]:
    """The voxels (N, 3) IJK of a plane that also belong to one of the others."""
    voxels = _voxels(plane)
    common = np.zeros(len(voxels), dtype=bool)
    lines: dict[int, list[int]] = {}
    for other in others:
        if isinstance(other, SlicePlane):
            lines.setdefault(other.normal_axis, []).append(other.index)
        else:
            shape = plane.geometry.size
            theirs = np.ravel_multi_index(tuple(_voxels(other).T), shape)
            common |= np.isin(np.ravel_multi_index(tuple(voxels.T), shape), theirs)
    for axis, indices in lines.items():
        common |= np.isin(voxels[:, axis], indices)
    return voxels[common]
