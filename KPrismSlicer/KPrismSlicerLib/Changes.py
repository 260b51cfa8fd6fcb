"""Changes of masks: of a session, between a session and the scene, between segments. No MRML.

Masks are bool KJI, boxes are slices k, j, i.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from KPrismCore.slices import BoolArray, Plane, SlicePlane

if TYPE_CHECKING:
    # they load torch
    from KPrismCore.geometry import Box
    from KPrismCore.history import Act, Delta
    from KPrismCore.session import AnnotationSession
    from KPrismCore.session_state import SegmentState


def changeOf(voxels: BoolArray, deltas: Sequence[Delta]) -> tuple[Box, BoolArray, BoolArray]:
    """The box around changes, and what was in it before and is in it after them.

    Args:
        voxels: after the changes.
        deltas: the changes, oldest first; at least one.
    """
    box = tuple(
        slice(min(one.box[axis].start for one in deltas), max(one.box[axis].stop for one in deltas))
        for axis in range(3)
    )
    after = voxels[box].copy()
    before = after.copy()
    for delta in reversed(deltas):
        delta.flip(_Shifted(before, box))
    return box, before, after


class _Shifted:
    """A part of an array that is indexed as the whole."""

    def __init__(self, part: BoolArray, box: Box) -> None:
        self._part = part
        self._starts = [axis.start for axis in box]

    def __getitem__(self, box: Box) -> BoolArray:
        return self._part[
            tuple(slice(a.start - s, a.stop - s) for a, s in zip(box, self._starts, strict=True))
        ]


def takeEdit(session: AnnotationSession, segmentId: str, mask: BoolArray) -> bool:
    """Make a mask KJI that another tool drew the segment's, as an act.

    Returns:
        Whether accepted slices were concerned; they are open again.
    """
    owner = session.segments[segmentId]
    # a lock keeps this module's hands off; what another tool has done is done
    locked, owner.locked = owner.locked, False
    try:
        changed = [plane for plane in owner.state.accepted if _differ(plane, mask, owner.voxels)]
        for plane in changed:
            session.accept(plane, False, segmentId)
        session.set_mask(mask, segment=segmentId, label="edit")
    finally:
        owner.locked = locked
    return bool(changed)


def takeErasure(session: AnnotationSession, segmentId: str, box: Box, erased: BoolArray, act: Act) -> bool:
    """Take voxels (a mask of a box) out of a segment, as part of an act.

    Returns:
        Whether accepted slices kept some of them.
    """
    owner = session.segments[segmentId]
    plane = _sliceOf(session, box)
    if plane is None:
        mask = owner.voxels.copy()
        mask[box] &= ~erased
    else:
        # only the pages of the slice are ever touched
        hole = np.zeros_like(owner.voxels)
        hole[box] = erased
        mask = plane.read_mask(owner.voxels) & ~plane.read_mask(hole)
    if plane is None or not session.is_accepted(plane, segmentId):
        session.set_mask(mask, plane, segmentId, label=act.label, join=act)
    return bool((owner.voxels[box] & erased).any())


def takeBackFrom(
    session: AnnotationSession, segmentId: str, act: Act, first: int, former: SegmentState
) -> None:
    """Take back what the newest act did to a segment from some change on, as if it had not come about.

    Args:
        first: number of its changes that stay.
        former: the segment's prompts before the others.
    """
    part = act.parts[segmentId]
    if part.before is former:
        session.take_back()
        return
    owner = session.segments[segmentId]
    for delta in reversed(part.deltas[first:]):
        delta.flip(owner.voxels)
    del part.deltas[first:]
    owner.state = part.after = former


def _sliceOf(session: AnnotationSession, box: Box) -> SlicePlane | None:
    """The slice of voxels that a box lies in; None for a thicker box."""
    for name, part in zip("kji", box, strict=True):
        if part.stop - part.start == 1:
            return SlicePlane(session.volume.geometry, name, part.start)
    return None


def _differ(plane: Plane, one: BoolArray, other: BoolArray) -> bool:
    if isinstance(plane, SlicePlane):
        return bool((plane.view(one) != plane.view(other)).any())
    index = tuple(plane.voxels_of(np.ones(plane.shape, dtype=bool)).T[::-1])
    return bool((one[index] != other[index]).any())


def crossing(plane: Plane, others: Sequence[Plane]) -> BoolArray:
    """The pixels (rows, columns) of a plane whose voxel lies on one of other planes."""
    rows, columns = plane.shape
    y, x = np.mgrid[:rows, :columns]
    voxels = np.floor(plane.pixel_to_ijk(np.stack([x, y], axis=-1)) + 0.5)
    common = np.zeros(plane.shape, dtype=bool)
    for other in others:
        if isinstance(other, SlicePlane):
            common |= voxels[..., other.normal_axis] == other.index
        else:
            # half the thickness, as the slab of an oblique plane
            offset = plane.geometry.ras_from_ijk(voxels) - other.origin
            common |= np.abs(offset @ other.normal) <= other.slab_thickness / 2
    return common
