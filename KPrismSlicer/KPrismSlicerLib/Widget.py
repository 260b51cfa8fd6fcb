"""The panel: builds it, shows what the logic tells, keeps settings in the scene. What a button does is in
CasePanel, ModelPanel, WhatPanel, WherePanel, HowFarPanel and ResultPanel."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import qt
import slicer

from KPrismSlicerLib import Events
from KPrismSlicerLib.CasePanel import CasePanel
from KPrismSlicerLib.Disclosure import Disclosure
from KPrismSlicerLib.ErrorBar import ErrorBar
from KPrismSlicerLib.HowFarPanel import HowFarPanel
from KPrismSlicerLib.ModelPanel import ModelPanel
from KPrismSlicerLib.PanelTools import STATUS_MILLISECONDS, PanelContext, Slots, mute
from KPrismSlicerLib.Paths import resourcePath
from KPrismSlicerLib.ResultPanel import ResultPanel
from KPrismSlicerLib.ViewChoice import ViewChoice
from KPrismSlicerLib.WhatPanel import WhatPanel
from KPrismSlicerLib.WherePanel import WherePanel

# how often finished work is looked for: while there is some, and otherwise
_BUSY_MILLISECONDS, _IDLE_MILLISECONDS = 10, 100


class PanelWidget:
    """The panel of the module. Everything runs on the main thread.

    Args:
        parentWidget: Slicer's widget for the module; the panel is added to its layout.
        logic: `Logic.AnnotationLogic`.
        interaction: `Interaction.Interaction`.
        environment: `Environment.Environment`.
    """

    def __init__(self, parentWidget: Any, logic: Any, interaction: Any, environment: Any) -> None:
        self.widget = slicer.util.loadUI(str(resourcePath("UI", "KPrismSlicer.ui")))
        parentWidget.layout().addWidget(self.widget)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self._errors = ErrorBar(self.ui)
        slots = Slots(self.showError)
        self._context = PanelContext(
            self.ui, logic, interaction, environment, slots, self.showError, self._errors.clear, _ask
        )
        self._guiTag: Any = None
        # while the parts are made there is nothing on show
        self.result: ResultPanel | None = None
        self._makeParts(slots)
        self._timer = qt.QTimer()
        self._timer.setInterval(_IDLE_MILLISECONDS)
        slots.connect(self._timer, "timeout()", self._tick)
        self._onEvent = slots.guarded(self._show)
        logic.addListener(self._onEvent)
        self.views.update()
        self._updateAll()
        self._timer.start()

    def showError(self, error: Exception, before: int = 0) -> None:
        """Show an error in the bar at the top: a KPrismError in its own words, any other as our defect.

        Args:
            error: what to show.
            before: see `ErrorBar.show`.
        """
        if self.result is not None:
            # of two attempts only the later one's outcome is on show
            self.result.clear()
        self._errors.show(error, before=before)

    def setParameterNode(self, parameters: Any) -> None:
        """Use the settings of a scene (a KPrismParameterNode, or None) and go back to the case they name."""
        before = self._context.parameters
        if before is not None and self._guiTag is not None:
            before.disconnectGui(self._guiTag)
        self._context.parameters, self._guiTag = parameters, None
        if parameters is None:
            # what went wrong in the scene goes with it
            self._errors.clear()
            return
        self._guiTag = parameters.connectGui(self.ui)
        self.model.restore(parameters)
        self.result.export.restore(parameters)
        self._context.slots.guarded(self.case.restore)(parameters)
        self._updateAll()

    def enter(self) -> None:
        """The module is shown: offer the image that is on view where none is chosen."""
        self.views.update()
        logic = self._context.logic
        if logic.volumeNode is None and logic.refused is None:
            shown = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
            node = slicer.mrmlScene.GetNodeByID(shown) if shown else None
            # the selector knows which kinds of volume are images
            if node is not None:
                self.ui.volumeSelector.setCurrentNode(node)
        self._updateAll()
        # such as the Segment Editor, which the user comes from
        logic.takeEdits()

    def exit(self) -> None:
        """Another module is shown: the tool is put down by the interaction; show that."""
        self.where.updateTool()

    def cleanup(self) -> None:
        """Let go of everything; the panel is dead afterwards."""
        self._timer.stop()
        self._context.logic.removeListener(self._onEvent)
        self.setParameterNode(None)
        self.views.release()
        self.case.release()
        self._context.slots.disconnect()

    def _makeParts(self, slots: Slots) -> None:
        ui, context = self.ui, self._context
        self.views = ViewChoice(ui.viewSelector, slots, context.interaction, self._viewChanged)
        self.case = CasePanel(context)
        self.model = ModelPanel(context)
        self.what = WhatPanel(context, self.views)
        self.where = WherePanel(context, self.views)
        self.howFar = HowFarPanel(context, self.views)
        self.result = ResultPanel(context, self.views)
        self._disclosure = Disclosure(
            {"what": ui.whatSection, "where": ui.whereSection, "howFar": ui.howFarSection,
             "result": ui.resultSection}
        )  # fmt: skip
        mute(ui.whatHint, ui.whereHint, ui.howFarHint, ui.rangeSlices, ui.rangeText, ui.exportText)
        # what is not in the .ui comes where it is seen
        order = (
            ui.cardText,
            ui.whatSection,
            self.what.picker.combo,
            ui.clearClassButton,
            ui.shotsSelector,
            ui.addSliceButton,
            self.what.list,
            ui.referenceSlice,
        )
        for one, other in pairwise(order):
            qt.QWidget.setTabOrder(one, other)

    def _tick(self) -> None:
        busy = self._context.logic.poll()
        wanted = _BUSY_MILLISECONDS if busy else _IDLE_MILLISECONDS
        if self._timer.interval != wanted:
            self._timer.setInterval(wanted)
        self.views.update()
        self.where.updateTool()

    def _show(self, event: Any) -> None:
        """Show what an event of the logic says."""
        shown = {
            Events.ModelChanged: self._modelChanged,
            Events.CaseChanged: self._caseChanged,
            Events.PromptsChanged: self._promptsChanged,
            Events.HistoryChanged: self._historyChanged,
            Events.ActStarted: self._actStarted,
            Events.ActDone: self._actDone,
            Events.ActFailed: self._actFailed,
            Events.Warned: self._warned,
            Events.RangeProgress: self._rangeProgress,
            Events.BusyChanged: self._busyChanged,
            Events.MessageShown: self._messageShown,
        }
        handler = shown.get(type(event))
        if handler is not None:
            handler(event)

    def _modelChanged(self, _event: Any) -> None:
        self._updateAll()

    def _caseChanged(self, _event: Any) -> None:
        self.result.clear()
        if not self._context.logic.isRunning:
            self.howFar.clear()
        self._updateAll()

    def _promptsChanged(self, _event: Any) -> None:
        for part in (self.model, self.what, self.where, self.howFar, self.result):
            part.update()
        logic = self._context.logic
        if logic.className or logic.references():
            self._disclosure.open("howFar")

    def _historyChanged(self, _event: Any) -> None:
        self.where.updateHistory()

    def _actStarted(self, event: Any) -> None:
        self._timer.setInterval(_BUSY_MILLISECONDS)
        self.result.begin(event.label)

    def _actDone(self, event: Any) -> None:
        self._errors.settle()
        if event.result.plane is not None:
            self._disclosure.open("howFar", "result")
        if event.result.changed is None:
            # not a run: what is said of the last one is no longer what was done last
            self.howFar.clear()
        self.result.show(event.result)
        # Slicer's status line is one line
        text = self.ui.resultText.text.replace("\n", " \u00b7 ")
        slicer.util.showStatusMessage(text, STATUS_MILLISECONDS)

    def _actFailed(self, event: Any) -> None:
        # who was refused a click during a run may still want to cancel that
        if not self._context.logic.isRunning:
            self.howFar.finish()
        # acts that were asked for before it was told must not take it away unread
        self.showError(event.error, self._context.logic.outcomesToCome)

    def _warned(self, event: Any) -> None:
        # who clicked at once must see it too
        self._errors.show(event.error, lasting=True)

    def _rangeProgress(self, event: Any) -> None:
        self.howFar.showProgress(event.done, event.total, event.secondsLeft)
        if event.result is not None:
            self.result.show(event.result)

    def _busyChanged(self, event: Any) -> None:
        self._timer.setInterval(_BUSY_MILLISECONDS if event.busy else _IDLE_MILLISECONDS)
        if not event.busy:
            self.howFar.finish()
            self.result.finish()
            self._errors.rest()

    def _messageShown(self, event: Any) -> None:
        self.result.showText(event.text)
        slicer.util.showStatusMessage(event.text, STATUS_MILLISECONDS)

    def _viewChanged(self) -> None:
        for part in (self.where, self.howFar, self.result):
            part.update()

    def _updateAll(self) -> None:
        for part in (self.case, self.model, self.what, self.where, self.howFar, self.result):
            part.update()
        logic = self._context.logic
        if logic.volumeNode is not None and logic.model.status == "ready":
            self._disclosure.open("what", "where")


def _ask(question: str, title: str) -> bool:
    return bool(slicer.util.confirmOkCancelDisplay(question, title))
