"""What to train on: tasks drawn from image sets.

Images come from sets drawn with weights that grow with a power of the set's size, times the set's own factor;
targets from the labels present; references show the same label in other subjects where there are any.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.chest_lungs import with_chest_lungs
from KPrismCore.training.drawings import deformed, found, made_up
from KPrismCore.training.packs import MIN_TARGET_PIXELS, ImageSet, Sample, training_parts
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.tasks import Classes, Pair, Source, Task

SAME_SUBJECT_PROBABILITY = 0.25


def recipe_parts(
    sets: Iterable[ImageSet], settings: TrainingSettings
) -> tuple[list[ImageSet], list[ImageSet]]:
    """What a recipe trains on, with the lungs that a rule marks, and what it validates on."""
    training, validation = training_parts(sets, settings.all_subjects)
    return with_chest_lungs(training, settings.lungs_from), validation


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
        self._factors = np.array([self._settings.set_factor(image_set.name) for image_set in self._sets])
        usable = [index for index, found in enumerate(self._sources) if found and self._factors[index] > 0]
        if not usable:
            raise TrainingDataError(
                "No image has a mask to learn from.", "Check the masks of the packs, and the table [sets]."
            )
        self._usable = np.array(usable)
        power = self._settings.size_power
        sizes = _weights(
            [len(self._sets[index].samples) for index in usable], self._settings.set_size_bounds, power
        )
        self._set_weights = _shares(sizes * self._factors[self._usable])
        found = [
            (index, [source for source in sources if self._factors[source.set_index] > 0])
            for index, sources in self._class_sources(classes)
        ]
        self._classes = [(index, sources) for index, sources in found if sources]
        counts = [
            sum(len(source.members) * self._factors[source.set_index] for source in sources)
            for _, sources in self._classes
        ]
        self._class_weights = _shares(_weights(counts, self._settings.class_size_bounds, power))
        self._absent = {index: self._absences(sources) for index, sources in self._classes}

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
        absent = self._draw_absent(rng, class_index) if mode == "class" else None
        source, chosen = absent or (source, int(rng.choice(source.members)))
        image_set = self._sets[source.set_index]
        if mode in ("references", "clicks") and rng.random() < self._settings.union_probability:
            source = self.source(source.set_index, tuple(self._present[source.set_index][chosen]))
        query = _pair(image_set.samples[chosen], source.labels)
        if part:
            query = query[0], _few_components(query[1], rng)
        pairs = self.draw_references(rng, source, chosen, references)
        return Task(query, tuple(pairs), image_set.modality, class_index, image_set.name)

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
            counts = [len(source.members) for source in sources]
            weights = _weights(counts, self._settings.class_size_bounds, self._settings.size_power)
            weights = weights * self._factors[[source.set_index for source in sources]]
            return index, sources[int(rng.choice(len(sources), p=_shares(weights)))]
        set_index = int(rng.choice(self._usable, p=self._set_weights))
        candidates = self._sources[set_index]
        return 0, candidates[int(rng.integers(len(candidates)))]

    def _draw_absent(self, rng: np.random.Generator, class_index: int) -> tuple[Source, int] | None:
        """A source of a class and a sample that shows none of it; None for an ordinary task."""
        absent, share = self._absent.get(class_index, ()), self._settings.absent_probability
        if not absent or share == 0 or rng.random() >= share:
            return None
        return absent[int(rng.integers(len(absent)))]

    def _absences(self, sources: Sequence[Source]) -> list[tuple[Source, int]]:
        """Every sample of a complete set that shows not a pixel of a source, with the source."""
        complete = [s for s in sources if self._sets[s.set_index].name in self._settings.complete_sets]
        return [
            (source, member)
            for source in complete
            for member, sample in enumerate(self._sets[source.set_index].samples)
            if not np.isin(sample.mask, source.labels).any()
        ]

    def _draw_synthetic(self, rng: np.random.Generator, references: int, size: int) -> Task:
        drawn = self._draw_found(rng, references)
        if drawn is not None:
            return drawn
        share, drawings = self._settings.deformed_share, None
        if share > 0 and rng.random() < share:
            drawings = deformed(rng, lambda: self._draw_labels(rng), references + 1)
        if drawings is None:
            samples = self._sets[int(rng.choice(self._usable, p=self._set_weights))].samples
            drawings = made_up(rng, samples, references + 1, size)
        return Task(drawings[0], tuple(drawings[1:]), "synthetic")

    def _draw_found(self, rng: np.random.Generator, references: int) -> Task | None:
        """A task of `found_share`; None for the other synthetic ones."""
        share = self._settings.found_share
        if share == 0 or rng.random() >= share:
            return None
        image_set = self._sets[int(rng.choice(self._usable, p=self._set_weights))]
        drawings = found(
            rng, lambda: image_set.samples[int(rng.integers(len(image_set.samples)))], references + 1
        )
        return None if drawings is None else Task(drawings[0], tuple(drawings[1:]), image_set.modality)

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


def _pair(sample: Sample, labels: Sequence[int]) -> Pair:
    return sample.image, np.isin(sample.mask, labels)


def _weights(counts: Sequence[float], bounds: tuple[int, int], power: float) -> NDArray[np.float64]:
    return np.asarray(np.clip(np.asarray(counts, dtype=np.float64), *bounds) ** power)


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return weights / weights.sum() if len(weights) else weights


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
