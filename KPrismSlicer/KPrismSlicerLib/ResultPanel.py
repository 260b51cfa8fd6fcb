"""Section 5: what the last act did, how sure the model is, how long it took; accepting a slice; export."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from KPrismSlicerLib.ExportBox import ExportBox
from KPrismSlicerLib.PanelTools import PanelContext, durationText, mute, quietly
from KPrismSlicerLib.ViewChoice import ViewChoice


class ResultPanel:
    """Says what happened.

    Args:
        context: of the panel.
        views: the view whose slice is meant.
    """

    def __init__(self, context: PanelContext, views: ViewChoice) -> None:
        self._context = context
        self._views = views
        # whether the text says of an act that it began, and not yet how it ended
        self._open = False
        # what was said since work began
        self._notes: list[str] = []
        self.export = ExportBox(context)
        context.slots.connect(context.ui.acceptCheck, "clicked(bool)", self._accept)
        context.slots.connect(context.ui.checkNextButton, "clicked()", context.interaction.checkNext)
        context.slots.connect(context.ui.showChangesCheck, "toggled(bool)", self._showChanges)
        self.clear()

    def clear(self) -> None:
        """Forget the last act."""
        self._open = False
        self._notes = []
        ui = self._context.ui
        ui.resultText.text = _("What the last act changed is shown here.")
        mute(ui.resultText)
        self.export.clear()

    def begin(self, label: str) -> None:
        """Show that an act began."""
        self._write(_("{act} ...").format(act=label[:1].upper() + label[1:]))
        self._open = True

    def finish(self) -> None:
        """All is done: an act that began and told of no end was dropped, and is forgotten."""
        if self._open and self._notes:
            self._write(*self._notes)
        elif self._open:
            self.clear()
        self._open, self._notes = False, []

    def show(self, result: Any) -> None:
        """Show an ActResult, and what was said since work began."""
        self._open = False
        self._write(resultText(result), *self._notes)

    def showText(self, text: str) -> None:
        """Show a sentence in the status line; one that is said of acts at work stays beside their outcome."""
        self._open = False
        if self._context.logic.busy and text not in self._notes:
            self._notes.append(text)
        self._write(text)

    def _write(self, *lines: str) -> None:
        ui = self._context.ui
        ui.resultText.text = "\n".join(lines)
        ui.resultText.setForegroundRole(qt.QPalette.WindowText)

    def update(self) -> None:
        """Show whether the slice in view is accepted."""
        ui, logic = self._context.ui, self._context.logic
        node = self._views.sliceNode
        # a view that does not cut the image shows nothing to accept
        able = logic.session is not None and bool(logic.segmentId) and logic.sliceIndex(node) is not None
        with quietly(ui.acceptCheck):
            ui.acceptCheck.checked = able and logic.isAccepted(node)
        ui.acceptCheck.enabled = ui.checkNextButton.enabled = able
        self.export.update()

    def _showChanges(self, on: bool) -> None:
        self._context.interaction.showChanges = on

    def _accept(self, on: bool) -> None:
        self._context.logic.accept(self._views.sliceNode, on)


def resultText(result: Any) -> str:
    """The status line for an ActResult: the act, what changed, confidence, time."""
    parts = [result.label[:1].upper() + result.label[1:]]
    changed = result.changed
    if changed is None and result.added is not None and result.removed is not None:
        changed = np.count_nonzero(result.added), np.count_nonzero(result.removed)
    if changed is not None:
        parts.append(_("+{added} \u2212{removed} pixels").format(added=changed[0], removed=changed[1]))
    if result.confidence is not None:
        parts.append(_("{percent} % sure").format(percent=round(100 * result.confidence)))
    if result.knownClass is not None:
        # the panel says what else than the references went into the mask
        parts.append(_("with the class {name}").format(name=result.knownClass))
    parts.append(durationText(result.seconds))
    return " \u00b7 ".join(parts)
