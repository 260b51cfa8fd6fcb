"""Installs PyTorch and safetensors in one of three ways, and removes what is broken."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from KPrismSlicerLib import Checks, Offline
from KPrismSlicerLib.Child import Ended, runChild
from KPrismSlicerLib.Problems import InstallationError
from KPrismSlicerLib.System import System

CHOICES = ("extension", "cpu", "folder")
EXTENSION = "PyTorch"
# The argument of PyTorchUtils that says which build to take.
BACKEND = "forceComputationBackend"
TORCH = "torch>=" + ".".join(map(str, Checks.MINIMUM_TORCH))
SAFETENSORS = "safetensors>=0.4"
_PIP_OPTIONS = ("--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar", "off")
# What the wheels of torch and safetensors put into the packages folder.
_FOLDERS = ("torch", "functorch", "torchgen", "safetensors")
_METADATA = ("torch-*.dist-info", "safetensors-*.dist-info")
_LACKING = re.compile(r"No matching distribution found for ([\w.-]*\w)")
# What pip and its network library say where nothing can be downloaded.
_NETWORK_WORDS = (
    "Could not fetch URL", "Connection", "Temporary failure", "getaddrinfo", "timed out", "ProxyError",
    "CERTIFICATE_VERIFY_FAILED", "SSLError", "407 Proxy",
)  # fmt: skip


class Installer:
    """Does what the user chose. Main thread; the window lives while pip works.

    Args:
        system: the application.
        progress: called with what is being done.
    """

    def __init__(self, system: System, progress: Callable[[str], None]) -> None:
        self._system = system
        self._progress = progress

    def install(self, choice: str, folder: str = "") -> bool:
        """Install what is missing; see `Environment.install`.

        Returns:
            True where the application has to start anew and this has to be called again.

        Raises:
            InstallationError: with cause and remedy.
        """
        self._checkPlace()
        if choice == "folder":
            self._fromFolder(folder)
            return False
        if not Checks.findPackage("torch").present:
            # the extension knows which build suits this computer; for the processor it is told
            if self._installTorchExtension("cpu" if choice == "cpu" else ""):
                return True
            importlib.invalidate_caches()
        if not Checks.findPackage("safetensors").present:
            self._progress(_("Downloading safetensors ..."))
            # a user's setting would put it where 3D Slicer does not look
            self._pip("install", "--no-user", "--only-binary", ":all:", SAFETENSORS)
        return False

    def checkSource(self, choice: str, folder: str) -> None:
        """Look whether a folder is still there and whole, before what it would replace is removed.

        Raises:
            InstallationError: it is not.
        """
        if choice == "folder":
            Offline.checkFolder(Path(folder), self._progress, self._system.idle)

    def remove(self) -> None:
        """Uninstall PyTorch and safetensors; where pip cannot, delete their folders.

        Raises:
            InstallationError: files cannot be deleted.
        """
        self._progress(_("Removing PyTorch ..."))
        self._run("uninstall", "--yes", *Checks.PACKAGES)
        place = Checks.packagesFolder()
        left = [place / name for name in _FOLDERS]
        left += [path for pattern in _METADATA for path in place.glob(pattern)]
        for path in left:
            if path.is_dir() and not path.is_symlink():
                _delete(path)

    def _checkPlace(self) -> None:
        packaging = self._system.packaging()
        if packaging is not None and getattr(packaging, "isPipInstallInProgress", lambda: False)():
            cause = _("Another extension is installing packages.")
            raise InstallationError(cause, _("Wait until it has finished, then try again."), "install")
        if Checks.findPackage("torch").present:
            # what is missing is small
            found = iter(filter(None, (Checks.writeProblem(Checks.packagesFolder()),)))
        else:
            found = Checks.placeProblems(Checks.findDriver())
        for problem in found:
            if problem.blocking:
                raise InstallationError(problem.cause, problem.remedy, "install")
            self._progress(f"{problem.cause} {problem.remedy}")

    def _installTorchExtension(self, backend: str) -> bool:
        """Let the PyTorch extension install torch; True where the extension itself had to come first."""
        install = self._system.torchInstaller()
        if install is None:
            self._progress(_("Downloading the PyTorch extension ..."))
            if self._system.installExtension(EXTENSION):
                return True
            raise InstallationError(
                _("The PyTorch extension could not be installed."),
                _("Check the network and the proxy in Slicer's settings, or install from a folder."),
                "install",
            )
        arguments = torchArguments(install, TORCH.removeprefix("torch"), backend)
        self._progress(_downloadText(backend, told=BACKEND in arguments))
        self._system.idle()
        try:
            result = install(**arguments)
        except (OSError, ImportError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            raise _pipError(str(error)) from error
        if result is None:
            raise _pipError("")
        return False

    def _fromFolder(self, folder: str) -> None:
        checked = Offline.checkFolder(Path(folder), self._progress, self._system.idle)
        self._progress(_("Installing from {folder} ...").format(folder=checked.path.name))
        with tempfile.TemporaryDirectory() as place:
            # isolated: variables and settings of the user may name further sources
            source = ("--isolated", "--no-index", "--find-links", str(checked.writePage(Path(place))))
            self._pip("install", "--only-binary", ":all:", *source, TORCH, SAFETENSORS, hide=checked.hide)
        for path in Offline.copyCheckpoints(checked):
            self._progress(_("The checkpoint {name} was added.").format(name=path.stem))

    def _pip(self, *arguments: str, hide: Callable[[str], str] = str) -> None:
        ended = self._run(*arguments)
        if ended.code != 0:
            raise _pipError(hide(ended.tail))

    def _run(self, command: str, *arguments: str) -> Ended:
        python = self._system.pythonExecutable()
        options = _PIP_OPTIONS if command == "install" else _PIP_OPTIONS[:3]
        try:
            return runChild(
                [python, "-m", "pip", command, *options, *arguments], self._system.idle, self._progress
            )
        except OSError as error:
            raise _pipError(str(error)) from error
        finally:
            importlib.invalidate_caches()


def torchArguments(install: Callable[..., Any], version: str, backend: str = "") -> dict[str, Any]:
    """The arguments that this version of PyTorchUtils knows: their names changed more than once.

    Args:
        install: `PyTorchUtilsLogic.installTorch`.
        version: what torch must be, for example ">=2.2".
        backend: "cpu" for a build without GPU; "" where the extension is to choose.
    """
    known = inspect.signature(install).parameters
    wanted = {"askConfirmation": False, "confirm": False, "torchVersionRequirement": version}
    if backend:
        wanted[BACKEND] = backend
    return {name: value for name, value in wanted.items() if name in known}


def _downloadText(backend: str, told: bool) -> str:
    """What is downloaded; told: whether the extension could be told the build."""
    if not backend:
        return _("Downloading PyTorch; the window may not answer for some minutes ...")
    if told:
        return _("Downloading PyTorch for the processor; the window may not answer for some minutes ...")
    return _(
        "This PyTorch extension chooses the build itself: downloading PyTorch for this computer;"
        " the window may not answer for some minutes ..."
    )


def _pipError(tail: str) -> InstallationError:
    """What pip's last lines mean."""
    if any(word in tail for word in _NETWORK_WORDS):
        cause = _("The packages could not be downloaded: network, proxy or firewall stand in the way.")
        remedy = _("Check the connection, or install from a folder that was filled on another computer.")
    elif "DO NOT MATCH THE HASHES" in tail:
        cause = _("A file of the folder was changed after its checksum was compared.")
        remedy = _("Copy the files to the folder again, and let nobody change them meanwhile.")
    elif (lacking := _LACKING.search(tail)) and lacking[1] not in Checks.PACKAGES:
        cause = _(
            "There is no {name}, which PyTorch needs, for this 3D Slicer where it was looked for."
        ).format(name=lacking[1])
        remedy = _(
            "Choose another way; a folder needs everything that 'pip download torch safetensors' gets."
        )
    elif lacking:
        cause = _("There is no PyTorch for this computer and this 3D Slicer where it was looked for.")
        remedy = _("Choose another way; a folder needs wheels for this system and this version of Python.")
    elif "No space left" in tail or "Errno 28" in tail:
        cause, remedy = _("The disk is full."), _("Free some space and try again.")
    elif "WinError 206" in tail or "path is too long" in tail or "Long Path support" in tail:
        cause = _("Windows refused a file of PyTorch because its name is too long.")
        remedy = _("Install 3D Slicer in a short folder such as {example}, or allow long paths.").format(
            example="C:\\Slicer"
        )
    elif "WinError 5" in tail or "WinError 32" in tail or "Permission denied" in tail:
        cause = _("A file of PyTorch is in use or protected.")
        remedy = _("Close other windows of 3D Slicer, restart it and press Repair.")
    else:
        cause = _("PyTorch could not be installed.")
        remedy = _("Try another way; the copied diagnosis has the last messages of the installation.")
    return InstallationError(cause, remedy, "install", tail)


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise InstallationError(
            _("{name} cannot be deleted: {error}.").format(name=folder.name, error=error.strerror),
            _("Close other windows of 3D Slicer, restart it and press Repair."),
            "repair",
        ) from error
