"""Small data sets for tests, in the layouts that are recognised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from KPrismCore.geometry import VolumeGeometry
from KPrismCore.labelmaps import Segment, write_segmentation
from KPrismCore.terminology import Terminology

SHAPE = (8, 40, 48)
SPACING = (1.0, 1.0, 4.0)


def a_volume(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> tuple[NDArray[Any], NDArray[Any]]:
    """CT-like int16 KJI with a bright block (label 1) and a smaller one (label 2), both off the edges."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, np.uint8)
    row, column = rng.integers(4, 12, 2)
    mask[2:6, row : row + 14, column : column + 16] = 1
    mask[3:5, row + 16 : row + 22, column + 18 : column + 26] = 2
    array = rng.integers(-120, -60, shape)
    array[mask == 1], array[mask == 2] = 80, 160
    array[0, 0, 0] = -1000
    return array.astype(np.int16), mask


def write_volume(path: Path, array: NDArray[Any], spacing: tuple[float, float, float] = SPACING) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    if array.ndim == 3:
        image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path), True)
    return path


def write_picture(path: Path, array: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def picture_pair(seed: int, size: tuple[int, int] = (40, 60)) -> tuple[NDArray[Any], NDArray[Any]]:
    """An RGB picture and its mask of 0 and 255."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    row, column = rng.integers(5, 20, 2)
    mask[row : row + 15, column : column + 18] = 255
    image = rng.integers(0, 60, (*size, 3))
    image[mask > 0] += 150
    return image.astype(np.uint8), mask


def write_nnunet(folder: Path, cases: int = 3, labels: dict[str, Any] | None = None) -> Path:
    description = {
        "channel_names": {"0": "CT"}, "file_ending": ".nii.gz", "numTraining": cases,
        "labels": labels or {"background": 0, "liver": 1, "liver tumour": 2},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    for number in range(cases):
        array, mask = a_volume(number)
        write_volume(folder / "imagesTr" / f"case_{number:03d}_0000.nii.gz", array)
        write_volume(folder / "labelsTr" / f"case_{number:03d}.nii.gz", mask)
    return folder


def write_slicer_case(
    folder: Path, name: str, seed: int, names: tuple[str, ...] = ("Liver", "Tumour"),
    terminologies: dict[str, Terminology] | None = None,
) -> Path:  # fmt: skip
    """Write `<name>.nrrd` and `<name>.seg.nrrd`; the last segment of three or more lies within the first."""
    array, mask = a_volume(seed)
    image = write_volume(folder / f"{name}.nrrd", array)
    masks = [
        mask == 1,
        mask == 2,
        np.pad((mask == 1)[:, :, ::-1][:, :, ::-1][:, :-4], ((0, 0), (0, 4), (0, 0))),
    ]
    codes = terminologies or {}
    segments = [
        Segment(one, part, **({"terminology": codes[one]} if one in codes else {}))
        for one, part in zip(names, masks, strict=False)
    ]
    write_segmentation(
        folder / f"{name}.seg.nrrd", segments, VolumeGeometry.from_image(sitk.ReadImage(image))
    )
    return folder
