"""Time from mouse release to the mask on screen, and the network's part of it. Run by `kprism.py latency`."""

from __future__ import annotations

import sys
import time

import numpy as np
import slicer
from KPrismSlicerLib import Events

from SlicerHost.boot import boot
from SlicerHost.reader import Reader

SHAPE = (300, 512, 512)  # KJI
WARM_UP = 2
SEED = 1
APART = 25  # voxels
PAUSE = 0.001  # seconds


def main():
    """Click in the red view of a 512 x 512 x 300 volume and print the times in ms."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rows = measure(count)
    names = ("release to screen", "network", "the rest")
    print(f"{count} clicks, {SHAPE[2]} x {SHAPE[1]} x {SHAPE[0]} voxels, ms: median (smallest to largest)")
    for name, values in zip(names, np.array(rows).T, strict=True):
        print(f"  {name:<18}{np.median(values):6.0f} ({values.min():.0f} to {values.max():.0f})")


def measure(count):
    """Return for each click (total, network, rest) in ms."""
    reader = Reader(boot())
    addLargeVolume(reader)
    reader.loadModel()
    rows, places = [], clickPlaces(count + WARM_UP)
    clock = NetworkClock(reader.logic)
    reader.take(True)
    for number, place in enumerate(places):
        row = oneClick(reader, clock, reader.rasOf(place))
        if number >= WARM_UP:
            rows.append(row)
    reader.close()
    return rows


def clickPlaces(count):
    """Voxels IJK on the middle slice, so far apart that none is clicked on another's marker."""
    grid = [(i, j, SHAPE[0] // 2) for i in range(160, 360, APART) for j in range(160, 360, APART)]
    order = np.random.default_rng(SEED).permutation(len(grid))
    return [grid[number] for number in order[:count]]


def oneClick(reader, clock, ras):
    """Click, and wait until the view has drawn the answer."""
    view, mouse = reader.window.layoutManager().sliceWidget("Red").sliceView(), reader.mouse
    pixel = mouse.pixel("Red", ras)
    mouse.press("Red", pixel)
    clock.start()
    began = time.perf_counter()
    mouse.release("Red", pixel)
    # as an event loop does, the main thread leaves the processor to the network while nothing happens
    while not clock.done:
        reader.host.app.processEvents()
        time.sleep(PAUSE)
    reader.host.app.processEvents()
    if view.isRenderPending():
        view.forceRender()
    total = 1000 * (time.perf_counter() - began)
    reader.wait()
    return total, clock.milliseconds, total - clock.milliseconds


class NetworkClock:
    """Knows when an act is done, and how long encoder and decoder took in it."""

    def __init__(self, logic):
        self.done, self.milliseconds, self._running = False, 0.0, False
        logic.addListener(self._heard)
        predictor = logic.session.engine.predictor
        for name in ("encode", "predict"):
            setattr(predictor, name, self._timed(getattr(predictor, name)))

    def start(self):
        """Begin a new act."""
        self.done, self.milliseconds = False, 0.0

    def _timed(self, function):
        def run(*arguments, **options):
            # a prediction encodes the part of the image it looks at: that time is its own already
            if self._running:
                return function(*arguments, **options)
            self._running, began = True, time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.milliseconds += 1000 * (time.perf_counter() - began)
                self._running = False

        return run

    def _heard(self, event):
        self.done = self.done or isinstance(event, (Events.ActDone, Events.ActFailed))


def addLargeVolume(reader):
    """A large volume with a bright ball, shown in all views."""
    k, j, i = (np.arange(length, dtype=np.float32) - length / 2 for length in SHAPE)
    inside = (i**2)[None, None] + (j**2)[None, :, None] + (2 * k**2)[:, None, None] < 90**2
    voxels = np.where(inside, np.int16(300), np.int16(-200))
    volume = slicer.util.addVolumeFromArray(voxels, ijkToRAS=np.diag([0.7, 0.7, 1.0, 1.0]), name="large")
    volume.CreateDefaultDisplayNodes()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    reader.ui.volumeSelector.setCurrentNode(volume)
    reader.settle()
    for name in ("Red", "Yellow", "Green"):
        node = reader.window.layoutManager().sliceWidget(name).mrmlSliceNode()
        node.JumpSliceByCentering(0.7 * 256, 0.7 * 256, 150.0)
    reader.settle()
