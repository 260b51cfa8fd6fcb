"""Masks from files: labelmaps, two-valued pictures, colours, outlines. Each reader gives layers of labels.

A label with pixel values names them; without values it stands for all that is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from KPrismCore.errors import GeometryError, InputFileError, TrainingDataError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.image_files import PICTURE_ENDINGS, read_image
from KPrismCore.training.datasets.content import Label, Layer, layers_of_labelmap

# a mask whose header differs by less than half a voxel marks the same voxels
GRID_TOLERANCE = 0.5
THRESHOLD = 128
EDGE_GREYS, EDGE_FREE = 10, 0.9
_PAGED = (".tif", ".tiff")
MaskReader = Callable[[Sequence[Path], VolumeGeometry, Sequence[Label]], tuple[Layer, ...]]


def read_labelmap(
    paths: Sequence[Path], geometry: VolumeGeometry, labels: Sequence[Label]
) -> tuple[Layer, ...]:
    """Labelmaps of one image; where several mark a pixel, the last one counts."""
    merged = labelmap_array(paths[0], geometry)
    for path in paths[1:]:
        array = labelmap_array(path, geometry)
        merged = np.where(array != 0, array, merged)
    return layers_of_labelmap(merged, labels)


def read_threshold(
    paths: Sequence[Path], geometry: VolumeGeometry, labels: Sequence[Label]
) -> tuple[Layer, ...]:
    """Two-valued pictures whose values are not exact (JPEG): 255 where grey is at least 128."""
    marked = np.zeros(geometry.shape, dtype=np.bool_)
    for path in paths:
        grey = picture_array(path).astype(np.float64)
        grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
        marked |= _checked(grey[np.newaxis] >= THRESHOLD, path, geometry)
    # one name is that of what is marked, whatever value it is listed with
    named = [replace(labels[0], values=())] if len(labels) == 1 else labels
    return layers_of_labelmap(marked * np.uint8(255), named)


def read_picture(
    paths: Sequence[Path], geometry: VolumeGeometry, labels: Sequence[Label]
) -> tuple[Layer, ...]:
    """Labelmaps whose labels nobody names; but masks of 0 and 255 with grey edges are two-valued."""
    greys = [labelmap_array(path, geometry) for path in paths]
    present = np.unique(np.concatenate([grey.ravel() for grey in greys]))
    sharp = float(np.mean([np.isin(grey, (0, 255)).mean() for grey in greys]))
    # so many labels with so few pixels are what scaling makes of an edge
    smooth = len(present) > EDGE_GREYS and present[-1] == 255 and sharp > EDGE_FREE
    return (read_threshold if smooth else read_labelmap)(paths, geometry, labels)


def read_colours(
    paths: Sequence[Path], geometry: VolumeGeometry, labels: Sequence[Label]
) -> tuple[Layer, ...]:
    """Pictures that mark labels by colour; a label's values are 0xRRGGBB. Each pixel has the nearest colour,
    black being the background, since JPEG changes colours a little.
    """
    colours = [(0, 0), *((number, value) for number, label in enumerate(labels, 1) for value in label.values)]
    palette = np.array([_rgb(value) for _, value in colours], dtype=np.float64)
    numbers = np.array([number for number, _ in colours], dtype=np.uint8)
    marked = np.zeros(geometry.shape, dtype=np.uint8)
    for path in paths:
        picture = picture_array(path)
        if picture.ndim != 3:
            raise TrainingDataError(f"{path} has no colours.", "Choose a picture whose colours are labels.")
        distances = [np.abs(picture[..., :3] - colour).sum(axis=-1) for colour in palette]
        found = _checked(numbers[np.argmin(distances, axis=0)][np.newaxis], path, geometry)
        marked = np.where(found != 0, found, marked)
    return (Layer(marked, tuple(labels)),)


def read_outline(
    paths: Sequence[Path], geometry: VolumeGeometry, labels: Sequence[Label]
) -> tuple[Layer, ...]:
    """Text files with one outline each: a line `x y` per corner, in pixels."""
    rows, columns = geometry.shape[1:]
    canvas = Image.new("L", (columns, rows))
    for path in paths:
        try:
            corners = np.loadtxt(path, ndmin=2)
        except (OSError, ValueError) as error:
            raise InputFileError(
                f"{path} is not an outline ({error}).", "Copy it again from its source."
            ) from error
        if corners.shape[0] < 3 or corners.shape[1] != 2:
            raise InputFileError(f"{path} has no closed outline.", "Each line of it holds x and y.")
        ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in corners], fill=255, outline=255)
    return layers_of_labelmap(np.asarray(canvas)[np.newaxis], labels)


MASK_READERS: Mapping[str, MaskReader] = {
    "labelmap": read_labelmap,
    "threshold": read_threshold,
    "picture": read_picture,
    "colours": read_colours,
    "outline": read_outline,
}


def labelmap_array(path: Path, geometry: VolumeGeometry) -> NDArray[Any]:
    """Read a labelmap KJI, of a volume or of a picture.

    Raises:
        InputFileError: missing or damaged.
        GeometryError: it is not on this grid.
        TrainingDataError: it has colours, or several numbers per voxel.
    """
    if _has_pages(path):
        return _checked(np.asarray(sitk.GetArrayFromImage(read_image(path))), path, geometry)
    if path.name.lower().endswith(PICTURE_ENDINGS):
        picture = picture_array(path)
        if picture.ndim == 3 and np.any(picture[..., :3] != picture[..., :1]):
            raise TrainingDataError(f"{path} has colours and is no labelmap.", "Save labels as grey values.")
        return _checked((picture[..., 0] if picture.ndim == 3 else picture)[np.newaxis], path, geometry)
    image = read_image(path)
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise TrainingDataError(
            f"{path} has {image.GetNumberOfComponentsPerPixel()} numbers per voxel and is no labelmap.",
            "Save one label number per voxel.",
        )
    own = VolumeGeometry.from_image(image)
    check_grid(path, own, geometry)
    return np.asarray(sitk.GetArrayFromImage(image)).reshape(own.shape)


def check_grid(path: Path, own: VolumeGeometry, geometry: VolumeGeometry) -> None:
    """Check that a mask lies on the grid of its image.

    Raises:
        GeometryError: it does not.
    """
    if not own.same_grid(geometry, GRID_TOLERANCE):
        raise GeometryError(
            f"{path} lies on another voxel grid than its image.", "Resample it onto the grid of the image."
        )


def picture_array(path: Path) -> NDArray[Any]:
    """Read a picture (H, W) or (H, W, C); of a palette its numbers, of two-valued ones 0 and 1, of grey with
    opacity the grey.

    Raises:
        InputFileError: missing or damaged.
    """
    try:
        # Pillow calls a broken PNG a syntax error
        with Image.open(path) as picture:
            array = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputFileError(
            f"{path} is truncated, damaged or no picture.", "Copy it again from its source."
        ) from error
    if array.ndim == 3 and array.shape[2] == 2:
        array = array[..., 0]
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _has_pages(path: Path) -> bool:
    """Whether a file is a TIFF of several pages, which are the slices of a volume."""
    if path.suffix.lower() not in _PAGED:
        return False
    try:
        with Image.open(path) as picture:
            return getattr(picture, "n_frames", 1) > 1
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        return False


def _checked(array: NDArray[Any], path: Path, geometry: VolumeGeometry) -> NDArray[Any]:
    if array.shape != geometry.shape:
        raise GeometryError(
            f"{path} has {_size(array.shape)}, its image {_size(geometry.shape)}.",
            "Use a mask of the image's own size.",
        )
    return array


def _size(shape: tuple[int, ...]) -> str:
    slices = f"{shape[0]} slices of " if shape[0] > 1 else ""
    return f"{slices}{' x '.join(map(str, shape[1:]))} pixels"


def _rgb(value: int) -> tuple[int, int, int]:
    return value >> 16 & 255, value >> 8 & 255, value & 255
