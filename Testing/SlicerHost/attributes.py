"""How PythonQt finds and sets attributes, and who meets its semantics."""

from __future__ import annotations

import ctypes
import functools
import sys
import types

import shiboken6
from PySide6 import QtCore

from SlicerHost import failures, properties, signals

QObject = QtCore.QObject
HOST_PACKAGES = {"PySide6", "shiboken6", "shibokensupport", "vtkmodules", "SlicerHost"}
EXECUTE = {"exec", "exec_"}
# Virtual getters: Qt itself asks Python for them by name while it reads the property.
VIRTUAL_GETTERS = {"sizeHint", "minimumSizeHint", "duration"}

_pysideModules: set[str] = set()
_originalGets = {QObject: QObject.__getattribute__}

# object.__setattr__ refuses the types of shiboken.
_genericSet = ctypes.pythonapi.PyObject_GenericSetAttr
_genericSet.argtypes = [ctypes.py_object] * 3
_genericSet.restype = ctypes.c_int


def takeOver(class_):
    """Let a class of PySide6 have its attributes found and set as PythonQt does."""
    class_.__setattr__ = setAttribute
    # QMenu, QFile and some more read attributes in a way of their own; the others take QObject's.
    if issubclass(class_, QObject) and "__getattribute__" in vars(class_):
        _originalGets.setdefault(class_, class_.__getattribute__)
        class_.__getattribute__ = getAttribute


@functools.cache
def _originalGetOf(class_):
    return next(_originalGets[each] for each in class_.__mro__ if each in _originalGets)


def originalGet(self, name):
    return _originalGetOf(type(self))(self, name)


def speakPySide(moduleName):
    """Let a module (by its __name__) keep PySide6's own semantics; its widgets then stand for C++ ones."""
    _pysideModules.add(moduleName)
    for cached in (speaksPySide, isCppClass, cppClass, _ownMember, isHidden):
        cached.cache_clear()


@functools.cache
def speaksPySide(moduleName):
    """Tell whether the code of a module keeps PySide6's own semantics."""
    return moduleName in _pysideModules or moduleName.partition(".")[0] in HOST_PACKAGES


def caller():
    """Return the frame that called the caller of this; None where Qt asks without any."""
    try:
        return sys._getframe(2)
    except ValueError:
        return None


def askedByHost(frame):
    return frame is None or speaksPySide(frame.f_globals.get("__name__", ""))


@functools.cache
def isCppClass(class_):
    """Tell whether a class stands for one written in C++: PySide6's own, or a stand-in of the host."""
    return speaksPySide(class_.__module__)


@functools.cache
def cppClass(class_):
    """Return the class that stands for C++ in the ancestry of a class."""
    return next(each for each in class_.__mro__ if isCppClass(each))


@functools.cache
def _ownMember(class_, name):
    """Tell whether Python code outside the host defines the name in an ancestor of the class."""
    for each in class_.__mro__:
        if isCppClass(each):
            return False
        if name in vars(each):
            return True
    return False


@functools.cache
def staticMember(class_, name):
    return next((vars(each)[name] for each in class_.__mro__ if name in vars(each)), None)


@functools.cache
def isHidden(class_, name):
    """Tell whether PythonQt does not see a name: Python's private ones of a stand-in, and `cppOnly`.

    A stand-in lists in `cppOnly` the methods that are neither slots nor invokable in C++: for the host only.
    """
    if name.startswith("_"):
        return isCppClass(class_)
    return any(name in vars(each).get("cppOnly", ()) for each in class_.__mro__)


def isDunder(name):
    return name.startswith("__") and name.endswith("__")


def getAttribute(self, name):
    if isDunder(name):
        return originalGet(self, name)
    if name in EXECUTE and isinstance(staticMember(type(self), "exec"), types.FunctionType):
        # What blocks is taken over for all callers; shiboken would find its own QMenu.exec.
        return types.MethodType(staticMember(type(self), "exec"), self)
    frame = caller()
    if askedByHost(frame):
        return originalGet(self, name)
    if name in VIRTUAL_GETTERS and not properties.loadsAttribute(frame, name):
        return originalGet(self, name)
    if isHidden(type(self), name) and not properties.asksFor(frame, name):
        # Qt asks by name for the slots of a stand-in, whatever code made it send the signal.
        return originalGet(self, name)
    return _lookUp(self, name)


