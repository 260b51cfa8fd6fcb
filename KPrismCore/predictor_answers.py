"""What the network answers, as predictions: on its device, or on the processor once that is out of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.confidence import confidence, expected_dice
from KPrismCore.decision import decide
from KPrismCore.device import is_out_of_memory, to_device
from KPrismCore.errors import DeviceError
from KPrismCore.model import Model
from KPrismCore.network.layers import resize
from KPrismCore.network.prompts import ImageFeatures, Prompts, ReferenceFeatures
from KPrismCore.predictions import Features, Prediction
from KPrismCore.predictor_inputs import PredictorInputs
from KPrismCore.prompts import Click

Result = TypeVar("Result")


class PredictorAnswers(PredictorInputs):
    """Asks the network, and makes predictions of its answers.

    Args:
        model: the network with its rules.
        notify: called with a sentence when the predictor had to leave the GPU.
    """

    def __init__(self, model: Model, notify: Callable[[str], None] | None = None) -> None:
        super().__init__(model)
        self._notify = notify or (lambda _sentence: None)

    def _decode(
        self,
        features: Features,
        index: int | None,
        references: ReferenceFeatures | None,
        clicks: Sequence[Click],
        previous: Tensor | None,
    ) -> Tensor:
        """The probability (1, 1, S, S) in the network's frame."""
        click_set = self._click_set(features, clicks)

        def decode() -> Tensor:
            image = features.image if references is None else self._matched(features, references)
            place = self.model.device
            prompts = Prompts(
                None if index is None else torch.tensor([index], device=place),
                None if click_set is None else to_device(click_set, place),
                None,
                None if previous is None else previous.to(place),
            )
            return self.model.network.decode(to_device(image, place), prompts)[-1]

        return resize(self._run(decode).float(), self.model.input_size).sigmoid().cpu()

    def _matched(self, features: Features, references: ReferenceFeatures) -> ImageFeatures:
        # taken once: another thread may put something else there meanwhile
        matched = features.matched
        if matched is None or matched[0] is not references:
            place = self.model.device
            image = self.model.network.with_references(
                to_device(features.image, place), to_device(references, place)
            )
            features.matched = matched = references, image
        return matched[1]

    @staticmethod
    def _probability(features: Features, of: NDArray[Any] | Prediction) -> NDArray[np.float32]:
        """The probability (H, W) of a prediction, of which a session keeps the square alone, or of a mask."""
        if isinstance(of, Prediction):
            # rounding may lead out of [0, 1]
            return np.asarray(features.letterbox.restore(of.square)[0, 0].clamp(0, 1))
        return of.astype(np.float32)

    def _expected(self, square: Tensor) -> float:
        probability = square[0, 0].numpy()
        return expected_dice(decide(probability, self.model.lowest_threshold), probability)

    def _prediction(
        self,
        probability: NDArray[np.float32],
        square: Tensor,
        kind: str,
        mask: NDArray[np.bool_] | None = None,
    ) -> Prediction:
        """Put together what is told of a probability, whose mask is decided on here if none is given."""
        mask = decide(probability, self.model.lowest_threshold) if mask is None else mask
        expected = expected_dice(mask, probability)
        if not mask.any():
            # whether an object is there at all is another question than how well it is outlined
            return Prediction(mask, probability, expected, square)
        told = confidence(expected, kind, self.model.confidence_lines)
        return Prediction(mask, probability, told, square, expected)

    def _run(self, compute: Callable[[], Result]) -> Result:
        """Run on the model's device; out of its memory, on the processor from now on."""
        try:
            return self._compute(compute)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if self.model.device.type == "cpu":
                raise DeviceError(
                    "The memory does not suffice.", "Close other programs or use a smaller model."
                ) from error
            self._notify(f"The memory of {self.model.device} does not suffice; going on with the processor.")
        torch.cuda.empty_cache()
        self.model.to(torch.device("cpu"))
        return self._compute(compute)

    def _compute(self, compute: Callable[[], Result]) -> Result:
        cuda = self.model.device.type == "cuda"
        with (
            torch.inference_mode(),
            torch.autocast("cuda", torch.bfloat16, enabled=cuda and torch.cuda.is_bf16_supported()),
        ):
            return compute()
