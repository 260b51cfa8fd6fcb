"""The closed class dropdown: looks like any other, and opens a list of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from KPrismSlicerLib.PanelTools import quietly, swatch


class ClassCombo(qt.QComboBox):
    """Shows one class at a time.

    Args:
        opened: called instead of Qt's own list, by mouse and keyboard.
    """

    def __init__(self, opened: Callable[[], None]) -> None:
        qt.QComboBox.__init__(self)
        self._opened = opened
        self.objectName = "classSelector"
        self.toolTip = _("Search the classes that the model knows")
        self.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
        self.showClass(None)

    def showPopup(self) -> None:
        """Qt's."""
        self._opened()

    def hidePopup(self) -> None:
        """Qt's: the list is a window of its own and hides itself."""

    def showClass(self, entry: Any) -> None:
        """Show a ClassEntry; None for no class."""
        with quietly(self):
            self.clear()
            if entry is None:
                self.addItem(_("No class"))
            else:
                self.addItem(swatch(entry.colour), entry.name)
