"""qMRMLWidget: the widget that knows a scene and tells its children when it changes."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


class qMRMLWidget(QWidget):
    """A widget with a scene; a .ui file connects mrmlSceneChanged to its children's setMRMLScene."""

    mrmlSceneChanged = Signal(object)
    cppSignatures = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        """Return the scene or None."""
        return self._scene

    def setMRMLScene(self, scene):
        """Set the scene; the signal comes only for another one."""
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(qMRMLWidget):
    """The same under Slicer's own name."""
