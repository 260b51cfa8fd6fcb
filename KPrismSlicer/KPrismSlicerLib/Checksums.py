"""SHA-256 sums of the files of a folder, in the file SHA256SUMS as sha256sum writes it.

Run as a script by who prepares a folder for a computer without a network:
    PythonSlicer Checksums.py FOLDER
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

NAME = "SHA256SUMS"
_CHUNK = 1 << 22


def fileSum(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def readSums(folder: Path) -> dict[str, str]:
    """File names and their sums.

    Raises:
        OSError: there is no readable list.
        ValueError: a line is not a sum and a name of a file in this folder.
    """
    sums = {}
    for line in (folder / NAME).read_text(encoding="utf-8-sig").splitlines():
        if not line.strip():
            continue
        value, _, name = line.strip().partition(" ")
        # sha256sum marks files read in binary mode by an asterisk
        name = name.strip().removeprefix("*")
        if len(value) != 64 or set(value.lower()) - set("0123456789abcdef") or Path(name).name != name:
            raise ValueError(line)
        sums[name] = value.lower()
    return sums


def writeSums(folder: Path) -> Path:
    """Write the list for all files of a folder; returns it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != NAME)
    lines = [f"{fileSum(path)}  {path.name}\n" for path in files]
    target = folder / NAME
    target.write_text("".join(lines), encoding="utf-8", newline="\n")
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    print(writeSums(Path(sys.argv[1])))
