"""The "what" of the logic: the class and the references of the current segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError, PromptError, ReferenceMismatchError
from KPrismCore.slices import Plane, SlicePlane
from KPrismSlicerLib.ActQueue import Act, Steps
from KPrismSlicerLib.Case import Case
from KPrismSlicerLib.CaseLogic import CaseLogic
from KPrismSlicerLib.Events import ActDone, ActResult, ActStarted, HistoryChanged, PromptsChanged
from KPrismSlicerLib.Labels import labelText
from KPrismSlicerLib.LogicBase import noModel
from KPrismSlicerLib.ReferenceOrigins import ReferenceOrigin, ReferenceOrigins, originsOf


class PromptLogic(CaseLogic):
    """See the module. What cannot be done is told as `ActFailed`; the methods themselves do not raise."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._origins = ReferenceOrigins()

    # class

    @property
    def className(self) -> str | None:
        """The class of the current segment; None for none."""
        state = self._state
        return state.class_name if state else None

    def setClass(self, name: str | None) -> None:
        """Say of which class the current segment is; it takes the class's name, colour and codes."""
        if self.segmentId is None and name is not None and self._case is not None:
            self.newSegment(name)
            return

        def change(case: Case, segmentId: str) -> Steps:
            node, owner = case.segmentationNode, case.session.segments[segmentId]
            former, look = owner.state, self._bridge.lookOf(node, segmentId)
            case.session.set_class(name, segmentId)
            if name is None:
                # it is this that somebody wanted to be gone
                case.lackedClasses.pop(segmentId, None)
            self._describe(case, segmentId)
            if owner.state is not former:
                case.looks.note(owner.state, look, self._bridge.lookOf(node, segmentId))
            yield from ()

        self._addPromptAct("class", change, make=True)

    def classes(self, text: str = "") -> list[Any]:
        """The classes (`ClassEntry`) of the network that fit a text, best first; none without a network."""
        return self._model.catalogue.search(text) if self._model.catalogue is not None else []

    def doubt(self) -> str:
        """The sentence on what speaks most against trusting results on this image, with these prompts."""
        session = self.session
        if session is None:
            return ""
        found = session.engine.doubt(self.className, any(one.enabled for one in self.references()))
        return found.text(_) if found is not None else ""

    # references

    def references(self) -> tuple[Any, ...]:
        """The references (`KPrismCore.references.Reference`) of the current segment."""
        state = self._state
        return state.references if state else ()

    def addReference(
        self, source: Any, count: int | None = None, planes: Sequence[Plane] | None = None
    ) -> None:
        """Show the network slices on which a segment is marked, of this patient or another.

        Args:
            source: a `ReferenceSource`.
            count: at most so many; the default of the core for None.
            planes: the slices; None for the best.
        """

        def change(case: Case, segmentId: str) -> Steps:
            yield from self._addSource(case, segmentId, source, count, planes)

        self._addPromptAct("references", change, make=True)

    def addReferencesFromItem(self, itemId: int, count: int | None = None) -> None:
        """Add references from an item of the subject hierarchy, such as one dropped on the panel.

        Of several segments the one named as the current segment's class, or as the segment, is taken.
        """
        from KPrismSlicerLib.ReferenceSources import sourcesOf

        try:
            source = self._chosen(sourcesOf(itemId))
        except KPrismError as error:
            self._fail(error)
        else:
            self.addReference(source, count)

    def addSliceAsReference(self, sliceNode: Any) -> None:
        """Show the network the current segment as it is on the slice of a view."""

        def change(case: Case, segmentId: str) -> Steps:
            plane, owner = case.planeOf(sliceNode), case.session.segments[segmentId]
            yield lambda: case.session.add_reference(
                case.session.volume, owner.voxels, plane, name=owner.name, segment=segmentId
            )

        self._addPromptAct("references", change)

    def removeReference(self, index: int) -> None:
        """Remove a reference by its place in `references`."""
        self._addReferenceAct(lambda session, segmentId: session.remove_reference(index, segmentId))

    def enableReference(self, index: int, on: bool = True) -> None:
        """Let a reference take part, or not."""
        self._addReferenceAct(lambda session, segmentId: session.enable_reference(index, on, segmentId))

    def moveReference(self, index: int, to: int) -> None:
        """Put a reference at another place in `references`."""
        self._addReferenceAct(lambda session, segmentId: session.move_reference(index, to, segmentId))

    def referenceOrigin(self, index: int) -> ReferenceOrigin | None:
        """Where a reference was taken from, and what else is marked there; None where it is not known.

        It is not known for oblique slices, and not after a scene was saved and loaded.
        """
        references = self.references()
        return self._origins.of(references[index].key) if 0 <= index < len(references) else None

    def setReferenceSlice(self, index: int, sliceIndex: int) -> None:
        """Take another slice of a reference's source instead."""
        origin = self.referenceOrigin(index)

        def change(case: Case, segmentId: str) -> Steps:
            if origin is None:
                raise PromptError(
                    _("It is not known any more where this reference was taken from."),
                    _("Remove it and add its source again."),
                )
            volume, mask = self._readSource(case, origin.source)
            plane = SlicePlane(volume.geometry, origin.kind, sliceIndex)
            session = case.session
            key = yield lambda: _replaceReference(session, segmentId, index, (volume, mask, plane), origin)
            self._origins.keep({key: replace(origin, index=sliceIndex)})

        self._addPromptAct("references", change)

    # details

    def _sceneCloses(self) -> None:
        self._origins.clear()
        super()._sceneCloses()

    def _nodeGoes(self, node: Any) -> None:
        super()._nodeGoes(node)
        if self._origins.forget(node):
            self._tell(PromptsChanged())

    @property
    def _state(self) -> Any:
        """The prompts of the current segment; None where the session does not have it."""
        session = self.session
        owner = session.segments.get(self.segmentId) if session is not None else None
        return owner.state if owner is not None else None

    def _describe(self, case: Case, segmentId: str) -> None:
        entry = self._entry(case.session.segments[segmentId].state.class_name)
        if entry is not None:
            self._bridge.describeSegment(case.segmentationNode, segmentId, entry)

    def _followClass(self, case: Case, segmentId: str, part: Any, undone: bool) -> None:
        """Show a segment as before the choice of a class that was undone, or as after one that was redone."""
        looks = case.looks.of(part.after)
        if looks is None:
            self._describe(case, segmentId)
            return
        wanted, left = looks if undone else reversed(looks)
        # what somebody has named or coloured since stays so
        if self._bridge.lookOf(case.segmentationNode, segmentId) == left:
            self._bridge.giveLook(case.segmentationNode, segmentId, wanted)

    def _addSource(
        self, case: Case, segmentId: str, source: Any, count: int | None, planes: Sequence[Plane] | None
    ) -> Steps:
        volume, mask = self._readSource(case, source)
        session = case.session
        from KPrismCore.references import DEFAULT_COUNT

        def add() -> dict[str, ReferenceOrigin]:
            chosen = planes or session.best_planes(volume, mask, count or DEFAULT_COUNT)
            added = session.add_reference(volume, mask, chosen, name=source.name, segment=segmentId)
            return originsOf(source, mask, added, chosen)

        self._origins.keep((yield add))

    def _readSource(self, case: Case, source: Any) -> tuple[Any, Any]:
        """Image and mask KJI of a source; the session's own image is recognised as such."""
        own = source.volumeNode is case.volumeNode
        volume = case.session.volume if own else self._bridge.volumeOf(source.volumeNode)
        return volume, self._bridge.readSegment(source.segmentationNode, source.segmentId, source.volumeNode)

    def _chosen(self, sources: Sequence[Any]) -> Any:
        if len(sources) == 1:
            return sources[0]
        wanted = {name.casefold() for name in (self.className, self._segmentName()) if name}
        fitting = [one for one in sources if one.name.casefold() in wanted]
        if len(fitting) != 1:
            names = ", ".join(one.name for one in sources[:8])
            raise ReferenceMismatchError(
                _("There are {count} segments: {names}.").format(count=len(sources), names=names),
                _("Drag the one that shows the object, or choose the class of that name first."),
            )
        return fitting[0]

    def _segmentName(self) -> str | None:
        if self.segmentId is None or self.segmentationNode is None:
            return None
        segment = self.segmentationNode.GetSegmentation().GetSegment(self.segmentId)
        return segment.GetName() if segment is not None else None

    def _addReferenceAct(self, change: Callable[[Any, str], None]) -> None:
        def steps(case: Case, segmentId: str) -> Steps:
            change(case.session, segmentId)
            yield from ()

        self._addPromptAct("references", steps)

    def _addPromptAct(self, label: str, change: Callable[[Case, str], Steps], *, make: bool = False) -> None:
        """Queue an act that changes prompts of the current segment, which may be made for it, and no mask."""
        try:
            if self._predictor is None and self._model.status != "loading":
                raise noModel()
            segmentId = self._requireSegment(make)
        except KPrismError as error:
            self._fail(error)
            return
        case = self._case

        def steps() -> Steps:
            yield from self._ready(case, segmentId)
            self._tell(ActStarted(labelText(label)))
            yield from change(case, segmentId)
            yield from self._finish(case, ActResult(labelText(label), segmentId))

        attempt = self._attempt(case, segmentId, steps())
        self._queue.add(Act(labelText(label), lambda _act: attempt, case, undoable=True))

    def _finish(self, case: Case, result: ActResult) -> Steps:
        """The last steps of an act: everybody is told, and the prompts are kept in the scene."""
        for event in (ActDone(result), PromptsChanged(), HistoryChanged()):
            self._tell(event)
        yield from self._save(case)


def _replaceReference(
    session: Any, segmentId: str, index: int, place: tuple[Any, Any, Plane], origin: ReferenceOrigin
) -> str:
    """Put the reference taken at a place (volume, mask, plane) where one is; give its key."""
    from KPrismCore.references import references_from_volume

    volume, mask, plane = place
    settings = session.engine.predictor.model.preprocessing
    (taken,) = references_from_volume(
        volume,
        mask,
        [plane],
        name=origin.source.name,
        follows=session.engine.follows(volume),
        settings=settings,
    )
    enabled = session.references(segmentId)[index].enabled
    session.replace_reference(index, replace(taken, enabled=enabled), segmentId)
    return taken.key
