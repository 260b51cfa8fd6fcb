"""One list of everything that must fail a test although no exception reached it."""

from __future__ import annotations

import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import vtk
from PySide6 import QtCore

SLOT_ERROR = "slot error"
UNKNOWN_ATTRIBUTE = "unknown attribute"
UNKNOWN_SIGNAL = "unknown signal or slot"
UNEXPECTED_DIALOG = "unexpected dialog"
VTK_ERROR = "VTK error"
VTK_WARNING = "VTK warning"
QT_WARNING = "Qt warning"
UNCAUGHT_ERROR = "uncaught error"

# What Qt says about a platform without a window manager; it says nothing about the module.
HARMLESS_QT_WARNINGS = (
    "This plugin does not support",
    "QFontDatabase: Cannot find font directory",
    "Note that Qt no longer ships fonts",
    "Cannot open file ':/",
    "XDG_RUNTIME_DIR not set",
    "qt.qpa.",
    "qt.svg",
    "QStandardPaths:",
)


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong: its kind (a constant of this module) and the text with all details."""

    kind: str
    text: str

    def __str__(self):
        return f"{self.kind}: {self.text}"


@dataclass
class Expectation:
    """What a `with expected(...)` block waits for, and what it found."""

    kind: str
    pattern: re.Pattern[str]
    found: list[Failure] = field(default_factory=list)

    def takes(self, failure):
        return failure.kind == self.kind and self.pattern.search(failure.text) is not None


_recorded: list[Failure] = []
_expectations: list[Expectation] = []
_lock = threading.Lock()
_kept: dict[str, object] = {}


def record(kind, text):
    """Add a failure, unless an enclosing `expected` block waits for it. From any thread."""
    failure = Failure(kind, text.strip())
    with _lock:
        for expectation in reversed(_expectations):
            if expectation.takes(failure):
                expectation.found.append(failure)
                return
        _recorded.append(failure)


def recordException(kind, error):
    """Record an exception with its traceback, and print it as PythonQt does."""
    text = "".join(traceback.format_exception(error))
    record(kind, text)
    sys.stderr.write(text)


def recorded(kind=None):
    """Return the recorded failures, oldest first; only those of one kind where a kind is given."""
    with _lock:
        return tuple(failure for failure in _recorded if kind in (None, failure.kind))


def clear():
    """Forget all recorded failures; the test that caused them has been told."""
    with _lock:
        _recorded.clear()


def check():
    """Forget all recorded failures and raise an AssertionError that lists them, if there are any."""
    found = recorded()
    clear()
    if found:
        raise AssertionError("\n".join([f"{len(found)} failure(s) on the host:", *map(str, found)]))


@contextmanager
def expected(kind, match="") -> Iterator[Expectation]:
    """Within the block, failures of this kind whose text matches are expected; none at all is an error.

    Raises:
        AssertionError: No such failure was recorded in the block.
    """
    expectation = Expectation(kind, re.compile(match))
    _expectations.append(expectation)
    try:
        yield expectation
    finally:
        _expectations.remove(expectation)
    if not expectation.found:
        raise AssertionError(f"expected a failure of kind {kind!r} that matches {match!r}; there was none")


def install():
    """Watch VTK's output window, Qt's messages and uncaught errors of callbacks and threads.

    Repeatable: it takes back the hooks that somebody else, such as pytest, has set in the meantime.
    """
    if not _kept:
        _watchVtk()
        _kept["qt"] = QtCore.qInstallMessageHandler(_onQtMessage)
    _watchPython()


def _watchVtk():
    window = vtk.vtkOutputWindow.GetInstance()
    window.AddObserver("ErrorEvent", _vtkObserver(VTK_ERROR))
    window.AddObserver("WarningEvent", _vtkObserver(VTK_WARNING))
    _kept["window"] = window


def _vtkObserver(kind):
    def onText(_window, _event, text):
        record(kind, text)

    onText.CallDataType = vtk.VTK_STRING
    return onText


def _watchPython():
    """An error in a VTK observer or in an overridden Qt method ends in sys.excepthook, never in the test."""
    sys.excepthook = _onUncaught
    threading.excepthook = _onUncaughtInThread


def _onUncaught(_kind, error, _traceback):
    recordException(UNCAUGHT_ERROR, error)


def _onUncaughtInThread(arguments):
    # A thread that ends by SystemExit ends as it should.
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, SystemExit):
        recordException(UNCAUGHT_ERROR, arguments.exc_value)


def _onQtMessage(kind, context, text):
    serious = kind in (
        QtCore.QtMsgType.QtWarningMsg,
        QtCore.QtMsgType.QtCriticalMsg,
        QtCore.QtMsgType.QtFatalMsg,
    )
    category = context.category or ""
    harmless = any(part in text for part in HARMLESS_QT_WARNINGS) or category.startswith(HARMLESS_QT_WARNINGS)
    if harmless:
        return
    if serious:
        record(QT_WARNING, text)
    sys.stderr.write(f"{text}\n")
