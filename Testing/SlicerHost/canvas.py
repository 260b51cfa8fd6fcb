"""RenderCanvas: a Qt widget that shows a VTK render window drawn off screen.

The picture is read back and painted like any other widget, and mouse and keys are handed to a VTK interactor
as QVTKInteractorAdapter does it. So it looks and behaves the same on a screen, on Xvfb and with no display at
all, and a grab of a whole window contains its views.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util.numpy_support import vtk_to_numpy

# by value: the enums' own hashes change when PythonQt's semantics are installed
BUTTONS = {
    QtCore.Qt.MouseButton.LeftButton.value: "LeftButton",
    QtCore.Qt.MouseButton.MiddleButton.value: "MiddleButton",
    QtCore.Qt.MouseButton.RightButton.value: "RightButton",
}
KEY = QtCore.Qt.Key
KEYSYMS = {
    KEY.Key_Backspace: "BackSpace",
    KEY.Key_Delete: "Delete",
    KEY.Key_Tab: "Tab",
    KEY.Key_Return: "Return",
    KEY.Key_Enter: "Return",
    KEY.Key_Escape: "Escape",
    KEY.Key_Space: "space",
    KEY.Key_PageUp: "Prior",
    KEY.Key_PageDown: "Next",
    KEY.Key_Home: "Home",
    KEY.Key_End: "End",
    KEY.Key_Left: "Left",
    KEY.Key_Up: "Up",
    KEY.Key_Right: "Right",
    KEY.Key_Down: "Down",
    KEY.Key_Shift: "Shift_L",
    KEY.Key_Control: "Control_L",
    KEY.Key_Alt: "Alt_L",
}
WHEEL_STEP = 120  # eighths of a degree: one notch


def newRenderWindow():
    """Return a vtkRenderWindow that draws into memory, with or without a display."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        # VTK would try X first, and warn.
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    return window


