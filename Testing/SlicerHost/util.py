"""slicer.util is Slicer's own, from slicer-core; this repairs what packaging and no window change."""

from __future__ import annotations

import slicer
import slicer.util

# slicer-core's __init__ leaves the variables of its own loop.
LEFTOVERS = (
    "extend_path",
    "import_module",
    "info",
    "item_name",
    "iter_modules",
    "me",
    "module",
    "slicer_core",
    "sys",
)


def completeUtil():
    """Remove from `slicer` what only slicer.util has, and show messages although there is no main window."""
    for name in vars(slicer.util):
        if (
            name in vars(slicer)
            and vars(slicer)[name] is vars(slicer.util)[name]
            and not name.startswith("__")
        ):
            delattr(slicer, name)
    for name in LEFTOVERS:
        if hasattr(slicer, name):
            delattr(slicer, name)
    slicer.util._messageDisplay = alwaysShown(slicer.util._messageDisplay)


def alwaysShown(display):
    """Wrap slicer.util._messageDisplay: without a window Slicer only logs, and tests would miss it."""

    def shown(logLevel, text, testingReturnValue, mainWindowNeeded=False, **kwargs):
        return display(logLevel, text, testingReturnValue, mainWindowNeeded=False, **kwargs)

    return shown
