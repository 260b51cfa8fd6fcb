"""What the installation needs of the application: events, settings, extensions, Python.

Tests put a stand-in in its place; everything else of the environment is plain Python.
"""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import slicer

SETTINGS_GROUP = "KPrismSlicer/"


class System:
    """3D Slicer, as far as the environment uses it. Main thread only."""

    def pythonExecutable(self) -> str:
        """The Python that runs child processes: Slicer's own launcher, or the running one."""
        return shutil.which("PythonSlicer") or sys.executable

    def idle(self) -> None:
        """Let the window answer while something is being waited for."""
        slicer.app.processEvents()

    def say(self, text: str) -> None:
        """Show what is being done, for a while, in the status bar."""
        slicer.util.showStatusMessage(text, 5000)

    def setting(self, name: str) -> str:
        """A text that outlives the application, "" where there is none."""
        value = slicer.app.settings().value(SETTINGS_GROUP + name)
        return "" if value is None else str(value)

    def setSetting(self, name: str, value: str) -> None:
        """Keep a text beyond the end of the application; "" removes it."""
        settings = slicer.app.settings()
        if value:
            settings.setValue(SETTINGS_GROUP + name, value)
        else:
            settings.remove(SETTINGS_GROUP + name)
        # A restart may follow at once.
        settings.sync()

    def torchInstaller(self) -> Callable[..., Any] | None:
        """`installTorch` of the PyTorch extension, None where the extension is not loaded."""
        try:
            module = importlib.import_module("PyTorchUtils")
        except ImportError:
            return None
        return module.PyTorchUtilsLogic().installTorch

    def packaging(self) -> ModuleType | None:
        """`slicer.packaging` (5.12 and newer) where it may be used; None for an older Slicer and in tests.

        In testing mode its installation blocks and reports nothing.
        """
        if slicer.app.testingEnabled():
            return None
        try:
            return importlib.import_module("slicer.packaging")
        except ImportError:
            return None

    def installExtension(self, name: str) -> bool:
        """Download and install an extension from Slicer's server; False where that fails.

        It is loaded at the next start.
        """
        manager = getattr(slicer.app, "extensionsManagerModel", lambda: None)()
        if manager is None:
            return False
        if manager.isExtensionInstalled(name):
            return True
        # no questions and no restart of its own: the panel asks
        before, manager.interactive = manager.interactive, False
        try:
            return bool(manager.installExtensionFromServer(name, False))
        finally:
            manager.interactive = before

    def restart(self) -> None:
        """Start the application anew."""
        slicer.util.restart()

    def versions(self) -> dict[str, str]:
        """Names and versions for the diagnosis; nothing of the scene."""
        found = {}
        for name, attribute in (
            ("3D Slicer", "applicationVersion"),
            ("Revision", "revision"),
            ("Platform", "platform"),
        ):
            value = getattr(slicer.app, attribute, None)
            if value is not None:
                found[name] = str(value)
        return found
