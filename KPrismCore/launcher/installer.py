"""Run pip for the environment: condense what it prints, stop it cleanly, explain its failures."""

from __future__ import annotations

import contextlib
import os
import platform
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from KPrismCore.launcher.console import LauncherError, Progress, format_bytes

CUDA_DISK_BYTES = 9_000_000_000
POLL_SECONDS = 0.5
STOP_SECONDS = 10

DISK_FULL = re.compile(r"No space left on device|not enough space on the disk|Disk quota exceeded")
UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ConnectionError|ReadTimeoutError|ProxyError|NameResolutionError|"
    r"Max retries exceeded|name resolution|getaddrinfo failed|CERTIFICATE_VERIFY_FAILED|SSLError|"
    r"Connection (?:refused|reset|broken|aborted)|IncompleteRead|ProtocolError|5\d\d Server Error"
)
NO_MATCH = re.compile(r"No matching distribution found for ([^\s(]+)")
NO_PERMISSION = re.compile(r"Permission denied|Access is denied|Read-only file system")
WHEEL = re.compile(
    r"^\s*(?:Downloading|Using cached|Processing) (?:\S*[/\\])?([\w.]+)-\d\S*\.whl(?: \(([^)]+)\))?$"
)
CHEAP_SIZE = re.compile(r"bytes|kB")
# PyTorch for the CPU has at most 250 MB. Older pips download it before they look at the nvidia packages.
CUDA_BUILD = re.compile(
    r"^Collecting nvidia-|^\s*Downloading \S*torch-\d\S*\.whl \((?:[4-9]\d\d\.\d MB|\S+ GB)\)"
)


class NotAvailableError(LauncherError):
    """There is no build of a package for this Python and system."""


@dataclass(frozen=True)
class Sources:
    """Where pip looks besides its own configuration.

    Args:
        wheels: folder of wheels for an installation without a network.
        torch_index: address of an additional index with other builds of PyTorch.
    """

    wheels: Path | None = None
    torch_index: str | None = None

    def pip_options(self) -> list[str]:
        """Return the options for pip install."""
        options = []
        if self.wheels:
            options += ["--no-index", "--find-links", str(self.wheels)]
        if self.torch_index:
            # Of equal versions pip prefers the one with a local label such as 2.13.0+cpu.
            options += ["--extra-index-url", self.torch_index]
        return options


def has_nvidia_gpu() -> bool:
    """Return True where an NVIDIA driver is installed."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that holds the folder."""
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int, way_out: str = "") -> None:
    """Raise LauncherError if the disk of the folder has less free space than needed (in bytes)."""
    free = free_bytes(folder)
    if free < needed:
        raise LauncherError(
            f"The disk is too full: {format_bytes(needed)} are needed, {format_bytes(free)} are free.",
            "Free some space, or move this folder to a larger disk, and run the same command again."
            + way_out,
        )


def condense(line: str) -> tuple[str, bool] | None:
    """Turn a line of pip into (step, whether it is a main one), or None where there is nothing to show."""
    if found := WHEEL.match(line):
        name, size = found.groups()
        return (f"{name} ({size})", not CHEAP_SIZE.search(size)) if size else (name, False)
    if line.startswith("Collecting "):
        return f"looking for {re.split(r'[=<>~!;( ]', line[11:])[0]}", False
    if line.startswith("Installing collected packages:"):
        count = line.count(",") + 1
        if count == 1:
            return "unpacking 1 package", True
        return f"unpacking {count} packages; this takes a minute or two", True
    return None


