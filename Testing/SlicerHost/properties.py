"""Reading and writing Qt properties with PythonQt's conversions."""

from __future__ import annotations

import dis
import math
import numbers

from PySide6 import QtCore

from SlicerHost import signals

QObject = QtCore.QObject
TEXT_TYPES = {"QString"}
LIST_TYPES = {"QStringList", "QVariantList"}
WHOLE_TYPES = {"int", "uint", "short", "ushort", "qlonglong", "qulonglong", "qint64", "long", "ulong"}
FRACTION_TYPES = {"double", "float", "qreal"}


def find(qobject, name):
    """Return the QMetaProperty of that name, or None; `name` stands for objectName as in PythonQt."""
    meta = QObject.metaObject(qobject)
    index = meta.indexOfProperty(name)
    if index < 0 and name == "name":
        index = meta.indexOfProperty("objectName")
    return meta.property(index) if index >= 0 else None


def read(qobject, found, member):
    """Return the value of a property; member is what the class has under that name, if anything."""
    name = found.name()
    if isinstance(member, QtCore.Property):
        # Directly, so that an error of the stand-in's getter arrives here.
        return signals.asPythonQt(member.fget(qobject))
    return signals.asPythonQt(QObject.property(qobject, name))


def write(qobject, found, value, member):
    """Set a property.

    Raises:
        AttributeError: The property cannot be written, or does not take such a value.
    """
    name = found.name()
    if not found.isWritable():
        raise AttributeError(f"Property '{name}' of {type(qobject).__name__} object is not writable")
    converted, accepted = convert(value, found)
    if accepted and isinstance(member, QtCore.Property):
        member.fset(qobject, converted)
        return
    if not accepted or not QObject.setProperty(qobject, name, converted):
        raise AttributeError(
            f"Property '{name}' of type '{found.typeName()}' does not accept an object of type "
            f"{type(value).__name__} ({value!r})"
        )


def convert(value, found):
    """Return (value for Qt, whether the property takes it), with PythonQt's conversions.

    PythonQt writes None to a text property as the text "None"; that is refused here, because nobody wants it.
    """
    kind = found.typeName()
    if found.isEnumType():
        return value, isinstance(value, (int, str)) or hasattr(value, "__index__")
    if kind in TEXT_TYPES:
        return (value if isinstance(value, str) else str(value)), value is not None
    if kind == "bool":
        return (
            (bool(value), True) if isinstance(value, numbers.Real) else (value, hasattr(value, "__index__"))
        )
    if kind in WHOLE_TYPES:
        return _whole(value)
    if kind in FRACTION_TYPES:
        accepted = isinstance(value, numbers.Real) or hasattr(value, "__index__")
        return (float(value) if accepted else value), accepted
    if kind in LIST_TYPES:
        accepted = isinstance(value, (list, tuple))
        return (list(value) if accepted else value), accepted
    return value, value is not None or kind in ("QVariant", "PyObject") or kind.endswith("*")


def _whole(value):
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        return math.floor(value), True
    if hasattr(value, "__index__"):
        return value.__index__(), True
    return value, False


def loadsAttribute(frame, name):
    """Tell whether the frame is just now executing `something.name`, and not a call that needs the name."""
    code = frame.f_code
    operation = dis.opname[code.co_code[frame.f_lasti]]
    if operation not in ("LOAD_ATTR", "LOAD_METHOD"):
        return False
    return any(step.offset == frame.f_lasti and step.argval == name for step in dis.get_instructions(code))


def asksFor(frame, name):
    """Tell whether the frame itself may ask for an attribute, and not Qt during a call that it makes."""
    by_name = not {"getattr", "hasattr"}.isdisjoint(frame.f_code.co_names)
    return by_name or loadsAttribute(frame, name)
