"""What to train on: the stream of tasks, a pure function of the seed and the step.

A batch has one mode. Its images come from sets drawn with weights that grow with the root of the set's size,
its targets from the labels present; references show the same label in other subjects where there are any.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.augment import Augmenter, draw_style, fit
from KPrismCore.training.drawings import deformed, made_up
from KPrismCore.training.packs import MIN_TARGET_PIXELS, ImageSet, Pixels, Sample
from KPrismCore.training.settings import MODES, TrainingSettings

Classes = Mapping[int, Mapping[str, Sequence[str]]]
Pair = tuple[Pixels, NDArray[np.bool_]]
SAME_SUBJECT_PROBABILITY = 0.25


@dataclass(frozen=True)
class Source:
    """One thing to segment: labels (their union) of one set, and the samples that show any of them."""

    set_index: int
    labels: tuple[int, ...]
    members: tuple[int, ...]


@dataclass(frozen=True)
class Task:
    """One image with its target, references and class (0 where the mode has none), before augmentation."""

    query: Pair
    references: tuple[Pair, ...]
    modality: str
    class_index: int = 0


@dataclass(frozen=True)
class Batch:
    """One training step's input.

    `images` (B, 3, S, S) float32 in [0, 1], `targets` (B, 1, S, S) of 0 and 1; `reference_images`
    (B, R, 3, S, S) and `reference_masks` (B, R, 1, S, S), or None; `class_index` (B,) 1-based, or None.
    `passes` decoder passes with gradient follow `silent_rounds` without.
    """

    step: int
    mode: str
    images: Tensor
    targets: Tensor
    class_index: Tensor | None
    reference_images: Tensor | None
    reference_masks: Tensor | None
    passes: int
    silent_rounds: int


def read_classes(path: Path) -> dict[int, dict[str, list[str]]]:
    """Read the class table: index -> set name -> label names that together make up the class.

    The table has the columns `index` (1-based) and `sources` ("set:label;set:label"); several labels of
    one set form their union.

    Raises:
        TrainingDataError: the file is missing or a row is malformed.
    """
    classes: dict[int, dict[str, list[str]]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                sources = classes.setdefault(int(row["index"]), {})
                for item in filter(None, (part.strip() for part in row["sources"].split(";"))):
                    set_name, _, label = item.partition(":")
                    sources.setdefault(set_name.strip(), []).append(label.strip())
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise TrainingDataError(
            f"{path} is not a class table ({error}).", "Name a CSV file with the columns index and sources."
        ) from error
    return classes


class TaskSampler:
    """Draws tasks from image sets.

    Args:
        sets: the training parts of the sets.
        classes: the classes that may be asked for by name; see `read_classes`.
        settings: how often what is drawn.

    Raises:
        TrainingDataError: no image has a usable target.
    """

    def __init__(
        self, sets: Sequence[ImageSet], classes: Classes, settings: TrainingSettings | None = None
    ) -> None:
        self._sets, self._settings = list(sets), settings or TrainingSettings()
        self._present = [[sample.labels() for sample in image_set.samples] for image_set in self._sets]
        self._sources: list[list[Source]] = []
        for index, image_set in enumerate(self._sets):
            candidates = (self.source(index, (label,)) for label in sorted(image_set.labels))
            self._sources.append([source for source in candidates if source.members])
        usable = [index for index, sources in enumerate(self._sources) if sources]
        if not usable:
            raise TrainingDataError("No image has a mask to learn from.", "Check the masks of the packs.")
        self._usable = np.array(usable)
        self._set_weights = _weights(
            [len(self._sets[index].samples) for index in usable], self._settings.set_size_bounds
        )
        self._classes = self._class_sources(classes)
        counts = [sum(len(source.members) for source in sources) for _, sources in self._classes]
        self._class_weights = _weights(counts, self._settings.class_size_bounds)

    @property
    def sources(self) -> list[list[Source]]:
        """For every set one source per label that any sample shows."""
        return self._sources

    @property
    def classes(self) -> list[tuple[int, list[Source]]]:
        """(class index, its sources) of every class that any sample shows."""
        return self._classes

    @property
    def has_classes(self) -> bool:
        """Whether any class of the table is shown by any image."""
        return bool(self._classes)

    def source(self, set_index: int, labels: tuple[int, ...]) -> Source:
        """Return the source of the given labels' union in one set."""
        wanted = set(labels)
        present = self._present[set_index]
        members = tuple(index for index, found in enumerate(present) if wanted.intersection(found))
        return Source(set_index, labels, members)

    def pair(self, source: Source, member: int) -> Pair:
        """Return image and target of one sample of a source's set."""
        return _pair(self._sets[source.set_index].samples[member], source.labels)

    def draw(
        self, rng: np.random.Generator, mode: str, references: int, *, synthetic: bool, part: bool, size: int
    ) -> Task:
        """Draw one task of a mode (one of `MODES`); with `part`, some components only are the target."""
        if synthetic:
            return self._draw_synthetic(rng, references, size)
        class_index, source = self._draw_source(rng, classes=mode in ("class", "combined"))
        image_set = self._sets[source.set_index]
        chosen = int(rng.choice(source.members))
        if mode in ("references", "clicks") and rng.random() < self._settings.union_probability:
            source = self.source(source.set_index, tuple(self._present[source.set_index][chosen]))
        query = _pair(image_set.samples[chosen], source.labels)
        if part:
            query = query[0], _few_components(query[1], rng)
        pairs = self.draw_references(rng, source, chosen, references)
        return Task(query, tuple(pairs), image_set.modality, class_index)

    def draw_references(
        self, rng: np.random.Generator, source: Source, chosen: int, count: int
    ) -> list[Pair]:
        """Draw references for one sample of a source: of other subjects, or sometimes of the same."""
        samples = self._sets[source.set_index].samples
        subject = samples[chosen].subject
        others = [index for index in source.members if samples[index].subject != subject]
        own = [index for index in source.members if samples[index].subject == subject]
        siblings = [index for index in own if index != chosen]
        few = len({samples[index].subject for index in others}) < 2
        pairs = []
        for _ in range(count):
            same = rng.random() < (0.5 if few else SAME_SUBJECT_PROBABILITY)
            pool = (siblings if same else others) or others or siblings or [chosen]
            pairs.append(_pair(samples[int(rng.choice(pool))], source.labels))
        return pairs

    def _draw_source(self, rng: np.random.Generator, *, classes: bool) -> tuple[int, Source]:
        if classes and self._classes:
            index, sources = self._classes[int(rng.choice(len(self._classes), p=self._class_weights))]
            weights = _weights([len(source.members) for source in sources], self._settings.class_size_bounds)
            return index, sources[int(rng.choice(len(sources), p=weights))]
        set_index = int(rng.choice(self._usable, p=self._set_weights))
        candidates = self._sources[set_index]
        return 0, candidates[int(rng.integers(len(candidates)))]

    def _draw_synthetic(self, rng: np.random.Generator, references: int, size: int) -> Task:
        share, drawings = self._settings.deformed_share, None
        if share > 0 and rng.random() < share:
            drawings = deformed(rng, lambda: self._draw_labels(rng), references + 1)
        if drawings is None:
            samples = self._sets[int(rng.choice(self._usable, p=self._set_weights))].samples
            drawings = made_up(rng, samples, references + 1, size)
        return Task(drawings[0], tuple(drawings[1:]), "synthetic")

    def _draw_labels(self, rng: np.random.Generator) -> tuple[Sample, tuple[int, ...]]:
        _, source = self._draw_source(rng, classes=False)
        return self._sets[source.set_index].samples[int(rng.choice(source.members))], source.labels

    def _class_sources(self, classes: Classes) -> list[tuple[int, list[Source]]]:
        found = []
        for index, wanted in sorted(classes.items()):
            sources = []
            for set_index, image_set in enumerate(self._sets):
                names = wanted.get(image_set.name, ())
                # tables of the paper name labels by their numbers in the masks
                labels = tuple(
                    sorted(n for n, name in image_set.labels.items() if name in names or str(n) in names)
                )
                source = self.source(set_index, labels)
                if source.members:
                    sources.append(source)
            if sources:
                found.append((index, sources))
        return found


