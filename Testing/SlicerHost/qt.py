"""The module `qt` of 3D Slicer: Qt's classes in one namespace, without what only PySide6 has."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtNetwork, QtTest, QtWidgets

from SlicerHost.uiloader import QUiLoader

# PySide6's own helpers, and names that PythonQt has no class for.
_NOT_IN_PYTHONQT = {"QtMsgType"}

__all__ = ["QUiLoader", "Qt"]

Qt = QtCore.Qt

for _module in (QtCore, QtGui, QtNetwork, QtTest, QtWidgets):
    # PySide6 makes its classes when they are asked for: vars() would not have them all.
    for _name in dir(_module):
        _value = getattr(_module, _name)
        if _name.startswith("Q") and isinstance(_value, type) and _name not in _NOT_IN_PYTHONQT:
            globals()[_name] = _value
            __all__ += [_name]
del _module, _name, _value
