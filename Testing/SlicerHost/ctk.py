"""The module `ctk` of 3D Slicer: stand-ins for the CTK widgets that scripted modules use, on real Qt.

They have the properties, signals, slots and invokable methods of the C++ classes, nothing more: what PythonQt
cannot call there, `cppOnly` hides here.
"""

from __future__ import annotations

import enum

from PySide6 import QtWidgets
from PySide6.QtCore import Property, QSettings, Qt, Signal
from PySide6.QtGui import QIcon

from SlicerHost.ctk_buttons import (
    ctkCheckBox,
    ctkCollapsibleButton,
    ctkCollapsibleGroupBox,
    ctkColorPickerButton,
    ctkMenuButton,
)
from SlicerHost.ctk_paths import ctkDirectoryButton, ctkFileDialog, ctkPathLineEdit
from SlicerHost.ctk_ranges import ctkDoubleRangeSlider, ctkRangeWidget
from SlicerHost.ctk_sliders import ctkDoubleSlider, ctkSliderWidget
from SlicerHost.declared import stored

__all__ = [
    "ctkCheckBox",
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkColorPickerButton",
    "ctkComboBox",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkFileDialog",
    "ctkFittedTextBrowser",
    "ctkMenuButton",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkRangeWidget",
    "ctkSearchBox",
    "ctkSliderWidget",
]


def widgetClasses():
    """Return the stand-ins that a .ui file can hold."""
    dialogs = (ctkFileDialog, ctkMessageBox)
    return [globals()[name] for name in __all__ if globals()[name] not in dialogs]


class ScrollEffect(enum.IntEnum):
    """Values of ctkComboBox::ScrollEffect."""

    NeverScroll = 0
    AlwaysScroll = 1
    ScrollWithFocus = 2
    ScrollWithNoVScrollBar = 3


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box with a default text for no current item, and a wheel that can be switched off."""

    currentUserDataAsStringChanged = Signal(str)
    returnRelease = Signal()
    NeverScroll = ScrollEffect.NeverScroll
    AlwaysScroll = ScrollEffect.AlwaysScroll
    ScrollWithFocus = ScrollEffect.ScrollWithFocus
    ScrollWithNoVScrollBar = ScrollEffect.ScrollWithNoVScrollBar

    def __init__(self, parent=None):
        super().__init__(parent)
        self.currentIndexChanged.connect(
            lambda _index: self.currentUserDataAsStringChanged.emit(self._userData())
        )

    def _userData(self):
        data = self.currentData()
        return "" if data is None else str(data)

    def setCurrentUserDataAsString(self, text):
        """Select the item whose data is that text; none where there is no such item."""
        self.setCurrentIndex(self.findData(text))

    defaultText = stored(str, "defaultText", "", "update")
    defaultIcon = stored(QIcon, "defaultIcon", QIcon(), "update")
    forceDefault = stored(bool, "forceDefault", False, "update")
    elideMode = stored(Qt.TextElideMode, "elideMode", Qt.TextElideMode.ElideNone, "update")
    scrollWheelEffect = stored(int, "scrollWheelEffect", int(ScrollEffect.AlwaysScroll))
    currentUserDataAsString = Property(
        str, _userData, setCurrentUserDataAsString, notify=currentUserDataAsStringChanged
    )

    def paintEvent(self, _event):
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex() < 0 or self.forceDefault:
            option.currentText, option.currentIcon = self.defaultText, self.defaultIcon
        width = option.rect.width() - 2 * option.fontMetrics.height()
        option.currentText = option.fontMetrics.elidedText(option.currentText, self.elideMode, width)
        painter.drawComplexControl(QtWidgets.QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_ComboBoxLabel, option)

    def wheelEvent(self, event):
        effect = self.scrollWheelEffect
        allowed = effect == ScrollEffect.AlwaysScroll or (
            effect == ScrollEffect.ScrollWithFocus and self.hasFocus()
        )
        if effect == ScrollEffect.ScrollWithNoVScrollBar:
            allowed = not self._insideScrollBar()
        if allowed:
            super().wheelEvent(event)
        else:
            event.ignore()

    def _insideScrollBar(self):
        widget = self.parentWidget()
        while widget is not None:
            if isinstance(widget, QtWidgets.QAbstractScrollArea) and widget.verticalScrollBar().isVisible():
                return True
            widget = widget.parentWidget()
        return False

    def keyReleaseEvent(self, event):
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.returnRelease.emit()
        super().keyReleaseEvent(event)


class ctkSearchBox(QtWidgets.QLineEdit):
    """A line edit for a filter, with a button that clears it."""

    cppOnly = ("setShowSearchIcon", "setAlwaysShowClearIcon", "setSearchIcon", "setClearIcon")

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setClearButtonEnabled(True)
        self.setPlaceholderText("Search...")

    showSearchIcon = stored(bool, "showSearchIcon", False)
    searchIcon = stored(QIcon, "searchIcon", QIcon())
    clearIcon = stored(QIcon, "clearIcon", QIcon())


class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """A text browser as high as its text."""

    def heightForWidth(self, width):
        """Return the height in pixels that the text needs."""
        document = self.document().clone()
        document.setTextWidth(width - 2 * self.frameWidth())
        return round(document.size().height()) + 2 * self.frameWidth()

    def minimumSizeHint(self):
        hint = super().minimumSizeHint()
        hint.setHeight(self.heightForWidth(max(hint.width(), self.width())))
        return hint

    sizeHint = minimumSizeHint

    def resizeEvent(self, event):
        super().resizeEvent(event)
        self.updateGeometry()


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that can be told not to come again."""

    cppOnly = ("setDontShowAgainVisible", "isDontShowAgainVisible", "setDontShowAgainSettingsKey")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._again = QtWidgets.QCheckBox("Don't show this message again")
        self._again.setVisible(False)
        self.setCheckBox(self._again)

    def exec(self):
        """Show the box, unless it was told not to come again: then answer as the last time."""
        key = self.dontShowAgainSettingsKey
        remembered = int(QSettings().value(key, -1)) if key else -1
        if remembered > 0:
            return remembered
        result = super().exec()
        if (
            key
            and self._again.isChecked()
            and self.buttonRole(self.clickedButton()) != self.ButtonRole.RejectRole
        ):
            QSettings().setValue(key, int(result))
        return result

    def setDontShowAgain(self, dontShow):
        self._again.setChecked(dontShow)

    def _onKey(self):
        self._again.setVisible(bool(self.dontShowAgainSettingsKey))

    dontShowAgain = Property(bool, lambda self: self._again.isChecked(), setDontShowAgain)
    dontShowAgainSettingsKey = stored(str, "dontShowAgainSettingsKey", "", "_onKey")
    dontShowAgainVisible = Property(
        bool, lambda self: not self._again.isHidden(), lambda self, on: self._again.setVisible(on)
    )
