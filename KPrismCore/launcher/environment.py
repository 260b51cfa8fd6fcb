"""The environment in .venv: is it complete, and make it so."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from KPrismCore.launcher.console import LauncherError, format_bytes, format_seconds, say
from KPrismCore.launcher.installer import CPU_DISK_BYTES, PipRun, Sources, require_space
from KPrismCore.launcher.lock import FolderLock

CORE_IMPORTS = ("torch", "numpy", "SimpleITK", "safetensors")
VERSION_CODE = "import sys; print('%d.%d' % sys.version_info[:2])"


class Environment:
    """The virtual environment beside kprism.py.

    It is complete when its marker, written last, names the present requirements and its own Python version.

    Args:
        root: folder of kprism.py.
        imports: modules that must load before the environment counts as complete.
    """

    def __init__(self, root: Path, imports: tuple[str, ...] = CORE_IMPORTS) -> None:
        self.root = root
        self.imports = imports
        self.folder = root / ".venv"
        self.marker = self.folder / "kprism-complete"
        self.requirements = root / "Resources" / "requirements.txt"
        scripts = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        self.python = self.folder.joinpath(*scripts)

    def is_complete(self) -> bool:
        """Return True if nothing needs to be installed. Uses neither pip nor the network."""
        try:
            recorded = self.marker.read_text(encoding="utf-8")
        except OSError:
            return False
        return recorded == self._fingerprint(self.python_version())

    def prepare(self, sources: Sources, recreate: bool = False) -> None:
        """Make the environment complete; return at once if it is.

        Raises:
            LauncherError: says what stands in the way and what to do.
        """
        if not recreate and self.is_complete():
            return
        require_modules()
        with FolderLock(self.root / ".venv.lock") as lock:
            if not recreate and self.is_complete():
                return
            start = time.monotonic()
            self._announce(sources)
            self._make_folder(recreate)
            remove_half_installed(self.folder)
            pip = PipRun(self.python, self.folder / "install.log", lock.descriptor)
            pip.install(self.requirements, sources)
            self._check_imports()
            self._write_marker()
            took = format_seconds(time.monotonic() - start)
            say(f"Installed in {took}; .venv holds {format_bytes(folder_bytes(self.folder))}.")

    def python_version(self) -> str | None:
        """Return major.minor of the environment's Python, None if it does not run."""
        try:
            answer = subprocess.run(
                [self.python, "-I", "-S", "-c", VERSION_CODE], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return answer.stdout.strip()

    def _fingerprint(self, version: str | None) -> str:
        digest = hashlib.sha256()
        for path in (self.requirements, self.requirements.with_suffix(".lock")):
            if path.exists():
                digest.update(path.read_text(encoding="utf-8").encode())
        return f"requirements {digest.hexdigest()} python {version}\n"

    def _announce(self, sources: Sources) -> None:
        state = "This is the first start" if not self.folder.exists() else "The environment is not complete"
        origin = f"the folder {sources.wheels}" if sources.wheels else "your package index, by pip's settings"
        say(f"{state}: installing PyTorch, SimpleITK, MONAI and what they need into .venv,")
        say(f"from {origin}. This happens once.")
        say("About 0.7 GB to download and 2.8 GB on disk; with CUDA about 3 GB and 8 GB.")

    def _make_folder(self, recreate: bool) -> None:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        if self.folder.exists() and (recreate or self.python_version() != running or not self._has_pip()):
            say("  making .venv anew")
            self._remove_folder()
        require_space(self.root, CPU_DISK_BYTES - folder_bytes(self.folder))
        if self.folder.exists():
            self.marker.unlink(missing_ok=True)
            return
        command = [sys.executable, "-m", "venv", str(self.folder)]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            lines = (made.stdout + made.stderr).strip().splitlines() or ["no message"]
            raise LauncherError(
                f"Python could not make the environment: {lines[-1]}",
                "Check that this folder can be written to and that your Python is a complete installation.",
            )

    def _remove_folder(self) -> None:
        try:
            # The marker goes first: what is left of an interrupted removal must not count as complete.
            self.marker.unlink(missing_ok=True)
            shutil.rmtree(self.folder)
        except OSError as error:
            raise LauncherError(
                f"The old environment cannot be removed ({error.strerror}).",
                "Close all programs that use it, or delete the folder .venv yourself, and try again.",
            ) from error

    def _has_pip(self) -> bool:
        return subprocess.run([self.python, "-m", "pip", "--version"], capture_output=True).returncode == 0

    def _check_imports(self) -> None:
        say("  checking the installation")
        command = [str(self.python), "-I", "-c", f"import {', '.join(self.imports)}"]
        checked = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        if checked.returncode != 0:
            lines = checked.stderr.strip().splitlines() or ["no message"]
            raise LauncherError(
                f"The packages are installed but do not load: {lines[-1]}",
                "Run 'python3 kprism.py setup --recreate'. If that does not help, report this line.",
            )

    def _write_marker(self) -> None:
        temporary = self.marker.with_suffix(".part")
        temporary.write_text(self._fingerprint(self.python_version()), encoding="utf-8")
        os.replace(temporary, self.marker)


def require_modules() -> None:
    """Raise LauncherError if the running Python cannot make environments."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise LauncherError(
        "This Python comes without the modules venv and ensurepip, which make the environment.",
        f"On Debian or Ubuntu run 'sudo apt install python{version}-venv'; "
        "elsewhere install a complete Python.",
    )


def remove_half_installed(folder: Path) -> None:
    """Forget packages whose unpacking was interrupted, so that pip unpacks them again.

    pip writes the file INSTALLER after all files of a package; without it the package may lack files.
    """
    for information in folder.glob("**/site-packages/*.dist-info"):
        if not (information / "INSTALLER").exists():
            shutil.rmtree(information)


def folder_bytes(folder: Path) -> int:
    """Return the size of all files in a folder; 0 if it does not exist."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names
    )
