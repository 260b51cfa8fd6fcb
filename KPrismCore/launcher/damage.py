"""Packages of the environment that lack files: unpacking was interrupted, or files were deleted since."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

# what Python itself puts there, which pip would not put back
KEPT = ("pip-", "setuptools-")
MADE_BY_PYTHON = ".pyc"


def damaged_packages(folder: Path) -> list[Path]:
    """Return the .dist-info folders of packages in an environment that are not whole.

    pip writes the file INSTALLER after all files of a package, and RECORD lists these with their sizes. A
    file is taken for lost where it is missing, or empty and was not. To look at all takes about a second.
    """
    found = folder.glob("**/site-packages/*.dist-info")
    return sorted(each for each in found if not each.name.startswith(KEPT) and _is_damaged(each))


def forget(information: list[Path]) -> None:
    """Make pip unpack these packages again: it goes by their .dist-info folders alone."""
    for folder in information:
        shutil.rmtree(folder)


def _is_damaged(information: Path) -> bool:
    try:
        rows = (information / "RECORD").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return True
    listed = [row for row in csv.reader(rows) if len(row) == 3 and not row[0].endswith(MADE_BY_PYTHON)]
    whole = (information / "INSTALLER").exists() and all(
        _is_whole(information.parent / name, size) for name, _, size in listed
    )
    return not whole


def _is_whole(path: Path, size: str) -> bool:
    try:
        return path.stat().st_size > 0 or size in ("", "0")
    except OSError:
        return False
