"""Section 4: this slice, some slices on both sides, or the whole volume; progress, time left, Cancel."""

from __future__ import annotations

from slicer.i18n import tr as _

from KPrismSlicerLib.PanelTools import PanelContext, durationText, needText
from KPrismSlicerLib.ViewChoice import ViewChoice


class HowFarPanel:
    """Runs the class and the references over slices.

    Args:
        context: of the panel.
        views: the view whose slices are meant.
    """

    def __init__(self, context: PanelContext, views: ViewChoice) -> None:
        self._context = context
        self._views = views
        self._running = False
        # how many slices of the last run are done, in words
        self._done = ""
        ui, connect = context.ui, context.slots.connect
        for radio in (ui.sliceRadio, ui.rangeRadio, ui.volumeRadio):
            connect(radio, "toggled(bool)", lambda _on: self.update())
        for spin in (ui.rangeBefore, ui.rangeAfter):
            connect(spin, "valueChanged(int)", lambda _value: self.update())
        connect(ui.runButton, "clicked()", self.run)
        connect(ui.cancelButton, "clicked()", context.logic.cancel)
        connect(ui.connectedButton, "clicked()", self._keepConnected)
        self.clear()

    @property
    def range(self) -> tuple[int, int] | None:
        """First and last slice of the chosen range within the volume; None where the view shows none."""
        logic, node, ui = self._context.logic, self._views.sliceNode, self._context.ui
        shown = logic.sliceIndex(node)
        if shown is None:
            return None
        last = logic.sliceCount(node) - 1
        return max(shown - ui.rangeBefore.value, 0), min(shown + ui.rangeAfter.value, last)

    def run(self) -> None:
        """Segment as far as is chosen; the errors are the logic's."""
        ui, logic, node = self._context.ui, self._context.logic, self._views.sliceNode
        if ui.sliceRadio.checked:
            logic.predictSlice(node)
            return
        if ui.volumeRadio.checked:
            logic.predictVolume(node)
        elif (found := self.range) is not None:
            logic.predictRange(node, *found)

    def update(self) -> None:
        """Show what will be segmented, and whether it can be."""
        ui, logic = self._context.ui, self._context.logic
        ready = logic.model.status == "ready" and logic.volumeNode is not None
        prompted = ready and bool(logic.className or any(one.enabled for one in logic.references()))
        ui.rangeBox.visible = ui.rangeRadio.checked
        ui.runButton.text = self._runText()
        # a slice with clicks can do without class and references
        ui.runButton.enabled = prompted or (ready and ui.sliceRadio.checked and bool(logic.clicks()))
        # what a single slice is given is seen whole
        ui.connectedButton.visible = not ui.sliceRadio.checked
        ui.connectedButton.enabled = logic.session is not None and bool(logic.segmentId)
        ui.howFarHint.text = _hint(prompted) if ready else needText(logic)
        ui.howFarHint.visible = bool(ui.howFarHint.text)
        if ui.rangeRadio.checked:
            found = self.range if ready else None
            text = _("slices {first} to {last}").format(first=found[0], last=found[1]) if found else ""
            ui.rangeSlices.text = text

    def showProgress(self, done: int, total: int, secondsLeft: float | None) -> None:
        """Show how far a run over many slices is."""
        ui = self._context.ui
        self._running = done < total
        ui.rangeProgress.maximum = max(total, 1)
        ui.rangeProgress.value = done
        text = self._done = _("{done} of {total} slices").format(done=done, total=total)
        if self._running and secondsLeft is not None:
            text += " \u00b7 " + _("{time} left").format(time=durationText(secondsLeft))
        ui.rangeText.text = text
        for widget in (ui.rangeProgress, ui.cancelButton):
            widget.visible = self._running
        ui.rangeText.visible = True

    def finish(self) -> None:
        """A run is over or was cancelled; what was done stays on show, and no time is left."""
        self._running = False
        self._context.ui.rangeText.text = self._done
        for widget in (self._context.ui.rangeProgress, self._context.ui.cancelButton):
            widget.visible = False

    def clear(self) -> None:
        """Forget the last run."""
        self.finish()
        self._context.ui.rangeText.visible = False

    def _keepConnected(self) -> None:
        self._context.logic.keepConnected(self._views.sliceNode)

    def _runText(self) -> str:
        ui = self._context.ui
        if ui.sliceRadio.checked:
            return _("Segment this slice")
        return _("Segment these slices") if ui.rangeRadio.checked else _("Segment the whole volume")


def _hint(prompted: bool) -> str:
    if not prompted:
        return _("Choose a class or add a reference; clicks alone hold for their own slice.")
    return ""
