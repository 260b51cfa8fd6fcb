"""Small image files for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

CT_ARRAY = np.random.default_rng(0).integers(-1000, 1500, (6, 20, 30)).astype(np.int16)
VOLUME_KINDS = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")


def image_of(array: np.ndarray, vector: bool = False) -> sitk.Image:
    image = sitk.GetImageFromArray(array, isVector=vector)
    if image.GetDimension() == 3:
        image.SetSpacing((0.7, 0.8, 3.0))
        image.SetOrigin((-12.0, 4.0, 100.0))
        angle = np.deg2rad(20)
        image.SetDirection((1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle)))
    return image


def write(path: Path, array: np.ndarray, vector: bool = False, compress: bool = False) -> Path:
    sitk.WriteImage(image_of(array, vector), str(path), compress)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
