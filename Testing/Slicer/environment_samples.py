"""Stand-ins of the tests of the environment: an application without settings, packages that are not there."""

from __future__ import annotations

import sys

from KPrismSlicerLib.Checks import Package
from KPrismSlicerLib.Child import Ended

WORKING = 'PROBE {"torch": "2.13.0", "device": "cpu", "gpuError": "", "cuda": "", "seconds": 1.0}'
TORCH, SAFETENSORS = Package("torch", "2.13.0"), Package("safetensors", "0.8.0")


class StillSystem:
    """The application as `System.System` shows it; nothing is installed and nothing starts anew."""

    def __init__(self) -> None:
        self.settings = {}
        self.installTorch, self.pipModule = None, None
        self.extensions, self.extensionWorks = [], True
        self.restarts = self.idles = 0
        self.said = []

    def pythonExecutable(self):  # noqa: N802
        return sys.executable

    def idle(self):
        self.idles += 1

    def setting(self, name):
        return self.settings.get(name, "")

    def setSetting(self, name, value):  # noqa: N802
        self.settings[name] = value

    def torchInstaller(self):  # noqa: N802
        return self.installTorch

    def packaging(self):
        return self.pipModule

    def installExtension(self, name):  # noqa: N802
        self.extensions.append(name)
        return self.extensionWorks

    def restart(self):
        self.restarts += 1

    def say(self, text):
        self.said.append(text)

    def versions(self):
        return {"3D Slicer": "5.12.3"}


class Programs:
    """In place of runChild: what was started; each program gives the answer that is next, else `ended`."""

    def __init__(self) -> None:
        self.commands, self.answers = [], []
        self.ended = Ended(0, (WORKING,))
        self.during = lambda: None

    def __call__(self, command, idle, onLine=None, seconds=None):  # noqa: N803
        self.commands.append(command)
        self.during()
        return self.answers.pop(0) if self.answers else self.ended

    @property
    def pip(self):
        """What pip was told to do, by its first word."""
        return [command[3] for command in self.commands if command[1:3] == ["-m", "pip"]]


class Shelf:
    """In place of Checks.findPackage: the packages by name."""

    def __init__(self, *packages: Package) -> None:
        self.packages = {package.name: package for package in packages}

    def __call__(self, name):
        return self.packages.get(name, Package(name))

    def put(self, *packages: Package) -> None:
        self.packages.update({package.name: package for package in packages})
