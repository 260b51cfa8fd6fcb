"""Stand-ins for CTK's buttons and boxes that fold: same properties, signals and slots as the C++ classes."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap

from SlicerHost.declared import stored

UNLIMITED = 16777215  # QWIDGETSIZE_MAX
VISIBLE_TO_PARENT = "visibilityToParent"


class Folding:
    """Shows and hides the children of a widget that folds; what was hidden before stays hidden."""

    def __init__(self, widget):
        self._widget = widget
        self._forcing = False
        self._height = UNLIMITED

    def fold(self, collapsed, height):
        """Hide the children and keep to a height in pixels, or show them again."""
        if collapsed:
            self._height = self._widget.maximumHeight()
        self._widget.setMaximumHeight(height if collapsed else self._height)
        self._forcing = True
        for child in self._children():
            if collapsed:
                child.setProperty(VISIBLE_TO_PARENT, not child.isHidden())
                child.setVisible(False)
            elif child.property(VISIBLE_TO_PARENT) is not False:
                child.setVisible(True)
        self._forcing = False

    def watch(self, event):
        """Take a child event: new children are watched for changes of their visibility."""
        if event.type() == QEvent.Type.ChildAdded and event.child().isWidgetType():
            event.child().installEventFilter(self._widget)

    def seen(self, child, event, collapsed):
        """Take an event of a child: what is shown while folded stays hidden until unfolded."""
        if (
            self._forcing
            or not collapsed
            or event.type()
            not in (
                QEvent.Type.ShowToParent,
                QEvent.Type.HideToParent,
            )
        ):
            return
        shown = event.type() == QEvent.Type.ShowToParent
        child.setProperty(VISIBLE_TO_PARENT, shown)
        if shown:
            self._forcing = True
            child.setVisible(False)
            self._forcing = False

    def _children(self):
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        widgets = self._widget.findChildren(QtWidgets.QWidget, options=direct)
        return [child for child in widgets if not child.isWindow()]


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A button as wide as the panel above its children, which it shows and hides."""

    contentsCollapsed = Signal(bool)
    cppOnly = ("setCollapsed", "buttonHeight")

    def __init__(self, text="", parent=None):
        if isinstance(text, QtWidgets.QWidget):
            text, parent = "", text
        super().__init__(parent)
        self._folding = Folding(self)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self.buttonHeight(), 0, 0)
        self.toggled.connect(self._onToggled)

    def buttonHeight(self):
        """Height of the button itself in pixels."""
        return self.fontMetrics().height() + 8

    def setCollapsed(self, collapsed):
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.isChecked(), setCollapsed, notify=contentsCollapsed)
    collapsedHeight = stored(int, "collapsedHeight", 14, "_onCollapsedHeight")
    contentsFrameShape = stored(QtWidgets.QFrame.Shape, "shape", QtWidgets.QFrame.Shape.NoFrame, "update")
    contentsFrameShadow = stored(QtWidgets.QFrame.Shadow, "shadow", QtWidgets.QFrame.Shadow.Plain, "update")
    contentsLineWidth = stored(int, "contentsLineWidth", 1, "update")
    contentsMidLineWidth = stored(int, "contentsMidLineWidth", 0, "update")

    def _onToggled(self, checked):
        self._folding.fold(not checked, self.buttonHeight() + self.collapsedHeight)
        self.contentsCollapsed.emit(not checked)

    def _onCollapsedHeight(self):
        if self.collapsed:
            self.setMaximumHeight(self.buttonHeight() + self.collapsedHeight)

    def childEvent(self, event):
        self._folding.watch(event)
        super().childEvent(event)

    def eventFilter(self, child, event):
        self._folding.seen(child, event, not self.isChecked())
        return super().eventFilter(child, event)

    def hitButton(self, position):
        return position.y() < self.buttonHeight()

    def sizeHint(self):
        inside = self.layout().totalSizeHint() if self.layout() and self.isChecked() else QSize()
        wide = self.fontMetrics().horizontalAdvance(self.text()) + 2 * self.buttonHeight()
        return QSize(wide, self.buttonHeight()).expandedTo(inside)

    def minimumSizeHint(self):
        inside = self.layout().totalMinimumSize() if self.layout() and self.isChecked() else QSize()
        return QSize(self.buttonHeight(), self.buttonHeight()).expandedTo(inside)

    def paintEvent(self, _event):
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        height = self.buttonHeight()
        option.rect = QRect(0, 0, self.width(), height)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        style = QtWidgets.QStyle.PrimitiveElement
        arrow = style.PE_IndicatorArrowDown if self.isChecked() else style.PE_IndicatorArrowRight
        option.rect = QRect(4, 4, height - 8, height - 8)
        painter.drawPrimitive(arrow, option)
        area = QRect(height, 0, self.width() - height, height)
        painter.drawItemText(
            area, Qt.AlignmentFlag.AlignVCenter, self.palette(), self.isEnabled(), self.text()
        )


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose check box shows and hides its children."""

    cppOnly = ("setCollapsed", "setCollapsedHeight")

    def __init__(self, title="", parent=None):
        if isinstance(title, QtWidgets.QWidget):
            title, parent = "", title
        super().__init__(title, parent)
        self._folding = Folding(self)
        self.setCheckable(True)
        self.toggled.connect(self._onToggled)

    def setCollapsed(self, collapsed):
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.isChecked(), setCollapsed)
    collapsedHeight = stored(int, "collapsedHeight", 14)

    def _onToggled(self, checked):
        self._folding.fold(not checked, self.fontMetrics().height() + self.collapsedHeight)
        for child in self.findChildren(QtWidgets.QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            # A QGroupBox disables what it does not show.
            child.setEnabled(True)

    def childEvent(self, event):
        self._folding.watch(event)
        super().childEvent(event)

    def eventFilter(self, child, event):
        self._folding.seen(child, event, not self.isChecked())
        return super().eventFilter(child, event)


class ctkMenuButton(QtWidgets.QPushButton):
    """A button with an arrow of its own that opens the menu."""

    def __init__(self, text="", parent=None):
        if isinstance(text, QtWidgets.QWidget):
            text, parent = "", text
        super().__init__(text, parent)

    def _arrow(self):
        width = self.style().pixelMetric(QtWidgets.QStyle.PixelMetric.PM_MenuButtonIndicator, None, self) + 6
        return QRect(self.width() - width, 0, width, self.height())

    def mousePressEvent(self, event):
        if self.menu() is not None and self._arrow().contains(event.position().toPoint()):
            self.showMenu()
        else:
            super().mousePressEvent(event)

    def hitButton(self, position):
        return not self._arrow().contains(position) and super().hitButton(position)


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box with an icon between indicator and text."""


