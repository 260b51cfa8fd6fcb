"""What an image and a reference must be before the network sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.errors import ImageContentError, ReferenceMismatchError


def require_image(image: NDArray[Any]) -> None:
    """Check that an array can be encoded.

    Raises:
        ImageContentError: NaN, one pixel, or a shape or type of numbers that is no image.
    """
    if image.dtype.kind not in "iuf":
        raise ImageContentError(
            f"An array of type {image.dtype} is no image.", "Convert it to integers or real numbers."
        )
    if image.ndim not in (2, 3) or min(image.shape[:2]) < 1 or image.shape[0] * image.shape[1] < 2:
        raise ImageContentError(f"An array of shape {image.shape} is not a 2-D image.", "Choose one slice.")
    if not np.isfinite(image).all():
        raise ImageContentError("The image holds NaN or infinite values.", "Replace them by numbers.")


def require_reference(image: NDArray[Any], mask: NDArray[Any]) -> None:
    """Check that a mask shows an object on its image.

    Raises:
        ReferenceMismatchError: the mask is empty or of another size.
    """
    if mask.shape != image.shape[:2]:
        raise ReferenceMismatchError(
            f"A reference's mask has {mask.shape} pixels, its image {image.shape[:2]}.",
            "Use the mask of that image.",
        )
    if not (mask > 0).any():
        raise ReferenceMismatchError(
            "A reference's mask is empty.", "Choose a slice on which the object is marked."
        )


def require_same_modality(references: str, theirs: str | None, modality: str | None) -> None:
    """Check that references are of the image's modality, as far as both are known.

    Args:
        references: what is said of them, as in "The references are".
        theirs: their modality.
        modality: that of the image.

    Raises:
        ReferenceMismatchError: the modalities differ.
    """
    if modality and theirs and theirs != modality:
        raise ReferenceMismatchError(
            f"{references} {theirs}, the image is {modality}.",
            f"Use references of {modality}; or correct the modality, if it is wrong.",
        )
