"""The case of the logic: image, segmentation, segment, and what happens to them in the scene."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import slicer
from slicer.i18n import tr as _

from KPrismCore.errors import GeometryError, InputFileError, KPrismError, PromptError
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.Case import Case
from KPrismSlicerLib.Events import CaseChanged, Warned
from KPrismSlicerLib.OpenCase import OpenCase
from KPrismSlicerLib.RefusedImage import RefusedImage
from KPrismSlicerLib.SceneState import removePrompts, removeStrayPrompts
from KPrismSlicerLib.SceneWatch import SceneWatch

# seconds without work after which surfaces follow the masks
_SURFACE_SECONDS = 1.0


class CaseLogic(OpenCase):
    """See the module; arguments as `OpenCase`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # surfaces (Show 3D) take seconds: they wait until the user does
        self._bridge.deferSurfaces = True
        self._surfacesDue: float | None = None
        # the current segment while another tool has removed it, as far as listeners know
        self._goneSegment: str | None = None
        self._refused: RefusedImage | None = None
        self.tidyScene()
        self._watch = SceneWatch(self._sceneCloses, self._nodeGoes)

    def poll(self) -> bool:
        """Go on with what is finished; call it every 10 ms or so. True while there is work."""
        self._followSegment()
        self._followRefused()
        busy = super().poll()
        if busy:
            self._surfacesDue = time.monotonic() + _SURFACE_SECONDS
        elif self._surfacesDue is not None and time.monotonic() >= self._surfacesDue:
            self._surfacesDue = None
            self._bridge.updateSurfaces()
        return busy

    def tidyScene(self) -> None:
        """Remove prompts from the scene whose segmentation is gone; those of others stay."""
        removeStrayPrompts(slicer.mrmlScene)

    def cleanup(self) -> None:
        """End the worker, forget everything, and leave the scene unobserved."""
        self._watch.release()
        super().cleanup()
        self._bridge.cleanup()
        self._case = self._mirror = self._segmentId = self._refused = None

    # choosing

    @property
    def refused(self) -> RefusedImage | None:
        """The chosen image while it cannot be opened, as it is under a bent transform, say; `volumeNode` is
        None then. It is opened as soon as it can be."""
        return self._refused

    def setVolume(self, node: Any) -> None:
        """Choose the image (None for none); another one comes without a segmentation."""
        if self._refused is not None and node is self._refused.volumeNode:
            self._tryRefused()
            if self._refused is not None:
                self._fail(self._refused.error)
        elif node is not self.volumeNode or self._refused is not None:
            self._choose(node, None)
        elif node is not None:
            with suppress(KPrismError):
                # told
                self._shownCase()

    def setSegmentation(self, node: Any) -> None:
        """Choose the segmentation (None for none yet) of the image; its first segment becomes the current.

        Without an image nothing happens.
        """
        if self._case is not None and node is not self.segmentationNode:
            self._choose(self.volumeNode, node)
        elif self._refused is not None:
            self._refused = replace(self._refused, segmentationNode=node)

    def setSegment(self, segmentId: str | None) -> None:
        """Choose the current segment of the segmentation; one that is not there counts as None."""
        case = self._case
        chosen = segmentId if case and segmentId in case.segmentIds else None
        if chosen == self.segmentId:
            return
        self._segmentId = chosen
        self._tell(CaseChanged())
        if chosen is not None:
            self._addQuiet(case, lambda: self._track(chosen))

    def newSegmentation(self) -> Any:
        """Make a segmentation for the image, with no segment yet, and choose it; None if that fails."""
        try:
            return self._makeSegmentation()
        except KPrismError as error:
            self._fail(error)
            return None

    def newSegment(self, className: str | None = None) -> str | None:
        """Make an empty segment, of a class or of none, and choose it; gives its id, None if that fails."""
        try:
            segmentId = self._makeSegment(className)
        except KPrismError as error:
            self._fail(error)
            return None
        self._addQuiet(self._case, lambda: self._track(segmentId), save=True)
        return segmentId

    def _makeSegmentation(self) -> Any:
        node = self._bridge.newSegmentation(self._requireCase().volumeNode)
        self.setSegmentation(node)
        return node

    def _makeSegment(self, className: str | None = None, forAct: bool = False) -> str:
        """Make an empty segment and choose it; one for an act is taken away again if nothing comes of it."""
        self._requireCase()
        entry = self._entry(className)
        alone = self.segmentationNode is None
        if alone:
            self._makeSegmentation()
        case = self._case
        segmentId = self._bridge.newSegment(case.segmentationNode, None, None, entry)
        case.fresh[segmentId] = entry.name if entry else None
        if forAct:
            case.unused[segmentId] = 0
            case.isUnused = alone
        self._segmentId = segmentId
        self._tell(CaseChanged())
        return segmentId

    # opening

    def _choose(self, volumeNode: Any, segmentationNode: Any) -> None:
        """As `_open`, and say what that put an end to."""
        former = self._case
        ended = former is not None and any(act.owner is former and not act.quiet for act in self._queue.acts)
        self._open(volumeNode, segmentationNode)
        if ended and self._refused is None:
            text = _("What was under way on '{name}' has ended; what was finished is kept.")
            self._sayLast(text.format(name=former.volumeNode.GetName()))

    def _open(self, volumeNode: Any, segmentationNode: Any) -> None:
        """Begin a new case; whatever was under way on the old one is dropped. Errors are told."""
        failure = self._begin(volumeNode, segmentationNode)
        if failure is not None:
            self._fail(failure)

    def _begin(
        self, volumeNode: Any, segmentationNode: Any, segmentId: str | None = None
    ) -> KPrismError | None:
        """As `_open`, but the error is given; a segment that is named becomes the current one."""
        failure: KPrismError | None = None
        former, self._case, self._mirror, self._segmentId = self._case, None, None, None
        self._refused = None
        if former is not None:
            self._queue.drop(former)
        try:
            if volumeNode is not None:
                same = former is not None and former.volumeNode is volumeNode and not former.hasMoved
                volume = former.volume if same else self._bridge.volumeOf(volumeNode)
                self._case = Case(volumeNode, segmentationNode, volume)
                there = self._case.segmentIds
                self._segmentId = segmentId if segmentId in there else next(iter(there), None)
        except KPrismError as error:
            failure = error
            self._refused = RefusedImage(volumeNode, segmentationNode, error, segmentId)
        self._tellAll()
        self._addOpening()
        return failure

    def _beginAgain(self) -> GeometryError | None:
        """Open the case anew, as image or segmentation have moved; give what says what is lost by that.

        Raises:
            KPrismError: it cannot be opened; there is no case then.
        """
        case, segmentId = self._case, self._segmentId
        waiting = any(act.owner is case and not act.quiet for act in self._queue.acts)
        lost = case.lossByMove(waiting)
        failure = self._begin(case.volumeNode, case.segmentationNode, segmentId)
        if self._refused is not None:
            self._refused = replace(self._refused, geometry=case.volume.geometry, lost=lost)
        if failure is not None:
            raise failure  # it says what has to be mended
        self.setSegment(segmentId)
        return lost

    def _requireCase(self) -> Case:
        """The case where image and segmentation are now; what is lost by a move is told.

        Raises:
            KPrismError: there is none, or it cannot be opened where it is now.
        """
        if self._refused is not None:
            raise self._refused.error
        if self._case is None:
            raise InputFileError(_("There is no image."), _("Choose an image first."))
        if self._case.hasMoved:
            lost = self._beginAgain()
            if lost is not None:
                self._tell(Warned(lost))
        return self._case

    def _shownCase(self) -> Case:
        """As `_requireCase`, for who only looks, and would keep it from the user that the case is gone."""
        former = self._case
        try:
            return self._requireCase()
        except KPrismError as error:
            if former is not None:
                self._fail(error)
            raise

    # during acts

    def _followSegment(self) -> None:
        """Tell when another tool has removed the current segment, or brought it back."""
        segmentId, former = self._segmentId, self._goneSegment
        self._goneSegment = segmentId if self.segmentId is None else None
        # where another one was chosen meanwhile, or the case went, that was told
        if segmentId is not None and self._goneSegment != former and segmentId in (self._goneSegment, former):
            self._tellAll()
            self._addQuiet(self._case, lambda: self._track(segmentId))

    def _followRefused(self) -> None:
        """Open the image that was refused as soon as it can be: who has hardened its transform goes on."""
        if self._refused is not None and self._refused.hasChanged:
            self._tryRefused()

    def _tryRefused(self) -> None:
        refused = self._refused
        self._begin(refused.volumeNode, refused.segmentationNode, refused.segmentId)
        if self._refused is not None:
            self._refused = replace(self._refused, geometry=refused.geometry, lost=refused.lost)
        elif refused.lost is not None and not refused.geometry.same_grid(self._case.volume.geometry):
            self._tell(Warned(refused.lost))
        elif refused.lost is not None:
            text = _("'{name}' can be worked on again. Earlier acts cannot be undone.")
            self._sayLast(text.format(name=refused.volumeNode.GetName()))

    def _sayLast(self, text: str) -> None:
        """Say something after the opening of the case, with which goes what is on show."""

        def steps(_act: Act) -> Steps:
            self._say(text)
            yield from ()

        self._queue.add(Act(_("open"), steps, self._case, quiet=True))

    def _requireSegment(self, make: bool) -> str:
        """The current segment; made for an act where there is none, if that is wanted.

        Raises:
            PromptError: there is none.
            KPrismError: see `_requireCase`.
        """
        self._requireCase()
        segmentId = self.segmentId
        if segmentId is None and make:
            segmentId = self._makeSegment(forAct=True)
        if segmentId is None:
            raise PromptError(_("There is no segment."), _("Choose a class, click, or make a segment first."))
        return segmentId

    # the scene

    def _sceneCloses(self) -> None:
        if self._case is not None or self._refused is not None:
            self._open(None, None)
        self._bridge.cleanup()

    def _nodeGoes(self, node: Any) -> None:
        case = self._case if self._case is not None else self._refused
        if case is not None and node is case.volumeNode:
            self._open(None, None)
        elif case is not None and node is case.segmentationNode:
            if self._case is None:
                self._refused = replace(self._refused, segmentationNode=None)
            else:
                self._open(case.volumeNode, None)
        if node.IsA("vtkMRMLSegmentationNode"):
            removePrompts(node)
