"""A real X server without a screen (Xvfb), and a real mouse and keyboard on it (xdotool).

A test that needs them is decorated and then runs in a process of its own, with an X server of its own:

    @onDisplay
    def test_a_real_click_arrives(host):
        window = openWindow(host)
        pointer = Pointer(host)
        pointer.clickRas("Red", (10, 20, 30))
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6 import QtCore, QtGui

REPOSITORY = Path(__file__).resolve().parents[2]
ARTIFACTS = REPOSITORY / "artifacts"
PROGRAMS = ("Xvfb", "xdotool")
SCREEN = (1600, 1000)
INSIDE = "SLICER_HOST_ON_DISPLAY"
SETTLE = 0.12  # seconds for events to arrive after the last action
STEP = 0.03  # seconds between the steps of a drag
TIMEOUT = 180


def isAvailable():
    """Say whether the programs are installed."""
    return all(shutil.which(program) for program in PROGRAMS)


def artifact(name):
    """Return the path of an output file in the folder artifacts/, which is made and which git ignores."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS / name


@contextmanager
def xServer(size=SCREEN):
    """Run Xvfb with a screen of that size in pixels; give its DISPLAY, such as ":99".

    Raises:
        RuntimeError: Xvfb did not start.
    """
    reading, writing = os.pipe()
    arguments = [
        "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        f"{size[0]}x{size[1]}x24",
        "-nolisten",
        "tcp",
    ]
    server = subprocess.Popen(
        arguments, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        number = pipe.readline().strip()
    try:
        if not number:
            raise RuntimeError(f"Xvfb did not start: {server.communicate()[1]}")
        yield f":{number}"
    finally:
        server.terminate()
        server.communicate()


def runOnDisplay(arguments, size=SCREEN, seconds=TIMEOUT):
    """Run this Python with these arguments on an X server of its own; return the CompletedProcess."""
    with xServer(size) as display:
        environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", INSIDE: "1"}
        environment.pop("VTK_DEFAULT_OPENGL_WINDOW", None)
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=REPOSITORY,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )


def onDisplay(function):
    """Make a test run in a process of its own, under Xvfb. Not for parametrized tests."""
    if os.environ.get(INSIDE) == "1":
        return function

    def test(request):
        if not isAvailable():
            pytest.skip(f"needs {' and '.join(PROGRAMS)}")
        done = runOnDisplay(["-m", "pytest", "-q", "-p", "no:cacheprovider", request.node.nodeid])
        assert done.returncode == 0, done.stdout[-6000:]

    functools.update_wrapper(test, function)
    del test.__wrapped__  # pytest would ask it for its fixtures
    return pytest.mark.slow(test)


class Pointer:
    """The real mouse and keyboard. Positions in a widget are logical pixels from its upper left corner."""

    def __init__(self, host):
        self._host = host

    def moveTo(self, widget, x=None, y=None):
        """Move the mouse over a widget, to its middle by default."""
        self._do(*self._moves(widget, x, y))

    def click(self, widget, x=None, y=None, button=1, modifier=None):
        """Click on a widget, in its middle by default; a modifier key such as "ctrl" is held meanwhile."""
        held = (["keydown", modifier], ["keyup", modifier]) if modifier else ([], [])
        self._do(*self._moves(widget, x, y), *held[0], "click", str(button), *held[1])

    def doubleClick(self, widget, x=None, y=None):
        """Click twice, quickly."""
        self._do(*self._moves(widget, x, y), "click", "--repeat", "2", "--delay", "40", "1")

    def drag(self, source, start, target, end):
        """Drag with the left button from a position (x, y) in a widget to one in another; None is the middle.

        What Qt drags (mime data) is dragged as well.
        """
        start, end = start or (None, None), end or (None, None)
        begin, finish = self._place(source, *start), self._place(target, *end)
        steps = [*self._moves(source, *start), "mousedown", "1", "sleep", str(STEP)]
        for part in (0.1, 0.3, 0.6, 0.9, 1.0, 1.0):
            x, y = (round(a + (b - a) * part) for a, b in zip(begin, finish, strict=True))
            steps += ["mousemove", str(x), str(y), "sleep", str(STEP)]
        self._do(*steps, "mouseup", "1")

    def wheel(self, widget, notches, x=None, y=None):
        """Turn the wheel over a widget: away from the hand where notches > 0."""
        button = "4" if notches > 0 else "5"
        self._do(*self._moves(widget, x, y), "click", "--repeat", str(abs(notches)), "--delay", "20", button)

    def key(self, *keys):
        """Press keys one after the other, such as "ctrl+z" or "Delete"."""
        self._do("key", *keys)

    def type(self, text):
        """Type text."""
        self._do("type", "--delay", "20", text)

    def clickRas(self, name, ras, button=1, modifier=None):
        """Click in the slice view of that name at a RAS position (mm) on the slice it shows."""
        view, x, y = self._inView(name, ras)
        self.click(view, x, y, button, modifier)

    def dragRas(self, name, start, end):
        """Drag in a slice view from one RAS position to another."""
        view, *begin = self._inView(name, start)
        self.drag(view, begin, view, self._inView(name, end)[1:])

    def _inView(self, name, ras):
        from SlicerHost.mouse import Mouse

        mouse = Mouse(self._host.app.layoutManager())
        view = mouse.view(name)
        x, y = mouse.pixel(name, ras)
        ratio = view.devicePixelRatioF()
        height = view.renderWindow().GetSize()[1]
        return view, x / ratio, (height - 1 - y) / ratio

    def focus(self, window):
        """Give the keyboard to a window: there is no window manager that would."""
        self._do("windowfocus", "--sync", str(int(window.winId())))

    def _place(self, widget, x, y):
        local = QtCore.QPoint(
            round(widget.width() / 2 if x is None else x), round(widget.height() / 2 if y is None else y)
        )
        there = widget.mapToGlobal(local)
        return there.x(), there.y()

    def _moves(self, widget, x, y):
        """Two moves, because the first one only brings the pointer into the widget."""
        there = self._place(widget, x, y)
        near = there[0] - 3, there[1] - 2
        return [
            part for place in (near, there) for part in ("mousemove", *map(str, place), "sleep", str(STEP))
        ]

    def _do(self, *arguments):
        """Run xdotool while Qt goes on, also inside a drag, where Qt runs a loop of its own."""
        action = subprocess.Popen(["xdotool", *arguments], stderr=subprocess.PIPE, text=True)
        while action.poll() is None:
            self._host.processEvents(0.01)
        error = action.communicate()[1]
        if action.returncode != 0:
            raise RuntimeError(f"xdotool {' '.join(arguments)}: {error}")
        self._host.processEvents(SETTLE)


def photograph(name):
    """Photograph the whole X screen, whatever drew on it, into artifacts/; return the path.

    Raises:
        RuntimeError: there is no screen, or the file cannot be written.
    """
    path = artifact(name)
    screen = QtGui.QGuiApplication.primaryScreen()
    if screen is None or not screen.grabWindow(0).save(str(path)):
        raise RuntimeError(f"the screen could not be photographed into {path}")
    return path
