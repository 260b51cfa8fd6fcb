"""Stand-ins for CTK's sliders of fractions: properties, signals and slots of the C++ classes."""

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal

from SlicerHost.declared import forwarded, stored

STEPS = 1000  # positions of a slider between minimum and maximum


class ctkDoubleSlider(QtWidgets.QWidget):
    """A slider of fractions."""

    valueChanged = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()
    rangeChanged = Signal(float, float)
    cppOnly = ("setMinimum", "setMaximum", "setRange", "setSingleStep", "setPageStep", "setTracking")

    def __init__(self, orientation=Qt.Orientation.Vertical, parent=None):
        if isinstance(orientation, QtWidgets.QWidget):
            orientation, parent = Qt.Orientation.Vertical, orientation
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(orientation)
        self._slider.setRange(0, STEPS)
        self._low, self._high, self._value = 0.0, 99.0, 0.0
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        self._slider.valueChanged.connect(self._onPosition)
        self._slider.sliderMoved.connect(lambda position: self.sliderMoved.emit(self._valueAt(position)))
        self._slider.sliderPressed.connect(self.sliderPressed)
        self._slider.sliderReleased.connect(self.sliderReleased)

    def _valueAt(self, position):
        return self._low + (self._high - self._low) * position / STEPS

    def _onPosition(self, position):
        self._change(self._valueAt(position))

    def _change(self, value):
        if value != self._value:
            self._value = value
            self.valueChanged.emit(value)

    def setValue(self, value):
        """Set the value, cut to the range."""
        value = min(max(float(value), self._low), self._high)
        self._slider.blockSignals(True)
        self._slider.setValue(round((value - self._low) / ((self._high - self._low) or 1.0) * STEPS))
        self._slider.blockSignals(False)
        self._change(value)

    def setRange(self, low, high):
        self._low, self._high = float(low), max(float(low), float(high))
        self.setValue(self._value)
        self.rangeChanged.emit(self._low, self._high)

    def setMinimum(self, low):
        self.setRange(low, max(low, self._high))

    def setMaximum(self, high):
        self.setRange(min(self._low, high), high)

    def setSingleStep(self, step):
        self.__dict__["_step"] = step
        self._slider.setSingleStep(max(1, round(step / ((self._high - self._low) or 1.0) * STEPS)))

    value = Property(float, lambda self: self._value, setValue, user=True)
    minimum = Property(float, lambda self: self._low, setMinimum)
    maximum = Property(float, lambda self: self._high, setMaximum)
    singleStep = Property(float, lambda self: self.__dict__.get("_step", 1.0), setSingleStep)
    pageStep = stored(float, "pageStep", 10.0)
    tracking = forwarded(bool, "_slider", "hasTracking", "setTracking")
    orientation = forwarded(Qt.Orientation, "_slider", "orientation", "setOrientation")


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider of fractions with a spin box beside it."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)
    cppOnly = (
        *("setMinimum", "setMaximum", "setRange", "setSingleStep", "setPageStep", "setPrefix", "setSuffix"),
        *("setTracking", "hasTracking", "spinBox", "slider", "isSpinBoxVisible"),
    )

    def __init__(self, parent=None):
        super().__init__(parent)
        self._slider = ctkDoubleSlider(Qt.Orientation.Horizontal)
        self._spin = QtWidgets.QDoubleSpinBox()
        self._slider.setRange(0.0, 99.0)
        self._spin.setRange(0.0, 99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._onSpinBox)
        self._slider.valueChanged.connect(self._onSlider)
        self._slider.sliderReleased.connect(self._onReleased)
        self._tracking, self._pending = True, None

    def spinBox(self):
        return self._spin

    def slider(self):
        return self._slider

    def setValue(self, value):
        """Set the value, rounded to the decimals and cut to the range."""
        self._spin.setValue(value)

    def setRange(self, low, high):
        self._spin.setRange(low, high)
        self._slider.setRange(self._spin.minimum(), self._spin.maximum())
        self._slider.setValue(self._spin.value())

    def setMinimum(self, low):
        self.setRange(low, max(low, self._spin.maximum()))

    def setMaximum(self, high):
        self.setRange(min(self._spin.minimum(), high), high)

    def setSpinBoxVisible(self, visible):
        self._spin.setVisible(visible)

    def setDecimals(self, decimals):
        if decimals != self._spin.decimals():
            self._spin.setDecimals(decimals)
            self.decimalsChanged.emit(decimals)

    def setSingleStep(self, step):
        self._spin.setSingleStep(step)
        self._slider.setSingleStep(step)

    def setTracking(self, tracking):
        self._tracking = tracking

    def reset(self):
        """Set the value to zero, or to the nearest value in range."""
        self.setValue(0.0)

    def _onSlider(self, value):
        dragged = self._slider._slider.isSliderDown()
        if not self._tracking and dragged:
            self._pending = value
            self.valueIsChanging.emit(value)
        else:
            self._spin.setValue(value)

    def _onReleased(self):
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._spin.setValue(pending)

    def _onSpinBox(self, value):
        self._slider.blockSignals(True)
        self._slider.setValue(value)
        self._slider.blockSignals(False)
        self.valueChanged.emit(value)

    value = Property(float, lambda self: self._spin.value(), setValue, user=True)
    minimum = Property(float, lambda self: self._spin.minimum(), setMinimum)
    maximum = Property(float, lambda self: self._spin.maximum(), setMaximum)
    singleStep = Property(float, lambda self: self._spin.singleStep(), setSingleStep)
    decimals = Property(int, lambda self: self._spin.decimals(), setDecimals, notify=decimalsChanged)
    tracking = Property(bool, lambda self: self._tracking, setTracking)
    spinBoxVisible = Property(bool, lambda self: not self._spin.isHidden(), setSpinBoxVisible)
    prefix = forwarded(str, "_spin", "prefix", "setPrefix")
    suffix = forwarded(str, "_spin", "suffix", "setSuffix")
    pageStep = stored(float, "pageStep", 10.0)
    tickInterval = stored(float, "tickInterval", 0.0)
    popupSlider = stored(bool, "popupSlider", False)