class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows a colour and lets the user choose another one in a dialog."""

    colorChanged = Signal(QColor)
    colorNameChanged = Signal(str)
    cppOnly = ("colorName",)

    def __init__(self, *arguments):
        texts = [each for each in arguments if isinstance(each, str)]
        parents = [each for each in arguments if isinstance(each, QtWidgets.QWidget)]
        colours = [each for each in arguments if isinstance(each, QColor)]
        super().__init__(texts[0] if texts else "", parents[0] if parents else None)
        self._colour = colours[0] if colours else QColor("black")
        self.setCheckable(True)
        self.toggled.connect(self.changeColor)
        self._showColour()

    def setColor(self, colour):
        """Show a colour; colorChanged comes for another one only."""
        if QColor(colour) != self._colour:
            self._colour = QColor(colour)
            self._showColour()
            self.colorChanged.emit(self._colour)

    def changeColor(self, change=True):
        """Let the user choose a colour."""
        if not change:
            return
        chosen = QtWidgets.QColorDialog.getColor(self._colour, self, "")
        if chosen.isValid():
            self.setColor(chosen)
        self.blockSignals(True)
        self.setChecked(False)
        self.blockSignals(False)

    color = Property(QColor, lambda self: self._colour, setColor, notify=colorChanged, user=True)
    displayColorName = stored(bool, "displayColorName", True, "_showColour")

    def _showColour(self):
        picture = QPixmap(self.iconSize())
        picture.fill(self._colour)
        painter = QPainter(picture)
        painter.drawRect(0, 0, picture.width() - 1, picture.height() - 1)
        painter.end()
        self.setIcon(picture)
        if self.displayColorName:
            self.setText(self._colour.name())
