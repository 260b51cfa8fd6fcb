"""The stream of batches: a pure function of the seed, the step, and the index of a sample in its step.

A batch has one mode. Each sample draws its randomness on its own, so that neither the number of processes
nor the accumulation of gradients changes what is trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.augment import Augmenter, draw_style, fit
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.hanging import AS_IT_IS
from KPrismCore.training.settings import MODES, TrainingSettings
from KPrismCore.training.tasks import Batch

# what follows seed and step in a generator's seed; the robot has 1, the quick validation 2
_SAMPLES = 3


class BatchStream(Dataset[Batch]):
    """The batches by step: `stream[step]` is the same whenever and in whichever process it is asked for.

    Args:
        sampler: draws the tasks.
        settings: the recipe.

    Raises:
        TrainingDataError: no mode of the recipe can be trained.
    """

    def __init__(self, sampler: TaskSampler, settings: TrainingSettings) -> None:
        self._sampler = sampler
        self._settings = settings
        changes, strength = settings.changes, settings.augmentation
        self._augment = Augmenter(settings.input_size, changes, strength)
        of_classes = replace(changes, rotation=changes.class_rotation)
        self._augment_classes = Augmenter(settings.input_size, of_classes, strength)
        for step in (0, settings.clicks_first_steps):
            if self._mode_weights(step).sum() == 0:
                raise TrainingDataError(
                    "The recipe trains on class names only, and no image shows a class of the class table.",
                    "Name another class table, or give another mode a probability.",
                )

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, step: int) -> Batch:
        return self.part(step, 0, self._settings.batch_size)

    def part(self, step: int, first: int, count: int) -> Batch:
        """Return `count` samples of a step's batch from the index `first` on."""
        settings = self._settings
        rng = np.random.default_rng([settings.seed, step])
        mode = self._draw_mode(rng, step)
        with_references = mode in ("references", "combined")
        references = _count(rng, settings.reference_probabilities) if with_references else 0
        passes = _count(rng, settings.pass_probabilities)
        silent = int(rng.integers(2, 5)) if rng.random() < settings.silent_probability else 0
        generators = (
            np.random.default_rng([settings.seed, step, _SAMPLES, index])
            for index in range(first, first + count)
        )
        items = [self._item(generator, mode, references) for generator in generators]
        stacks = [torch.stack(tensors) for tensors in zip(*(item[1] for item in items), strict=True)]
        classes = torch.tensor([item[0] for item in items])
        return Batch(
            step, mode, stacks[0][:, 0], stacks[1][:, 0],
            classes if mode in ("class", "combined") else None,
            stacks[0][:, 1:] if references else None,
            stacks[1][:, 1:] if references else None,
            min(passes, 2) if silent else passes, silent, first,
        )  # fmt: skip

    def _draw_mode(self, rng: np.random.Generator, step: int) -> str:
        weights = self._mode_weights(step)
        return MODES[int(rng.choice(len(MODES), p=weights / weights.sum()))]

    def _mode_weights(self, step: int) -> NDArray[np.float64]:
        settings = self._settings
        early = step < settings.clicks_first_steps
        weights = np.array(settings.early_mode_probabilities if early else settings.mode_probabilities)
        if not self._sampler.has_classes:
            weights[MODES.index("class")] = weights[MODES.index("combined")] = 0.0
        return weights

    def _item(
        self, rng: np.random.Generator, mode: str, references: int
    ) -> tuple[int, tuple[Tensor, Tensor]]:
        """Return the class, images (1 + R, 3, S, S) and masks (1 + R, 1, S, S); the query comes first."""
        settings = self._settings
        synthetic = mode in ("references", "clicks") and rng.random() < settings.synthetic_probability
        part = mode == "clicks" and rng.random() < settings.component_probability
        task = self._sampler.draw(
            rng, mode, references, synthetic=synthetic, part=part, size=settings.kept_size
        )
        class_mode = task.class_index > 0
        style = draw_style(
            rng, task.modality, class_mode=class_mode, strength=settings.augmentation,
            changes=settings.changes, hanging=settings.hanging.get(task.set_name, AS_IT_IS),
            hanging_probability=settings.hanging_probability,
        )  # fmt: skip
        augment = self._augment_classes if class_mode else self._augment
        crop = mode == "clicks" and rng.random() < settings.crop_probability
        fitted = (
            fit(*pair, settings.input_size, rng, crop=crop, sides=settings.crop_sides)
            for pair in (task.query, *task.references)
        )
        pairs = [augment(image, mask, style, rng) for image, mask in fitted]
        images, masks = (torch.stack(tensors) for tensors in zip(*pairs, strict=True))
        return task.class_index, (images, masks)


@dataclass(frozen=True)
class Share(Dataset[Batch]):
    """What one process takes of a step: `share[number]` is part `number % parts` of step `number // parts`.

    Args:
        stream: the whole batches.
        size: samples of a part.
        parts: parts of this process in a step.
        process: number of this process, from 0.
    """

    stream: BatchStream
    size: int
    parts: int = 1
    process: int = 0

    def __len__(self) -> int:
        return len(self.stream) * self.parts

    def __getitem__(self, number: int) -> Batch:
        step, part = divmod(number, self.parts)
        return self.stream.part(step, (self.process * self.parts + part) * self.size, self.size)


def _count(rng: np.random.Generator, probabilities: Sequence[float]) -> int:
    """Return 1, 2, 3, ... with the given probabilities."""
    return 1 + int(rng.choice(len(probabilities), p=probabilities))
