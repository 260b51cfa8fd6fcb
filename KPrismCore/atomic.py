"""Files that are either complete or not there: write beside the target, then replace it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from KPrismCore.errors import OutputFileError

# how the names of files begin that are being written, or were when a process was killed
UNFINISHED = ".writing-"


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the target's folder, with the target's suffixes, and move it over the target.

    The target keeps its old content until the block has ended without an exception; on any
    exception, KeyboardInterrupt included, the temporary file is removed.

    Raises:
        OutputFileError: the folder cannot be made or written to, or the disk is full.
    """
    path = Path(target)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=UNFINISHED, suffix="".join(path.suffixes[-2:]), dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        # mkstemp makes files that only the owner can read; a result is an ordinary file
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise OutputFileError(
            f"{path} cannot be written ({error.strerror or error}).",
            "Choose a folder you may write to, with free space.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
