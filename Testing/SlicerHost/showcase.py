"""The acts of the demo in the panel: run by `kprism.py demo`.

Without a display the window's picture is written; with one the window then stays open for the user.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from SlicerHost import dialogs
from SlicerHost.boot import boot
from SlicerHost.reader import Reader
from SlicerHost.screenshots import SPINE, byClass, byClicks, byReferences

NAME = "demo-window.png"


def main():
    """Do the acts; arguments are the folder and, to keep the window open, --stay."""
    host = boot()
    reader = Reader(host)
    reader.openChestCt()
    reader.loadModel()
    for text, act in (
        ("the class, from its name", byClass),
        ("the spine, from five examples", byReferences),
        ("the same, corrected by clicks", byClicks),
    ):
        act(reader)
        print(f"  {text}: {reader.ui.resultText.text()}", flush=True)
    reader.screenshot(Path(sys.argv[1]) / NAME)
    print(f"  {NAME:<34}the window after these acts: {marked(reader)} voxels of the spine on the slice")
    if "--stay" in sys.argv[2:]:
        stay(host, reader)
    else:
        reader.close()


def marked(reader):
    """How many voxels of the current segment are also the sample's spine."""
    voxels = reader.logic.session.segments[reader.logic.segmentId].voxels
    return int(np.count_nonzero(voxels & reader.truth(*SPINE)))


def stay(host, reader):
    """Leave the window to the user until it is closed."""
    dialogs.setInteractive(True)
    print("  The window is yours; the demo ends when you close it.", flush=True)
    reader.window.closed.connect(host.app.quit)
    host.app.exec()
