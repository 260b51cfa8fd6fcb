"""Predictions on the slices of one volume: extracts, encodes once, decodes as often as asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.abilities import read_abilities
from KPrismCore.cache import ByteCache
from KPrismCore.catalogue import ClassEntry
from KPrismCore.device import tensor_bytes, to_device
from KPrismCore.doubts import Asked, Phrase, find_doubt
from KPrismCore.errors import PromptError
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.predictions import Features, Prediction
from KPrismCore.predictor import Predictor
from KPrismCore.preprocess import Range, intensity_range
from KPrismCore.prompts import Click
from KPrismCore.recognition import TRIED
from KPrismCore.references import Reference
from KPrismCore.session_state import plane_key
from KPrismCore.slices import Plane
from KPrismCore.volumes import Volume

DEFAULT_CACHE_BYTES = 512 << 20
_REFERENCE_BYTES = 128 << 20
_REFERENCE_SETS = 32 << 20


class SliceEngine:
    """The predictor on one volume.

    Args:
        predictor: see `predictor`.
        volume: image; its modality decides how intensities are mapped.
        window: (lowest, highest) value chosen by the user, or None.
        cache_bytes: memory for encoded slices.
    """

    def __init__(
        self,
        predictor: Predictor,
        volume: Volume,
        window: Range | None = None,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        self.predictor = predictor
        self.volume = volume
        self.window = window
        self._ranges: dict[str, Range] = {}
        self._features: ByteCache[Features] = ByteCache(cache_bytes, lambda features: features.bytes)
        self._encoded: ByteCache[ReferenceFeatures] = ByteCache(_REFERENCE_BYTES, tensor_bytes)
        self._sets: ByteCache[ReferenceFeatures] = ByteCache(_REFERENCE_SETS, tensor_bytes)

    @property
    def cached_bytes(self) -> int:
        """Memory of the encoded slices."""
        return self._features.size

    def entry(self, class_name: str | None) -> ClassEntry | None:
        """The catalogue's class of a name or synonym; None for None.

        Raises:
            UnknownClassError: it is not in the catalogue, or not trained.
        """
        return None if class_name is None else self.predictor.model.catalogue.by_name(class_name)

    def value_range(self, class_name: str | None) -> Range:
        """The values that become black and white, from the whole volume; for CT they depend on the class."""
        entry = self.entry(class_name)
        settings = self.predictor.model.preprocessing
        preset = entry.window if entry else ""
        # class tables may name a preset that this checkpoint does not have
        preset = (
            preset if preset in settings.ct_windows else settings.window_preset(entry.name if entry else None)
        )
        if preset not in self._ranges:
            self._ranges[preset] = intensity_range(
                self.volume.array, self.volume.modality, preset=preset, window=self.window, settings=settings
            )
        return self._ranges[preset]

    def encode(self, plane: Plane, class_name: str | None = None) -> Features:
        """Encode a slice, or give what was encoded before; useful ahead of the first click.

        Raises:
            UnknownClassError, ImageContentError, DeviceError: see `Predictor.encode`.
        """
        value_range = self.value_range(class_name)
        return self._features.get(
            (plane_key(plane), value_range),
            lambda: self.predictor.encode(
                plane.extract(self.volume.array),
                self.volume.modality,
                spacing=plane.pixel_spacing,
                value_range=value_range,
            ),
        )

    def predict(
        self,
        plane: Plane,
        class_name: str | None,
        references: Sequence[Reference],
        clicks: Sequence[Click],
        previous: NDArray[Any] | Prediction | None,
        *,
        refining: bool = False,
    ) -> Prediction:
        """Predict the mask of a slice from these prompts, of references the enabled ones; see `Predictor`.

        Args:
            refining: the last click corrects the previous mask (`Predictor.refine`).
        """
        enabled = [reference for reference in references if reference.enabled]
        if class_name is None and not enabled and not clicks:
            raise nothing_to_go_by()
        features = self.encode(plane, class_name)
        shown = self._shown(enabled, class_name, bool(clicks)) if enabled else None
        ask = self.predictor.refine if refining else self.predictor.predict
        prediction = ask(features, class_name, shown, clicks, previous)
        # features grow by what they read out from references
        self._features.trim()
        return prediction

    def follows(self, volume: Volume) -> bool:
        """Tell whether references from a volume take the intensity range of this one."""
        hounsfield = all(
            one.modality == "CT" and one.array.dtype != np.uint8 for one in (volume, self.volume)
        )
        return hounsfield or volume.array is self.volume.array

    def doubt(self, class_name: str | None = None, has_references: bool = False) -> Phrase | None:
        """What speaks most against trusting results on this image with these prompts; None for nothing."""
        model = self.predictor.model
        asked = Asked(self.volume.modality, self.entry(class_name), has_references)
        return find_doubt(read_abilities(model.card.metrics), model.catalogue, asked, model.card.modalities)

    def _shown(
        self, references: Sequence[Reference], class_name: str | None, clicked: bool
    ) -> ReferenceFeatures:
        """The references encoded; the same object for the same set, on which the predictor's speed relies."""
        value_range = self.value_range(class_name)
        ranges = [value_range if one.follows else one.value_range for one in references]
        keys = tuple((one.key, found) for one, found in zip(references, ranges, strict=True))
        # what they may be recognised as: beside clicks it does not matter, but may be known already
        names: tuple[str, ...] | None = None if class_name is None else (class_name,)
        if self.predictor.model.recognition is None or (clicked and (keys, names) not in self._sets):
            names = ()
        return self._sets.get((keys, names), lambda: self._concatenated(references, ranges, names))

    def _concatenated(
        self, references: Sequence[Reference], ranges: Sequence[Range], names: tuple[str, ...] | None
    ) -> ReferenceFeatures:
        parts = [
            self._encoded_reference(one, found, names if number < TRIED else ())
            for number, (one, found) in enumerate(zip(references, ranges, strict=True))
        ]
        # the model may have left the GPU since the first was encoded
        device = self.predictor.model.device
        return ReferenceFeatures.concatenate([to_device(part, device) for part in parts])

    def _encoded_reference(
        self, reference: Reference, value_range: Range, names: tuple[str, ...] | None
    ) -> ReferenceFeatures:
        return self._encoded.get(
            (reference.key, value_range, names),
            lambda: self.predictor.encode_references(
                [(reference.image, reference.mask)],
                reference.modality,
                spacing=reference.spacing,
                value_range=value_range,
                classes=names,
            ),
        )


def nothing_to_go_by() -> PromptError:
    """Make the error for a slice without any prompt."""
    return PromptError("There is nothing to go by.", "Choose a class, add a reference, or click.")
