"""Installation without a network, from a folder that was filled on another computer:

* wheels of torch, safetensors and what they need (`pip download torch safetensors`),
* checkpoints (.safetensors), if there are any,
* SHA256SUMS with the checksum of every file: `sha256sum *`, or `PythonSlicer Checksums.py FOLDER`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from slicer.i18n import tr as _

from KPrismSlicerLib import Checksums
from KPrismSlicerLib.Paths import resourcePath
from KPrismSlicerLib.Problems import InstallationError

_KINDS = (".whl", ".safetensors")


def checkFolder(folder: Path, progress: Callable[[str], None], idle: Callable[[], None]) -> Path:
    """Compare every wheel and checkpoint with its checksum.

    Args:
        folder: what the user chose.
        progress: called with the name of each file.
        idle: called after each.

    Returns:
        The folder's absolute path.

    Raises:
        InstallationError: no wheels, no list, a file that is not on it, or a wrong sum.
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
    return folder


def copyCheckpoints(folder: Path, target: Path | None = None) -> list[Path]:
    """Copy the checkpoints of a folder that was checked to the models that the panel offers.

    Args:
        folder: from `checkFolder`.
        target: another place than Resources/Models.

    Returns:
        The new files; a checkpoint that is there already is left alone.

    Raises:
        InstallationError: another file has that name, or the place cannot be written.
    """
    place = target or resourcePath("Models")
    added = []
    for path in sorted(folder.glob("*.safetensors")):
        destination = place / path.name
        if destination.exists():
            _checkSame(path, destination)
            continue
        unfinished = destination.with_suffix(".part")
        try:
            shutil.copyfile(path, unfinished)
            os.replace(unfinished, destination)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise InstallationError(
                _("{name} cannot be copied: {error}.").format(name=path.name, error=error.strerror),
                _("Choose the file itself as checkpoint: 'From a file'."),
            ) from error
        added.append(destination)
    return added


def _checkSum(path: Path, expected: str | None) -> None:
    if expected is None:
        cause = _("{name} is not in SHA256SUMS.").format(name=path.name)
        raise InstallationError(cause, _("Make the list anew where the folder was filled."), "install")
    if Checksums.fileSum(path) != expected:
        cause = _("{name} is damaged: its checksum is another one.").format(name=path.name)
        raise InstallationError(cause, _("Copy it to the folder again."), "install")


def _checkSame(path: Path, destination: Path) -> None:
    if Checksums.fileSum(path) != Checksums.fileSum(destination):
        raise InstallationError(
            _("There is another checkpoint of the name {name}.").format(name=path.name),
            _("Rename the new one, and make SHA256SUMS anew."),
        )


def _listError(text: str, folder: Path) -> InstallationError:
    cause = _("{folder} has no usable list of checksums, SHA256SUMS: {error}.")
    return InstallationError(
        cause.format(folder=folder.name, error=text),
        _("Make it where the folder was filled, with 'sha256sum *' or with Checksums.py of this extension."),
        "install",
    )
