"""Installation without a network, from a folder that was filled on another computer:

* wheels of torch, safetensors and what they need (`pip download torch safetensors`),
* checkpoints (.safetensors), if there are any,
* SHA256SUMS with the checksum of every file: `sha256sum *`, or `PythonSlicer Checksums.py FOLDER`.

pip does not see the folder itself, in which it would follow pages and take files that came after the check.
It sees a list of the files that were checked, and compares their checksums once more as it unpacks them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from KPrismSlicerLib import Checksums
from KPrismSlicerLib.Paths import resourcePath
from KPrismSlicerLib.Problems import InstallationError

_KINDS = (".whl", ".safetensors")


@dataclass(frozen=True)
class CheckedFolder:
    """A folder whose files were compared with their checksums. sums: by the name of the file."""

    path: Path
    sums: dict[str, str]

    def writePage(self, place: Path) -> Path:
        """Write the list of the wheels for pip, as a page of links with checksums; returns it."""
        wheels = sorted(name for name in self.sums if name.endswith(".whl"))
        links = [f"{(self.path / name).as_uri()}#sha256={self.sums[name]}" for name in wheels]
        lines = ["<!DOCTYPE html>", "<html><body>", *(f'<a href="{link}">wheel</a>' for link in links)]
        page = place / "wheels.html"
        page.write_text("\n".join([*lines, "</body></html>"]) + "\n", encoding="ascii")
        return page

    def hide(self, text: str) -> str:
        """A text without the path of the folder, which may tell more than a report should."""
        for path in (self.path.as_uri(), str(self.path), self.path.as_posix()):
            text = text.replace(path, "FOLDER")
        return text


def checkFolder(folder: Path, progress: Callable[[str], None], idle: Callable[[], None]) -> CheckedFolder:
    """Compare every wheel and checkpoint with its checksum.

    Args:
        folder: what the user chose.
        progress: called with the name of each file.
        idle: called after each.

    Returns:
        The folder, with the sums of these files.

    Raises:
        InstallationError: no wheels, no list, a file that is not on it or cannot be read, or a wrong sum.
    """
    folder = folder.absolute()
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _KINDS)
        sums = Checksums.readSums(folder)
    except OSError as error:
        raise _listError(error.strerror or str(error), folder) from error
    except ValueError as error:
        raise _listError(str(error), folder) from error
    if not any(path.name.startswith("torch-") and path.suffix == ".whl" for path in files):
        raise InstallationError(
            _("There is no wheel of PyTorch (torch-....whl) in {folder}.").format(folder=folder.name),
            _("Choose the folder that the wheels were downloaded to."),
            "install",
        )
    for path in files:
        progress(_("Checking {name} ...").format(name=path.name))
        idle()
        _checkSum(path, sums.get(path.name))
    return CheckedFolder(folder, {path.name: sums[path.name] for path in files})


def copyCheckpoints(folder: CheckedFolder, target: Path | None = None) -> list[Path]:
    """Copy the checkpoints of a folder that was checked to the models that the panel offers.

    Args:
        folder: from `checkFolder`. What was put there since is not copied, and each copy is compared again.
        target: another place than Resources/Models.

    Returns:
        The new files; a checkpoint that is there already is left alone.

    Raises:
        InstallationError: another file has that name or changed since, or the place cannot be written.
    """
    place = target or resourcePath("Models")
    names = sorted(name for name in folder.sums if name.endswith(".safetensors"))
    copied = (_copyCheckpoint(folder.path / name, place / name, folder.sums[name]) for name in names)
    return [path for path in copied if path]


def _copyCheckpoint(path: Path, destination: Path, expected: str) -> Path | None:
    """Copy one checkpoint; None where it is there already."""
    if destination.exists():
        _checkSame(destination, expected)
        return None
    unfinished = destination.with_suffix(".part")
    try:
        shutil.copyfile(path, unfinished)
        _checkSum(unfinished, expected, path.name)
        os.replace(unfinished, destination)
    except OSError as error:
        raise InstallationError(
            _("{name} cannot be copied: {error}.").format(name=path.name, error=error.strerror),
            _("Choose the file itself as checkpoint: 'From a file'."),
        ) from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
    return destination


def _checkSum(path: Path, expected: str | None, name: str = "") -> None:
    name = name or path.name
    if expected is None:
        cause = _("{name} is not in SHA256SUMS.").format(name=name)
        raise InstallationError(cause, _("Make the list anew where the folder was filled."), "install")
    try:
        found = Checksums.fileSum(path)
    except OSError as error:
        cause = _("{name} cannot be read: {error}.").format(name=name, error=error.strerror or error)
        raise InstallationError(cause, _("Copy it to the folder again."), "install") from error
    if found != expected:
        cause = _("{name} is damaged: its checksum is another one.").format(name=name)
        raise InstallationError(cause, _("Copy it to the folder again."), "install")


def _checkSame(destination: Path, expected: str) -> None:
    if Checksums.fileSum(destination) != expected:
        raise InstallationError(
            _("There is another checkpoint of the name {name}.").format(name=destination.name),
            _("Rename the new one, and make SHA256SUMS anew."),
        )


def _listError(text: str, folder: Path) -> InstallationError:
    cause = _("{folder} has no usable list of checksums, SHA256SUMS: {error}.")
    return InstallationError(
        cause.format(folder=folder.name, error=text),
        _("Make it where the folder was filled, with 'sha256sum *' or with Checksums.py of this extension."),
        "install",
    )
