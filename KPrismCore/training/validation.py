"""A quick look during training: a few fixed images of every set, never trained on.

Not the final figures: those come from `evaluation`, at the images' own size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from KPrismCore.network.kprism import KPrism
from KPrismCore.training.augment import Style, fit, to_tensors
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.losses import upsample
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.passes import Encoded, Robot, dice_scores, encode
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.tasks import Batch, Classes, Pair, Source

CLICK_COUNTS = (1, 3, 5)
MEASURES = ("class", "reference", *(f"clicks_{count}" for count in CLICK_COUNTS))
_SEED_STREAM = 2
# batch_size counts the samples of all processes; one of them validates
_MOST_AT_ONCE = 8


@dataclass(frozen=True)
class _Case:
    group: str
    query: Pair
    reference: Pair | None = None
    class_index: int = 0


class QuickValidation:
    """Measures Dice in class mode, with one reference, and after 1, 3 and 5 clicks.

    Args:
        training: the training parts of the sets, for the references.
        validation: the validation parts, in the same order.
        classes: the class table.
        settings: gives the seed, the size and the number of images.
    """

    def __init__(
        self,
        training: Sequence[ImageSet],
        validation: Sequence[ImageSet],
        classes: Classes,
        settings: TrainingSettings,
    ) -> None:
        self._settings = settings
        self._cases: list[_Case] = []
        self._class_cases: list[_Case] = []
        rng = np.random.default_rng([settings.seed, 0, _SEED_STREAM])
        if not any(image_set.samples for image_set in validation):
            return
        held, known = TaskSampler(validation, classes), TaskSampler(training, classes)
        for image_set, sources in zip(validation, held.sources, strict=True):
            self._add_set(rng, image_set, sources, held, known)
        for index, sources in held.classes:
            source = sources[int(rng.integers(len(sources)))]
            name = validation[source.set_index].name
            for member in _spread(rng, source, settings.validation_images_per_set):
                query = fit(*held.pair(source, member), settings.input_size, rng, crop=False)
                self._class_cases.append(_Case(f"{index}:{name}", query, class_index=index))

    def _add_set(
        self,
        rng: np.random.Generator,
        image_set: ImageSet,
        sources: list[Source],
        held: TaskSampler,
        known: TaskSampler,
    ) -> None:
        for number in range(self._settings.validation_images_per_set if sources else 0):
            source = sources[number % len(sources)]
            member = _spread(rng, source, 1)[0]
            examples = known.source(source.set_index, source.labels)
            if examples.members:
                reference = known.pair(examples, int(rng.choice(examples.members)))
                query, reference = (
                    fit(*pair, self._settings.input_size, rng, crop=False)
                    for pair in (held.pair(source, member), reference)
                )
                self._cases.append(_Case(image_set.name, query, reference))

    @torch.no_grad()
    def run(self, model: KPrism, device: torch.device) -> dict[str, dict[str, float]]:
        """Return the mean Dice per measure and set (per class for "class") of a model in eval mode."""
        scores: dict[str, dict[str, list[float]]] = {measure: defaultdict(list) for measure in MEASURES}
        for cases in self._chunks(self._class_cases):
            batch = self._batch(cases, classes=True)
            probability = self._first_pass(model, encode(model, batch, device))
            self._collect(scores["class"], cases, probability, batch)
        for cases in self._chunks(self._cases):
            batch = self._batch(cases, references=True)
            encoded = encode(model, batch, device)
            self._collect(scores["reference"], cases, self._first_pass(model, encoded), batch)
            self._click(model, Encoded(encoded.features), batch, cases, scores)
        return {
            measure: {group: float(np.mean(values)) for group, values in groups.items()}
            for measure, groups in scores.items()
        }

    def _first_pass(self, model: KPrism, encoded: Encoded) -> Tensor:
        outputs = encoded.decode(model, None, None)
        return upsample(outputs[-1], self._settings.input_size).sigmoid()

    def _click(
        self,
        model: KPrism,
        encoded: Encoded,
        batch: Batch,
        cases: Sequence[_Case],
        scores: dict[str, dict[str, list[float]]],
    ) -> None:
        device = encoded.features.query.device
        generators = [np.random.default_rng([self._settings.seed, index]) for index in range(len(cases))]
        robot = Robot(batch.targets[:, 0].numpy() > 0.5, generators)
        probability: Tensor | None = None
        for count in range(1, max(CLICK_COUNTS) + 1):
            robot.look(probability)
            outputs = encoded.decode(model, robot.click_set(device), probability)
            probability = upsample(outputs[-1], self._settings.input_size).sigmoid()
            if count in CLICK_COUNTS:
                self._collect(scores[f"clicks_{count}"], cases, probability, batch)

    @staticmethod
    def _collect(
        groups: dict[str, list[float]], cases: Sequence[_Case], probability: Tensor, batch: Batch
    ) -> None:
        for case, score in zip(cases, dice_scores(probability.cpu(), batch.targets), strict=True):
            groups[case.group].append(score)

    def _chunks(self, cases: list[_Case]) -> Iterator[list[_Case]]:
        size = min(self._settings.batch_size, _MOST_AT_ONCE)
        return (cases[start : start + size] for start in range(0, len(cases), size))

    @staticmethod
    def _batch(cases: Sequence[_Case], *, classes: bool = False, references: bool = False) -> Batch:
        images, targets = _stack([case.query for case in cases])
        shown = [case.reference for case in cases if case.reference is not None] if references else []
        pictures, masks = _stack(shown) if shown else (None, None)
        return Batch(
            0, "validation", images, targets,
            torch.tensor([case.class_index for case in cases]) if classes else None,
            None if pictures is None else pictures[:, None], None if masks is None else masks[:, None], 1, 0,
        )  # fmt: skip


def _stack(pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    tensors = [to_tensors(image, mask, Style()) for image, mask in pairs]
    images = torch.stack([image.expand(3, -1, -1) for image, _ in tensors])
    return images, torch.stack([mask for _, mask in tensors])


def _spread(rng: np.random.Generator, source: Source, count: int) -> list[int]:
    """Return up to `count` different members of a source."""
    chosen = rng.choice(source.members, size=min(count, len(source.members)), replace=False)
    return [int(member) for member in chosen]
