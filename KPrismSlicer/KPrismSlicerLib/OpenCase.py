"""The open case as acts find it: image, segmentation, current segment, and the session on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.Case import Case, newSession
from KPrismSlicerLib.Events import CaseChanged, HistoryChanged, PromptsChanged
from KPrismSlicerLib.LogicBase import ActDropped, LogicBase, ModelLoader, noModel
from KPrismSlicerLib.Mirror import Mirror
from KPrismSlicerLib.SceneState import PromptsText, readPrompts, writePrompts
from KPrismSlicerLib.Worker import Worker


class OpenCase(LogicBase):
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
        self._case: Case | None = None
        self._mirror: Mirror | None = None
        self._segmentId: str | None = None
        self._promptsText = PromptsText()

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

    # opening

    def _modelLoaded(self) -> Steps:
        """Open the case anew with the network that has come; masks and prompts stay, the history ends."""
        if self._case is not None:
            former, self._case.session = self._case.session, None
            yield from self._opening(self._case)
            # last, as what is on show of the last act goes with the opening
            if former is not None and len(former.history):
                self._say(_("Masks and prompts stay with the new model, but earlier acts cannot be undone."))

    def _addOpening(self) -> None:
        case = self._case
        if case is not None and self._predictor is not None:
            self._queue.add(Act(_("open"), lambda _act: self._opening(case), case, quiet=True))

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
        case.saved, case.lackedClasses = {}, {}
        if case.segmentationNode is not None:
            try:
                case.saved = readPrompts(case.segmentationNode, case.volumeNode, volume.geometry)
            except KPrismError as error:
                self._fail(error)
        try:
            if self.segmentId is not None:
                self._mirror.track(self.segmentId)
        finally:
            # a segment that cannot be read is told by the act; the session is there all the same
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

    def _attempt(self, case: Case, segmentId: str, steps: Steps) -> Steps:
        """The steps of an act; a segment that was made for it alone does not outlive its failure.

        Acts that wait for the same segment may still give it something: the last of them counts.
        """
        if segmentId in case.unused:
            case.unused[segmentId] += 1
        return self._attempted(case, segmentId, steps)

    def _attempted(self, case: Case, segmentId: str, steps: Steps) -> Steps:
        try:
            yield from steps
        # whatever it is, it is told in the one place where errors end
        except Exception as error:
            if segmentId not in case.unused:
                raise
            case.unused[segmentId] -= 1
            # told first: with the segmentation the case goes, and its acts with it
            self._fail(error)
            if case.unused[segmentId] == 0:
                self._removeUnused(case, segmentId)
            # undo that waits for it must know
            raise ActDropped from error
        else:
            case.isUnused = False
            case.unused.pop(segmentId, None)

    def _removeUnused(self, case: Case, segmentId: str) -> None:
        """Take away a segment that was made for acts which all failed, unless somebody painted on it."""
        del case.unused[segmentId]
        case.fresh.pop(segmentId, None)
        if segmentId not in case.segmentIds or not self._bridge.isEmpty(case.segmentationNode, segmentId):
            return
        self._bridge.removeSegment(case.segmentationNode, segmentId)
        if self._mirror is not None:
            self._mirror.forgetRemoved()
        if case.isUnused and not case.segmentIds:
            self._bridge.removeSegmentation(case.segmentationNode)
        else:
            self._tellAll()

    def _addQuiet(self, case: Case, step: Callable[[], None], save: bool = False) -> None:
        """Do something with the session when its turn comes, without being an act of the user."""

        def steps(_act: Act) -> Steps:
            if case.session is not None:
                self._mirror.forgetRemoved()
                step()
                self._tellAll()
                if save:
                    yield from self._save(case)

        self._queue.add(Act(_("segment"), steps, case, quiet=True))

    def _track(self, segmentId: str) -> None:
        if segmentId in self._case.segmentIds:
            self._mirror.track(segmentId)

    def _save(self, case: Case) -> Steps:
        """Keep the prompts in the scene; those of segments that were not needed yet go on as they were."""
        if case.session is None or case.segmentationNode is None:
            return
        present, session = case.segmentIds, case.session
        others = [values for key, values in case.saved.items() if key in present]
        place, lacked = case.segmentationPlace, dict(case.lackedClasses)
        try:
            text = yield lambda: self._promptsText.make(session, others, place, lacked)
        except GeneratorExit:
            # dropped, as another image was chosen at once: the act was told done, and its prompts stay
            if _isOpen(case.segmentationNode.GetScene()):
                text = PromptsText().make(session, others, place, lacked)
                writePrompts(case.segmentationNode, case.volumeNode, text)
            raise
        if case is self._case:
            writePrompts(case.segmentationNode, case.volumeNode, text)

    def _tellAll(self) -> None:
        for event in (CaseChanged(), PromptsChanged(), HistoryChanged()):
            self._tell(event)


def _isOpen(scene: Any) -> bool:
    """Whether nodes may be written to a scene (or None)."""
    return scene is not None and not (scene.IsClosing() or scene.IsImporting() or scene.IsRestoring())