class RenderCanvas(QtWidgets.QWidget):
    """A render window in a widget. Sizes of the window and of the interactor are in device pixels."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._window = newRenderWindow()
        self._window.SetMultiSamples(0)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        # Only scheduleRender and forceRender draw, as in ctkVTKAbstractView; others may ask.
        self._interactor.EnableRenderOff()
        self._interactor.AddObserver("RenderEvent", lambda *_: self.scheduleRender())
        style = vtk.vtkInteractorStyleUser()
        # An observer takes the place of VTK's own keys ("3" for stereo, "e" to quit): off in Slicer too.
        style.AddObserver("CharEvent", lambda *_: None)
        self._interactor.SetInteractorStyle(style)
        self._interactor.Initialize()
        self._picture = QtGui.QImage()
        self._dirty = True
        self._renderEnabled = True
        self._wheel = 0
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def renderWindow(self):
        """Return the vtkRenderWindow."""
        return self._window

    def interactor(self):
        """Return the vtkRenderWindowInteractor that gets the widget's mouse and keys."""
        return self._interactor

    def isRenderEnabled(self):
        """Say whether the window is drawn; while not, the last picture stays."""
        return self._renderEnabled

    def setRenderEnabled(self, on):
        """Stop or resume drawing; what was asked for meanwhile is drawn on resuming."""
        self._renderEnabled = bool(on)
        if on and self._dirty:
            self.update()

    renderEnabled = QtCore.Property(bool, isRenderEnabled, setRenderEnabled)

    def scheduleRender(self):
        """Draw before the widget is painted next; many calls make one drawing."""
        self._dirty = True
        self.update()

    def forceRender(self):
        """Draw now, shown or not."""
        self.fitWindow()
        self._window.Render()
        self._picture = self._readBack()
        self._dirty = False
        self.update()

    def isRenderPending(self):
        """Say whether something asked for a drawing that has not been made yet."""
        return self._dirty

    def picture(self):
        """Return the window's content as a QImage in device pixels, drawn first if that is due."""
        self.fitWindow()
        if self._renderEnabled and self._dirty:
            self.forceRender()
        return self._picture

    def fitWindow(self):
        """Give the render window the widget's size; a widget that is not shown gets no resize events."""
        ratio = self.devicePixelRatioF()
        size = max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        if size != tuple(self._interactor.GetSize()):
            self._interactor.UpdateSize(*size)
            self._window.SetSize(*size)
            self._interactor.InvokeEvent("ConfigureEvent")
            self.windowResized(*size)
            self._dirty = True

    def windowResized(self, width, height):
        """Called with the new size in device pixels; nothing to do for a plain render window."""

    def _readBack(self):
        width, height = self._window.GetSize()
        pixels = vtk.vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)
        rows = np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 4)[::-1])
        image = QtGui.QImage(rows.data, width, height, 4 * width, QtGui.QImage.Format.Format_RGBX8888)
        return image.copy()  # the QImage above does not own its bytes

    def paintEvent(self, event):
        """Paint the picture over the whole widget."""
        painter = QtGui.QPainter(self)
        picture = self.picture()
        if picture.isNull():
            painter.fillRect(self.rect(), QtCore.Qt.GlobalColor.black)
        else:
            painter.drawImage(self.rect(), picture)
        painter.end()

    def resizeEvent(self, event):
        """Resize the render window with the widget."""
        self.fitWindow()
        super().resizeEvent(event)

    def _tell(self, event, name, repeat=0):
        ratio = self.devicePixelRatioF()
        position, modifiers = event.position(), event.modifiers()
        self._interactor.SetEventInformationFlipY(
            int(position.x() * ratio),
            int(position.y() * ratio),
            int(bool(modifiers & QtCore.Qt.KeyboardModifier.ControlModifier)),
            int(bool(modifiers & QtCore.Qt.KeyboardModifier.ShiftModifier)),
            chr(0),
            repeat,
            None,
        )
        self._interactor.SetAltKey(int(bool(modifiers & QtCore.Qt.KeyboardModifier.AltModifier)))
        self._interactor.InvokeEvent(name)
        event.accept()

    def _tellButton(self, event, ending, repeat=0):
        button = BUTTONS.get(event.button().value)
        if button is not None:
            self._tell(event, button + ending, repeat)

    def mousePressEvent(self, event):
        """Hand a press to the interactor."""
        self._tellButton(event, "PressEvent")

    def mouseReleaseEvent(self, event):
        """Hand a release to the interactor."""
        self._tellButton(event, "ReleaseEvent")

    def mouseDoubleClickEvent(self, event):
        """The second press of two quick ones is a double click alone, with no press, as in VTK's adapter."""
        self._tellButton(event, "DoubleClickEvent", repeat=1)

    def mouseMoveEvent(self, event):
        """Hand a move to the interactor, with or without a button."""
        self._tell(event, "MouseMoveEvent")

    def wheelEvent(self, event):
        """One interactor event for each notch."""
        self._wheel += event.angleDelta().y()
        if abs(self._wheel) >= WHEEL_STEP:
            name = "MouseWheelForwardEvent" if self._wheel > 0 else "MouseWheelBackwardEvent"
            self._wheel = 0
            self._tell(event, name)
        event.accept()

    def enterEvent(self, event):
        """Tell the interactor that the pointer came in."""
        self._interactor.InvokeEvent("EnterEvent")
        super().enterEvent(event)

    def leaveEvent(self, event):
        """Tell the interactor that the pointer went out."""
        self._interactor.InvokeEvent("LeaveEvent")
        super().leaveEvent(event)

    def keyPressEvent(self, event):
        """Hand a key to the interactor; the event goes on to the parents, as from QVTKOpenGLNativeWidget."""
        character = self._setKey(event)
        self._interactor.InvokeEvent("KeyPressEvent")
        if character != chr(0):
            self._interactor.InvokeEvent("CharEvent")
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event):
        """Hand the end of a key to the interactor."""
        self._setKey(event)
        self._interactor.InvokeEvent("KeyReleaseEvent")
        super().keyReleaseEvent(event)

    def _setKey(self, event):
        text, modifiers = event.text(), event.modifiers()
        character = text[0] if text and ord(text[0]) < 128 else chr(0)
        keysym = keysymOf(event.key(), text)
        self._interactor.SetKeyEventInformation(
            int(bool(modifiers & QtCore.Qt.KeyboardModifier.ControlModifier)),
            int(bool(modifiers & QtCore.Qt.KeyboardModifier.ShiftModifier)),
            character,
            event.count(),
            keysym,
        )
        return character


def keysymOf(key, text):
    """Return VTK's name of a Qt key with its text; with Ctrl the text of a letter is a control character."""
    if key in KEYSYMS:
        return KEYSYMS[key]
    if text and text.isprintable():
        return text
    return chr(key).lower() if key < 128 else "None"
