"""Whether K-Prism can run on this computer, and what to do where it cannot. Nothing happens unasked:
`check()` on Load, `install()` with the user's choice, then `check()` again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from KPrismSlicerLib import Checks
from KPrismSlicerLib.Diagnosis import describe
from KPrismSlicerLib.Installer import CHOICES, Installer
from KPrismSlicerLib.Paths import ensureCoreOnPath, resourcePath, rootFolder
from KPrismSlicerLib.Problems import InstallationError, Problem
from KPrismSlicerLib.System import System
from KPrismSlicerLib.Verification import Verification

__all__ = ["Environment", "Readiness", "ensureCoreOnPath", "resourcePath", "rootFolder"]

REPAIR = "repair"
_RESUME, _CHOICE, _FOLDER = "resume", "choice", "offlineFolder"


@dataclass(frozen=True)
class Readiness:
    """What `check` found. ready: the model can be loaded; problems: may hold warnings even then."""

    ready: bool
    problems: tuple[Problem, ...] = ()


class Environment:
    """Looks for PyTorch, installs, verifies and repairs it. Main thread only; shows no dialog.

    Args:
        system: the application; tests put a stand-in here.
    """

    def __init__(self, system: System | None = None) -> None:
        self._system = system or System()
        self._verification = Verification(self._system)
        self._busy = False
        self._restartNeeded = False
        self._lastError: InstallationError | None = None

    def check(self) -> Readiness:
        """Look whether the model can be loaded, without importing PyTorch here.

        The first time that it meets a version of PyTorch it runs it in a child process for some seconds,
        while the window lives; afterwards it takes milliseconds.
        """
        if self._busy:
            return Readiness(False)
        problem = Checks.pythonProblem() or self._restartProblem()
        if problem:
            return Readiness(False, (problem,))
        problems = tuple(self._packageProblems())
        if problems:
            return Readiness(False, problems)
        try:
            warning = self._guarded(self._verifyNew)
        except InstallationError as error:
            return Readiness(False, (error.problem(),))
        return Readiness(True, (warning,) if warning else ())

    def install(
        self, choice: str, folder: str | None = None, progress: Callable[[str], None] | None = None
    ) -> bool:
        """Install what is missing, verify it, and remember the choice for `repair`.

        Args:
            choice: "extension" (Slicer's PyTorch extension chooses the build), "cpu" (it is told to take the
                build for the processor), or "folder".
            folder: for "folder": wheels and SHA256SUMS, see Offline.
            progress: called with a line of text now and then.

        Returns:
            True where the application has to start anew; then it goes on by itself, with the same choice.

        Raises:
            InstallationError: with cause and remedy.
            ValueError: there is no such choice.
        """
        if choice not in CHOICES:
            raise ValueError(choice)
        self._system.setSetting(_CHOICE, choice)
        self._system.setSetting(_FOLDER, folder or "")
        return self._guarded(lambda: self._installNow(choice, folder or "", progress or _ignore))

    def repair(self, progress: Callable[[str], None] | None = None) -> bool:
        """Remove PyTorch and safetensors and install them again in the way that was chosen last.

        Returns:
            True where the application has to start anew first: a package in use cannot be replaced.

        Raises:
            InstallationError: with cause and remedy.
        """
        self._verification.forget()
        if any(Checks.loadedModule(name) for name in Checks.PACKAGES):
            return self._resumeLater(REPAIR)
        return self._guarded(lambda: self._repairNow(progress or _ignore))

    def verify(self) -> dict[str, Any]:
        """Run PyTorch in a child process with one operation on each device, and remember that it works.

        Returns:
            Of Probe: torch, safetensors, device, name, memory, gpuError, cuda, seconds.

        Raises:
            InstallationError: it does not work.
        """
        return self._guarded(self._verification.run)

    def diagnosis(self) -> str:
        """A text on computer, packages and the last error, to copy into a report: nothing about patients."""
        return describe(self._system, self._verification.record(), self._lastError)

    def pending(self) -> str:
        """What is to go on after a restart: a choice of `install`, "repair", or "". Said once only."""
        found = self._system.setting(_RESUME)
        if found:
            self._system.setSetting(_RESUME, "")
        return found if found in (*CHOICES, REPAIR) else ""

    def restart(self) -> None:
        """Start the application anew."""
        self._system.restart()

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Do one thing at a time: the window lives meanwhile. Keeps the error for the diagnosis."""
        if self._busy:
            raise InstallationError(_("An installation is under way."), _("Wait until it has finished."))
        self._busy = True
        try:
            return work()
        except InstallationError as error:
            self._lastError = error
            raise
        finally:
            self._busy = False

    def _packageProblems(self) -> list[Problem]:
        torch, safetensors = (Checks.findPackage(name) for name in Checks.PACKAGES)
        if torch.broken or safetensors.broken:
            cause = _("The installation of PyTorch is incomplete.")
            return [Problem(cause, _("Press Repair to install it again."), REPAIR)]
        if not torch.present:
            cause = _("PyTorch, which the network runs on, is not installed in this 3D Slicer.")
            remedy = _("Choose how to install it: a download of 0.2 GB (processor) to 3 GB (NVIDIA GPU).")
            return [Problem(cause, remedy, "install"), *Checks.placeProblems(Checks.findDriver())]
        if Checks.versionNumbers(torch.version) < Checks.MINIMUM_TORCH:
            cause = _("PyTorch {version} is too old; {needed} or newer is needed.").format(
                version=torch.version, needed=".".join(map(str, Checks.MINIMUM_TORCH))
            )
            return [Problem(cause, _("Press Repair to install a newer one."), REPAIR)]
        if not safetensors.present:
            cause = _("The package safetensors, which reads checkpoints, is not installed.")
            return [Problem(cause, _("Choose how to install it; it is less than 1 MB."), "install")]
        return []

    def _restartProblem(self) -> Problem | None:
        used = str(getattr(Checks.loadedModule("torch"), "__version__", ""))
        found = Checks.findPackage("torch").version
        # the build's name after "+" is not in the metadata of every wheel
        if not self._restartNeeded and used.partition("+")[0] in ("", found.partition("+")[0]):
            return None
        cause = _("3D Slicer has to start anew to use the new PyTorch.")
        return Problem(cause, _("Save your work and restart 3D Slicer."), "restart")

    def _verifyNew(self) -> Problem | None:
        """Verify what was never verified; a warning where a GPU is there and not used."""
        if self._verification.isKnown():
            return None
        self._system.say(_("Trying PyTorch for the first time; this takes some seconds ..."))
        return self._verification.gpuWarning(self._verification.run())

    def _installNow(self, choice: str, folder: str, progress: Callable[[str], None]) -> bool:
        installer = Installer(self._system, progress)
        if installer.install(choice, folder):
            return self._resumeLater(choice)
        progress(_("Trying PyTorch ..."))
        self._verification.run()
        return False

    def _repairNow(self, progress: Callable[[str], None]) -> bool:
        choice = self._system.setting(_CHOICE)
        if choice not in CHOICES:
            choice = "extension"
        folder = self._system.setting(_FOLDER)
        installer = Installer(self._system, progress)
        installer.checkSource(choice, folder)
        installer.remove()
        return self._installNow(choice, folder, progress)

    def _resumeLater(self, what: str) -> bool:
        self._system.setSetting(_RESUME, what)
        self._restartNeeded = True
        return True


def _ignore(_text: str) -> None:
    """Progress that nobody looks at."""
