"""Looks at disk, paths, Python, driver and packages, without importing what it looks for."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from slicer.i18n import tr as _

from KPrismSlicerLib.Problems import Problem

# The distributions that the network needs beyond what 3D Slicer brings; each is imported by the same name.
PACKAGES = ("torch", "safetensors")
MINIMUM_PYTHON = (3, 10)
MINIMUM_TORCH = (2, 2)
CPU_BYTES = 3_000_000_000
CUDA_BYTES = 9_000_000_000
# The longest name inside the wheel of PyTorch 2.13 has 171 characters, and Windows allows 259 in a path.
LONGEST_NAME = 175
WINDOWS_PATH = 259
DRIVER_SECONDS = 10


@dataclass(frozen=True)
class Package:
    """An installed package. version: "" where it is absent; broken: it was installed in part only."""

    name: str
    version: str = ""
    broken: bool = False

    @property
    def present(self) -> bool:
        """Whether it is there and whole."""
        return bool(self.version) and not self.broken


@dataclass(frozen=True)
class Driver:
    """An NVIDIA GPU as its driver describes it."""

    gpu: str
    memory: str
    version: str


def loadedModule(name: str) -> ModuleType | None:
    """A module that this process has imported."""
    return sys.modules.get(name)


def packagesFolder() -> Path:
    """Where pip installs packages."""
    return Path(sysconfig.get_path("purelib"))


def findPackage(name: str) -> Package:
    """Look for a package by its files only: importing one that is broken can end the application."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        leftover = name not in sys.modules and importlib.util.find_spec(name) is not None
        return Package(name, broken=leftover)
    version = distribution.metadata["Version"] or ""
    # pip writes INSTALLER after all files
    whole = distribution.read_text("INSTALLER") is not None and _hasCode(distribution, name)
    return Package(name, version, broken=not (version and whole))


def _hasCode(distribution: importlib.metadata.Distribution, name: str) -> bool:
    """Whether the code of one of PACKAGES is there; of others their metadata is believed."""
    return name not in PACKAGES or Path(str(distribution.locate_file(name)), "__init__.py").is_file()


def versionNumbers(version: str) -> tuple[int, ...]:
    """The numbers of a version: (2, 13, 0) for "2.13.0+cpu"."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def findDriver() -> Driver | None:
    """The first NVIDIA GPU with its driver, None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=DRIVER_SECONDS, creationflags=flags, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    for row in csv.reader(answer.stdout.splitlines(), skipinitialspace=True):
        if len(row) == 3:
            return Driver(*row)
    return None


def gigabytes(number: int) -> str:
    """A size in plain words, for example "3.0 GB"."""
    return f"{number / 1e9:.1f} GB"


def pythonProblem(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> Problem | None:
    """What is wrong with this Python."""
    if version >= MINIMUM_PYTHON:
        return None
    return Problem(
        _("This 3D Slicer has Python {found}, K-Prism needs {needed}.").format(
            found=".".join(map(str, version)), needed=".".join(map(str, MINIMUM_PYTHON))
        ),
        _("Install 3D Slicer 5.10 or newer."),
    )


def diskProblem(folder: Path, needed: int) -> Problem | None:
    """Whether the disk of a folder has too little space (bytes)."""
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return None
    return Problem(
        _("The disk of {folder} has {free} free, PyTorch needs {needed}.").format(
            folder=folder, free=gigabytes(free), needed=gigabytes(needed)
        ),
        _("Free some space and try again."),
    )


def writeProblem(folder: Path) -> Problem | None:
    """Whether packages cannot be written for want of permission."""
    if os.access(folder, os.W_OK):
        return None
    return Problem(
        _("The folder of Slicer's Python packages cannot be written: {folder}").format(folder=folder),
        _("Install 3D Slicer in a folder of your own, or ask the administrator to install PyTorch there."),
    )


def pathProblem(folder: Path, longPaths: bool | None = None) -> Problem | None:
    """Whether the folder's name is too long for PyTorch's files; only Windows has such a limit.

    longPaths: whether names may be longer; None asks the system.
    """
    if longPaths is None:
        longPaths = longPathsEnabled()
    if longPaths or len(str(folder)) + 1 + LONGEST_NAME <= WINDOWS_PATH:
        return None
    return Problem(
        _("The folder of 3D Slicer has a long name; Windows may refuse some files of PyTorch."),
        _("Where the installation fails, install 3D Slicer in a short folder such as {example}.").format(
            example="C:\\Slicer"
        ),
        blocking=False,
    )


def longPathsEnabled() -> bool:
    """Whether files may have names of more than 259 characters."""
    if sys.platform != "win32":
        return True
    import winreg

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            return bool(winreg.QueryValueEx(opened, "LongPathsEnabled")[0])
    except OSError:
        return False


def placeProblems(driver: Driver | None) -> Iterator[Problem]:
    """What stands in the way of an installation: permission, space, long names.

    The space asked for is that of the CUDA build where there is an NVIDIA GPU.
    """
    folder = packagesFolder()
    needed = CUDA_BYTES if driver else CPU_BYTES
    for problem in (writeProblem(folder), diskProblem(folder, needed), pathProblem(folder)):
        if problem:
            yield problem
