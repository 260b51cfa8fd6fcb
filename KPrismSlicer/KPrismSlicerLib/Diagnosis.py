"""The text that a user can copy into a report: computer, packages, last error; nothing from the scene."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Any

from KPrismSlicerLib import Checks
from KPrismSlicerLib.Problems import InstallationError
from KPrismSlicerLib.System import System

_PACKAGES = ("torch", "safetensors", "torchvision", "light-the-torch", "numpy", "SimpleITK", "pip")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PIP_PROXY", "PIP_INDEX_URL")


def describe(system: System, verified: dict[str, Any], error: InstallationError | None) -> str:
    """Lines "name: value", in English for who reads the report.

    Args:
        system: the application.
        verified: what the last successful verification found.
        error: the last error of this session.
    """
    lines = [f"{name}: {value}" for name, value in system.versions().items()]
    lines += [f"System: {platform.platform()}", f"Python: {platform.python_version()}"]
    lines += _packages() + _place()
    driver = Checks.findDriver()
    gpu = f"{driver.gpu}, {driver.memory}, driver {driver.version}" if driver else "none found"
    lines.append(f"NVIDIA GPU: {gpu}")
    lines.append(f"PyTorch extension: {'loaded' if system.torchInstaller() else 'not loaded'}")
    # Whether there is one; its address may hold a password.
    lines.append(f"Proxy or index set: {'yes' if any(map(os.environ.get, _PROXIES)) else 'no'}")
    known = ", ".join(f"{name} {value}" for name, value in verified.items() if value not in ("", None))
    lines.append(f"Verified: {known or 'never'}")
    if error is not None:
        lines += [f"Last error: {error.cause}", error.details]
    return _withoutUser("\n".join(line for line in lines if line))


def _packages() -> list[str]:
    lines = []
    for name in _PACKAGES:
        package = Checks.findPackage(name)
        state = package.version or "absent"
        lines.append(f"{name}: {state}{' (incomplete)' if package.broken else ''}")
    return lines


def _place() -> list[str]:
    folder = Checks.packagesFolder()
    writable = "yes" if os.access(folder, os.W_OK) else "no"
    free = Checks.gigabytes(shutil.disk_usage(folder).free)
    return [
        f"Packages: {folder} ({len(str(folder))} characters, writable: {writable}, free: {free})",
        f"Long paths: {'yes' if Checks.longPathsEnabled() else 'no'}",
    ]


def _withoutUser(text: str) -> str:
    """Put ~ for the home folder: its name is a person's."""
    home = Path.home()
    # the packages may be named by the place that a linked home folder leads to
    for path in {str(home), str(home.resolve())} - {"", home.anchor}:
        text = text.replace(path, "~")
    return text
