"""Acts on the pieces of a segment in space, step by step. What they are is in `Logic`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError
from KPrismCore.slices import BoolArray, Plane, SlicePlane
from KPrismSlicerLib.ActQueue import Steps
from KPrismSlicerLib.Case import Case
from KPrismSlicerLib.Events import ActResult, ActStarted
from KPrismSlicerLib.Labels import labelText
from KPrismSlicerLib.LogicBase import ActDropped
from KPrismSlicerLib.SliceActs import SliceActs

# looked at in one go; each takes a millisecond or two where masking is on
_SLICES_AT_ONCE = 16


class PieceActs(SliceActs):
    """See the module."""

    def _connectedSteps(self, case: Case, segmentId: str, plane: Plane) -> Steps:
        """Remove what is apart from a slice, where the scene's settings allow it."""
        session = yield from self._ready(case, segmentId)
        label, began = labelText("keep connected"), time.perf_counter()
        self._tell(ActStarted(label))
        node, image = case.segmentationNode, case.volumeNode
        self._bridge.checkWritable(node, segmentId, image)
        apart = yield lambda: session.apart(plane, segmentId)
        for number, one in enumerate(_acrossK(case.volume.geometry, apart)):
            if number % _SLICES_AT_ONCE == _SLICES_AT_ONCE - 1:
                # the application gets its turn
                yield None
            allowed = self._bridge.editable(node, segmentId, image, one)
            if allowed is not None:
                one.write(one.read_mask(apart) & allowed, apart)
        act = yield lambda: session.remove_pieces(apart, segmentId)
        if act is None:
            self._say(_("Nothing lies apart from this slice."))
            raise ActDropped
        try:
            yield from self._mirror.write(segmentId, act)
        except KPrismError:
            yield session.take_back
            raise
        self._uncover(case, segmentId)
        removed = np.count_nonzero(apart)
        seconds = time.perf_counter() - began
        yield from self._finish(case, ActResult(label, segmentId, seconds=seconds, changed=(0, removed)))


def _acrossK(geometry: Any, mask: BoolArray) -> Iterator[Plane]:
    """The slices across the axis K that hold any of a mask KJI."""
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        yield SlicePlane(geometry, "k", int(index))
