"""Run `python -m KPrismCore` so that Ctrl-C ends it with code 130 and no traceback, even while it is loading.

Started by the launcher as a script, with the Python of the environment.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> int:
    """Run KPrismCore with the arguments of this process; return its exit code."""
    # The script's own folder stands first in the path; its modules must not hide others.
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    try:
        runpy.run_module("KPrismCore", run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
