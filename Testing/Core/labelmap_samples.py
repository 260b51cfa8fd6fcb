"""Grids, segments and readers for the tests of segmentation files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicerio

from KPrismCore.geometry import VolumeGeometry
from KPrismCore.labelmaps import (
    LABELMAP_ENDINGS,
)
from KPrismCore.terminology import Code, Terminology

SIZE = (7, 6, 5)
ALL_ENDINGS = (".seg.nrrd", *LABELMAP_ENDINGS)
LIVER_ENTRY = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^"
)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    matrix = np.eye(3)
    for axis, degrees in enumerate((x, y, z)):
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        first, second = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[[first, first, second, second], [first, second, first, second]] = (c, -s, s, c)
        matrix = turn @ matrix
    return matrix


def grid(direction: np.ndarray, spacing: tuple[float, float, float]) -> VolumeGeometry:
    return VolumeGeometry.from_parts(SIZE, spacing, direction, (-100.123456789, 33.3, 1 / 3))


GEOMETRIES = {
    "isotropic": grid(np.eye(3), (1.0, 1.0, 1.0)),
    "anisotropic": grid(np.eye(3), (0.7, 1 / 3, 6.5)),
    "flipped": grid(np.diag([-1.0, 1.0, -1.0]), (0.7, 0.8, 3.0)),
    "permuted": grid(np.eye(3)[:, [2, 0, 1]], (0.7, 0.8, 3.0)),
    "rotated": grid(rotation(20, -7, 35), (0.7, 0.8, 3.0)),
    "rotated and flipped": grid(rotation(-11, 40, 5) @ np.diag([1.0, -1.0, 1.0]), (0.5, 0.5, 2.5)),
}


def box(k: slice, j: slice, i: slice) -> np.ndarray:
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[k, j, i] = True
    return mask


LIVER = Terminology(Code("123037004", "Anatomical Structure"), Code("10200004", "Liver"))


def stored_layers(path: Path) -> tuple[np.ndarray, list[dict[str, object]], np.ndarray]:
    """Read with slicerio: voxels (L, K, J, I), segments, IJK to LPS."""
    stored = slicerio.read_segmentation(str(path))
    voxels = stored["voxels"]
    layers = voxels[np.newaxis] if voxels.ndim == 3 else voxels
    return layers.transpose(0, 3, 2, 1), stored["segments"], stored["ijkToLPS"]


def header_lines(path: Path) -> list[str]:
    return path.read_bytes().split(b"\n\n")[0].decode("utf-8").splitlines()


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
