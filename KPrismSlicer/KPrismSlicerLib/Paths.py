"""Where KPrismCore and Resources lie.

In the source tree they are beside the folder of the module script. Installed, Slicer's macros put the script,
KPrismSlicerLib, KPrismCore and Resources into one folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

_MODULE_FOLDER = Path(__file__).resolve().parents[1]


def rootFolder() -> Path:
    """The folder that holds KPrismCore and Resources.

    Raises:
        ImportError: the extension is incomplete.
    """
    for folder in (_MODULE_FOLDER, _MODULE_FOLDER.parent):
        if (folder / "KPrismCore" / "__init__.py").is_file():
            return folder
    message = f"KPrismCore is neither in {_MODULE_FOLDER} nor beside it: install the extension again."
    raise ImportError(message)


def ensureCoreOnPath() -> None:
    """Make `import KPrismCore` work; calling it again changes nothing.

    Raises:
        ImportError: the extension is incomplete.
    """
    folder = str(rootFolder())
    if folder not in sys.path:
        sys.path.append(folder)


def resourcePath(*parts: str) -> Path:
    """The path of a file or folder in Resources, for example `resourcePath("UI", "KPrismSlicer.ui")`.

    Whether it exists is not checked.
    """
    return rootFolder().joinpath("Resources", *parts)
