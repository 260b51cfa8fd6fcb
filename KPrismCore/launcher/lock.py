"""A lock held by one launcher at a time while it changes the environment."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path
from types import TracebackType

from KPrismCore.launcher.console import LauncherError, say

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

POLL_SECONDS = 0.3
NOT_SUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


class FolderLock:
    """Context manager around an operating-system lock on a file: a launcher that dies releases it.

    Entering waits until no other launcher holds the lock. File systems without locks are used unlocked.

    Raises:
        LauncherError: the lock file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1

    def __enter__(self) -> FolderLock:
        try:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LauncherError(
                f"The folder of kprism.py cannot be written to ({error.strerror}).",
                "To install, copy the whole folder to a place of your own, or change its permissions.",
            ) from error
        waiting = False
        while not self._try_lock():
            if not waiting:
                say("Another launcher is installing here; waiting for it to finish (Ctrl-C to stop).")
            waiting = True
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def _try_lock(self) -> bool:
        try:
            if sys.platform == "win32":
                msvcrt.locking(self.descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in BUSY:
                return False
            if error.errno not in NOT_SUPPORTED:
                raise
        return True
