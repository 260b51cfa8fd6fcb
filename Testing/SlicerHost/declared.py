"""Help for stand-ins: Qt properties that Python classes declare."""

from __future__ import annotations

from PySide6.QtCore import Property


def stored(kind, name, default, onChange=""):
    """Return a property that keeps its value in the object; onChange names a method called after a change."""
    key = f"_stored_{name}"

    def read(self):
        return self.__dict__.get(key, default)

    def write(self, value):
        if value != read(self):
            self.__dict__[key] = value
            if onChange:
                getattr(self, onChange)()

    return Property(kind, read, write)


def forwarded(kind, part, getter, setter):
    """Return a property that belongs to a part of the widget, given by the part's attribute name."""

    def read(self):
        return getattr(getattr(self, part), getter)()

    def write(self, value):
        getattr(getattr(self, part), setter)(value)

    return Property(kind, read, write)
