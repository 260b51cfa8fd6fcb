"""Keys of the module: they exist from `enable` to `disable`, and never act in a text field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import qt
import slicer

TEXT_FIELDS = ("QLineEdit", "QTextEdit", "QPlainTextEdit", "QAbstractSpinBox")


@dataclass(frozen=True)
class Shortcut:
    """One command of the keyboard.

    Args:
        keys: key sequences that run it, as Qt spells them ('Ctrl+Z'); the first is the one to show.
        text: what it does, for the help.
        action: called without arguments.
        repeats: whether holding the key runs it again and again.
    """

    keys: tuple[str, ...]
    text: str
    action: Callable[[], object]
    repeats: bool = False


class Shortcuts:
    """Makes and deletes the Qt shortcuts.

    Args:
        entries: what to offer.
        parent: widget in whose window the keys work; None for Slicer's main window.
    """

    def __init__(self, entries: Iterable[Shortcut], parent: Any = None) -> None:
        self.entries = tuple(entries)
        self._parent = parent
        self._made: list[tuple[Any, Callable[[], object]]] = []
        self._windows: list[Any] = []
        self._suspended: list[tuple[Any, str, Any]] = []

    @property
    def isEnabled(self) -> bool:
        """Whether the keys exist now; in a text field they sleep nevertheless."""
        return bool(self._made)

    def enable(self, others: Iterable[Any] = ()) -> None:
        """Make the keys work; does nothing where they do, or where there is no window.

        Args:
            others: further windows for the keys, such as those that a layout has on a second monitor.
        """
        parent = self._parent if self._parent is not None else slicer.util.mainWindow()
        if parent is None:
            return
        begun = bool(self._made)
        for widget in (parent, *others):
            # a key works in the window of its widget only
            if widget.window() not in self._windows:
                self._windows.append(widget.window())
                self._make(widget)
        if not begun:
            slicer.app.connect("focusChanged(QWidget*,QWidget*)", self._focusChanged)
        self._focusChanged(None, qt.QApplication.focusWidget())

    def _make(self, parent: Any) -> None:
        self._suspendOthers(parent.window())
        for entry in self.entries:
            for key in entry.keys:
                shortcut = qt.QShortcut(qt.QKeySequence(key), parent)
                shortcut.autoRepeat = entry.repeats
                shortcut.connect("activated()", entry.action)
                self._made.append((shortcut, entry.action))

    def disable(self) -> None:
        """Delete the Qt shortcuts."""
        if self._made:
            slicer.app.disconnect("focusChanged(QWidget*,QWidget*)", self._focusChanged)
        for shortcut, action in self._made:
            # Qt has deleted it where its window is gone
            if shortcut:
                shortcut.enabled = False
                shortcut.disconnect("activated()", action)
                shortcut.setParent(None)
                shortcut.deleteLater()
        self._made, self._windows = [], []
        for other, name, value in self._suspended:
            if other:
                setattr(other, name, value)
        self._suspended = []

    def _suspendOthers(self, window: Any) -> None:
        """Take our keys from menus and other modules: where two things have a key, Qt runs neither."""
        ours = {qt.QKeySequence(key).toString() for entry in self.entries for key in entry.keys}
        for other in _ownersOfKeys(window):
            if other.inherits("QShortcut"):
                if other.enabled and other.key.toString() in ours:
                    self._suspended.append((other, "enabled", True))
                    other.enabled = False
            elif other.shortcut.toString() in ours:
                self._suspended.append((other, "shortcut", other.shortcut))
                other.shortcut = qt.QKeySequence()

    def _focusChanged(self, _before: Any, now: Any) -> None:
        # a shortcut that is only ignored would still keep Return and Escape from the text field
        for shortcut, _action in self._made:
            # Qt has deleted it where its window is gone
            if shortcut:
                shortcut.enabled = not isTextField(now)


def _ownersOfKeys(window: Any) -> list[Any]:
    """The QAction and QShortcut objects of a window and its menu; to search all of it would take long."""
    found = []
    for child in window.children():
        if child.inherits("QMenuBar"):
            found += slicer.util.findChildren(child, className="QAction")
        elif child.inherits("QAction") or child.inherits("QShortcut"):
            found.append(child)
    return found


def isTextField(widget: Any) -> bool:
    """Tell whether what is typed into a widget (or None) is text there."""
    if widget is None:
        return False
    if widget.inherits("QComboBox"):
        return bool(widget.editable)
    return any(widget.inherits(name) for name in TEXT_FIELDS)
