"""The lists of files in the CMake files, read, compared with the tree, and written anew:

python3 Testing/package_lists.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PASSING = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
_UNINSTALLED_RESOURCES = ("Resources/Screenshots/", "Resources/requirements")


@dataclass(frozen=True)
class FileList:
    """One `set(VARIABLE ...)`: where it is, and the folder whose files it lists.

    Args:
        cmake: the file with the list.
        variable: the list.
        folder: whose files belong on it.
        base: what the names are relative to.
        endings: of the files that belong on it; none for all.
        without: beginnings of paths (from the top folder) that do not.
    """

    cmake: str
    variable: str
    folder: str
    base: str
    endings: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def wanted(self) -> list[str]:
        """What the tree has."""
        found = []
        for path in (ROOT / self.folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            passing = (
                _PASSING & set(path.parts) or path.name.startswith(".") or path.suffix in (".pyc", ".part")
            )
            if passing or not path.is_file() or path.name in ("CMakeLists.txt", "files.cmake"):
                continue
            if self.endings and path.suffix not in self.endings:
                continue
            if not name.startswith(self.without):
                found.append(path.relative_to(ROOT / self.base).as_posix())
        return sorted(found)

    def listed(self) -> list[str]:
        """What the list has, in its order."""
        return self._pattern().search(self._text())[2].split()

    def write(self) -> None:
        """Make the list what the tree has."""
        lines = "".join(f"  {name}\n" for name in self.wanted())
        text = self._pattern().sub(lambda found: found[1] + lines + found[3], self._text())
        (ROOT / self.cmake).write_text(text, encoding="utf-8", newline="\n")

    def _text(self) -> str:
        return (ROOT / self.cmake).read_text(encoding="utf-8")

    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(set\({self.variable}\n)([^)]*?)(  \))")


LISTS = (
    FileList("KPrismCore/files.cmake", "KPRISM_CORE_SCRIPTS", "KPrismCore", "."),
    FileList("Resources/files.cmake", "KPRISM_RESOURCES", "Resources", ".", without=_UNINSTALLED_RESOURCES),
    FileList("KPrismSlicer/CMakeLists.txt", "MODULE_PYTHON_SCRIPTS", "KPrismSlicer", "KPrismSlicer"),
    FileList("Testing/CMakeLists.txt", "KPRISM_TESTING_FILES", "Testing", "Testing"),
)

if __name__ == "__main__":
    for each in LISTS:
        each.write()
        print(f"{each.cmake}: {len(each.listed())} files")
