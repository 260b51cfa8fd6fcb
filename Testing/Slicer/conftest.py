"""Fixtures of the module's tests, and the module's folders on sys.path as the source tree has them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "KPrismSlicer"), str(ROOT)]

if importlib.util.find_spec("slicer") is None:
    # this Python has no wheels of slicer-core
    collect_ignore_glob = ["*"]
else:
    from SlicerHost.boot import boot

    # the module's files import slicer.i18n and qt when the tests are collected
    boot()
    from SlicerHost.fixtures import *  # noqa: F403
