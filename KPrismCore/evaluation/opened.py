"""The network before one image: encoded once, asked in every way, and what is noted of an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.calibration import pixel_bins
from KPrismCore.evaluation.metrics import dice
from KPrismCore.evaluation.surface import Spacing, surface_scores
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.predictions import Features, Prediction
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click

# packs hold images that have been windowed to 8 bit
EIGHT_BIT = (0.0, 255.0)
Mask = NDArray[np.bool_]


class OpenImage:
    """The network before one image.

    Args:
        predictor: of the checkpoint to measure.
        image: uint8 (H, W) or (H, W, 3).
        aspect: mm from row to row and from column to column, which are made square.
    """

    def __init__(self, predictor: Predictor, image: NDArray[Any], aspect: Spacing = (1.0, 1.0)) -> None:
        self._predictor = predictor
        self._features: Features = predictor.encode(image, spacing=aspect, value_range=EIGHT_BIT)
        self._last: Prediction | None = None

    @property
    def last(self) -> Prediction:
        """The last answer.

        Raises:
            ValueError: nothing has been asked yet.
        """
        if self._last is None:
            raise ValueError("nothing has been asked yet")
        return self._last

    def by_class(self, name: str) -> Mask:
        """The mask from a class name."""
        return self._keep(self._predictor.predict(self._features, name))

    def by_reference(self, references: ReferenceFeatures) -> Mask:
        """The mask from references."""
        return self._keep(self._predictor.predict(self._features, references=references))

    def clicking(
        self, class_name: str | None = None, references: ReferenceFeatures | None = None
    ) -> Callable[[Sequence[Click]], Mask]:
        """A function that takes all clicks so far; it goes on from the last mask, as a session does."""

        def segment(clicks: Sequence[Click]) -> Mask:
            last = self._last
            return self._keep(self._predictor.refine(self._features, class_name, references, clicks, last))

        return segment

    def _keep(self, prediction: Prediction) -> Mask:
        self._last = prediction
        return prediction.mask


def encoded(
    predictor: Predictor,
    pairs: Sequence[tuple[NDArray[Any], Mask]],
    aspect: Spacing = (1.0, 1.0),
    modality: str | None = None,
) -> ReferenceFeatures:
    """References of a set, encoded together; `aspect` as `OpenImage` takes it, `modality` the set's."""
    return predictor.encode_references(pairs, modality, spacing=aspect, value_range=EIGHT_BIT)


def unit_of(spacing: Spacing) -> str:
    """What distances are in: "mm", or "pixels" for a spacing of (1, 1), which files that tell none have."""
    return "pixels" if tuple(spacing) == (1.0, 1.0) else "mm"


def rounded(expected: float | None) -> float | None:
    """An expected Dice as records keep it; None for an empty mask."""
    return None if expected is None else round(expected, 5)


def noted(prediction: Prediction, truth: Mask, spacing: Spacing) -> dict[str, Any]:
    """What a record keeps of one answer besides the curve it belongs to.

    Args:
        prediction: for an image (H, W).
        truth: (H, W).
        spacing: mm between rows and columns; (1, 1) for distances in pixels.
    """
    outlines = surface_scores(prediction.mask, truth, spacing)
    return {
        "dice": dice(prediction.mask, truth),
        "hd95": round(outlines.hd95, 4),
        "asd": round(outlines.mean, 4),
        "surface_dice": round(outlines.dice, 5),
        "confidence": round(prediction.confidence, 5),
        "expected": rounded(prediction.expected),
        "bins": pixel_bins(prediction.probability, prediction.mask, truth),
    }
