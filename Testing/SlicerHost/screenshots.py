"""The pictures of the README: each state of the panel on the chest CT. Run by `kprism.py screenshots`.

python -m SlicerHost.screenshots FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from SlicerHost.boot import boot
from SlicerHost.palette import usePalette
from SlicerHost.reader import Reader

LUNGS, SPINE = ("right lung", "left lung"), ("thoracic vertebral column", "lumbar vertebral column")
PLACE = (60, 60, 17)  # IJK: both lungs and the spine
CLICKS = 4
SEED = 3


def takePictures(folder):
    """Do the acts of a session and write a picture of each state; return the paths."""
    host, made = boot(), []
    reader = Reader(host)

    def picture(name):
        made.append(reader.screenshot(Path(folder) / f"{name}.png"))

    reader.openChestCt()
    picture("1-case")
    reader.loadModel()
    reader.openClasses("lu")
    picture("2-classes")
    reader.closeClasses()
    byClass(reader)
    picture("3-class")
    byReferences(reader)
    picture("4-references")
    byClicks(reader)
    picture("5-clicks")
    oblique(reader)
    picture("6-oblique")
    wholeVolume(reader, lambda: picture("7-running"))
    picture("8-volume")
    reader.press(reader.ui.exportButton)
    reader.reveal(reader.ui.writeButton)
    picture("9-export")
    reader.close()
    made.append(inTheDark(host, Path(folder) / "10-dark.png"))
    return made


def inTheDark(host, path):
    """Write a picture of the panel in dark colours; return the path."""
    reader = Reader(host, dark=True)
    reader.openChestCt()
    reader.loadModel()
    byClass(reader)
    made = reader.screenshot(path)
    reader.close()
    usePalette(False)
    return made


def byClass(reader):
    """Lungs by their name, on one slice."""
    reader.chooseClass("lungs")
    reader.show(PLACE)
    reader.chooseView("Red")
    reader.segment()


def byReferences(reader):
    """The spine from examples dragged from the Data tree."""
    reader.press(reader.ui.newSegmentButton)
    reader.wait()
    reader.drop(reader.itemOf(reader.example, reader.exampleId(SPINE[0])))
    reader.segment()


def byClicks(reader):
    """The slice of the spine corrected by clicks."""
    rng, truth = np.random.default_rng(SEED), reader.truth(*SPINE)
    for _number in range(CLICKS):
        if not reader.correct("Red", truth, rng):
            break


def oblique(reader):
    """A click in a tilted view."""
    reader.tilt("Green", 25.0)
    reader.correct("Green", reader.truth(*SPINE), np.random.default_rng(SEED))


def wholeVolume(reader, during):
    """The lungs on all slices; `during` is called while it runs."""
    reader.chooseSegment("lungs")
    reader.chooseView("Red")
    reader.press(reader.ui.volumeRadio)
    reader.press(reader.ui.runButton)
    reader.host.waitUntil(lambda: reader.ui.rangeProgress.value() > 4 or not reader.logic.busy, 60.0)
    during()
    reader.wait()


def main():
    """Write all pictures into the folder that the command line names."""
    for path in takePictures(sys.argv[1]):
        print(path)
