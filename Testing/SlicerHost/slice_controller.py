"""SliceController: the coloured bar above a slice view, with the names of qMRMLSliceControllerWidget."""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

BAR_HEIGHT = 24
AXIS_LETTERS = ("RL", "AP", "SI")
ALIGNED = 0.999  # cosine of the angle from which a plane counts as one of the three anatomical ones
SLIDER_STYLE = """
QSlider { background: transparent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: rgba(0, 0, 0, 75); }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: rgba(0, 0, 0, 140); }
QSlider::handle:horizontal { width: 10px; height: 16px; margin: -6px 0; border-radius: 4px;
    background: white; border: 1px solid rgba(0, 0, 0, 150); }
QSlider::handle:horizontal:disabled { background: rgba(255, 255, 255, 110); }
QToolButton { border: none; border-radius: 3px; padding: 1px; }
QToolButton:hover { background: rgba(255, 255, 255, 110); }
QLabel { background: transparent; color: rgba(0, 0, 0, 220); }
"""


class SliceController(QtWidgets.QFrame):
    """Letter of the view, fit button, offset slider and offset in mm, on the view's colour."""

    def __init__(self, sliceLogic, parent=None):
        super().__init__(parent)
        self._logic = sliceLogic
        self._updating = False
        self._range = (0.0, 0.0, 1.0)
        self._build()
        sliceLogic.AddObserver("ModifiedEvent", lambda *_: self.updateFromMRML())
        sliceLogic.GetSliceNode().AddObserver("ModifiedEvent", lambda *_: self.updateFromMRML())
        self.updateFromMRML()

    def _build(self):
        self.setFixedHeight(BAR_HEIGHT)
        self.setAutoFillBackground(True)
        self.setStyleSheet(SLIDER_STYLE)
        self._letter = QtWidgets.QLabel(self)
        self._letter.setFixedWidth(18)
        self._letter.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        bold = self._letter.font()
        bold.setBold(True)
        self._letter.setFont(bold)
        self._fit = QtWidgets.QToolButton(self)
        self._fit.setIcon(fitIcon())
        self._fit.setToolTip("Show the whole image")
        self._fit.clicked.connect(self.fitSliceToBackground)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal, self)
        self._slider.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self._slider.valueChanged.connect(self._slid)
        self._text = QtWidgets.QLabel(self)
        self._text.setMinimumWidth(92)
        self._text.setAlignment(QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 8, 0)
        layout.setSpacing(6)
        for widget in (self._letter, self._fit, self._slider, self._text):
            layout.addWidget(widget, 1 if widget is self._slider else 0)

    def updateFromMRML(self):
        """Take letter, colour, range and offset from the slice node and logic."""
        node = self.mrmlSliceNode()
        if node is None or node.GetScene() is None or node.GetScene().IsBatchProcessing():
            return
        palette = self.palette()
        palette.setColor(QtGui.QPalette.ColorRole.Window, self.getSliceViewColor())
        self.setPalette(palette)
        self._letter.setText(node.GetLayoutLabel() or node.GetLayoutName()[:1])
        self._range = self._offsetRange()
        lowest, highest, step = self._range
        self._updating = True
        self._slider.setRange(0, max(0, round((highest - lowest) / step)))
        self._slider.setValue(round((self._logic.GetSliceOffset() - lowest) / step))
        self._updating = False
        shown = self.mrmlSliceCompositeNode() is not None and self._logic.HasInputs()
        self._slider.setEnabled(shown)
        self._text.setText(self.offsetText() if shown else "")

    def _offsetRange(self):
        limits, step = [0.0, 0.0], vtk.reference(1.0)
        self._logic.GetSliceOffsetRangeResolution(limits, step)
        return limits[0], limits[1], float(step.get()) or 1.0

    def offsetText(self):
        """Return the offset along the normal: "S: 12.50 mm", for an oblique plane without the letter."""
        toRas = self.mrmlSliceNode().GetSliceToRAS()
        prefix = ""
        for axis, letters in enumerate(AXIS_LETTERS):
            cosine = toRas.GetElement(axis, 2)
            if abs(cosine) > ALIGNED:
                prefix = letters[0 if cosine > 0 else 1] + ": "
        return f"{prefix}{self._logic.GetSliceOffset():.2f} mm"

    def _slid(self, value):
        if not self._updating:
            self.setSliceOffsetValue(self._range[0] + value * self._range[2])

    def setSliceOffsetValue(self, offset):
        """Move the slice to this offset along its normal, mm; linked views follow."""
        self._logic.StartSliceOffsetInteraction()
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceOffsetInteraction()

    def fitSliceToBackground(self):
        """Show all of the background volume in the view."""
        node = self.mrmlSliceNode()
        self._logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.ResetFieldOfViewFlag)
        self._logic.FitSliceToBackground()
        node.UpdateMatrices()
        self._logic.EndSliceNodeInteraction()

    def rotateSliceToBackground(self):
        """Turn the view to the closest plane of the background volume, and onto one of its slices."""
        volume = self._logic.GetBackgroundLayer().GetVolumeNode()
        if volume is not None:
            self.mrmlSliceNode().RotateToVolumePlane(volume)
            self._logic.SnapSliceOffsetToIJK()

    def setSliceOrientation(self, name):
        """Turn the view to one of its orientation presets, such as "Axial"."""
        self.mrmlSliceNode().SetOrientation(name)

    def setSliceVisible(self, visible):
        """Show or hide the slice in 3D views."""
        self.mrmlSliceNode().SetSliceVisible(visible)

    def setSliceLink(self, linked):
        """Link the controls of all slice views, or let each go its own way."""
        for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            composite.SetLinkedControl(linked)

    def setLabelMapOpacity(self, opacity):
        """Set the opacity (0 to 1) of the label layer."""
        self.mrmlSliceCompositeNode().SetLabelOpacity(opacity)

    def setForegroundOpacity(self, opacity):
        """Set the opacity (0 to 1) of the foreground layer."""
        self.mrmlSliceCompositeNode().SetForegroundOpacity(opacity)

    def sliceOffsetSlider(self):
        """Return the slider; its value counts slices from the lowest offset."""
        return self._slider

    def sliceLogic(self):
        """Return the vtkMRMLSliceLogic."""
        return self._logic

    def mrmlSliceNode(self):
        """Return the vtkMRMLSliceNode."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self):
        """Return the vtkMRMLSliceCompositeNode."""
        return self._logic.GetSliceCompositeNode()

    def getSliceViewLabel(self):
        """Return the letter of the view."""
        return self._letter.text()

    def getSliceViewColor(self):
        """Return the colour of the bar."""
        return QtGui.QColor.fromRgbF(*self.mrmlSliceNode().GetLayoutColor())

    sliceViewLabel = QtCore.Property(str, getSliceViewLabel)
    sliceViewColor = QtCore.Property(QtGui.QColor, getSliceViewColor)


def fitIcon():
    """Return an icon of four corners around a picture."""
    pixmap = QtGui.QPixmap(32, 32)
    pixmap.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(pixmap)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 210), 3))
    for x, y, dx, dy in ((4, 4, 8, 8), (28, 4, -8, 8), (4, 28, 8, -8), (28, 28, -8, -8)):
        painter.drawLine(x, y, x + dx, y)
        painter.drawLine(x, y, x, y + dy)
    painter.drawRect(11, 11, 10, 10)
    painter.end()
    return QtGui.QIcon(pixmap)
