"""One 2-D image, its prompts, and the mask: the stateless face of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.checks import require_same_modality
from KPrismCore.class_table import ClassEntry
from KPrismCore.confidence import expected_dice, prompt_kind
from KPrismCore.correction import corrected
from KPrismCore.decision import decide
from KPrismCore.errors import PromptError, ReferenceMismatchError
from KPrismCore.network.prompts import ImageFeatures, ReferenceFeatures
from KPrismCore.own_click import own_click
from KPrismCore.predictions import Features, Prediction
from KPrismCore.predictor_answers import PredictorAnswers
from KPrismCore.preprocess import Range
from KPrismCore.prompts import Click
from KPrismCore.recognition import TRIED, UNTRIED, Recognition
from KPrismCore.zoom import Window

MAX_REFERENCES = 9


class Predictor(PredictorAnswers):
    """Encodes images and references, and predicts masks from prompts. Keeps nothing between calls.

    Args:
        model: from `load_model`.
        notify: called with a sentence when the predictor had to leave the GPU.
    """

    def encode(
        self,
        image: NDArray[Any],
        modality: str | None = None,
        *,
        spacing: tuple[float, float] = (1.0, 1.0),
        value_range: Range | None = None,
    ) -> Features:
        """Encode a 2-D image once for all its prompts.

        Args:
            image: (H, W) or (H, W, 3), any numeric type.
            modality: "CT", "MR", ...; decides how intensities are mapped, see `preprocess`.
            spacing: mm between rows and between columns.
            value_range: the values that become black and white, such as those of a whole volume.

        Raises:
            ImageContentError: NaN, one pixel, or a shape that is no image.
        """
        found = self._range(image, modality, value_range)
        prepared, letterbox = self._prepare(image, spacing, found)
        features = self._run(lambda: self.model.network.encode_image(prepared[None].to(self.model.device)))
        return Features(letterbox, features, modality, image, found)

    def encode_references(
        self,
        references: Sequence[tuple[NDArray[Any], NDArray[Any]]],
        modality: str | None = None,
        *,
        spacing: tuple[float, float] = (1.0, 1.0),
        value_range: Range | None = None,
        classes: Sequence[str] | None = None,
    ) -> ReferenceFeatures:
        """Encode 1 to 9 references, each an image and a mask (H, W) of the object on it.

        Args:
            references: image (H, W) or (H, W, 3) and mask (H, W) each.
            modality, spacing, value_range: as `encode` takes them.
            classes: those that they may show, where the checkpoint finds that out (`recognition`); None for
                all of the modality. Each takes as long as a prediction, and matters without clicks only.

        Raises:
            UnknownClassError: one of the classes is not in the catalogue.
            ReferenceMismatchError: no reference, too many, an empty mask, or a mask of another size.
            ImageContentError: as for `encode`.
        """
        if not 1 <= len(references) <= MAX_REFERENCES:
            raise ReferenceMismatchError(
                f"{len(references)} references were given.", f"Give 1 to {MAX_REFERENCES} references."
            )
        ready = [self._prepare_reference(*pair, modality, spacing, value_range) for pair in references]
        images = torch.stack([image for image, _, _, _ in ready])[None]
        masks = torch.stack([mask for _, mask, _, _ in ready])[None]
        encoded, seen = self._run(
            lambda: self.model.network.encode_shown(images.to(self.model.device), masks.to(self.model.device))
        )
        encoded = replace(encoded, modality=modality)
        if self.model.recognition is None:
            return encoded
        catalogue = self.model.catalogue
        asked = (
            catalogue.classes_for_modality(modality) if classes is None else map(catalogue.by_name, classes)
        )
        places = [catalogue.trained.index(entry) for entry in asked]
        fits = torch.full((1, len(ready), len(catalogue.trained)), UNTRIED)
        for number in range(min(TRIED, len(ready)) if places else 0):
            image, mask = references[number]
            features = self._shown_features([maps[number : number + 1] for maps in seen])
            shown = Features(ready[number][2], features, modality, image, ready[number][3])
            fits[0, number, places] = self._fits(shown, mask, places)
        return replace(encoded, fits=fits)

    def _shown_features(self, maps: list[Tensor]) -> ImageFeatures:
        """The features of a reference's own image, from the maps that were made for it."""
        return self._run(lambda: self.model.network.features([one.to(self.model.device) for one in maps]))

    def predict(
        self,
        features: Features,
        class_name: str | None = None,
        references: ReferenceFeatures | None = None,
        clicks: Sequence[Click] = (),
        previous_mask: NDArray[Any] | Prediction | None = None,
    ) -> Prediction:
        """Predict the mask of one object from any combination of prompts.

        Clicks alone on a mask so far may be answered on the part of the image around them, see `zoom`;
        references with the class that they show, or that is given with them, see `recognition`; what a class
        alone gave is looked at once more, see `own_click`.

        Args:
            class_name: a name or synonym of the model's catalogue.
            references: from `encode_references`.
            clicks: in pixels of the encoded image, oldest first.
            previous_mask: the mask so far (H, W), bool or probability, or the last prediction.

        Raises:
            PromptError: no class, reference or click.
            UnknownClassError: the class is not in the catalogue.
            ClickOutsideError: a click is outside the image.
            ReferenceMismatchError: the references are of another modality than the image.
        """
        if class_name is None and references is None and not clicks:
            raise PromptError("There is nothing to go by.", "Choose a class, add a reference, or click.")
        index = None if class_name is None else self._class_index(class_name)
        for click in clicks:
            click.require_inside(*features.shape)
        if references is not None:
            require_same_modality("The references are", references.modality, features.modality)
        previous = self._previous(features, previous_mask)
        if previous_mask is not None and index is None and references is None:
            part = self._part(features, clicks, previous_mask)
            if part is not None:
                return self._predict_near(features, clicks, previous, *part)
        square = self._decode(features, index, references, clicks, previous)
        if not clicks and references is None:
            square = self._looked_at_again(features, square)
        known = None if clicks or references is None else self._known(index, references)
        if known is not None:
            square = self._averaged(features, *known, previous, square)
        probability = features.letterbox.restore(square)[0, 0].numpy()
        found = self._prediction(probability, square, prompt_kind(len(clicks), references is not None))
        return found if known is None or index is not None else replace(found, known_class=known[0].name)

    def refine(
        self,
        features: Features,
        class_name: str | None,
        references: ReferenceFeatures | None,
        clicks: Sequence[Click],
        previous_mask: NDArray[Any] | Prediction | None,
    ) -> Prediction:
        """`predict` after one more click: by the clicks alone, where the checkpoint does (`Zoom.alone`).

        Of a last prediction that was sure (`Zoom.sure`) only that changes which a click is about.
        """
        zoom = self.model.zoom
        if zoom is None or previous_mask is None:
            return self.predict(features, class_name, references, clicks, previous_mask)
        if len(clicks) >= zoom.alone:
            class_name = references = None
        found = self.predict(features, class_name, references, clicks, previous_mask)
        if not isinstance(previous_mask, Prediction) or not clicks:
            return found
        if previous_mask.confidence < zoom.sure or not previous_mask.mask.any():
            return found
        kind = prompt_kind(len(clicks), references is not None)
        return self._corrected(features, previous_mask, found, clicks, kind)

    def _corrected(
        self, features: Features, before: Prediction, after: Prediction, clicks: Sequence[Click], kind: str
    ) -> Prediction:
        """The last prediction, changed to the new one where a click is; see `correction`."""
        mask = corrected(before.mask, after.mask, clicks)
        kept = mask != after.mask
        if not kept.any():
            return after
        probability = np.where(kept, self._probability(features, before), after.probability)
        square = features.letterbox.image(torch.from_numpy(probability)[None, None])
        return self._prediction(probability, square, kind, mask)

    def _fits(self, features: Features, mask: NDArray[Any], places: Sequence[int]) -> Tensor:
        """How well the masks of the trained classes at these places fit a reference's, on its own image."""
        fits, shown = torch.zeros(len(places)), (mask > 0).astype(np.float32)
        for number, place in enumerate(places):
            square = self._decode(features, self.model.catalogue.trained[place].index, None, (), None)
            probability = features.letterbox.restore(square)[0, 0].numpy()
            # of a mask that is certain it is the Dice itself, and 0 for an empty one
            fits[number] = expected_dice(decide(probability, self.model.lowest_threshold), shown)
        return fits

    def _known(self, index: int | None, references: ReferenceFeatures) -> tuple[ClassEntry, float] | None:
        """The class that references show and how well it fits them; None where there is none.

        Args:
            index: of the class that was given with them; else None.
            references: from `encode_references`.
        """
        rule, catalogue = self.model.recognition, self.model.catalogue
        if rule is None or references.fits is None:
            return None
        only = None if index is None else catalogue.trained.index(catalogue.by_index(index))
        best = rule.best(references.fits, only)
        return None if best is None else (catalogue.trained[best[0]], best[1])

    def _averaged(
        self, features: Features, entry: ClassEntry, fit: float, previous: Tensor | None, square: Tensor
    ) -> Tensor:
        """An answer with references (1, 1, S, S), averaged with that to the class alone which they show."""
        by_class = self._decode(features, entry.index, None, (), previous)
        sure = self._expected(by_class), self._expected(square)
        return (self.model.recognition or Recognition()).averaged(by_class, fit, square, sure)

    def _looked_at_again(self, features: Features, square: Tensor) -> Tensor:
        """An answer to a class (1, 1, S, S), averaged with that to a click of the model's own on its mask."""
        share = self.model.zoom.own if self.model.zoom else 0.0
        if share == 0:
            return square
        # in the network's frame: an X-ray of many pixels takes no longer
        letterbox = features.letterbox
        place = own_click(decide(square[0, 0][letterbox.inside].numpy(), self.model.lowest_threshold))
        if place is None:
            return square
        corner = torch.tensor((letterbox.top, letterbox.left))
        x, y = letterbox.points_from_network(torch.tensor(place) + corner).tolist()
        return (1 - share) * square + share * self._decode(features, None, None, [Click(x, y)], square)

    def _part(
        self, features: Features, clicks: Sequence[Click], previous_mask: NDArray[Any] | Prediction
    ) -> tuple[Window, NDArray[np.float32]] | None:
        """The part of the image to look at and the probability (H, W) so far; None for the whole image."""
        zoom = self.model.zoom
        if zoom is None:
            return None
        before = self._probability(features, previous_mask)
        mask = decide(before, self.model.lowest_threshold)
        window = zoom.window(mask, clicks, features.letterbox.spacing)
        return None if window is None else (window, before)

    def _predict_near(
        self,
        features: Features,
        clicks: Sequence[Click],
        previous: Tensor | None,
        window: Window,
        before: NDArray[np.float32],
    ) -> Prediction:
        """`predict` on a part of the image and on all of it; outside the part is nothing of the object."""
        found = features.near
        if found is None or found[0] != window:
            part = self.encode(
                features.pixels[window.cut], features.modality,
                spacing=features.letterbox.spacing, value_range=features.value_range,
            )  # fmt: skip
            features.near = found = window, part
        near, inside = found[1], window.clicks(clicks)
        answer = self._decode(near, None, None, inside, self._previous(near, before[window.cut]))
        seen = near.letterbox.restore(answer)[0, 0].numpy()
        share = self.model.zoom.whole if self.model.zoom else 0.0
        if share > 0:
            square = self._decode(features, None, None, clicks, previous)
            seen = (1 - share) * seen + share * features.letterbox.restore(square)[0, 0].numpy()[window.cut]
        probability = window.put_back(seen, features.shape)
        square = features.letterbox.image(torch.from_numpy(probability)[None, None])
        return self._prediction(probability, square, prompt_kind(len(clicks), False))
