"""Section 2: the class, and the references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slicer.i18n import tr as _

from KPrismSlicerLib.ClassPicker import ClassPicker
from KPrismSlicerLib.DropFrame import DropFrame
from KPrismSlicerLib.PanelTools import PanelContext, mute, needText, quietly
from KPrismSlicerLib.ReferenceList import ReferenceActions, ReferenceList, ReferenceRow
from KPrismSlicerLib.ReferenceText import referenceText
from KPrismSlicerLib.Thumbnails import thumbnail
from KPrismSlicerLib.ViewChoice import ViewChoice

_NEUTRAL = "#f4d631"


class WhatPanel:
    """Says what is to be segmented.

    Args:
        context: of the panel.
        views: the view whose slice "Add slice" takes.
    """

    def __init__(self, context: PanelContext, views: ViewChoice) -> None:
        self._context = context
        self._views = views
        self._shown: tuple[Any, ...] | None = None
        ui, logic, connect = context.ui, context.logic, context.slots.connect
        self.picker = ClassPicker(context.slots, logic.classes, logic.setClass)
        ui.classPlace.layout().addWidget(self.picker.combo)
        ui.classLabel.setBuddy(self.picker.combo)
        guarded = context.slots.guarded
        self.frame = DropFrame(guarded(self._dropped))
        self.list = ReferenceList(
            ReferenceActions(
                guarded(logic.enableReference), guarded(logic.moveReference), guarded(logic.removeReference)
            )
        )
        self.list.accessibleName = _("References")
        self.frame.layout().addWidget(self.list)
        ui.referencesPlace.layout().addWidget(self.frame)
        connect(ui.clearClassButton, "clicked()", lambda: logic.setClass(None))
        connect(ui.addSliceButton, "clicked()", lambda: logic.addSliceAsReference(views.sliceNode))
        connect(ui.referenceUpButton, "clicked()", lambda: self.list.step(-1))
        connect(ui.referenceDownButton, "clicked()", lambda: self.list.step(1))
        connect(ui.referenceRemoveButton, "clicked()", self._remove)
        connect(ui.referenceSlice, "valueChanged(int)", self._chooseSlice)
        connect(self.list, "currentRowChanged(int)", lambda _row: self._updateTools())
        mute(ui.classInfo, ui.referenceSliceCount)

    def update(self) -> None:
        """Show class and references."""
        ui, logic = self._context.ui, self._context.logic
        ready = logic.model.status == "ready"
        working = ready and logic.volumeNode is not None
        entry = self._entry()
        self.picker.setModality(logic.session.volume.modality if logic.session is not None else None)
        self.picker.combo.showClass(entry)
        self.picker.combo.enabled = working
        ui.clearClassButton.enabled = working and entry is not None
        ui.addSliceButton.enabled = working
        ui.classInfo.text = classText(entry)
        ui.classInfo.visible = entry is not None
        self.frame.enabled = working
        ui.whatHint.text = "" if working else needText(logic)
        ui.whatHint.visible = not working
        self._showReferences(entry.colour if entry else _NEUTRAL)

    def _entry(self) -> Any:
        """The ClassEntry of the current class, or None."""
        name, catalogue = self._context.logic.className, self._context.logic.model.catalogue
        return catalogue.by_name(name) if name and catalogue is not None else None

    def _showReferences(self, colour: str) -> None:
        references = self._context.logic.references()
        # pictures take a moment: only where something else is to be seen
        if self._shown is None or self._shown != (colour, *references):
            self._shown = (colour, *references)
            self.list.showRows([self._row(number, one, colour) for number, one in enumerate(references)])
        self.list.visible = bool(references)
        self.frame.hint.visible = not references
        self.frame.hint.text = _(
            "Drag a segmentation, a segment, a volume or a study from the Data tree to here:"
            " what is marked there is shown to the model as an example."
        )
        self._updateTools()

    def _row(self, number: int, reference: Any, colour: str) -> ReferenceRow:
        logic = self._context.logic
        text = referenceText(reference, logic.referenceOrigin(number), logic.session)
        return ReferenceRow(thumbnail(reference, colour), text, reference.enabled)

    def _updateTools(self) -> None:
        """Show what can be done with the current reference."""
        ui, row = self._context.ui, self.list.currentRow
        chosen = 0 <= row < self.list.count
        ui.referenceTools.visible = chosen
        if not chosen:
            return
        ui.referenceUpButton.enabled = row > 0
        ui.referenceDownButton.enabled = row < self.list.count - 1
        origin = self._context.logic.referenceOrigin(row)
        for widget in (ui.referenceSlice, ui.referenceSliceCount, ui.referenceSliceLabel):
            widget.visible = origin is not None
        if origin is not None:
            first, last = min(origin.indices), max(origin.indices)
            with quietly(ui.referenceSlice):
                ui.referenceSlice.setRange(first, last)
                ui.referenceSlice.value = origin.index
            ui.referenceSliceCount.text = _("of {first} to {last}").format(first=first, last=last)

    def _dropped(self, items: list[int]) -> None:
        for item in items:
            self._context.logic.addReferencesFromItem(item, self._context.ui.shotsSelector.value)

    def _remove(self) -> None:
        self._context.logic.removeReference(self.list.currentRow)

    def _chooseSlice(self, wanted: int) -> None:
        logic, row = self._context.logic, self.list.currentRow
        origin = logic.referenceOrigin(row)
        if origin is not None:
            index = nextMarked(origin.indices, origin.index, wanted)
            if index == origin.index:
                self._updateTools()
            else:
                logic.setReferenceSlice(row, index)


def nextMarked(indices: Sequence[int], shown: int, wanted: int) -> int:
    """The slice to take for one on which nothing may be marked: the next in that direction."""
    ahead = [index for index in indices if (index >= wanted if wanted > shown else index <= wanted)]
    if not ahead:
        return shown
    return min(ahead) if wanted > shown else max(ahead)


def classText(entry: Any) -> str:
    """Code, modalities and extent of the training of a ClassEntry; empty for None."""
    if entry is None:
        return ""
    code = entry.terminology.type
    parts = [f"SNOMED CT {code.value} ({code.meaning})", ", ".join(entry.modality)]
    if entry.images:
        trained = _("trained on {images} images of {subjects} subjects")
        parts.append(trained.format(images=entry.images, subjects=entry.subjects))
    return " \u00b7 ".join(part for part in parts if part)