class BatchStream(Dataset[Batch]):
    """The batches by step: `stream[step]` is the same whenever and in whichever process it is asked for."""

    def __init__(self, sampler: TaskSampler, settings: TrainingSettings) -> None:
        self._sampler = sampler
        self._settings = settings
        self._augment = Augmenter(settings.input_size, strength=settings.augmentation)
        self._augment_classes = Augmenter(settings.input_size, 20.0, settings.augmentation)

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, step: int) -> Batch:
        settings = self._settings
        rng = np.random.default_rng([settings.seed, step])
        mode = self._draw_mode(rng, step)
        with_references = mode in ("references", "combined")
        references = _count(rng, settings.reference_probabilities) if with_references else 0
        passes = _count(rng, settings.pass_probabilities)
        silent = int(rng.integers(2, 5)) if rng.random() < settings.silent_probability else 0
        items = [self._item(rng, mode, references) for _ in range(settings.batch_size)]
        stacks = [torch.stack(tensors) for tensors in zip(*(item[1] for item in items), strict=True)]
        classes = torch.tensor([item[0] for item in items])
        return Batch(
            step, mode, stacks[0][:, 0], stacks[1][:, 0],
            classes if mode in ("class", "combined") else None,
            stacks[0][:, 1:] if references else None,
            stacks[1][:, 1:] if references else None,
            min(passes, 2) if silent else passes, silent,
        )  # fmt: skip

    def _draw_mode(self, rng: np.random.Generator, step: int) -> str:
        settings = self._settings
        early = step < settings.clicks_first_steps
        weights = np.array(settings.early_mode_probabilities if early else settings.mode_probabilities)
        if not self._sampler.has_classes:
            weights[MODES.index("class")] = weights[MODES.index("combined")] = 0.0
        return MODES[int(rng.choice(len(MODES), p=weights / weights.sum()))]

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
        style = draw_style(rng, task.modality, class_mode=class_mode, strength=settings.augmentation)
        augment = self._augment_classes if class_mode else self._augment
        crop = mode == "clicks" and rng.random() < settings.crop_probability
        fitted = (fit(*pair, settings.input_size, rng, crop=crop) for pair in (task.query, *task.references))
        pairs = [augment(image, mask, style, rng) for image, mask in fitted]
        images, masks = (torch.stack(tensors) for tensors in zip(*pairs, strict=True))
        return task.class_index, (images, masks)


def _pair(sample: Sample, labels: Sequence[int]) -> Pair:
    return sample.image, np.isin(sample.mask, labels)


def _count(rng: np.random.Generator, probabilities: Sequence[float]) -> int:
    """Return 1, 2, 3, ... with the given probabilities."""
    return 1 + int(rng.choice(len(probabilities), p=probabilities))


def _weights(counts: Sequence[int], bounds: tuple[int, int]) -> NDArray[np.float64]:
    roots = np.sqrt(np.clip(np.asarray(counts, dtype=np.float64), *bounds))
    return roots / roots.sum() if len(roots) else roots


def _few_components(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return one, two or three components of a mask that has several of useful size; else the mask."""
    components, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count < 2:
        return mask
    sizes = np.bincount(components.ravel())[1:]
    useful = np.nonzero(sizes >= MIN_TARGET_PIXELS)[0] + 1
    if len(useful) < 2:
        return mask
    wanted = 1 if rng.random() < 0.6 else int(rng.integers(2, 4))
    return np.isin(components, rng.choice(useful, size=min(wanted, len(useful)), replace=False))
