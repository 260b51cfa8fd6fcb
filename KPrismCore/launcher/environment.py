"""The environment in .venv: is it complete, and make it so."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

from KPrismCore.launcher.aside import Aside
from KPrismCore.launcher.console import LauncherError, format_bytes, format_seconds, say
from KPrismCore.launcher.damage import damaged_packages, forget
from KPrismCore.launcher.installer import (
    NotAvailableError,
    PipRun,
    Sources,
    describe_platform,
    require_space,
    wheels_advice,
)
from KPrismCore.launcher.lock import FolderLock
from KPrismCore.launcher.packages import BASE, LIGHT, RESEARCH, PackageSet, Wanted, single_requirements

LOG = "install.log"
VERSION_CODE = "import sys; print('%d.%d' % sys.version_info[:2])"


class Environment:
    """The virtual environment beside kprism.py.

    A set of packages is complete when its marker, written last, names the present requirements and the
    environment's own Python version.

    Args:
        root: folder of kprism.py.
        base: what every command needs.
        research: the addition, installed when a command first asks for it.
    """

    def __init__(self, root: Path, base: PackageSet = BASE, research: PackageSet = RESEARCH) -> None:
        self.root = root
        self.base, self.research = base, research
        self.folder = root / ".venv"
        self.marker = self.folder / base.marker
        self.research_marker = self.folder / research.marker
        self.requirements = root / "Resources" / base.requirements
        scripts = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        self.python = self.folder.joinpath(*scripts)

    def is_complete(self, wanted: Wanted = LIGHT) -> bool:
        """Return True if nothing needs to be installed. Uses neither pip nor the network."""
        version = self.python_version() if self.marker.exists() else None
        if version is None or _first_line(self.marker) != self._fingerprint(version, self.base):
            return False
        if not wanted.research:
            return True
        recorded = _first_line(self.research_marker)
        whole = recorded == self._fingerprint(version, self.base, self.research)
        return whole and not wanted.needed & self.not_available()

    def not_available(self) -> frozenset[str]:
        """Return the packages of the addition that had no build for this system when it was installed."""
        try:
            lines = self.research_marker.read_text(encoding="utf-8").splitlines()
        except OSError:
            return frozenset()
        return frozenset(lines[1:])

    def prepare(
        self, sources: Sources, recreate: bool = False, wanted: Wanted = LIGHT, thorough: bool = False
    ) -> None:
        """Make the environment complete; return at once if it is.

        Args:
            sources: where to install from.
            recreate: begin with nothing; what was there is kept until that is complete.
            wanted: what has to be there.
            thorough: do not believe that it is complete while packages lack files.

        Raises:
            LauncherError: says what stands in the way and what to do.
        """
        aside = Aside(self.folder, LOG)
        untidy = thorough and (aside.is_there() or bool(damaged_packages(self.folder)))
        if not recreate and self.is_complete(wanted) and not untidy:
            return
        self._require_reach()
        require_modules()
        with FolderLock(self.root / ".venv.lock") as lock, aside:
            aside.recover(self.is_complete())
            damaged = damaged_packages(self.folder) if thorough else []
            if not recreate and self.is_complete(wanted) and not damaged:
                return
            start = time.monotonic()
            addition_only = not recreate and self.is_complete() and not damaged
            self._announce(sources, wanted, recreate, addition_only)
            self._make_folder(lock.descriptor, aside, recreate, wanted, addition_only)
            forget(damaged_packages(self.folder))
            pip = PipRun(self.python, self.folder / LOG, lock.descriptor)
            missing = self._install(pip, sources, wanted)
            self._check_imports(wanted, missing)
            self._write_markers(wanted, missing)
            took = format_seconds(time.monotonic() - start)
            say(f"Installed in {took}; .venv holds {format_bytes(folder_bytes(self.folder))}.")
        require_needed(wanted, missing, sources)

    def python_version(self) -> str | None:
        """Return major.minor of the environment's Python, None if it does not run."""
        try:
            answer = subprocess.run(
                [self.python, "-I", "-S", "-c", VERSION_CODE], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return answer.stdout.strip()

    def is_out_of_reach(self) -> bool:
        """Whether an installation was finished whose Python does not run here: it is gone, or private."""
        return self.marker.exists() and self.python_version() is None

    def _require_reach(self) -> None:
        """Raise LauncherError if only who installed can mend a Python that does not run here."""
        if self.is_out_of_reach() and not os.access(self.root, os.W_OK):
            raise LauncherError(
                "The Python that .venv was made with cannot be started from this account.",
                "Who installed it runs 'python3 kprism.py setup --recreate' with a Python that everyone may "
                "start (one in a home folder is none). Or copy the whole folder to a place of your own.",
            )

    def _file(self, packages: PackageSet) -> Path:
        return self.root / "Resources" / packages.requirements

    def _fingerprint(self, version: str | None, *sets: PackageSet) -> str:
        digest = hashlib.sha256()
        for listed in map(self._file, sets):
            for path in (listed, listed.with_suffix(".lock")):
                if path.exists():
                    digest.update(path.read_text(encoding="utf-8").encode())
        return f"requirements {digest.hexdigest()} python {version}"

    def _announce(self, sources: Sources, wanted: Wanted, recreate: bool, addition_only: bool) -> None:
        state = "This is the first start" if not self.folder.exists() else "The environment is not complete"
        state = "This command needs more packages" if addition_only else state
        state = "The environment is made anew" if recreate else state
        origin = f"the folder {sources.wheels}" if sources.wheels else "your package index, by pip's settings"
        sets = [] if addition_only else [self.base]
        sets += [self.research] if wanted.research else []
        say(f"{state}: installing {'; '.join(packages.title for packages in sets)} into .venv,")
        say(f"from {origin}. This happens once.")
        for packages in sets:
            say(packages.size)

    def _make_folder(
        self, lock: int, aside: Aside, recreate: bool, wanted: Wanted, addition_only: bool
    ) -> None:
        if self._is_there() and (recreate or not self._usable(addition_only)):
            say("  making .venv anew")
            # an installation goes on where it stopped, rather than to come back to what did not work
            aside.put(keep=(recreate or addition_only) and self.python_version() is not None)
            addition_only = False
        needed = self.research.disk_bytes if wanted.research else 0
        if not addition_only:
            needed += self.base.disk_bytes - folder_bytes(self.folder)
        beside = " Or delete the folder .venv, which is kept until the new one is complete."
        place = self.folder if self.folder.exists() else self.root
        require_space(place, needed, beside if aside.is_there() else "")
        if self._is_there():
            # An interrupted addition changes no package of the base, which stays complete.
            stale = [self.research_marker] if wanted.research else []
            for marker in stale if addition_only else [self.marker, *stale]:
                marker.unlink(missing_ok=True)
            return
        # venv refuses a link, even to an empty folder
        command = [sys.executable, "-m", "venv", str(self.folder.resolve())]
        # It inherits the lock, as pip does: see PipRun.
        inherited = () if sys.platform == "win32" else (lock,)
        made = subprocess.run(command, capture_output=True, text=True, pass_fds=inherited)
        if made.returncode != 0:
            lines = (made.stdout + made.stderr).strip().splitlines() or ["no message"]
            raise LauncherError(
                f"Python could not make the environment: {lines[-1]}",
                "Check that this folder can be written to and that your Python is a complete installation.",
            )

    def _is_there(self) -> bool:
        """Whether .venv is anything but an empty folder, such as a link may lead to on a larger disk."""
        if self.folder.is_dir():
            return any(self.folder.iterdir())
        return os.path.lexists(self.folder)

    def _usable(self, addition_only: bool) -> bool:
        """Whether pip can go on in the folder; a complete base may be of another Python than the running."""
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (addition_only or self.python_version() == running) and self._has_pip()

    def _has_pip(self) -> bool:
        return subprocess.run([self.python, "-m", "pip", "--version"], capture_output=True).returncode == 0

    def _install(self, pip: PipRun, sources: Sources, wanted: Wanted) -> list[str]:
        """Install all that is wanted in one run of pip; return what the addition lacks on this system."""
        if not wanted.research:
            pip.install(["-r", str(self.requirements)], sources)
            return []
        addition = self._file(self.research)
        try:
            pip.install(["-r", str(addition)], sources)
        except NotAvailableError:
            return self._install_singly(pip, sources, addition)
        return []

    def _install_singly(self, pip: PipRun, sources: Sources, addition: Path) -> list[str]:
        """Install the base, then each package of the addition that has a build for this system."""
        base = ["-r", str(self.requirements)]
        pip.install(base, sources)
        lock = addition.with_suffix(".lock")
        pins = ["-c", str(lock)] if lock.exists() else []
        missing = []
        for name, requirement in single_requirements(addition).items():
            try:
                pip.install([*base, *pins, requirement], sources)
            except NotAvailableError as error:
                say(f"  without {name}: {error.cause}")
                missing.append(name)
        return missing

    def _check_imports(self, wanted: Wanted, missing: list[str]) -> None:
        say("  checking the installation")
        imports = list(self.base.imports.values())
        if wanted.research:
            imports += [module for name, module in self.research.imports.items() if name not in missing]
        command = [str(self.python), "-I", "-c", f"import {', '.join(imports)}"]
        checked = subprocess.run(command, capture_output=True, text=True, cwd=self.folder)
        if checked.returncode != 0:
            lines = checked.stderr.strip().splitlines() or ["no message"]
            raise LauncherError(
                f"The packages are installed but do not load: {lines[-1]}",
                "Run 'python3 kprism.py setup --recreate'. If that does not help, look whether pip's "
                "settings (python3 -m pip config list) name a target; else report this line.",
            )

    def _write_markers(self, wanted: Wanted, missing: list[str]) -> None:
        version = self.python_version()
        markers = {self.marker: [self._fingerprint(version, self.base)]}
        if wanted.research:
            whole = self._fingerprint(version, self.base, self.research)
            markers[self.research_marker] = [whole, *missing]
        for marker, lines in markers.items():
            temporary = marker.with_suffix(".part")
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
            os.replace(temporary, marker)


def require_needed(wanted: Wanted, missing: list[str], sources: Sources) -> None:
    """Raise LauncherError if the command cannot run without a package that was not to be had."""
    lacking = sorted(wanted.needed & set(missing))
    if lacking and sources.wheels:
        raise LauncherError(
            f"The folder of wheels has no {', '.join(lacking)} for {describe_platform()}.",
            f"Everything else is installed.\n{wheels_advice(RESEARCH.requirements)}",
        )
    if lacking:
        raise LauncherError(
            f"There is no {', '.join(lacking)} for {describe_platform()}, and this command needs it.",
            "Everything else is installed; for this use another Python from 3.10 to 3.14, or another system.",
        )


def _first_line(marker: Path) -> str:
    """Return what a marker records, "" if it cannot be read."""
    try:
        return marker.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return ""


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


def folder_bytes(folder: Path) -> int:
    """Return the size of all files in a folder; 0 if it does not exist."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size for place, _, names in os.walk(folder) for name in names
    )
