"""K-Prism from the command line: python3 kprism.py COMMAND.

The first start makes an environment in the folder .venv beside this file; KPrismCore.launcher does the work.
This file keeps to syntax that Python 2.7 can read, so that an old Python meets a message, not a SyntaxError.
"""

import os
import sys

if sys.version_info < (3, 10):
    sys.stderr.write(
        "K-Prism needs Python 3.10 or newer; this is Python %d.%d.\n" % sys.version_info[:2]
        + "Install a newer Python and name it in the command, for example: python3.12 kprism.py\n"
    )
    sys.exit(2)

if __name__ == "__main__":
    # PYTHONSAFEPATH keeps this folder out.
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    try:
        from KPrismCore.launcher.main import main

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        sys.exit(130)
