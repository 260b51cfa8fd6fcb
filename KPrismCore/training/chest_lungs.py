"""Lungs of chest CTs, marked by a rule: air that is darker than tissue and not outside the body.

Sets of chest CTs that have other labels thereby teach the class "lungs" too, which few patients show in CT.
Only slices on which both lungs are found count; the others are left out. It is for images of 8 bits whose
window shows air, lungs and soft tissue as different greys, such as one from -1000 HU upward.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from KPrismCore.training.packs import ImageSet, Pixels, Sample

NAME, LABEL, MODALITY = "chest_lungs", "lungs", "CT chest"
# grey of air (-1000 HU) and of soft tissue (40 HU) in the window CT-Lung, -1350 to 150 HU
_LUNG_WINDOW_AIR, _LUNG_WINDOW_TISSUE = 0.23, 0.93
# radii are those for images of so many pixels
_EDGE = 256
# of the way from air to tissue: what is denser is no lung, and what is less dense, smoothed, is air
_TISSUE_SHARE, _AIR_SHARE = 0.55, 0.09
# share of a dark region in the air around the body from which on the region is that air
_MOSTLY_OUTSIDE = 0.2
# pixels over those of the body: of one lung or part of it, and of both; pixels of one side over the other's
_LEAST_PART, _LEAST_BOTH, _LEAST_BALANCE = 0.02, 0.2, 0.25

Bools = NDArray[np.bool_]


def with_chest_lungs(sets: Iterable[ImageSet], sources: Collection[str]) -> list[ImageSet]:
    """Add the set "chest_lungs", made of the images of others; the sets alone where nothing is found.

    Each image comes as it is and once more in the lung window, which the class is shown in.

    Args:
        sets: training parts of sets.
        sources: names of sets of chest CTs; those that are not there are passed over.
    """
    known = list(sets)
    samples = tuple(made for image_set in known if image_set.name in sources for made in _samples(image_set))
    return [*known, ImageSet(NAME, MODALITY, {1: LABEL}, samples)] if samples else known


def lungs_of(image: Pixels) -> Bools | None:
    """Mark the lungs of an axial slice with air, both of them and with the vessels inside.

    Args:
        image: uint8 S x S, the lungs darker than soft tissue and lighter than air, the body upright.

    Returns:
        bool S x S, or None where no two lungs of like size are found.
    """
    scale = image.shape[0] / _EDGE
    levels = _levels(image)
    if levels is None:
        return None
    air, tissue = levels
    dense = ndimage.median_filter(image, 3) > air + _TISSUE_SHARE * (tissue - air)
    body = _largest(ndimage.binary_opening(dense, _disk(2 * scale)))
    found = _inside(image, dense, body, air + _AIR_SHARE * (tissue - air), scale)
    edge = round(8 * scale)
    closed = ndimage.binary_closing(np.pad(found, edge, mode="edge"), _disk(4 * scale))
    found = ndimage.binary_fill_holes(closed[edge:-edge, edge:-edge])
    found = _parts(found, _LEAST_PART * body.sum())
    return found if _are_both(found, body) else None


def in_lung_window(image: Pixels) -> Pixels:
    """Show a slice as the window CT-Lung would, reckoned from its greys of air and of soft tissue."""
    levels = _levels(image)
    if levels is None:
        return image
    air, tissue = levels
    share = (image - air) / (tissue - air)
    shown = _LUNG_WINDOW_AIR + (_LUNG_WINDOW_TISSUE - _LUNG_WINDOW_AIR) * share
    return np.asarray(np.clip(255 * shown, 0, 255).round(), dtype=np.uint8)


def _samples(image_set: ImageSet) -> Iterator[Sample]:
    for sample in image_set.samples:
        lungs = lungs_of(sample.image) if sample.image.ndim == 2 else None
        if lungs is not None:
            for image in (sample.image, in_lung_window(sample.image)):
                yield Sample(image, lungs.astype(np.uint8), sample.subject, sample.name, sample.augmented)


def _levels(image: Pixels) -> tuple[float, float] | None:
    """The greys of air and of soft tissue, by Otsu's threshold; None for an image of one grey."""
    smooth = ndimage.median_filter(image, 3)
    if smooth.min() == smooth.max():
        return None
    dark = smooth <= threshold_otsu(smooth)
    return float(np.percentile(smooth[dark], 10)), float(np.median(smooth[~dark]))


def _inside(image: Pixels, dense: Bools, body: Bools, air: float, scale: float) -> Bools:
    """Dark regions that are not the air around the body; a body cut by the image's sides may open there."""
    low = ~body & (ndimage.gaussian_filter(image.astype(np.float32), 2 * scale) < air)
    around = ndimage.binary_dilation(_touching(low, sides=True), _disk(5 * scale)) & ~body
    dark = ~body & ~dense
    regions, sizes = _regions(dark & ~_touching(dark & ~around, sides=False))
    outside = np.bincount(regions[around], minlength=len(sizes))
    wanted = np.nonzero((sizes >= 0.75 * _LEAST_PART * body.sum()) & (outside < _MOSTLY_OUTSIDE * sizes))[0]
    return np.asarray(ndimage.binary_opening(np.isin(regions, wanted), _disk(2 * scale)))


def _touching(mask: Bools, *, sides: bool) -> Bools:
    """The regions of a mask that reach the image's upper or lower edge, or with `sides` any edge."""
    regions, _ = ndimage.label(mask)
    edges = [regions[0], regions[-1], *((regions[:, 0], regions[:, -1]) if sides else ())]
    found = np.unique(np.concatenate(edges))
    return np.isin(regions, found[found > 0])


def _parts(mask: Bools, least: float) -> Bools:
    regions, sizes = _regions(mask)
    return np.isin(regions, np.nonzero(sizes >= max(least, 1))[0])


def _largest(mask: Bools) -> Bools:
    regions, sizes = _regions(mask)
    return np.asarray(regions == sizes.argmax()) & mask


def _regions(mask: Bools) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The number of each pixel's region, and the pixels of every region; 0 is the ground, with none."""
    regions, count = ndimage.label(mask)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    sizes[0] = 0
    return regions, sizes


def _are_both(lungs: Bools, body: Bools) -> bool:
    """Whether there is enough lung, on both sides of the body's middle."""
    columns = np.nonzero(body.any(axis=0))[0]
    if not len(columns) or lungs.sum() < _LEAST_BOTH * body.sum():
        return False
    middle = int(columns[0] + columns[-1]) // 2
    halves = int(lungs[:, :middle].sum()), int(lungs[:, middle:].sum())
    return min(halves) >= _LEAST_BALANCE * max(halves)


def _disk(radius: float) -> Bools:
    reach = max(1, round(radius))
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return np.asarray(rows**2 + columns**2 <= reach * (reach + 0.5))