class PipRun:
    """One run of `pip install` in the environment.

    Args:
        python: the environment's Python.
        log: file that receives everything pip prints.
        lock_descriptor: the launcher's lock; pip inherits it, so that even a launcher that was killed
            does not let a second one in while its pip still writes.
    """

    def __init__(self, python: Path, log: Path, lock_descriptor: int) -> None:
        self.python = python
        self.log = log
        self.lock_descriptor = lock_descriptor
        self.progress = Progress()
        self.lines: list[str] = []
        self.warned = False

    def install(self, wanted: Sequence[str], sources: Sources) -> None:
        """Install packages; those that are there in the right version are left alone.

        Args:
            wanted: requirements, and options such as -r FILE, as pip takes them.
            sources: where to look.

        Raises:
            NotAvailableError: there is no build of one of them for this Python and system.
            LauncherError: pip failed in another way; says why in plain words.
        """
        self.lines = []
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        command += ["--progress-bar", "off", "--only-binary", ":all:", "--no-warn-script-location"]
        command += [*wanted, *sources.pip_options()]
        process = self._start(command)
        try:
            code = self._follow(process)
        finally:
            self.progress.clear()
            stop(process)
            # On a full disk the log cannot be written, and that is not what to report.
            with contextlib.suppress(OSError):
                self.log.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        if code != 0:
            raise explain(self.lines, sources, self.log)

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        # A user's or Slicer's own settings of these would install elsewhere or hide missing packages.
        hidden = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"}
        hidden |= {"PIP_DRY_RUN", "PIP_REQUIRE_HASHES"}
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        environment |= {"PIP_USER": "0", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
        inherited = () if sys.platform == "win32" else (self.lock_descriptor,)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=environment,
            pass_fds=inherited,
        )

    def _follow(self, process: subprocess.Popen[str]) -> int:
        arriving: queue.Queue[str | None] = queue.Queue()
        output = process.stdout
        if output is None:
            raise RuntimeError("pip was started without a pipe")
        threading.Thread(target=forward_lines, args=(output, arriving), daemon=True).start()
        while True:
            try:
                line = arriving.get(timeout=POLL_SECONDS)
            except queue.Empty:
                self.progress.tick()
                continue
            if line is None:
                return process.wait()
            self._take(line.rstrip())

    def _take(self, line: str) -> None:
        self.lines.append(line)
        if CUDA_BUILD.search(line) and not self.warned:
            self.warned = True
            self._announce_cuda()
        step = condense(line)
        if step:
            self.progress.show(*step)

    def _announce_cuda(self) -> None:
        self.progress.note("  The index offers PyTorch with CUDA: about 3 GB to download, 7 GB on disk.")
        if not has_nvidia_gpu():
            self.progress.note(
                "  This computer shows no NVIDIA GPU. For the small build (0.2 GB) press Ctrl-C and run:\n"
                "    python3 kprism.py setup --torch-index ADDRESS\n"
                "  with the address of the CPU index from the installation page of PyTorch."
            )
        require_space(self.log.parent, CUDA_DISK_BYTES)


def forward_lines(stream: IO[str], arriving: queue.Queue[str | None]) -> None:
    """Put every line of the stream on the queue, then None."""
    for line in stream:
        arriving.put(line)
    arriving.put(None)


def stop(process: subprocess.Popen[str]) -> None:
    """End a process that may still run; ask first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def explain(lines: list[str], sources: Sources, log: Path) -> LauncherError:
    """Turn the output of a pip that failed into an error with cause and remedy."""
    text = "\n".join(lines)
    if DISK_FULL.search(text):
        return LauncherError(
            "The disk became full during the installation.",
            f"Free some space on the disk of this folder and of {tempfile.gettempdir()} (pip unpacks there), "
            "then run the same command again; it continues where it stopped.",
        )
    if UNREACHABLE.search(text):
        return LauncherError(
            "The package registry is out of reach: no network, a proxy or a firewall.",
            "Check the network and pip's settings (python3 -m pip config list), "
            f"then run the same command again.\n{wheels_advice()}",
        )
    if found := NO_MATCH.search(text):
        source = "folder of wheels" if sources.wheels else "package index"
        # Not a single version: with retries switched off, pip says no more when a registry does not answer.
        doubt = ", or is out of reach" if "(from versions: none)" in text and not sources.wheels else ""
        return NotAvailableError(
            f"The {source} has no {found[1]} for {describe_platform()}{doubt}.",
            f"Use Python 3.10 to 3.14 on Linux, Windows or macOS 14 (Apple silicon).\n{wheels_advice()}",
        )
    if NO_PERMISSION.search(text):
        return LauncherError(
            "A file of the environment cannot be written.",
            "Close other programs that use K-Prism, check the permissions of this folder, and try again.",
        )
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["pip ended without a message"]
    return LauncherError(f"The installation failed: {errors[-1]}", f"The full output is in {log}.")


def wheels_advice(requirements: str = "requirements.txt") -> str:
    """Return how to install without a network."""
    research = requirements != "requirements.txt"
    others = "" if research else "  (requirements-research.txt for train, test and evaluate --workers),\n"
    return (
        "Without a network: on a connected computer with the same system and Python run\n"
        f"    python3 -m pip download --only-binary :all: -r Resources/{requirements} -d wheels\n"
        f"{others}"
        "  copy the folder here, and run\n"
        f"    python3 kprism.py setup {'--research ' if research else ''}--wheels wheels"
    )


def describe_platform() -> str:
    """Return the running Python and system, for example 'Python 3.12 on Linux x86_64'."""
    version = ".".join(platform.python_version_tuple()[:2])
    return f"Python {version} on {platform.system()} {platform.machine()}"
