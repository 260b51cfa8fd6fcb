"""The one place that shows errors: a bar at the top of the panel, never a dialog."""

from __future__ import annotations

import traceback
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from KPrismCore.errors import KPrismError
from KPrismSlicerLib.PanelTools import STATUS_MILLISECONDS, openArrow, scrollTo, tint


class ErrorBar:
    """Cause, remedy, and a technical report to read or copy.

    Args:
        ui: the widgets of the panel.
    """

    def __init__(self, ui: Any) -> None:
        self._ui = ui
        tint(ui.errorBar, 201, 52, 44)
        ui.errorDetailsButton.setToolButtonStyle(qt.Qt.ToolButtonTextBesideIcon)
        ui.errorDetailsButton.connect("toggled(bool)", self._showDetails)
        ui.errorCopyButton.connect("clicked()", self.copy)
        ui.errorCloseButton.connect("clicked()", self.clear)
        self.clear()

    def show(self, error: Exception, lasting: bool = False, before: int = 0) -> None:
        """Show an error; a KPrismError in its own words, any other as a defect of the module.

        Args:
            error: what to show.
            lasting: stays beside the outcome of one act, which did not bring it about.
            before: number of acts under way, whose outcomes it stays beside, until all of them are done.
        """
        self._lasting, self._before = lasting, before
        cause, remedy = _words(error)
        self._ui.errorCause.text = cause
        self._ui.errorRemedy.text = remedy
        # a word longer than the panel is wide, such as a path, is cut there
        self._ui.errorCause.toolTip = self._ui.errorRemedy.toolTip = f"{cause}\n{remedy}"
        self._ui.errorDetails.setPlainText("".join(traceback.format_exception(error)))
        self._ui.errorDetailsButton.checked = False
        self._showDetails(False)
        self._ui.errorBar.visible = True
        scrollTo(self._ui.errorBar)
        # what the status line says of the act before must not stay beside it
        slicer.util.showStatusMessage(cause, STATUS_MILLISECONDS)

    def settle(self) -> None:
        """An act was done: what is shown of an earlier one goes."""
        if self._lasting:
            self._lasting = False
        elif self._before:
            self._before -= 1
        else:
            self.clear()

    def rest(self) -> None:
        """All acts are done: the next one takes away what is shown."""
        self._before = 0

    def clear(self) -> None:
        """Take the message away."""
        self._lasting, self._before = False, 0
        self._ui.errorBar.visible = False

    def copy(self) -> None:
        """Put message and report on the clipboard."""
        parts = (self._ui.errorCause.text, self._ui.errorRemedy.text, self._ui.errorDetails.plainText)
        qt.QApplication.clipboard().setText("\n".join(parts))

    def _showDetails(self, shown: bool) -> None:
        self._ui.errorDetails.visible = shown
        openArrow(self._ui.errorDetailsButton, shown)


def _words(error: Exception) -> tuple[str, str]:
    if isinstance(error, KPrismError):
        return error.cause, error.remedy
    cause = _("Something went wrong inside K-Prism: {kind}: {text}").format(
        kind=type(error).__name__, text=error
    )
    return cause, _("The segmentation is as it was before. Copy the report and send it to the developers.")
