"""Files that are either complete or not there: write beside the target, then replace it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        # named before it is made: an interruption in between leaves nothing
        temporary = path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}{''.join(path.suffixes[-2:])}")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise OutputFileError(
            f"{path} cannot be written ({error.strerror or error}).",
            "Choose a folder you may write to, with free space.",
        ) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
