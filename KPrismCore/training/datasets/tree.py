"""The files below a folder, listed once for all layouts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# layouts with more levels than this do not occur
MAX_DEPTH = 8


@dataclass(frozen=True)
class Tree:
    """A folder and the files below it.

    Args:
        folder: the top.
        files: paths below it with /, sorted.
    """

    folder: Path
    files: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> Tree:
        """List a folder; links are followed, hidden files and folders are passed over."""
        found, seen = [], set()
        for place, folders, names in os.walk(folder, followlinks=True):
            below, real = Path(place).relative_to(folder), os.path.realpath(place)
            # a link to a folder above would be followed for ever
            fresh = real not in seen and len(below.parts) < MAX_DEPTH
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith(".")) if fresh else []
            found += [(below / name).as_posix() for name in names if not name.startswith(".")]
        return cls(folder, tuple(sorted(found)))

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @cached_property
    def here(self) -> tuple[str, ...]:
        """Names of the files directly in the folder."""
        return tuple(name for name in self.files if "/" not in name)

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders directly in it that hold any file, sorted as names (and not as paths)."""
        return tuple(sorted({name.split("/", 1)[0] for name in self.files if "/" in name}))

    @cached_property
    def file_set(self) -> frozenset[str]:
        """All files, for looking one up."""
        return frozenset(self.files)

    def siblings(self, name: str) -> tuple[str, ...]:
        """The files in the folder of a file."""
        return self._by_folder.get(name.rpartition("/")[0], ())

    @cached_property
    def _by_folder(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for file in self.files:
            found.setdefault(file.rpartition("/")[0], []).append(file)
        return {folder: tuple(names) for folder, names in found.items()}

    def below(self, name: str) -> Tree:
        """The part of the tree in one of its folders."""
        start = f"{name}/"
        inside = tuple(file[len(start) :] for file in self.files if file.startswith(start))
        return Tree(self.folder / name, inside)

    def path(self, name: str) -> Path:
        """The whole path of a file."""
        return self.folder / name
