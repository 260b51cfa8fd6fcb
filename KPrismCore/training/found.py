"""Objects that nobody marked: distinct regions of real images, as further things to segment.

Most structures of an image have no label, and a user clicks on any of them. Where edges close around a region
that is unlike what lies around it, it is something; what, does not matter to a click or a reference. The idea
of training on regions of an image in place of marked objects is that of Ouyang et al. 2020 (self-supervision
with superpixels), who show them as references; the regions here are those of a watershed on the edges.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from KPrismCore.training.synthetic import MIN_PIXELS, Field

Mask = NDArray[np.bool_]
# how fine edges are looked at, in pixels, and how strong one must be to part two regions, of the strongest
SCALES = (1.0, 1.5, 2.5, 4.0)
WEAKEST_EDGE = (0.05, 0.5)
_STRONGEST_PERCENTILE = 98
# sizes of a region, of all pixels; and how much of its outline may be the image's border
SIZES = (8e-4, 0.25)
_BORDER_SHARE = 0.15
# least difference of grey between a region and its surroundings, of the scatter in both
DISTINCT = 0.5
# mean grey (of 255) below which a region is the black around a scan, and the scatter no image is free of
_DARKEST = 10.0
_SCATTER = 2.0
_TRIED = 8
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def find_object(rng: np.random.Generator, image: NDArray[np.uint8]) -> Mask | None:
    """Return a distinct region of an image, another one each time; None where none was found.

    Args:
        rng: source of scale, strength and choice.
        image: uint8 (H, W) or (H, W, 3).

    Returns:
        (H, W): one piece, without holes.
    """
    grey = image.astype(np.float32)
    grey = grey @ _LUMA if grey.ndim == 3 else grey
    regions = _regions(rng, grey)
    sizes = np.bincount(regions.ravel())
    usable = np.flatnonzero((sizes >= SIZES[0] * grey.size) & (sizes <= SIZES[1] * grey.size))
    if not usable.size:
        return None
    # large regions are few, and would hardly ever be chosen
    weights = np.sqrt(sizes[usable])
    count = min(_TRIED, usable.size)
    for label in rng.choice(usable, size=count, replace=False, p=weights / weights.sum()):
        found = _rounded(regions == label)
        if found is not None and _is_distinct(found, grey):
            return found
    return None


def _regions(rng: np.random.Generator, grey: Field) -> NDArray[np.integer]:
    """(H, W): the regions that edges of a random scale and strength part."""
    edges = sitk.GradientMagnitudeRecursiveGaussian(sitk.GetImageFromArray(grey), float(rng.choice(SCALES)))
    strongest = float(np.percentile(sitk.GetArrayViewFromImage(edges), _STRONGEST_PERCENTILE))
    level = strongest * float(rng.uniform(*WEAKEST_EDGE))
    found = sitk.MorphologicalWatershed(edges, level, markWatershedLine=False, fullyConnected=False)
    return np.asarray(sitk.GetArrayFromImage(found))


def _rounded(region: Mask) -> Mask | None:
    """The largest piece of a region without its holes and threads; None where it is cut off or too small."""
    outline = region & ~ndimage.binary_erosion(region, border_value=1)
    cut = sum(int(side.sum()) for side in (region[0], region[-1], region[:, 0], region[:, -1]))
    if cut > _BORDER_SHARE * np.count_nonzero(outline):
        return None
    pieces, count = ndimage.label(ndimage.binary_opening(ndimage.binary_fill_holes(region)))
    if count == 0:
        return None
    largest: Mask = pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:]))
    return largest if np.count_nonzero(largest) >= MIN_PIXELS else None


def _is_distinct(region: Mask, grey: Field) -> bool:
    """Whether a region is not black, and its grey unlike that around it."""
    around = ndimage.binary_dilation(region, iterations=3) & ~ndimage.binary_dilation(region)
    inside = ndimage.binary_erosion(region, iterations=2)
    if grey[region].mean() < _DARKEST or not inside.any() or not around.any():
        return False
    difference = abs(float(grey[inside].mean()) - float(grey[around].mean()))
    return difference >= DISTINCT * (float(grey[inside].std()) + float(grey[around].std()) + _SCATTER)
