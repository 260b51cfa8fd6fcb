"""The environment that was there, kept beside a new one until that is complete."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from types import TracebackType

from KPrismCore.launcher.console import LauncherError, say


class Aside:
    """Context manager around an installation: what `put` has moved away is removed at its end, or comes back.

    The new environment is made under its own name and the old one moved, since scripts of an environment
    name its folder.

    Args:
        folder: of the environment.
        log: name of the file in it that an installation which failed is explained by.
    """

    def __init__(self, folder: Path, log: str) -> None:
        self.folder, self.log = folder, log
        self.place = folder.with_name(f"{folder.name}.old")

    def __enter__(self) -> Aside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_there():
            return
        # what cannot be removed or moved now stays beside it for `recover`
        with contextlib.suppress(OSError):
            if kind is None:
                self._drop()
            else:
                self._bring_back()
                say("The environment that was there before is kept.")

    def is_there(self) -> bool:
        """Whether anything is kept."""
        return os.path.lexists(self.place)

    def put(self, keep: bool) -> None:
        """Move away whatever has the environment's name.

        Args:
            keep: until the installation has ended well; else it is removed at once.

        Raises:
            LauncherError: it is a link, or cannot be moved.
        """
        if self.folder.is_symlink():
            raise LauncherError(
                "The folder .venv is a link, and what it leads to has to be made anew.",
                "Delete the link, or empty the folder that it leads to, and try again.",
            )
        try:
            if self.folder.is_file():
                self.folder.unlink()
                return
            os.replace(self.folder, self.place)
            if not keep:
                self._drop()
        except OSError as error:
            raise LauncherError(
                f"The old environment cannot be moved away ({error.strerror or error}).",
                "Close all programs that use it, or delete the folder .venv yourself, and try again.",
            ) from error

    def recover(self, complete: bool) -> None:
        """End what a launcher that was killed has left: remove the old environment, or bring it back.

        Args:
            complete: whether the new one is.

        Raises:
            LauncherError: a file is in use.
        """
        try:
            if self.is_there():
                self._drop() if complete else self._bring_back()
        except OSError as error:
            raise LauncherError(
                f"The old environment in {self.place.name} is in the way ({error.strerror or error}).",
                f"Close all programs that use it, or delete the folder {self.place.name}, and try again.",
            ) from error

    def _drop(self) -> None:
        shutil.rmtree(self.place)

    def _bring_back(self) -> None:
        if self.folder.exists():
            with contextlib.suppress(OSError):
                os.replace(self.folder / self.log, self.place / self.log)
            shutil.rmtree(self.folder)
        os.replace(self.place, self.folder)
