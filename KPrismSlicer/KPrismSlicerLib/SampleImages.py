"""The sample of the module Sample Data: a made-up CT of the upper abdomen that comes with the extension.

Nothing is downloaded: the file is beside the module. `phantom` is what it was made from.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from slicer.i18n import tr as _

from KPrismSlicerLib.Checksums import fileSum
from KPrismSlicerLib.Paths import resourcePath

CATEGORY = "K-Prism"
NAME = "KPrismPhantom"
FILE = "KPrismPhantom.nrrd"
SPACING = (3.0, 3.0, 6.0)
# Voxel IJK well inside the liver, on the middle slice.
LIVER_IJK = (40, 37, 16)
_SHAPE = (32, 96, 128)
# RAS in mm; the middle of the image is at the origin of the world.
_ORIGIN = (192.0, 144.0, -96.0)
# Ellipsoids: centre and half axes (k, j, i) in voxels, and the HU inside; later ones cover earlier ones.
_ORGANS = (
    ((16, 47, 64), (60, 38, 56), -90),  # fat under the skin
    ((16, 47, 64), (60, 34, 51), 45),  # muscle
    ((16, 48, 64), (60, 29, 45), -70),  # fat around the organs
    ((15, 43, 42), (14, 24, 22), 110),  # liver
    ((17, 51, 87), (11, 13, 10), 120),  # spleen
    ((14, 35, 50), (6, 7, 6), 10),  # gall bladder
    ((16, 65, 46), (9, 7, 6), 160),  # right kidney
    ((16, 65, 84), (9, 7, 6), 160),  # left kidney
    ((16, 62, 67), (60, 4, 4), 180),  # aorta
    ((16, 73, 64), (60, 8, 8), 350),  # vertebra
    ((16, 74, 64), (60, 5, 5), 220),  # its marrow
)


def phantom() -> NDArray[np.int16]:
    """A made-up CT in HU, KJI; i grows to the patient's left, j to the back, k upwards. Always the same."""
    k, j, i = np.ogrid[: _SHAPE[0], : _SHAPE[1], : _SHAPE[2]]
    image = np.full(_SHAPE, -1000.0)
    for centre, axes, value in _ORGANS:
        distance = sum(
            ((grid - middle) / axis) ** 2 for grid, middle, axis in zip((k, j, i), centre, axes, strict=True)
        )
        image[distance <= 1] = value
    noise = np.random.default_rng(1).normal(0, 6, _SHAPE)
    return np.round(np.where(image > -900, image + noise, image)).astype(np.int16)


def addPhantom() -> Any:
    """Add the sample to the scene, made in memory; gives the volume node."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", NAME)
    node.CreateDefaultDisplayNodes()
    slicer.util.updateVolumeFromArray(node, phantom())
    node.SetSpacing(SPACING)
    node.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    node.SetOrigin(_ORIGIN)
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevel(400, 40)
    return node


def registerSampleImages() -> None:
    """Tell the module Sample Data of the sample; nothing where that module or the file is missing."""
    path = resourcePath("Samples", FILE)
    try:
        from SampleData import SampleDataLogic
    except ImportError:
        return
    if not path.is_file():
        return
    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=NAME,
        uris=path.as_uri(),
        fileNames=FILE,
        nodeNames=_("K-Prism phantom"),
        checksums=f"SHA256:{fileSum(path)}",
        thumbnailFileName=str(resourcePath("Icons", f"{NAME}.png")),
    )
