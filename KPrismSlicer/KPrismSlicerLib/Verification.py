"""Runs PyTorch in a child process, says in plain words why it fails, and remembers which version worked."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from KPrismSlicerLib import Checks
from KPrismSlicerLib.Child import Ended, runChild
from KPrismSlicerLib.Problems import InstallationError, Problem
from KPrismSlicerLib.System import System

PROBE = Path(__file__).with_name("Probe.py")
SECONDS = 180
_MARK = "PROBE "
_VERIFIED = "verified"


class Verification:
    """Whether the installed PyTorch computes; remembered for each version, also after a restart.

    Args:
        system: the application.
    """

    def __init__(self, system: System) -> None:
        self._system = system

    def isKnown(self) -> bool:
        """Whether these very versions worked before, or are at work in this process."""
        loaded = Checks.loadedModule("torch")
        return (loaded is not None and hasattr(loaded, "nn")) or self.record().get("key") == _key()

    def record(self) -> dict[str, Any]:
        """What the last successful verification found, {} where there was none."""
        try:
            found = json.loads(self._system.setting(_VERIFIED) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def forget(self) -> None:
        """Verify anew the next time."""
        self._system.setSetting(_VERIFIED, "")

    def run(self) -> dict[str, Any]:
        """Verify now; see `Environment.verify`.

        Raises:
            InstallationError: PyTorch does not load or does not compute.
        """
        self.forget()
        command = [self._system.pythonExecutable(), str(PROBE)]
        try:
            ended = runChild(command, self._system.idle, seconds=SECONDS)
        except OSError as error:
            raise _childError(error) from error
        found = _answer(ended)
        if found is None:
            raise failure(ended)
        self._system.setSetting(_VERIFIED, json.dumps({**found, "key": _key()}))
        return found

    def gpuWarning(self, found: dict[str, Any]) -> Problem | None:
        """What to tell where the network will run on the processor although there is an NVIDIA GPU."""
        driver = Checks.findDriver() if found["device"] == "cpu" else None
        if driver is None:
            return None
        if found["gpuError"]:
            cause = _("{gpu} does not work with this PyTorch: {error}. The processor is used.").format(
                gpu=driver.gpu, error=found["gpuError"]
            )
        elif found["cuda"]:
            cause = _("PyTorch {torch} does not find {gpu} (driver {driver}). The processor is used.").format(
                torch=found["torch"], gpu=driver.gpu, driver=driver.version
            )
        else:
            cause = _("PyTorch {torch} is the build for processors, though there is {gpu}.").format(
                torch=found["torch"], gpu=driver.gpu
            )
        remedy = _("For the GPU update its driver, then press Repair. You can work without.")
        return Problem(cause, remedy, "repair", blocking=False)


def _key() -> str:
    """What must be the same for a verification to hold."""
    versions = [f"{name} {Checks.findPackage(name).version}" for name in Checks.PACKAGES]
    return ", ".join((*versions, f"Python {platform.python_version()}"))


def _answer(ended: Ended) -> dict[str, Any] | None:
    if ended.code != 0:
        return None
    for line in reversed(ended.lines):
        if line.startswith(_MARK):
            return json.loads(line.removeprefix(_MARK))
    return None


def _childError(error: OSError) -> InstallationError:
    return InstallationError(
        _("Slicer's Python cannot be started: {error}.").format(error=error.strerror),
        _("Allow 3D Slicer to start programs (virus scanner, administrator's rules), or install it again."),
    )


def failure(ended: Ended) -> InstallationError:
    """Why PyTorch did not work, from how the child process ended."""
    repair = _("Press Repair to install it again.")
    if ended.code is None:
        cause = _("PyTorch did not answer within {seconds} seconds.").format(seconds=SECONDS)
        remedy = _("Try again: the first start is slow where a virus scanner reads all files.")
        return _failed(cause, remedy, ended)
    # A negative code is a signal; Windows gives the number of its exception.
    if not 0 <= ended.code < 0x40000000:
        cause = _("PyTorch ends the program that uses it (code {code}).").format(code=ended.code)
        return _failed(cause, repair, ended)
    last = next((line.strip() for line in reversed(ended.lines) if line.strip()), "")
    for words, cause, remedy in _knownFailures():
        if any(word in ended.tail for word in words):
            return _failed(f"{cause} ({last})", remedy, ended)
    return _failed(_("PyTorch does not work: {error}.").format(error=last or ended.code), repair, ended)


def _failed(cause: str, remedy: str, ended: Ended) -> InstallationError:
    return InstallationError(cause, remedy, "repair", ended.tail)


def _knownFailures() -> tuple[tuple[tuple[str, ...], str, str], ...]:
    return (
        (
            ("DLL load failed", "WinError 126", "WinError 1114"),
            _("Windows cannot load a library of PyTorch."),
            _("Install Microsoft's Visual C++ Redistributable (x64), restart 3D Slicer, then press Repair."),
        ),
        (
            ("GLIBC_", "GLIBCXX_"),
            _("This Linux is too old for this build of PyTorch."),
            _("Use a newer Linux, or install an older PyTorch (2.2 or newer) from a folder."),
        ),
        (
            ("No module named", "has no attribute"),
            _("The installation of PyTorch is incomplete."),
            _("Press Repair to install it again."),
        ),
        (
            ("MemoryError", "paging file is too small", "WinError 1455"),
            _("There is too little memory to load PyTorch."),
            _("Close other programs, or enlarge the paging file, and try again."),
        ),
    )
