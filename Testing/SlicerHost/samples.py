"""Small volumes to look at and to click on, with every orientation that confuses axes."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from PySide6.QtGui import QImage

SHAPE = (12, 40, 50)  # KJI
MARK = (30, 12, 7)  # IJK of the middle voxel of the bright block
DARK, BRIGHT = 20, 200
SPACING = (0.8, 0.9, 3.0)  # mm along I, J, K
ORIGIN = (-11.0, 22.0, 33.0)  # RAS of voxel (0, 0, 0)
# axes I, J, K in RAS, as columns
DIRECTIONS = {
    "plain": np.eye(3),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "permuted": np.eye(3)[[2, 0, 1]],
    "mirrored": np.diag([-1.0, 1.0, 1.0]),
    "rotated": np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]),
}


def newVolume(directions="plain", name="CT"):
    """Return a dark volume node with a bright block of 7 x 7 x 3 voxels around MARK, shown as they are."""
    voxels = np.full(SHAPE, DARK, dtype=np.int16)
    i, j, k = MARK
    voxels[k - 1 : k + 2, j - 3 : j + 4, i - 3 : i + 4] = BRIGHT
    toRas = np.eye(4)
    toRas[:3, :3] = DIRECTIONS[directions] @ np.diag(SPACING)
    toRas[:3, 3] = ORIGIN
    volume = slicer.util.addVolumeFromArray(voxels, ijkToRAS=toRas, name=name)
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    return volume


def rasOf(volume, ijk):
    """Return the RAS position (3,) in mm of a voxel's middle, the node's transforms left out."""
    toRas = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(toRas)
    return np.array(toRas.MultiplyPoint([*map(float, ijk), 1.0])[:3])


def brightness(view, pixel):
    """Return how bright (0 to 255) a pixel (x, y up) of a slice view is."""
    picture = view.picture()
    return picture.pixelColor(pixel[0], picture.height() - 1 - pixel[1]).value()


def pixelsOf(picture):
    """Return a QImage's pixels as bytes, red, green and blue of each; other than its bits they outlive it."""
    converted = picture.convertToFormat(QImage.Format.Format_RGB888)
    return converted.constBits().tobytes()
