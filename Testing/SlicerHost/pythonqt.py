"""PythonQt's semantics on PySide6, strict where PythonQt is strict.

As read in PythonQt's own sources: Qt properties are attributes (`label.text`, never `label.text()`); `name`
is the object name; an unknown attribute set on a C++ object raises, and so does overwriting a method; dynamic
properties and children are found by name; signals connect by signature or by attribute; what a slot raises is
printed, never propagated.

Who asks decides: code of the host itself, of PySide6 and of vtkmodules keeps PySide6's own semantics, all
other code (the module, its tests, slicer.util) meets PythonQt's. `speakPySide` adds a module to the former.
"""

from __future__ import annotations

import enum
import functools
import sys
import types

from PySide6 import QtCore, QtGui, QtNetwork, QtTest, QtUiTools, QtWidgets

from SlicerHost import failures, signals
from SlicerHost.attributes import (
    askedByHost,
    caller,
    isCppClass,
    isDunder,
    isHidden,
    speakPySide,
    speaksPySide,
    staticMember,
    takeOver,
)

__all__ = ["install", "isCppClass", "isHidden", "speakPySide", "speaksPySide"]

QObject = QtCore.QObject
QT_MODULES = (QtCore, QtGui, QtNetwork, QtTest, QtUiTools, QtWidgets)

_singleShot = QtCore.QTimer.singleShot
_state = {"installed": False}


def install():
    """Give PySide6 PythonQt's semantics, watch for failures and dialogs, make `qt` and `ctk` importable.

    Repeatable. Makes no QApplication. Widgets other than ctk's are told to uiloader.registerWidgets.
    """
    if _state["installed"]:
        return
    _state["installed"] = True
    for module in QT_MODULES:
        # PySide6 makes its classes when they are asked for: vars() would not have them all.
        for value in [getattr(module, name) for name in dir(module)]:
            if isinstance(value, type(QObject)):
                takeOver(value)
                _makeEnumsNumbers(value)
    QObject.__init_subclass__ = classmethod(_guardOverrides)
    QtCore.QTimer.singleShot = staticmethod(_guardedSingleShot)
    failures.install()
    _installModules()


def _installModules():
    # These modules build on the patched classes.
    from SlicerHost import ctk, dialog_answers, dialogs, qt, uiloader

    dialogs.install(dialog_answers.EXECUTED, dialog_answers.STATIC)
    uiloader.registerWidgets(*ctk.widgetClasses())
    sys.modules["qt"] = qt
    sys.modules["ctk"] = ctk


def _guardOverrides(class_, **_options):
    """Record what an overridden Qt method of a Python class raises, as PythonQt prints it.

    Left to PySide6, such an error comes up in whatever Python code Qt calls next, or is lost.
    """
    base = next(each for each in class_.__mro__ if each.__module__.startswith("PySide6."))
    for name, member in list(vars(class_).items()):
        inherited = None if isDunder(name) else staticMember(base, name)
        if isinstance(member, types.FunctionType) and inherited is not None:
            setattr(class_, name, _recording(member, getattr(base, name)))


def _recording(method, inherited):
    @functools.wraps(method)
    def override(self, *arguments, **named):
        try:
            return method(self, *arguments, **named)
        except Exception as error:  # whatever it is, Qt must get an answer
            failures.recordException(failures.SLOT_ERROR, error)
            return inherited(self, *arguments, **named)

    return override


def _guardedSingleShot(milliseconds, *arguments):
    """QTimer.singleShot(ms, callable) whose errors are recorded like those of any other slot."""
    *before, target = arguments
    if askedByHost(caller()) or not callable(target):
        _singleShot(milliseconds, *arguments)
    else:
        _singleShot(milliseconds, *before, signals.guarded(target, 0))


def _makeEnumsNumbers(class_):
    """Let Qt's enums count as the numbers they are in PythonQt: equal to them, and convertible."""
    for value in list(vars(class_).values()):
        if isinstance(value, type) and issubclass(value, enum.Enum) and not issubclass(value, int):
            value.__int__ = value.__index__ = _enumNumber
            value.__eq__ = _enumEquals
            value.__hash__ = _enumHash


def _enumNumber(self):
    return self.value


def _enumEquals(self, other):
    if isinstance(other, enum.Enum):
        return type(self) is type(other) and self.value == other.value
    return self.value == other if isinstance(other, int) else NotImplemented


def _enumHash(self):
    return hash(self.value)
