"""Commands that need the window of the Slicer module: they run in a process of their own.

The core knows neither Slicer nor Qt; the process starts `Testing/SlicerHost`, which does.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from KPrismCore.errors import InputFileError, OutputFileError

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("slicer", "PySide6", "vtkmodules")


def has_window() -> bool:
    """Whether the packages of the window and its sources are here."""
    host = ROOT / "Testing" / "SlicerHost"
    return host.is_dir() and all(importlib.util.find_spec(name) is not None for name in NEEDED)


def has_display() -> bool:
    """Whether a window can be seen."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(shown) or sys.platform in ("win32", "darwin")


def run_window(module: str, *arguments: str) -> int:
    """Run main() of a module of `Testing/SlicerHost` and return the exit code.

    Raises:
        InputFileError: this Python has no packages for the window.
    """
    if not has_window():
        raise InputFileError(
            "The window needs the packages slicer-core and PySide6-Essentials, which this Python lacks.",
            "Use Python 3.10 to 3.13 on Linux or Windows (x86-64) or macOS (Apple silicon).",
        )
    places = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "KPrismSlicer"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    # not with -m: in __main__ the host would take its own files for the module's
    command = [sys.executable, "-c", f"from SlicerHost.{module} import main; main()", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def require_writable(folder: Path) -> None:
    """Make a folder for pictures.

    Raises:
        OutputFileError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputFileError(
            f"{folder} cannot be written to ({error.strerror or error}).", "Choose a folder you may write to."
        ) from error


def screenshots(
    out: Annotated[
        Path, typer.Option(help="Folder for the pictures.", show_default="Resources/Screenshots")
    ] = ROOT / "Resources" / "Screenshots",
) -> None:
    """Take the pictures of the README: every state of the panel, on the chest CT."""
    require_writable(out)
    raise typer.Exit(run_window("screenshots", str(out)))


def latency(
    clicks: Annotated[int, typer.Option(min=3, max=60, help="Number of clicks.")] = 20,
) -> None:
    """Measure the time from mouse release to the mask on screen, and the network's part of it."""
    raise typer.Exit(run_window("latency", str(clicks)))
