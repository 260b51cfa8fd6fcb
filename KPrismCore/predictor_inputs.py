"""What the predictor is given, as the network takes it: images, clicks, classes and masks so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.checks import require_image, require_reference
from KPrismCore.errors import PromptError, ReferenceMismatchError
from KPrismCore.letterbox import Letterbox, Rounding, network_input
from KPrismCore.model import Model
from KPrismCore.network.prompts import ClickSet
from KPrismCore.predictions import Features, Prediction
from KPrismCore.preprocess import Range, intensity_range, to_unit
from KPrismCore.prompts import Click


class PredictorInputs:
    """Checks and converts what a predictor is given.

    Args:
        model: whose preprocessing, catalogue and size count.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def _range(self, image: NDArray[Any], modality: str | None, given: Range | None) -> Range:
        """Check the image; the values that become black and white, as given or found."""
        require_image(image)
        return given or intensity_range(image, modality, settings=self.model.preprocessing)

    def _prepare(
        self, image: NDArray[Any], spacing: tuple[float, float], found: Range, *, reference: bool = False
    ) -> tuple[Tensor, Letterbox]:
        settings = self.model.preprocessing
        # the authors scale queries and references by different rules; their checkpoints expect both
        rounding: Rounding = "round" if reference and settings.quantise else "truncate"
        height, width = image.shape[:2]
        size, smooth = self.model.input_size, not settings.quantise
        letterbox = Letterbox(height, width, size, spacing, rounding, antialias=smooth)
        return network_input(to_unit(image, found), letterbox, settings), letterbox

    def _prepare_reference(
        self,
        image: NDArray[Any],
        mask: NDArray[Any],
        modality: str | None,
        spacing: tuple[float, float],
        value_range: Range | None,
    ) -> tuple[Tensor, Tensor, Letterbox, Range]:
        """A reference's image (3, S, S) and mask (1, S, S) for the network, and how they were made."""
        require_reference(image, mask)
        found = self._range(image, modality, value_range)
        prepared, letterbox = self._prepare(image, spacing, found, reference=True)
        scaled = letterbox.mask(torch.from_numpy(np.ascontiguousarray(mask > 0)).float())[None]
        if not scaled.any():
            raise ReferenceMismatchError(
                f"A reference's object is lost at the network's {self.model.input_size} pixels.",
                "Choose a slice on which it is larger, or crop the image.",
            )
        return prepared, scaled, letterbox, found

    def _class_index(self, class_name: str) -> int:
        entry = self.model.catalogue.by_name(class_name)
        if not entry.trained:
            raise PromptError(
                f"This model was not trained for '{entry.name}'.", "Use references or clicks instead."
            )
        return entry.index

    def _click_set(self, features: Features, clicks: Sequence[Click]) -> ClickSet | None:
        if not clicks:
            return None
        places = torch.tensor([(click.x, click.y) for click in reversed(clicks)], dtype=torch.float64)
        points = features.letterbox.points_to_network(places)
        if self.model.network.config.authors_rules:
            points = points.round().clamp(0, self.model.input_size - 1)
        labels = torch.tensor([[int(click.positive) for click in reversed(clicks)]])
        return ClickSet(points[None], labels)

    def _previous(self, features: Features, previous: NDArray[Any] | Prediction | None) -> Tensor | None:
        if previous is None:
            return None
        shape = previous.mask.shape if isinstance(previous, Prediction) else previous.shape
        if shape != features.shape:
            raise PromptError(
                f"The previous mask has {shape} pixels, the image {features.shape}.",
                "Give a mask of this image.",
            )
        if isinstance(previous, Prediction):
            return previous.square
        if not (previous.min() >= 0 and previous.max() <= 1):
            raise PromptError(
                "The previous mask has values outside 0 to 1.", "Give a bool mask or a probability."
            )
        return features.letterbox.image(
            torch.from_numpy(np.ascontiguousarray(previous, dtype=np.float32))[None, None]
        )
