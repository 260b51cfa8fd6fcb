"""Modal dialogs without a person: the test answers them, and one that it did not expect fails it.

    with dialogs.answer("Replace the file?", "Yes"):
        panel.exportButton.click()

Menus and the static functions of QMessageBox, QFileDialog, QInputDialog and QColorDialog count as dialogs.
`setInteractive(True)` shows real ones, for a window with a person in front of it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PySide6 import QtWidgets

from SlicerHost import attributes, failures, signals

CANCEL = object()
_state = {"installed": False, "interactive": False}


@dataclass
class Shown:
    """A dialog that would have been shown: its class, title, text and buttons (or the entries of a menu)."""

    kind: str
    title: str
    text: str
    choices: tuple[str, ...] = ()

    def __str__(self):
        said = " | ".join(filter(None, [self.title, self.text, ", ".join(self.choices)]))
        return f"{self.kind}: {said}"


@dataclass
class Answer:
    """What to answer to the next dialog whose description matches, and the dialog once it came."""

    pattern: re.Pattern[str]
    value: Any
    shown: Shown | None = None


_answers: list[Answer] = []
_history: list[Shown] = []


@contextmanager
def answer(match, value) -> Iterator[Answer]:
    """Within the block, answer one dialog whose description (kind, title, text, choices) matches.

    match: a regular expression. value: for a message box the text of a button without '&', or a standard
    button; for a file dialog a path or several; for an input dialog the text, number or item; for a menu the
    text of an action; for another dialog its result, or a callable that gets the shown dialog and closes it.
    CANCEL cancels any of them.

    Raises:
        AssertionError: No such dialog came.
    """
    expected = Answer(re.compile(match, re.DOTALL), value)
    _answers.append(expected)
    try:
        yield expected
    finally:
        _answers.remove(expected)
    if expected.shown is None:
        raise AssertionError(f"no dialog came that matches {match!r}; there were: {list(map(str, _history))}")


def setInteractive(interactive):
    """True: dialogs are shown and wait for a person; False (at the start): tests answer them."""
    _state["interactive"] = interactive


def history():
    """Return all dialogs so far, as Shown."""
    return tuple(_history)


def clear():
    """Forget the dialogs so far."""
    _history.clear()


def install(executed, static):
    """Take over everything in Qt that opens a modal dialog. Repeatable.

    executed: what exec() of each class does. static: (class, name, function) of the static functions.
    """
    if _state["installed"]:
        return
    _state["installed"] = True
    for class_, function in executed.items():
        _takeOver(class_, function)
    for class_, name, function in static:
        _takeOverStatic(class_, name, function)


def _takeOver(class_, replacement):
    original = class_.exec

    def method(self, *arguments):
        if not _state["interactive"]:
            return replacement(self)
        if isinstance(self, QtWidgets.QMenu):
            # Taken from the object: the class has a static function of the same name.
            return attributes.originalGet(self, "exec")(*arguments)
        return original(self, *arguments)

    class_.exec = method


def _takeOverStatic(class_, name, replacement):
    original = getattr(class_, name)

    def function(*arguments):
        if not _state["interactive"]:
            return replacement(*arguments)
        given = original(*arguments)
        # PySide6 returns (value, filter or success); PythonQt returns the value.
        return signals.asPythonQt(given[0] if isinstance(given, tuple) else given)

    setattr(class_, name, staticmethod(function))


def take(shown):
    """Return the answer to a dialog, and CANCEL after recording a failure where the test expects none."""
    _history.append(shown)
    for expected in _answers:
        if expected.shown is None and expected.pattern.search(str(shown)):
            expected.shown = shown
            return expected.value
    failures.record(failures.UNEXPECTED_DIALOG, str(shown))
    sys.stderr.write(f"unexpected dialog: {shown}\n")
    return CANCEL
