"""Signals as PythonQt has them: by C++ signature or by attribute; errors in slots are recorded."""

from __future__ import annotations

import types
from typing import NamedTuple

import shiboken6
from PySide6 import QtCore

from SlicerHost import failures

QObject = QtCore.QObject
_POINTER_OF_PYTHON = "PyObject"
_TYPES_OF_VTK = {"vtkIdType", "QList<vtkIdType>"}  # Qt does not know them here


class Connection(NamedTuple):
    """One connection made from Python: C++ signature, what the caller gave, what Qt really calls."""

    signature: str
    target: object
    adapter: object


# Keyed by the address of the sender, because the Python wrapper of a C++ object may be made anew.
_connections: dict[int, list[Connection]] = {}


class BoundSignal:
    """A signal as an attribute of its sender: connect, disconnect, emit."""

    def __init__(self, sender, name, signature=None):
        self._sender = sender
        self._name = name
        self._signature = signature or signaturesOf(sender, name)[0]

    def __getitem__(self, types_):
        wanted = f"{self._name}({types_})"
        signature = findSignal(self._sender, wanted)
        if signature is None:
            raise KeyError(f"{type(self._sender).__name__} has no signal {wanted}")
        return BoundSignal(self._sender, self._name, signature)

    def __repr__(self):
        return f"<signal {self._signature} of {type(self._sender).__name__}>"

    def __eq__(self, other):
        return isinstance(other, BoundSignal) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def _key(self):
        return addressOf(self._sender), self._signature

    def connect(self, target, slot=None):
        """Connect a callable, or the slot of another object given by its C++ signature."""
        return _connectTarget(self._sender, self._signature, _resolveTarget(target, slot))

    def disconnect(self, target=None, slot=None):
        """Disconnect a callable, or all; False where it was not connected."""
        resolved = None if target is None else _resolveTarget(target, slot)
        return _disconnectTarget(self._sender, self._signature, resolved)

    def emit(self, *arguments):
        """Emit the signal."""
        signal = getattr(self._sender, self._name)
        if len(signaturesOf(self._sender, self._name)) > 1:
            signal = signal[",".join(parametersOf(self._signature))]
        signal.emit(*arguments)

    __call__ = emit


def addressOf(qobject):
    """Return the address of the C++ object."""
    return shiboken6.getCppPointer(qobject)[0]


def metaSignatures(qobject):
    """Yield (name, signature) of all signals in the meta-object, those of the most derived class first."""
    meta = QObject.metaObject(qobject)
    for index in reversed(range(meta.methodCount())):
        method = meta.method(index)
        if method.methodType() == QtCore.QMetaMethod.MethodType.Signal:
            yield bytes(method.name()).decode(), bytes(method.methodSignature()).decode()


def signaturesOf(qobject, name):
    """Return the signatures of the signals of that name, the one with most arguments first."""
    found = [signature for other, signature in metaSignatures(qobject) if other == name]
    return sorted(found, key=lambda signature: -len(parametersOf(signature)))


def parametersOf(signature):
    """Return the parameter types in a signature: ('int', 'QString') for 'f(int,QString)'."""
    inside = signature.partition("(")[2].rpartition(")")[0]
    return tuple(filter(None, inside.split(",")))


def normalized(signature):
    """Return the signature as Qt's meta-objects write it."""
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()


def findSignal(qobject, signature):
    """Return the meta-object's signature for a C++ signature, or None where the object has no such signal.

    Stand-ins written in Python declare a C++ pointer as `object`: any pointer type fits it, unless the class
    says in `cppSignatures` (a tuple of C++ signatures) which one.
    """
    wanted = normalized(signature)
    if "(" not in wanted:
        return None
    name, types_ = wanted.partition("(")[0], parametersOf(wanted)
    declared = [
        text for text in getattr(type(qobject), "cppSignatures", ()) if text.partition("(")[0] == name
    ]
    if declared and wanted not in map(normalized, declared):
        return None
    for candidate in signaturesOf(qobject, name):
        if _fits(types_, parametersOf(candidate)):
            return candidate
    return None


def _fits(wanted, declared):
    if len(wanted) != len(declared):
        return False
    return all(
        one == other or (other == _POINTER_OF_PYTHON and (one.endswith("*") or one in _TYPES_OF_VTK))
        for one, other in zip(wanted, declared, strict=True)
    )


def connect(sender, signal, target, slot=None):
    """PythonQt's connect('signal(types)', callable) and connect('signal(types)', receiver, 'slot(types)').

    An unknown signal or slot gives False and a message in PythonQt; here it is recorded too, because what the
    caller wanted never happens.
    """
    signature = findSignal(sender, signal)
    if signature is None:
        return _refuse(f"signal '{signal}' does not exist on {type(sender).__name__}")
    resolved = _resolveTarget(target, slot)
    return resolved is not None and _connectTarget(sender, signature, resolved)


def disconnect(sender, signal, target=None, slot=None):
    """PythonQt's obj.disconnect('signal(types)'[, callable | receiver, 'slot(types)'])."""
    signature = findSignal(sender, signal)
    if signature is None:
        return _refuse(f"signal '{signal}' does not exist on {type(sender).__name__}")
    return _disconnectTarget(sender, signature, None if target is None else _resolveTarget(target, slot))


def _refuse(text):
    failures.record(failures.UNKNOWN_SIGNAL, text)
    return False


def _resolveTarget(target, slot):
    if slot is None:
        if not callable(target):
            raise TypeError(f"a slot must be callable, not {target!r}")
        return target
    name = slot.lstrip("012").partition("(")[0]
    method = getattr(target, name, None)
    if method is None:
        _refuse(f"slot '{slot}' does not exist on {type(target).__name__}")
    return method


def guarded(target, count=None):
    """Return a function that calls the target with as many arguments as it takes, and records its errors."""
    accepted = acceptedArguments(target)
    limits = [limit for limit in (count, accepted) if limit is not None]

    def call(*arguments):
        given = arguments[: min(limits)] if limits else arguments
        try:
            target(*(asPythonQt(argument) for argument in given))
        except Exception as error:  # PythonQt prints whatever a slot raises and goes on
            failures.recordException(failures.SLOT_ERROR, error)

    return call


def acceptedArguments(target):
    """Return how many positional arguments PythonQt hands on to a callable; None for all of them."""
    bound = isinstance(target, types.MethodType)
    function = target.__func__ if bound else target
    if not isinstance(function, types.FunctionType) or function.__code__.co_flags & 0x04:
        return None
    return function.__code__.co_argcount - int(bound)


def asPythonQt(value):
    """Return a value as PythonQt gives it to Python: lists are tuples."""
    return tuple(value) if type(value) is list else value


def _connectTarget(sender, signature, target):
    adapter = guarded(target, len(parametersOf(signature)))
    QObject.connect(sender, QtCore.SIGNAL(signature), adapter)
    known = _connections.setdefault(addressOf(sender), [])
    if not known:
        _forgetWhenDestroyed(sender)
    known.append(Connection(signature, target, adapter))
    return True


def _forgetWhenDestroyed(sender):
    address = addressOf(sender)
    QObject.connect(sender, QtCore.SIGNAL("destroyed()"), lambda: _connections.pop(address, None))


def _disconnectTarget(sender, signature, target):
    known = _connections.get(addressOf(sender), [])
    found = [each for each in known if each.signature == signature and target in (None, each.target)]
    # PythonQt takes away one connection of a given callable, or all where none is given.
    for each in found if target is None else found[:1]:
        QObject.disconnect(sender, QtCore.SIGNAL(signature), each.adapter)
        known.remove(each)
    return bool(found)
