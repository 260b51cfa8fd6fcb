"""Keeps PySide6 from destroying None, True and False on Python 3.10 and 3.11.

PySide6 6.12 returns these without counting the reference. That is right since Python 3.12, where they are
immortal; before, the count goes down by one with every such call, and after some thousands the interpreter
aborts with "deallocating None" or "deallocating True or False". A count that nobody can use up prevents it.
"""

from __future__ import annotations

import ctypes
import sys

ENOUGH = 1 << 40  # references
SINGLETONS = (None, True, False, NotImplemented, Ellipsis)


def makeNoneImmortal():
    """Raise the reference counts of Python's constants beyond reach where they are counted; repeatable."""
    for constant in SINGLETONS:
        if sys.version_info < (3, 12) and sys.getrefcount(constant) < ENOUGH:
            # The count is the first field of an object (CPython without Py_TRACE_REFS).
            ctypes.c_ssize_t.from_address(id(constant)).value += ENOUGH
