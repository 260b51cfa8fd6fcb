# ruff: noqa: N801, N802, N815
"""Stand-ins for the tests of the loader of .ui files: written as the host's own are."""

from __future__ import annotations

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QWidget
from SlicerHost import pythonqt

pythonqt.speakPySide(__name__)


class aSceneWidget(QWidget):
    """A stand-in with a scene, as qMRMLWidget."""

    mrmlSceneChanged = Signal(object)
    cppSignatures = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene


class aSelector(aSceneWidget):
    """A stand-in with a property, as qMRMLNodeComboBox."""

    def _setNodeTypes(self, types):
        self._types = list(types)

    nodeTypes = Property("QStringList", lambda self: getattr(self, "_types", []), _setNodeTypes)
