"""Masks from files: 3D Slicer's .seg.nrrd with its segments, and labelmaps in any image format.

A .seg.nrrd may be cropped; its own geometry says where it lies, and ``resample_mask_onto`` puts it on another
grid.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from KPrismCore.errors import GeometryError, ImageContentError, InputFileError, PromptError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.image_files import check_readable, read_image, stem

Array = NDArray[Any]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class SegmentInfo:
    """One segment of a file.

    Args:
        name: as shown to the user; the label as text where the file has no names.
        label: value of its voxels in its layer.
        layer: number of the label layer, 0 in labelmaps.
        colour: red, green, blue from 0 to 1, or None.
        identifier: Slicer's segment ID, empty in labelmaps.
        tags: Slicer's segment tags by name.
    """

    name: str
    label: int
    layer: int = 0
    colour: tuple[float, float, float] | None = None
    identifier: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def terminology(self) -> str:
        """Slicer's terminology entry (codes of category, type, modifier and anatomy), or empty."""
        return self.tags.get("TerminologyEntry", "")


def list_segments(path: str | os.PathLike[str]) -> list[SegmentInfo]:
    """List what a segmentation holds, in the file's order; of a labelmap, the labels present.

    Raises:
        InputFileError, GeometryError, ImageContentError: as ``read_segmentation``.
    """
    file = Path(path)
    return load_layers(file)[2]


def read_segmentation(
    path: str | os.PathLike[str], segment: str | int | None = None
) -> tuple[BoolArray, VolumeGeometry, str]:
    """Read the mask of one segment.

    Args:
        path: .seg.nrrd, or a labelmap (NIfTI, NRRD, MetaImage, grey picture).
        segment: name or ID (case and underscores do not matter), or label; not needed if there is only one.

    Returns:
        Mask KJI on the file's own grid, that grid, and the segment's name.

    Raises:
        PromptError: no such segment, several that fit, or none chosen among several; those there are named.
        InputFileError: missing, of no supported kind, damaged, or no labelmap.
        GeometryError: sheared or singular directions.
        ImageContentError: more than three dimensions.
    """
    file = Path(path)
    layers, geometry, segments = load_layers(file)
    chosen = choose_segment(file, segments, segment)
    return layers[..., chosen.layer] == chosen.label, geometry, chosen.name


def resample_mask_onto(mask: Array, geometry: VolumeGeometry, target: VolumeGeometry) -> BoolArray:
    """Put a mask on another grid: exact where the grids differ by whole voxels only, else nearest.

    Args:
        mask: KJI on ``geometry``.
        geometry: grid of the mask.
        target: grid wanted.

    Returns:
        Mask KJI on ``target``, false beyond the mask's own grid.

    Raises:
        GeometryError: the mask does not fit its grid.
    """
    if mask.shape != geometry.shape:
        raise GeometryError(
            f"A mask of shape {mask.shape} does not fit {geometry.shape}.", "Use the mask's own grid."
        )
    offset = np.rint(geometry.ijk_from_ras(target.ras_from_ijk((0, 0, 0)))).astype(np.intp)
    matrix = geometry.ijk_to_ras.copy()
    matrix[:3, 3] = geometry.ras_from_ijk(offset)
    if target.same_grid(VolumeGeometry(target.size, matrix)):
        return _shifted(mask, offset, target)
    image = sitk.GetImageFromArray(np.asarray(mask != 0).astype(np.uint8))
    geometry.apply_to(image)
    reference = sitk.Image(target.size, sitk.sitkUInt8)
    target.apply_to(reference)
    resampled = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return np.asarray(sitk.GetArrayFromImage(resampled)) != 0


def _shifted(mask: Array, offset: NDArray[np.intp], target: VolumeGeometry) -> BoolArray:
    """Copy the part of a mask that a grid starting at an offset (3,) IJK of it covers."""
    result = np.zeros(target.shape, dtype=np.bool_)
    source, goal = [], []
    for start, length, available in zip(offset[::-1], result.shape, mask.shape, strict=True):
        first, last = max(start, 0), min(start + length, available)
        if first >= last:
            return result
        source.append(slice(first, last))
        goal.append(slice(first - start, last - start))
    result[tuple(goal)] = mask[tuple(source)] != 0
    return result


