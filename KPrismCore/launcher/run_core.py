"""Run `python -m KPrismCore` so that Ctrl-C, even while it is loading, ends it with code 130, and a damaged
package with a sentence; neither with a traceback.

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
    from KPrismCore.launcher.console import print_any_text

    print_any_text()
    try:
        runpy.run_module("KPrismCore", run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130
    except ImportError as error:
        if (error.name or "").startswith("KPrismCore"):
            raise
        sys.stderr.write(
            f"\nA package in .venv is missing or damaged: {error}.\n"
            "Run 'python3 kprism.py setup', which unpacks it again.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