def _lookUp(self, name):
    """Find an attribute in PythonQt's order: Python's own, property, method, dynamic property, child."""
    class_ = type(self)
    derived = not isCppClass(class_)
    if derived and (_ownMember(class_, name) or name in originalGet(self, "__dict__")):
        return originalGet(self, name)
    if name in DECORATIONS:
        return types.MethodType(DECORATIONS[name], self)
    found = properties.find(self, name)
    if found is not None:
        return properties.read(self, found, staticMember(class_, found.name()))
    if not isHidden(class_, name):
        member = staticMember(class_, name)
        if isinstance(member, QtCore.Signal):
            return signals.BoundSignal(self, name)
        if member is not None or derived:
            return _methodOrMissing(self, name)
    return _dynamicAttribute(self, name)


def _methodOrMissing(self, name):
    try:
        return originalGet(self, name)
    except AttributeError:
        return _dynamicAttribute(self, name)


def _dynamicAttribute(self, name):
    value = QObject.property(self, name)
    if value is not None:
        return signals.asPythonQt(value)
    for child in QObject.children(self):
        if QObject.objectName(child) == name:
            return child
    raise AttributeError(f"{_className(self)} has no attribute named '{name}'")


def setAttribute(self, name, value):
    class_ = type(self)
    if isDunder(name) or askedByHost(caller()):
        _setAsPySide(self, class_, name, value)
        return
    found = properties.find(self, name) if isinstance(self, QObject) else None
    if found is not None:
        properties.write(self, found, value, staticMember(class_, found.name()))
        return
    _setOther(self, class_, name, value)


def _setAsPySide(self, class_, name, value):
    member = staticMember(class_, name)
    if isinstance(member, QtCore.Property):
        member.fset(self, value)
    else:
        _genericSet(self, name, value)


def _setOther(self, class_, name, value):
    """Set what is no Qt property: one of the host's class, a dynamic one, or a Python class's attribute."""
    base = cppClass(class_)
    member = None if name.startswith("_") else staticMember(base, name)
    if isinstance(member, property):
        _genericSet(self, name, value)
    elif member is not None:
        kind = "Signal" if isinstance(member, QtCore.Signal) else "Slot"
        _refuse(f"{kind} '{name}' can not be overwritten on {class_.__name__} object")
    elif isinstance(self, QObject) and name.encode() in QObject.dynamicPropertyNames(self):
        QObject.setProperty(self, name, value)
    elif base is class_:
        reason = "and creating new attributes on C++ objects is not allowed"
        _refuse(f"'{name}' does not exist on {class_.__name__} {reason}")
    else:
        _genericSet(self, name, value)


def _refuse(text):
    # Recorded as well, because an `except AttributeError` around it must not hide the mistake.
    failures.record(failures.UNKNOWN_ATTRIBUTE, text)
    raise AttributeError(text)


def _className(self):
    return QObject.metaObject(self).className()


def _delete(self):
    shiboken6.delete(self)


def _execute(self, *arguments):
    return originalGet(self, "exec")(*arguments)


def _children(self):
    return tuple(QObject.children(self))


def _property(self, name):
    return signals.asPythonQt(QObject.property(self, name))


def _setProperty(self, name, value):
    return QObject.setProperty(self, name, list(value) if isinstance(value, tuple) else value)


def _findChildren(self, class_, name=None):
    """All children of a class (or class name) at any depth; a name or regular expression selects."""
    matching = (child for child in QObject.children(self) if _isKind(child, class_) and _isNamed(child, name))
    deeper = (_findChildren(child, class_, name) for child in QObject.children(self))
    return (*matching, *(each for found in deeper for each in found))


def _findChild(self, class_, name=None):
    return next(iter(_findChildren(self, class_, name)), None)


def _isKind(child, class_):
    if isinstance(class_, str):
        return QObject.inherits(child, class_)
    return isinstance(child, class_ if isinstance(class_, type) else type(class_))


def _isNamed(child, name):
    if isinstance(name, QtCore.QRegularExpression):
        return name.match(QObject.objectName(child)).hasMatch()
    return name in (None, "", QObject.objectName(child))


# Methods that PythonQt adds to every QObject, or that it has in another form than PySide6.
DECORATIONS = {
    "connect": signals.connect,
    "disconnect": signals.disconnect,
    "className": _className,
    "delete": _delete,
    "exec_": _execute,
    "children": _children,
    "property": _property,
    "setProperty": _setProperty,
    "findChild": _findChild,
    "findChildren": _findChildren,
}
