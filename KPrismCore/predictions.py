"""What the predictor gives and is given back: an encoded image, and a mask with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.device import tensor_bytes
from KPrismCore.letterbox import Letterbox
from KPrismCore.network.prompts import ImageFeatures, ReferenceFeatures
from KPrismCore.preprocess import Range
from KPrismCore.zoom import Window


@dataclass
class Features:
    """An encoded image (H, W), for any number of predictions.

    pixels, value_range: the image itself, of which a part may be encoded later; see `zoom`.
    `matched` keeps the features read out from the references used last, `near` the part encoded last.
    """

    letterbox: Letterbox
    image: ImageFeatures
    modality: str | None
    pixels: NDArray[Any]
    value_range: Range
    matched: tuple[ReferenceFeatures, ImageFeatures] | None = None
    near: tuple[Window, Features] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.letterbox.height, self.letterbox.width

    @property
    def bytes(self) -> int:
        """Memory of the tensors, for bounded caches."""
        kept = tensor_bytes(self.image) + (tensor_bytes(self.matched[1]) if self.matched else 0)
        return kept + self.pixels.nbytes + (self.near[1].bytes if self.near else 0)


@dataclass(frozen=True)
class Prediction:
    """A mask (H, W) bool, its probability (H, W) float32, and how sure the model is.

    confidence: the Dice to expect, 0 to 1, as the checkpoint corrects it; see the module `confidence`.
    square: the probability (1, 1, S, S) in the network's frame, which can be given back as the previous mask
    without a loss. expected: the Dice to expect if the probabilities are right; None for an empty mask.
    known_class: the class that references were recognised as, which answered with them; see `recognition`.
    """

    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    confidence: float
    square: Tensor
    expected: float | None = None
    known_class: str | None = None
