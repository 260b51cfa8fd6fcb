"""One checkpoint's scores on one case, in parts that are measured and kept one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.cases import Case, EvaluationSet
from KPrismCore.evaluation.clicks import Rule, Segment, click_series
from KPrismCore.evaluation.experts import Weights, watched_gates
from KPrismCore.evaluation.metrics import dice
from KPrismCore.evaluation.opened import OpenImage, encoded, noted, rounded, unit_of
from KPrismCore.evaluation.protocol import Protocol, Record
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.predictor import MAX_REFERENCES, Predictor
from KPrismCore.simulate import human_click, next_click
from KPrismCore.training.packs import Pixels

# a mask is looked at closely after so many clicks
CLOSELY = (1, 5)
Mask = NDArray[np.bool_]


class ModelScores:
    """Measures one checkpoint.

    Args:
        predictor: of the checkpoint.
        protocol: what to measure.
    """

    def __init__(self, predictor: Predictor, protocol: Protocol) -> None:
        self.predictor, self.protocol = predictor, protocol
        model = predictor.model
        self.weights = weights_hash(model.network)
        classes = [(entry.index, entry.name, entry.sources) for entry in model.catalogue.trained]
        lines = sorted(model.confidence_lines.items())
        rules = (model.lowest_threshold, lines, model.zoom, model.recognition)
        described = (self.weights, model.network.config, model.preprocessing.to_dict(), classes, rules)
        # with the weights, all that masks and confidence depend on
        self.identity = hashlib.sha256(repr(described).encode()).hexdigest()[:16]

    def parts(self) -> dict[str, Callable[[EvaluationSet, Case], Record]]:
        """What is measured for a case: by name, the function that does it."""
        protocol = self.protocol
        parts: dict[str, Callable[[EvaluationSet, Case], Record]] = {"modes": self._modes}
        if protocol.shots:
            parts["shots"] = self._shots
        if protocol.exemplars:
            parts["exemplars"] = self._exemplars
        if protocol.noisy:
            parts["noisy"] = self._noisy
        return parts

    def key(self, part: str, image_set: EvaluationSet) -> list[Any]:
        """All that the results of a part depend on besides the case; of the set the references."""
        protocol = self.protocol
        of_part: dict[str, list[Any]] = {
            "modes": [protocol.clicks, protocol.refinements, protocol.everyone],
            "shots": [*protocol.shots, protocol.everyone],
            "exemplars": [protocol.exemplars, protocol.everyone],
            "noisy": [protocol.clicks, protocol.refinements, protocol.everyone],
        }
        return [part, self.identity, *of_part[part], image_set.known]

    def mask(self, image_set: EvaluationSet, case: Case, prompt: str, clicks: int = 0) -> Mask | None:
        """The mask again, for pictures; None where the case has no such prompt.

        Args:
            image_set: the case's set.
            case: whose mask.
            prompt: "class", "reference" or "clicks".
            clicks: how many, for a class or reference after the first mask.
        """
        image, truth = image_set.pixels(case)
        opened = OpenImage(self.predictor, image, image_set.aspect(case))
        first, segment = None, opened.clicking()
        if prompt != "clicks":
            started = self._started(prompt, opened, image_set, case)
            if started is None:
                return None
            first, segment = started
        return click_series(segment, truth, clicks, seed_of(case), start=first).mask if clicks else first

    def _modes(self, image_set: EvaluationSet, case: Case) -> Record:
        """Mode 3, and Modes 1 and 2 with the clicks that refine them."""
        image, truth = image_set.pixels(case)
        spacing = image_set.spacing(case)
        opened, details = OpenImage(self.predictor, image, image_set.aspect(case)), {}
        confidences: list[float] = []
        expected: list[float | None] = []

        def seen(number: int) -> None:
            confidences.append(round(opened.last.confidence, 5))
            expected.append(rounded(opened.last.expected))
            if number in CLOSELY:
                details[f"clicks_{number}"] = noted(opened.last, truth, spacing)

        with watched_gates(self.predictor.model.network) as gates:
            series = click_series(opened.clicking(), truth, self.protocol.clicks, seed_of(case), seen=seen)
        scores: Record = {
            "size": list(truth.shape), "pixels": int(truth.sum()), "unit": unit_of(spacing),
            "clicks": series.dice, "iou": series.iou, "confidences": confidences, "expected": expected,
            "places": [[int(click.y), int(click.x), click.positive] for click in series.clicks],
        }  # fmt: skip
        experts: dict[str, Weights | None] = {"clicks": gates.means()}
        for prompt in ("class", "reference"):
            with watched_gates(self.predictor.model.network) as gates:
                started = self._started(prompt, opened, image_set, case)
            if started is None:
                continue
            experts[prompt] = gates.means()
            details[prompt] = noted(opened.last, truth, spacing)
            scores[prompt] = self._refined(started[1], truth, started[0], case)
            details[f"{prompt}_refined"] = noted(opened.last, truth, spacing)
        name = self.class_name(case)
        found = {key: value for key, value in experts.items() if value is not None}
        return scores | ({"class_name": name} if name else {}) | {"details": details, "experts": found}

    def _started(
        self, prompt: str, opened: OpenImage, image_set: EvaluationSet, case: Case
    ) -> tuple[Mask, Segment] | None:
        """The first mask of a class or a reference, and what refines it; None without such a prompt."""
        if prompt == "class":
            name = self.class_name(case)
            return None if name is None else (opened.by_class(name), opened.clicking(name))
        pair = image_set.reference(case)
        if pair is None:
            return None
        references = self._encoded(image_set, case, pair)
        return opened.by_reference(references), opened.clicking(None, references)

    def _encoded(self, image_set: EvaluationSet, case: Case, pair: tuple[Pixels, Mask]) -> ReferenceFeatures:
        return encoded(self.predictor, [pair], image_set.aspect(case), image_set.modality)

    def _refined(
        self, segment: Segment, truth: Mask, first: Mask, case: Case, rule: Rule = next_click
    ) -> list[float]:
        """Dice after 0, 1, 2, ... clicks."""
        count = self.protocol.refinements
        series = click_series(segment, truth, count, seed_of(case), start=first, rule=rule)
        return [dice(first, truth), *series.dice]

    def _shots(self, image_set: EvaluationSet, case: Case) -> Record:
        """Mode 2 with several references together, where there are so many."""
        image, truth = image_set.pixels(case)
        pairs = image_set.references(case, min(MAX_REFERENCES, max(self.protocol.shots)))
        single = [self._encoded(image_set, case, pair) for pair in pairs]
        opened, spacing = OpenImage(self.predictor, image, image_set.aspect(case)), image_set.spacing(case)
        details, shots = {}, {}
        for count in (count for count in self.protocol.shots if count <= len(single)):
            opened.by_reference(ReferenceFeatures.concatenate(single[:count]))
            details[f"reference_{count}"] = noted(opened.last, truth, spacing)
            shots[str(count)] = details[f"reference_{count}"]["dice"]
        return {"shots": shots, "unit": unit_of(spacing), "details": details}

    def _exemplars(self, image_set: EvaluationSet, case: Case) -> Record:
        """Mode 2 with one reference after another."""
        image, truth = image_set.pixels(case)
        opened = OpenImage(self.predictor, image, image_set.aspect(case))
        pairs = image_set.references(case, self.protocol.exemplars)
        masks = (opened.by_reference(self._encoded(image_set, case, pair)) for pair in pairs)
        return {"exemplars": [dice(mask, truth) for mask in masks]}

    def _noisy(self, image_set: EvaluationSet, case: Case) -> Record:
        """Mode 3, and Modes 1 and 2 with the clicks that refine them, with those of an imperfect person."""
        image, truth = image_set.pixels(case)
        opened = OpenImage(self.predictor, image, image_set.aspect(case))
        count, seed = self.protocol.clicks, seed_of(case)
        series = click_series(opened.clicking(), truth, count, seed, rule=human_click)
        scores: Record = {"noisy": series.dice, "noisy_clicks": len(series.clicks)}
        for prompt in ("class", "reference"):
            started = self._started(prompt, opened, image_set, case)
            if started is not None:
                scores[f"noisy_{prompt}"] = self._refined(started[1], truth, started[0], case, human_click)
        return scores

    def class_name(self, case: Case) -> str | None:
        """The class that means exactly this label of this set, if the network was trained for one."""
        # tables of the paper name labels by their numbers in the masks
        wanted = {f"{case.set_name}:{label}" for label in (case.label_name, case.label)}
        for entry in self.predictor.model.catalogue.trained:
            of_this_set = [source for source in entry.sources if source.split(":")[0] == case.set_name]
            if len(of_this_set) == 1 and of_this_set[0] in wanted:
                return entry.name
        return None


def weights_hash(network: KPrism) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a network's names and weights."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def seed_of(case: Case) -> int:
    """The seed of the robot's random choices on a case."""
    return int(hashlib.sha256(case.identity.encode()).hexdigest()[:8], 16)
