"""Stand-ins for CTK's sliders with two handles: properties, signals and slots of the C++ classes."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, QRectF, Signal
from PySide6.QtGui import QPainter, QPalette

from SlicerHost.declared import stored


class ctkDoubleRangeSlider(QtWidgets.QWidget):
    """A slider with two handles: minimumValue and maximumValue within minimum and maximum."""

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    cppOnly = ("setMinimum", "setMaximum", "setRange")

    def __init__(self, *arguments):
        parents = [each for each in arguments if isinstance(each, QtWidgets.QWidget)]
        super().__init__(parents[0] if parents else None)
        self._low, self._high = 0.0, 99.0
        self._values = (0.0, 99.0)
        self._dragged = None
        self.setMinimumSize(40, 16)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)

    def setValues(self, low, high):
        """Set both values, cut to the range; the smaller one comes first."""
        limited = sorted(min(max(float(value), self._low), self._high) for value in (low, high))
        before, self._values = self._values, tuple(limited)
        if self._values[0] != before[0]:
            self.minimumValueChanged.emit(self._values[0])
        if self._values[1] != before[1]:
            self.maximumValueChanged.emit(self._values[1])
        if self._values != before:
            self.valuesChanged.emit(*self._values)
            self.update()

    def setMinimumValue(self, value):
        self.setValues(min(value, self._values[1]), self._values[1])

    def setMaximumValue(self, value):
        self.setValues(self._values[0], max(value, self._values[0]))

    def setRange(self, low, high):
        self._low, self._high = float(low), max(float(low), float(high))
        self.rangeChanged.emit(self._low, self._high)
        self.setValues(*self._values)

    def setMinimum(self, low):
        self.setRange(low, max(low, self._high))

    def setMaximum(self, high):
        self.setRange(min(self._low, high), high)

    def _positionOf(self, value):
        return 6 + (self.width() - 12) * (value - self._low) / ((self._high - self._low) or 1.0)

    def _valueAt(self, position):
        return self._low + (self._high - self._low) * (position - 6) / max(1, self.width() - 12)

    def mousePressEvent(self, event):
        ends = [abs(event.position().x() - self._positionOf(value)) for value in self._values]
        self._dragged = int(ends[1] < ends[0])
        self.sliderPressed.emit()

    def mouseMoveEvent(self, event):
        setters = (self.setMinimumValue, self.setMaximumValue)
        if self._dragged is not None:
            setters[self._dragged](self._valueAt(event.position().x()))

    def mouseReleaseEvent(self, _event):
        self._dragged = None
        self.sliderReleased.emit()

    def paintEvent(self, _event):
        painter = QPainter(self)
        middle = self.height() / 2
        first, last = map(self._positionOf, self._values)
        painter.fillRect(
            QRectF(6, middle - 2, self.width() - 12, 4), self.palette().color(QPalette.ColorRole.Mid)
        )
        painter.fillRect(
            QRectF(first, middle - 2, last - first, 4), self.palette().color(QPalette.ColorRole.Highlight)
        )
        for position in (first, last):
            painter.fillRect(
                QRectF(position - 4, middle - 7, 8, 14),
                self.palette().color(QPalette.ColorRole.Button).darker(140),
            )

    minimum = Property(float, lambda self: self._low, setMinimum)
    maximum = Property(float, lambda self: self._high, setMaximum)
    minimumValue = Property(float, lambda self: self._values[0], setMinimumValue)
    maximumValue = Property(float, lambda self: self._values[1], setMaximumValue)
    singleStep = stored(float, "singleStep", 1.0)
    tracking = stored(bool, "tracking", True)
    symmetricMoves = stored(bool, "symmetricMoves", False)


class ctkRangeWidget(QtWidgets.QWidget):
    """A slider with two handles between two spin boxes."""

    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    valuesChanged = Signal(float, float)
    rangeChanged = Signal(float, float)
    cppOnly = (
        "setMinimum",
        "setMaximum",
        "setRange",
        "setSingleStep",
        "setDecimals",
        "setPrefix",
        "setSuffix",
    )

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider = ctkDoubleRangeSlider()
        self._first, self._last = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part, stretch in ((self._first, 0), (self._slider, 1), (self._last, 0)):
            layout.addWidget(part, stretch)
        self._last.setValue(99.0)
        self._slider.valuesChanged.connect(self._onSlider)
        self._slider.minimumValueChanged.connect(self.minimumValueChanged)
        self._slider.maximumValueChanged.connect(self.maximumValueChanged)
        self._first.valueChanged.connect(self._slider.setMinimumValue)
        self._last.valueChanged.connect(self._slider.setMaximumValue)
        self.setRange(0.0, 99.0)

    def setValues(self, low, high):
        self._slider.setValues(low, high)

    def setMinimumValue(self, value):
        self._slider.setMinimumValue(value)

    def setMaximumValue(self, value):
        self._slider.setMaximumValue(value)

    def setRange(self, low, high):
        self._slider.setRange(low, high)
        self._onSlider(*self._slider._values, changed=False)
        self.rangeChanged.emit(self._slider._low, self._slider._high)

    def setMinimum(self, low):
        self.setRange(low, max(low, self._slider._high))

    def setMaximum(self, high):
        self.setRange(min(self._slider._low, high), high)

    def reset(self):
        """Set both values to zero, or to the nearest value in range."""
        self.setValues(0.0, 0.0)

    def _onSlider(self, low, high, changed=True):
        bounds = ((self._first, self._slider._low, high, low), (self._last, low, self._slider._high, high))
        for spin, minimum, maximum, value in bounds:
            spin.blockSignals(True)
            spin.setRange(minimum, maximum)
            spin.setValue(value)
            spin.blockSignals(False)
        if changed:
            self.valuesChanged.emit(low, high)

    def _inBoth(self, name, value):
        for spin in (self._first, self._last):
            getattr(spin, name)(value)

    def setSingleStep(self, step):
        self._inBoth("setSingleStep", step)

    def setDecimals(self, decimals):
        self._inBoth("setDecimals", decimals)

    def setPrefix(self, prefix):
        self._inBoth("setPrefix", prefix)

    def setSuffix(self, suffix):
        self._inBoth("setSuffix", suffix)

    minimum = Property(float, lambda self: self._slider._low, setMinimum)
    maximum = Property(float, lambda self: self._slider._high, setMaximum)
    minimumValue = Property(float, lambda self: self._slider._values[0], setMinimumValue)
    maximumValue = Property(float, lambda self: self._slider._values[1], setMaximumValue)
    singleStep = Property(float, lambda self: self._first.singleStep(), setSingleStep)
    decimals = Property(int, lambda self: self._first.decimals(), setDecimals)
    prefix = Property(str, lambda self: self._first.prefix(), setPrefix)
    suffix = Property(str, lambda self: self._first.suffix(), setSuffix)
    tracking = stored(bool, "tracking", True)
    symmetricMoves = stored(bool, "symmetricMoves", False)
