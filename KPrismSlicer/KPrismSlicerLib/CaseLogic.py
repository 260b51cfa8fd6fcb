"""The case of the logic: image, segmentation, segment, and what happens to them in the scene."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from KPrismCore.errors import InputFileError, KPrismError, PromptError
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.Case import Case, newSession
from KPrismSlicerLib.Events import CaseChanged, HistoryChanged, PromptsChanged
from KPrismSlicerLib.LogicBase import ActDropped, LogicBase, ModelLoader, noModel
from KPrismSlicerLib.Mirror import Mirror
from KPrismSlicerLib.SceneState import PromptsText, readPrompts, removePrompts, writePrompts
from KPrismSlicerLib.SceneWatch import SceneWatch
from KPrismSlicerLib.Worker import Worker

# seconds without work after which surfaces follow the masks
_SURFACE_SECONDS = 1.0


class CaseLogic(LogicBase):
    """See the module.

    Args:
        bridge: reads and writes the scene; `SceneBridge.SceneBridge` by default.
        worker, modelLoader: see `LogicBase`.
    """

    def __init__(
        self, bridge: Any = None, worker: Worker | None = None, modelLoader: ModelLoader | None = None
    ) -> None:
        super().__init__(worker, modelLoader)
        if bridge is None:
            from KPrismSlicerLib.SceneBridge import SceneBridge

            bridge = SceneBridge()
        self._bridge = bridge
        # surfaces (Show 3D) take seconds: they wait until the user does
        bridge.deferSurfaces = True
        self._surfacesDue: float | None = None
        self._case: Case | None = None
        self._mirror: Mirror | None = None
        self._segmentId: str | None = None
        # the current segment while another tool has removed it, as far as listeners know
        self._goneSegment: str | None = None
        self._promptsText = PromptsText()
        self._watch = SceneWatch(self._sceneCloses, self._nodeGoes)

    def poll(self) -> bool:
        """Go on with what is finished; call it every 10 ms or so. True while there is work."""
        self._followSegment()
        busy = super().poll()
        if busy:
            self._surfacesDue = time.monotonic() + _SURFACE_SECONDS
        elif self._surfacesDue is not None and time.monotonic() >= self._surfacesDue:
            self._surfacesDue = None
            self._bridge.updateSurfaces()
        return busy

    def cleanup(self) -> None:
        """End the worker, forget everything, and leave the scene unobserved."""
        self._watch.release()
        super().cleanup()
        self._bridge.cleanup()
        self._case = self._mirror = self._segmentId = None

    # what is there

    @property
    def volumeNode(self) -> Any:
        """The image, or None."""
        return self._case.volumeNode if self._case else None

    @property
    def segmentationNode(self) -> Any:
        """The segmentation, or None."""
        return self._case.segmentationNode if self._case else None

    @property
    def segmentId(self) -> str | None:
        """The current segment; None where there is none, or another tool has removed it."""
        return self._segmentId if self._case and self._segmentId in self._case.segmentIds else None

    @property
    def session(self) -> Any:
        """The KPrismCore session of the case, to look at; None before the network is loaded."""
        return self._case.session if self._case else None

    # choosing

    def setVolume(self, node: Any) -> None:
        """Choose the image (None for none); another one comes without a segmentation."""
        if node is not self.volumeNode:
            self._open(node, None)
        elif self._case is not None and self._case.hasMoved:
            self._open(node, self.segmentationNode)

    def setSegmentation(self, node: Any) -> None:
        """Choose the segmentation (None for none yet) of the image; its first segment becomes the current.

        Without an image nothing happens.
        """
        if self._case is not None and node is not self.segmentationNode:
            self._open(self.volumeNode, node)

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
            case = self._requireCase()
            node = self._bridge.newSegmentation(case.volumeNode)
        except KPrismError as error:
            self._fail(error)
            return None
        self.setSegmentation(node)
        return node

    def newSegment(self, className: str | None = None) -> str | None:
        """Make an empty segment, of a class or of none, and choose it; gives its id, None if that fails."""
        try:
            self._requireCase()
            entry = self._entry(className)
        except KPrismError as error:
            self._fail(error)
            return None
        if self.segmentationNode is None and self.newSegmentation() is None:
            return None
        case = self._case
        segmentId = self._bridge.newSegment(case.segmentationNode, None, None, entry)
        case.fresh[segmentId] = entry.name if entry else None
        self._segmentId = segmentId
        self._tell(CaseChanged())
        self._addQuiet(case, lambda: self._track(segmentId), save=True)
        return segmentId

    # opening

    def _open(self, volumeNode: Any, segmentationNode: Any) -> KPrismError | None:
        """Begin a new case; whatever was under way on the old one is dropped. Give the error that it told."""
        failure: KPrismError | None = None
        former, self._case, self._mirror, self._segmentId = self._case, None, None, None
        if former is not None:
            self._queue.drop(former)
        try:
            if volumeNode is not None:
                same = former is not None and former.volumeNode is volumeNode and not former.hasMoved
                volume = former.volume if same else self._bridge.volumeOf(volumeNode)
                self._case = Case(volumeNode, segmentationNode, volume)
                self._segmentId = next(iter(self._case.segmentIds), None)
        except KPrismError as error:
            failure = error
            self._fail(error)
        self._tellAll()
        self._addOpening()
        return failure

    def _modelLoaded(self) -> Steps:
        """Open the case anew with the network that has come; masks and prompts stay, the history ends."""
        if self._case is not None:
            self._case.session = None
            yield from self._opening(self._case)

    def _addOpening(self) -> None:
        case = self._case
        if case is not None and self._predictor is not None:
            self._queue.add(Act(_("open"), lambda _act: self._opening(case), case))

    def _opening(self, case: Case) -> Steps:
        """Make the session of a case that has none, with the current segment and the prompts saved for it."""
        if case.session is not None:
            return
        predictor, volume = self._predictor, case.volume
        session = yield lambda: newSession(predictor, volume)
        if case is not self._case:
            return
        case.session = session
        self._mirror = Mirror(self._bridge, case, self._say, self._fail)
        case.saved = {}
        if case.segmentationNode is not None:
            try:
                case.saved = readPrompts(case.segmentationNode, case.volumeNode, volume.geometry)
            except KPrismError as error:
                self._fail(error)
        if self.segmentId is not None:
            self._mirror.track(self.segmentId)
        self._tellAll()

    # during acts

    def _ready(self, case: Case, segmentId: str | None) -> Steps:
        """The first steps of an act: the session follows the scene, and has the segment.

        Raises:
            ActDropped: the segment is gone.
            CheckpointError: no network is loaded.
        """
        if self._predictor is None:
            raise noModel()
        yield from self._opening(case)
        yield from self._mirror.sync()
        if segmentId is not None:
            self._requirePresent(case, segmentId)
            self._mirror.track(segmentId)
            self._mirror.followLocks()
        return case.session

    def _requirePresent(self, case: Case, segmentId: str) -> None:
        if segmentId not in case.segmentIds:
            self._mirror.forgetRemoved()
            raise ActDropped

    def _addQuiet(self, case: Case, step: Callable[[], None], save: bool = False) -> None:
        """Do something with the session when its turn comes, without being an act of the user."""

        def steps(_act: Act) -> Steps:
            if case.session is not None:
                self._mirror.forgetRemoved()
                step()
                self._tellAll()
                if save:
                    yield from self._save(case)

        self._queue.add(Act(_("segment"), steps, case))

    def _followSegment(self) -> None:
        """Tell when another tool has removed the current segment, or brought it back."""
        segmentId, former = self._segmentId, self._goneSegment
        self._goneSegment = segmentId if self.segmentId is None else None
        # where another one was chosen meanwhile, that was told
        if self._goneSegment != former and segmentId in (self._goneSegment, former):
            self._tellAll()
            self._addQuiet(self._case, lambda: self._track(segmentId))

    def _track(self, segmentId: str) -> None:
        if segmentId in self._case.segmentIds:
            self._mirror.track(segmentId)

    def _save(self, case: Case) -> Steps:
        """Keep the prompts in the scene; those of segments that were not needed yet go on as they were."""
        if case.session is None or case.segmentationNode is None:
            return
        present, session = case.segmentIds, case.session
        others = [values for key, values in case.saved.items() if key in present]
        text = yield lambda: self._promptsText.make(session, others, case.segmentationPlace)
        if case is self._case:
            writePrompts(case.segmentationNode, case.volumeNode, text)

    def _requireCase(self) -> Case:
        if self._case is None:
            raise InputFileError(_("There is no image."), _("Choose an image first."))
        if self._case.hasMoved:
            node, segmentId = self.segmentationNode, self._segmentId
            failure = self._open(self.volumeNode, node)
            if failure is not None:
                raise failure  # it says what has to be mended
            self.setSegment(segmentId)
        return self._case

    def _requireSegment(self, make: bool) -> str:
        """The current segment; made where there is none, if that is wanted.

        Raises:
            PromptError: there is none.
        """
        self._requireCase()
        segmentId = self.segmentId
        if segmentId is None and make:
            segmentId = self.newSegment()
        if segmentId is None:
            raise PromptError(_("There is no segment."), _("Choose a class, click, or make a segment first."))
        return segmentId

    def _tellAll(self) -> None:
        for event in (CaseChanged(), PromptsChanged(), HistoryChanged()):
            self._tell(event)

    # the scene

    def _sceneCloses(self) -> None:
        if self._case is not None:
            self._open(None, None)
        self._bridge.cleanup()

    def _nodeGoes(self, node: Any) -> None:
        case = self._case
        if case is not None and node is case.volumeNode:
            self._open(None, None)
        elif case is not None and node is case.segmentationNode:
            self._open(case.volumeNode, None)
        if node.IsA("vtkMRMLSegmentationNode"):
            removePrompts(node)