def load_layers(path: Path) -> tuple[Array, VolumeGeometry, list[SegmentInfo]]:
    """Read all of a segmentation: label layers KJIL, their grid, and the segments in the file's order.

    Raises:
        InputFileError, GeometryError, ImageContentError: as ``read_segmentation``.
    """
    if check_readable(path):
        raise InputFileError(
            f"{path} is a DICOM file, from which segments are not read here.",
            "Load it in 3D Slicer and save the segmentation as .seg.nrrd.",
        )
    image = read_image(path, checked=True)
    geometry = VolumeGeometry.from_image(image)
    array: Array = sitk.GetArrayFromImage(image)
    if image.GetDimension() == 4 and image.GetSize()[3] > 1:
        raise ImageContentError(
            f"{path} has {image.GetSize()[3]} time points.", "Save one of them as a labelmap."
        )
    layers = array.reshape(*geometry.shape, -1)
    metadata = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    try:
        segments = _header_segments(metadata, layers.shape[-1])
    except ValueError as error:
        raise InputFileError(
            f"{path} has a damaged list of segments.", "Save it again from 3D Slicer."
        ) from error
    if not segments:
        segments = _labels_present(path, layers)
    return layers, geometry, segments


def _header_segments(metadata: Mapping[str, str], layers: int) -> list[SegmentInfo]:
    """Segments that the header of a .seg.nrrd declares."""
    segments = []
    number = 0
    while f"Segment{number}_ID" in metadata:
        prefix = f"Segment{number}_"
        # Slicer before 4.11 wrote one layer per segment, with neither of these two keys
        layer = int(metadata.get(prefix + "Layer", min(number, layers - 1)))
        label = int(metadata.get(prefix + "LabelValue", 1))
        if not 0 <= layer < layers:
            raise ValueError(layer)
        identifier = metadata[prefix + "ID"]
        colour = [float(part) for part in metadata.get(prefix + "Color", "").split()]
        segments.append(
            SegmentInfo(
                metadata.get(prefix + "Name", identifier),
                label,
                layer,
                (colour[0], colour[1], colour[2]) if len(colour) == 3 else None,
                identifier,
                _tags(metadata.get(prefix + "Tags", "")),
            )
        )
        number += 1
    return segments


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in text.split("|") if ":" in part)
    return {key: value for key, _, value in pairs}


def _labels_present(path: Path, layers: Array) -> list[SegmentInfo]:
    values = np.unique(layers)
    if layers.shape[-1] > 1 or np.any(values < 0) or np.any(values != np.round(values)):
        raise InputFileError(
            f"{path} is not a labelmap: it has colours, negative values or fractions.",
            "Choose a file whose voxels are whole label numbers, or a .seg.nrrd.",
        )
    names = read_colour_table(path.with_name(stem(path) + ".ctbl"))
    labels = [int(value) for value in values if value != 0]
    return [
        SegmentInfo(names[label][0], label, 0, names[label][1])
        if label in names
        else SegmentInfo(str(label), label)
        for label in labels
    ]


def read_colour_table(path: Path) -> dict[int, tuple[str, tuple[float, float, float]]]:
    """Read names and colours by label from a Slicer colour table, if it is there."""
    if not path.is_file():
        return {}
    entries: dict[int, tuple[str, tuple[float, float, float]]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.split()
        if len(parts) == 6 and all(part.isdigit() for part in (parts[0], *parts[2:])):
            red, green, blue = (int(part) / 255 for part in parts[2:5])
            entries[int(parts[0])] = (parts[1].replace("_", " "), (red, green, blue))
    return entries


def choose_segment(path: Path, segments: list[SegmentInfo], wanted: str | int | None) -> SegmentInfo:
    """Choose a segment of a file by name, ID or label; the only one where nothing is wanted.

    Raises:
        PromptError: as ``read_segmentation``.
    """
    there = ", ".join(
        f"{one.name} (label {one.label})" if one.name != str(one.label) else one.name for one in segments
    )
    if not segments:
        raise PromptError(f"{path} holds no segment.", "Choose another file.")
    if wanted is None:
        if len(segments) > 1:
            raise PromptError(f"{path} holds {len(segments)} segments.", f"Choose one: {there}.")
        return segments[0]
    fitting = _fitting(segments, wanted)
    if not fitting:
        raise PromptError(f"{path} holds no segment '{wanted}'.", f"Choose one: {there}.")
    if len(fitting) > 1:
        identifiers = ", ".join(one.identifier or f"label {one.label}" for one in fitting)
        raise PromptError(
            f"{path} holds {len(fitting)} segments '{wanted}'.", f"Choose by ID or label: {identifiers}."
        )
    return fitting[0]


def _fitting(segments: list[SegmentInfo], wanted: str | int) -> list[SegmentInfo]:
    """Segments of a name, else of an ID, else of a label; exact spelling goes before similar spelling."""
    if isinstance(wanted, str):
        for alike in (lambda text: text == wanted, lambda text: _plain(text) == _plain(wanted)):
            for texts in ([one.name for one in segments], [one.identifier for one in segments]):
                found = [one for one, text in zip(segments, texts, strict=True) if text and alike(text)]
                if found:
                    return found
        if not wanted.strip().isdigit():
            return []
    return [one for one in segments if one.label == int(wanted)]


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").split()).casefold()
