"""Section 3: the click tools, undo and redo, the clicks of the slice, the keys."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError
from KPrismSlicerLib.PanelTools import ADDED, REMOVED, PanelContext, mute, needText, openArrow, swatch
from KPrismSlicerLib.ViewChoice import ViewChoice

NO_TOOL, POSITIVE, NEGATIVE = "none", "positive", "negative"


class WherePanel:
    """Shows the tools, and what clicks there are.

    Args:
        context: of the panel.
        views: the view whose slice is meant.
    """

    def __init__(self, context: PanelContext, views: ViewChoice) -> None:
        self._context = context
        self._views = views
        ui, connect = context.ui, context.slots.connect
        ui.positiveButton.icon = swatch(ADDED, "plus")
        ui.negativeButton.icon = swatch(REMOVED, "minus")
        connect(ui.positiveButton, "clicked(bool)", lambda on: self._take(POSITIVE if on else NO_TOOL))
        connect(ui.negativeButton, "clicked(bool)", lambda on: self._take(NEGATIVE if on else NO_TOOL))
        connect(ui.undoButton, "clicked()", context.logic.undo)
        connect(ui.redoButton, "clicked()", context.logic.redo)
        connect(ui.clearSliceButton, "clicked()", lambda: context.logic.clearSlice(views.sliceNode))
        connect(ui.shortcutsButton, "toggled(bool)", self._showShortcuts)
        self._widths = WidthWatch(context.slots.guarded(self.updateHistory), ui.undoButton, ui.redoButton)
        mute(ui.clickText)
        self._showShortcuts(False)

    def update(self) -> None:
        """Show the tool, the clicks and the history."""
        ui, logic = self._context.ui, self._context.logic
        ready = logic.model.status == "ready" and logic.volumeNode is not None
        for button in (ui.positiveButton, ui.negativeButton, ui.clearSliceButton):
            button.enabled = ready
        ui.whereHint.text = self._otherImage() if ready else needText(logic)
        ui.whereHint.visible = bool(ui.whereHint.text)
        ui.clickText.text = self._clickText() if ready else ""
        ui.clickText.visible = ready
        self.updateTool()
        self.updateHistory()

    def updateTool(self) -> None:
        """Show which tool is in hand; keys change it too."""
        ui, tool = self._context.ui, self._context.interaction.tool
        ui.positiveButton.checked = tool == POSITIVE
        ui.negativeButton.checked = tool == NEGATIVE

    def updateHistory(self) -> None:
        """Name what undo and redo would do."""
        ui, logic = self._context.ui, self._context.logic
        for button, able, what, plain, named in (
            (ui.undoButton, logic.canUndo, logic.undoLabel, _("Undo"), _("Undo {act}")),
            (ui.redoButton, logic.canRedo, logic.redoLabel, _("Redo"), _("Redo {act}")),
        ):
            button.enabled = bool(able)
            text = named.format(act=what) if able and what else plain
            button.text = elided(button, text)
            button.toolTip = button.accessibleName = text

    def _take(self, tool: str) -> None:
        self._context.interaction.setTool(tool)
        self.updateTool()

    def _clickText(self) -> str:
        """How many clicks the slice in view has."""
        logic = self._context.logic
        try:
            here = logic.clicksOn(self._views.sliceNode)
        except KPrismError as error:
            # the view shows nothing of the image
            return error.cause
        if not here:
            return _("Click on the object, or draw along it. Ctrl takes away instead.")
        positive = sum(one.positive for one in here)
        text = _("On this slice: {positive} on the object, {negative} outside")
        return text.format(positive=positive, negative=len(here) - positive)

    def _otherImage(self) -> str:
        """A line that warns where the view shows another image than clicks go to."""
        image = self._context.logic.volumeNode
        if self._views.shows(image):
            return ""
        return _("This view does not show '{image}', which clicks go to.").format(image=image.GetName())

    def _showShortcuts(self, shown: bool) -> None:
        ui = self._context.ui
        openArrow(ui.shortcutsButton, shown)
        ui.shortcutsText.visible = shown
        if shown:
            ui.shortcutsText.text = shortcutTable(self._context.interaction.shortcuts.entries)


class WidthWatch(qt.QObject):
    """Tells when widgets get another size.

    Args:
        changed: called then.
        widgets: to watch.
    """

    def __init__(self, changed: Callable[[], None], *widgets: Any) -> None:
        qt.QObject.__init__(self)
        self._changed = changed
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, _watched: Any, event: Any) -> bool:
        """Qt's."""
        if event.type() == qt.QEvent.Resize:
            self._changed()
        return False


def elided(button: Any, text: str) -> str:
    """As much of the text as there is room for on a button, with an ellipsis where that is not all."""
    metrics = qt.QFontMetrics(button.font)
    # frame and margin of the styles grow with the font
    return metrics.elidedText(text, qt.Qt.ElideRight, button.width - metrics.height())


def shortcutTable(entries: Any) -> str:
    """The keys and what they do, as rich text."""
    rows = []
    for entry in entries:
        keys = qt.QKeySequence(entry.keys[0]).toString(qt.QKeySequence.NativeText)
        rows.append(
            f"<tr><td style='padding-right: 12px'><b>{html.escape(keys)}</b></td>"
            f"<td>{html.escape(entry.text)}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"
