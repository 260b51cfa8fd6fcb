"""The image and segmentation that are worked on, and the session on them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from slicer.i18n import tr as _

from KPrismCore.errors import GeometryError
from KPrismCore.slices import Plane, SlicePlane, number_of_slices
from KPrismSlicerLib.ClickRegister import ClickRegister
from KPrismSlicerLib.SegmentationPlace import SegmentationPlace
from KPrismSlicerLib.SegmentLooks import LookChanges
from KPrismSlicerLib.SlicePlanes import SliceStack, isSame, planeOf, stackOf

if TYPE_CHECKING:
    # they load torch
    from KPrismCore.session import AnnotationSession
    from KPrismCore.volumes import Volume

_KEPT_PLANES = 4


@dataclass(eq=False)
class Case:
    """Made anew for another image or segmentation; acts that hold an old one are dropped.

    Args:
        volumeNode: the image.
        segmentationNode: None until the first segment is made.
        volume: what the bridge gave for the image.
        session: None until the network is loaded.
        saved: prompts from the scene by segment id, of segments that the session does not have yet.
        lackedClasses: by segment id, classes that were saved and that the network lacks.
        fresh: classes by id of segments that were made here, are empty, and not in the session yet.
        unused: how many acts are to come on segments that were made for them, by id.
        isUnused: whether the segmentation too was made for an act, and none has been done yet.
        looks: what classes changed of the names and colours of segments.
        clicks: names of the session's clicks.
    """

    volumeNode: Any
    segmentationNode: Any
    volume: Volume
    session: AnnotationSession | None = None
    saved: dict[str, Any] = field(default_factory=dict)
    lackedClasses: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, str | None] = field(default_factory=dict)
    unused: dict[str, int] = field(default_factory=dict)
    isUnused: bool = False
    looks: LookChanges = field(default_factory=LookChanges)
    clicks: ClickRegister = field(default_factory=ClickRegister)
    _planes: OrderedDict[bytes, Plane] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.contentTime = self._contentTime()
        self._place = placeOf(self.volumeNode)
        self.segmentationPlace = SegmentationPlace.of(self.segmentationNode, self.volumeNode)

    @property
    def segmentIds(self) -> tuple[str, ...]:
        """The segments that the segmentation has now."""
        if self.segmentationNode is None:
            return ()
        return tuple(self.segmentationNode.GetSegmentation().GetSegmentIDs())

    def planeOf(self, sliceNode: Any, segmentId: str | None = None) -> Plane:
        """The plane that a slice view shows; the middle slice of acquisition for None.

        Where a segment is named, it is the plane on which that one has its prompts, see `known`.

        Raises:
            ClickOutsideError: the view does not cut the image.
        """
        if sliceNode is None:
            kind = self.session.plane_kind if self.session is not None else "axial"
            return SlicePlane(self.volume.geometry, kind, number_of_slices(self.volume.geometry, kind) // 2)
        matrix = slicer.util.arrayFromVTKMatrix(sliceNode.GetSliceToRAS())
        # oblique planes carry tables that take long to make
        key = matrix.tobytes()
        if key not in self._planes:
            self._planes[key] = planeOf(self.volume.geometry, matrix)
        self._planes[key] = self.known(self._planes[key], segmentId)
        self._planes.move_to_end(key)
        while len(self._planes) > _KEPT_PLANES:
            self._planes.popitem(last=False)
        return self._planes[key]

    def stackOf(self, sliceNode: Any, segmentId: str | None = None) -> SliceStack:
        """The slices parallel to the one that a view shows; arguments and errors as `planeOf`."""
        return stackOf(self.planeOf(sliceNode, segmentId))

    def known(self, plane: Plane, segmentId: str | None) -> Plane:
        """The plane of a segment's prompts that is this one but for rounding; the plane itself if none is.

        A view that comes back with a scene differs from the one that was saved in the last digits.
        """
        owner = self.session.segments.get(segmentId) if self.session is not None else None
        if owner is None or isinstance(plane, SlicePlane):
            return plane
        # torch comes with it, and is there where a session is
        from KPrismCore.session_state import plane_key

        slices = owner.state.slices
        if plane_key(plane) not in slices:
            for one in slices.values():
                if isSame(plane, one.plane):
                    # of its own, as it will carry tables
                    return replace(one.plane, geometry=self.volume.geometry)
        return plane

    @property
    def hasMoved(self) -> bool:
        """Whether the image lies elsewhere, or has another size, than when the case was opened.

        The segmentation counts too, where it has moved and the image has not followed.
        """
        if self._imageHasMoved:
            return True
        former = self.segmentationPlace
        now = SegmentationPlace.of(self.segmentationNode, self.volumeNode)
        if former is None or now is None:
            # where it cannot be told nothing is written; it can be told again: read it anew
            return former is None and now is not None
        return now.hasMovedFrom(former, self.volume.geometry.size)

    def lossByMove(self, waiting: bool) -> GeometryError | None:
        """What is lost where the case is opened anew as it has moved; None where there is nothing to lose.

        Args:
            waiting: whether acts are under way.
        """
        owners = self.session.segments.values() if self.session is not None else ()
        history = self.session.history if self.session is not None else None
        lost = waiting or any(one.state.slices for one in owners)
        lost = lost or any(one["slices"] for one in self.saved.values())
        if history is not None:
            lost = lost or history.undo_label is not None or history.redo_label is not None
        name = (self.volumeNode if self._imageHasMoved else self.segmentationNode).GetName()
        cause = _("'{name}' was moved: its clicks and accepted slices, and what undo knew, are gone.")
        remedy = _("The masks, class and examples stay. Go on from here.")
        return GeometryError(cause.format(name=name), remedy) if lost else None

    @property
    def hasNewContent(self) -> bool:
        """Whether the image's voxels were changed since `contentTime`."""
        return self.contentTime != self._contentTime()

    def takeContent(self, volume: Volume) -> None:
        """Go on with changed voxels on the same grid; the masks and the history stay. Not during an act."""
        from KPrismCore.slice_engine import SliceEngine

        self.volume = self.session.volume = volume
        self.session.engine = SliceEngine(self.session.engine.predictor, volume, self.session.engine.window)
        self.contentTime = self._contentTime()

    def _contentTime(self) -> int:
        image = self.volumeNode.GetImageData()
        return image.GetMTime() if image is not None else 0

    @property
    def _imageHasMoved(self) -> bool:
        return self._place != placeOf(self.volumeNode)


def placeOf(volumeNode: Any) -> tuple[float, ...]:
    """Where an image lies in the world, and its size: differs where it was moved, by whatever transform."""
    image = volumeNode.GetImageData()
    return (*_worldMatrix(volumeNode), *(image.GetDimensions() if image is not None else ()))


def _worldMatrix(volumeNode: Any) -> tuple[float, ...]:
    ijkToRas, toWorld = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(ijkToRas)
    transform = volumeNode.GetParentTransformNode()
    if transform is not None and transform.IsTransformToWorldLinear():
        transform.GetMatrixTransformToWorld(toWorld)
    elif transform is not None:
        # bent: the bridge refuses such an image; any change counts
        toWorld.SetElement(0, 0, float(transform.GetTransformToWorldMTime()))
    vtk.vtkMatrix4x4.Multiply4x4(toWorld, ijkToRas, ijkToRas)
    return tuple(ijkToRas.GetElement(row, column) for row in range(3) for column in range(4))


def newSession(predictor: Any, volume: Volume) -> AnnotationSession:
    """Open a session on an image with a network; on the worker."""
    # torch comes with it
    from KPrismCore.session import AnnotationSession

    return AnnotationSession(predictor, volume)
