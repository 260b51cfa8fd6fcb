"""From a case to 8-bit slices, prepared as prediction prepares a volume, and to squares for training.

A CT is taken in the window of each label's name, as it is when the class is asked for: labels of several
windows give several images of the same slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from KPrismCore.errors import ImageContentError, TrainingDataError
from KPrismCore.letterbox import Letterbox
from KPrismCore.preprocess import DEFAULT_PREPROCESSING, intensity_range, to_unit
from KPrismCore.session_base import default_plane_kind
from KPrismCore.slices import SlicePlane, number_of_slices
from KPrismCore.training.datasets.content import MAX_LABELS, Content, Label, Layer
from KPrismCore.training.packs import MIN_TARGET_PIXELS, Pixels
from KPrismCore.volumes import Volume

# raise it whenever the same files would give other slices: kept slices of another version are made anew
VERSION = 2
# of one layer in one window: enough to show a structure from end to end, few enough for thousands of volumes
SLICES_PER_LAYER = 48
LEAST_PER_LABEL = 4


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice: image uint8 (H, W) or (H, W, 3); mask uint8 (H, W), n for the case's nth label.

    `spacing` is mm from row to row and from column to column, `place` where it lies in its volume, 0 to 1,
    or from 2 or 4 on for the second and third kind of slice, so that slices of one kind are nearest to each
    other.
    """

    image: Pixels
    mask: Pixels
    spacing: tuple[float, float]
    place: float


@dataclass(frozen=True, eq=False)
class CaseSlices:
    """A case as slices."""

    labels: tuple[Label, ...]
    modality: str
    slices: tuple[Slice, ...]


def case_slices(contents: Sequence[Content], planes: str = "", limit: int = SLICES_PER_LAYER) -> CaseSlices:
    """Cut a case into the slices that show its labels.

    Args:
        contents: of the case.
        planes: kinds of slices with spaces between; empty for the one a volume was acquired in.
        limit: most slices of one layer in one window; they are spread over every label's extent.

    Raises:
        TrainingDataError: more than 255 labels.
        GeometryError: no such plane.
        ImageContentError: NaN or infinite voxels.
    """
    labels: dict[str, Label] = {}
    for label in (label for content in contents for layer in content.layers for label in layer.labels):
        labels.setdefault(label.name, label)
    if len(labels) > MAX_LABELS:
        raise TrainingDataError(
            f"A case has {len(labels)} labels; {MAX_LABELS} are possible.", "Use fewer labels."
        )
    numbers = {name: number for number, name in enumerate(labels, start=1)}
    slices = [one for content in contents for one in _content_slices(content, numbers, planes, limit)]
    modality = next((content.volume.modality or "" for content in contents), "")
    return CaseSlices(tuple(labels.values()), modality, tuple(slices))


def square(one: Slice, size: int) -> Slice:
    """Fit a slice into a square as prediction does: pixels made square, scaled, centred on zeros."""
    height, width = one.mask.shape
    letterbox = Letterbox(height, width, size, one.spacing, antialias=True)
    image = torch.from_numpy(np.atleast_3d(one.image).transpose(2, 0, 1).astype(np.float32))
    scaled = letterbox.image(image).round().clamp(0, 255).to(torch.uint8).numpy()
    grey = scaled[0] if one.image.ndim == 2 else scaled.transpose(1, 2, 0)
    mask = letterbox.mask(torch.from_numpy(one.mask)).numpy()
    return Slice(np.ascontiguousarray(grey), mask, (1.0, 1.0), one.place)


def present_labels(mask: Pixels) -> list[int]:
    """The numbers with at least 16 pixels in a mask."""
    counts = np.bincount(mask.ravel(), minlength=2)
    return [int(number) for number in np.nonzero(counts >= MIN_TARGET_PIXELS)[0] if number]


def _content_slices(content: Content, numbers: dict[str, int], planes: str, limit: int) -> Iterator[Slice]:
    volume = content.volume
    if volume.array.dtype.kind == "f" and not np.isfinite(volume.array).all():
        raise ImageContentError("The image holds NaN or infinite values.", "Replace them by numbers.")
    flat = volume.array.shape[0] == 1
    kinds = (planes if not flat else "").split() or [default_plane_kind(volume.geometry)]
    for layer in content.layers:
        for preset, names in _windows(content, layer).items():
            table = np.zeros(MAX_LABELS + 1, dtype=np.uint8)
            for position, label in enumerate(layer.labels, start=1):
                table[position] = numbers[label.name] if label.name in names else 0
            value_range = content.value_range or intensity_range(volume.array, volume.modality, preset=preset)
            for number, kind in enumerate(kinds):
                count = number_of_slices(volume.geometry, kind)
                for index in _chosen(volume, layer, table, kind, limit // len(kinds)):
                    cut = SlicePlane(volume.geometry, kind, index)
                    image = _eight_bit(cut.extract(volume.array), value_range, volume.is_rgb)
                    mask = table[cut.extract(layer.array)]
                    yield Slice(image, mask, cut.pixel_spacing, 2 * number + index / max(1, count - 1))


def _windows(content: Content, layer: Layer) -> dict[str, set[str]]:
    """Label names by the CT window they are seen in; all under one empty name where there is no choice."""
    chosen = content.volume.modality == "CT" and content.value_range is None
    windows: dict[str, set[str]] = {}
    for label in layer.labels:
        preset = DEFAULT_PREPROCESSING.window_preset(label.name) if chosen else ""
        windows.setdefault(preset, set()).add(label.name)
    return windows


def _chosen(volume: Volume, layer: Layer, table: NDArray[np.uint8], kind: str, limit: int) -> list[int]:
    """Slices with at least 16 pixels of a label, spread evenly over those of each label."""
    shown: dict[int, list[int]] = {}
    for index in range(number_of_slices(volume.geometry, kind)):
        view = SlicePlane(volume.geometry, kind, index).view(layer.array)
        if view.any():
            for number in present_labels(table[view]):
                shown.setdefault(number, []).append(index)
    share = max(LEAST_PER_LABEL, limit // max(1, len(shown)))
    chosen: set[int] = set()
    for indices in shown.values():
        steps = np.linspace(0, len(indices) - 1, min(share, len(indices))).round().astype(int)
        chosen.update(indices[step] for step in steps)
    return sorted(chosen)


def _eight_bit(image: NDArray[Any], value_range: tuple[float, float], is_rgb: bool) -> Pixels:
    unit = to_unit(image, value_range)
    return np.rint(255 * (unit if is_rgb else unit[..., 0])).astype(np.uint8)
