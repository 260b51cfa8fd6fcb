"""References: slices of an image with the object marked on them, shown to the network as examples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.checks import require_same_modality
from KPrismCore.errors import ReferenceMismatchError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.predictor import MAX_REFERENCES
from KPrismCore.preprocess import DEFAULT_PREPROCESSING, Preprocessing, Range, intensity_range
from KPrismCore.slices import Plane, SlicePlane, anatomical_kind
from KPrismCore.volumes import Volume

Array = NDArray[Any]
BoolArray = NDArray[np.bool_]
DEFAULT_COUNT = 5


@dataclass(frozen=True, eq=False)
class Reference:
    """One image with a mask.

    Args:
        image: (H, W) or (H, W, 3), intensities as stored.
        mask: (H, W), not empty.
        name: shown to the user.
        modality: of the image, None where unknown.
        spacing: mm from row to row and from column to column.
        value_range: the values that become black and white.
        follows: whether the range of the image to segment is used instead: the reference is from the same
            volume, or both are CT in Hounsfield units.
        enabled: whether it takes part.
    """

    image: Array
    mask: BoolArray
    name: str
    modality: str | None
    spacing: tuple[float, float]
    value_range: Range
    follows: bool = False
    enabled: bool = True

    @cached_property
    def key(self) -> str:
        """A text that is equal for references that the network sees equally; `enabled` does not count."""
        seen = hashlib.blake2b(digest_size=16)
        for array in (self.image, self.mask):
            seen.update(f"{array.dtype} {array.shape}".encode())
            seen.update(np.ascontiguousarray(array).tobytes())
        seen.update(repr((self.modality, self.spacing, self.follows or self.value_range)).encode())
        return seen.hexdigest()


def best_slices(
    mask: Array,
    geometry: VolumeGeometry,
    kind: str,
    count: int = DEFAULT_COUNT,
    likeness: Callable[[Sequence[SlicePlane]], NDArray[np.float64]] | None = None,
) -> list[SlicePlane]:
    """Choose the slices that show an object best: spread over its extent, and of each part the one that is
    large and, where `likeness` is given, looks most like the image to segment.

    Args:
        mask: KJI, non-zero is inside.
        geometry: grid of the mask.
        kind: of the slices, see `slices`.
        count: at most so many.
        likeness: gives for slices how alike they are (-1 to 1) to what is to be segmented.

    Raises:
        ReferenceMismatchError: the mask is empty or does not fit the grid.
        GeometryError: no such kind of slice.
    """
    _check_mask(mask, geometry)
    axis = SlicePlane(geometry, kind, 0).normal_axis
    areas = np.count_nonzero(mask, axis=tuple(n for n in range(3) if n != 2 - axis))
    shown = np.flatnonzero(areas)
    planes = [SlicePlane(geometry, kind, int(place)) for place in shown]
    worth = areas[shown] / areas.max()
    if likeness is not None:
        worth = worth * (1 + likeness(planes)) / 2
    parts = np.array_split(np.arange(len(shown)), min(count, len(shown)))
    return [planes[part[np.argmax(worth[part])]] for part in parts]


def references_from_volume(
    volume: Volume,
    mask: Array,
    planes: Sequence[Plane],
    *,
    name: str = "",
    follows: bool = False,
    settings: Preprocessing = DEFAULT_PREPROCESSING,
) -> list[Reference]:
    """Take references out of a volume.

    Args:
        volume: the image.
        mask: KJI on the volume's grid, non-zero is inside.
        planes: slices of the volume.
        name: of the object, for display.
        follows: see `Reference`.
        settings: of the model.

    Raises:
        ReferenceMismatchError: the mask does not fit the volume, or is empty, be it on one plane only.
    """
    _check_mask(mask, volume.geometry)
    value_range = intensity_range(volume.array, volume.modality, settings=settings)
    references = []
    for plane in planes:
        place = f"{volume.name}, {_place(plane)}"
        marked = plane.read_mask(mask)
        if not marked.any():
            raise ReferenceMismatchError(
                f"The object is not marked on {place}.", "Choose a slice on which it is marked."
            )
        label = f"{name} ({place})" if name else place
        image = plane.extract(volume.array)
        references.append(
            Reference(image, marked, label, volume.modality, plane.pixel_spacing, value_range, follows)
        )
    return references


def reference_from_image(
    image: Array,
    mask: Array,
    *,
    name: str = "image",
    modality: str | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    settings: Preprocessing = DEFAULT_PREPROCESSING,
) -> Reference:
    """Make a reference of a 2-D image (H, W[, 3]) and a mask (H, W).

    Raises:
        ReferenceMismatchError: the mask has another size than the image, or is empty.
        ImageContentError: NaN.
    """
    if image.ndim not in (2, 3) or mask.shape != image.shape[:2]:
        raise ReferenceMismatchError(
            f"The reference '{name}' has an image of shape {image.shape} and a mask of shape {mask.shape}.",
            "Use a 2-D image and the mask of that image.",
        )
    if not np.any(mask):
        raise ReferenceMismatchError(
            f"The mask of the reference '{name}' is empty.", "Mark the object on it."
        )
    value_range = intensity_range(image, modality, settings=settings)
    return Reference(image.copy(), np.asarray(mask != 0), name, modality, spacing, value_range)


def check_references(present: Sequence[Reference], added: Sequence[Reference], modality: str | None) -> None:
    """Check that references may join those present, for an image of this modality (None where unknown).

    Raises:
        ReferenceMismatchError: another modality, or more than the network takes.
    """
    for reference in added:
        require_same_modality(f"The reference '{reference.name}' is", reference.modality, modality)
    if len(present) + len(added) > MAX_REFERENCES:
        raise ReferenceMismatchError(
            f"{len(present) + len(added)} references are too many.",
            f"Keep at most {MAX_REFERENCES}: remove one first.",
        )


def _check_mask(mask: Array, geometry: VolumeGeometry) -> None:
    if mask.shape != geometry.shape:
        raise ReferenceMismatchError(
            f"The reference's mask has the shape {mask.shape}, its image {geometry.shape} (k, j, i).",
            "Use the mask of that image.",
        )
    if not np.any(mask):
        raise ReferenceMismatchError("The reference's mask is empty.", "Choose a segment that is marked.")


def _place(plane: Plane) -> str:
    if not isinstance(plane, SlicePlane):
        return "oblique slice"
    return f"{anatomical_kind(plane.geometry, plane.kind)} slice {plane.index}"
