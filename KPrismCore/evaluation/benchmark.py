"""The protocols: what is asked of the network and of its peers for one case, and the record of it.

Clicks come from the robot user (`simulate.next_click`) on the image's own size, the first one from an empty
mask. Headline for the peers is **the same clicks**: they get exactly those the robot made on the network's
masks. That favours the network, whose errors these clicks answer; so each peer is measured with **its own
clicks** as well, made by the same robot on the peer's own masks. Both stand in the report side by side.
Source: paper section 4.1; spec section 17.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.cases import Case, EvaluationSet
from KPrismCore.evaluation.metrics import MAX_CLICKS, dice, iou
from KPrismCore.evaluation.peers import PEERS, Peer
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.predictor import Features, Prediction, Predictor
from KPrismCore.prompts import Click
from KPrismCore.simulate import next_click

VERSION = 1
MODEL = "K-Prism"
SAME, OWN = "same", "own"
EIGHT_BIT = (0.0, 255.0)
Mask = NDArray[np.bool_]
Record = dict[str, Any]


@dataclass(frozen=True)
class Protocol:
    """What is measured.

    Args:
        limit: most cases per set; None for all.
        clicks: clicks per case without class and references.
        refinements: clicks after a first mask from a class or a reference.
        peer_clicks: "same" (those of the network) and "own", in any combination; empty for no peers.
    """

    limit: int | None = 20
    clicks: int = MAX_CLICKS
    refinements: int = 3
    peer_clicks: tuple[str, ...] = (SAME, OWN)


FAST = Protocol(limit=5, refinements=1, peer_clicks=(SAME,))


@dataclass
class ClickSeries:
    """A robot's work on one case: Dice and IoU after each click, and the clicks.

    A mask without error needs no further click: the scores of the last mask are then repeated.
    """

    dice: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    mask: Mask | None = None

    def add(self, mask: Mask, truth: Mask) -> None:
        """Note the scores of the next mask."""
        self.dice.append(dice(mask, truth))
        self.iou.append(iou(mask, truth))
        self.mask = mask


def click_series(
    segment: Callable[[Sequence[Click]], Mask], truth: Mask, count: int, seed: int, start: Mask | None = None
) -> ClickSeries:
    """Let the robot click so many times; each time `segment` gets all clicks so far.

    Args:
        segment: makes a mask (H, W) of the clicks.
        truth: (H, W).
        count: number of clicks.
        seed: of the robot's random choices, so that first clicks agree between methods.
        start: the mask the first click corrects; an empty one where None.
    """
    series, rng = ClickSeries(), np.random.default_rng(seed)
    mask = np.zeros_like(truth) if start is None else start
    for _ in range(count):
        found = next_click(mask, truth, rng)
        if found is not None:
            row, column, positive = found
            series.clicks.append(Click(column, row, positive))
            mask = segment(series.clicks)
        series.add(mask, truth)
    return series


def replayed(
    segment: Callable[[Sequence[Click]], Mask], truth: Mask, clicks: Sequence[Click], count: int
) -> ClickSeries:
    """Scores of a method after 1, 2, ... of somebody else's clicks, repeated where these end early."""
    series = ClickSeries()
    for number in range(1, count + 1):
        if number <= len(clicks):
            series.add(segment(clicks[:number]), truth)
        elif series.mask is not None:
            series.add(series.mask, truth)
    return series


class OpenImage:
    """The network before one image: encoded once, asked in every way.

    Args:
        predictor: of the checkpoint to measure.
        image: uint8 (H, W) or (H, W, 3); packs hold images that have been windowed to 8 bit.
    """

    def __init__(self, predictor: Predictor, image: NDArray[Any]) -> None:
        self._predictor = predictor
        self._features: Features = predictor.encode(image, value_range=EIGHT_BIT)
        self._last: Prediction | None = None

    def by_class(self, name: str) -> Mask:
        """The mask from a class name."""
        return self._keep(self._predictor.predict(self._features, name))

    def by_reference(self, references: ReferenceFeatures) -> Mask:
        """The mask from references."""
        return self._keep(self._predictor.predict(self._features, references=references))

    def clicking(
        self, class_name: str | None = None, references: ReferenceFeatures | None = None
    ) -> Callable[[Sequence[Click]], Mask]:
        """A function that takes all clicks so far; it goes on from the last mask, as a session does."""

        def segment(clicks: Sequence[Click]) -> Mask:
            last = self._last
            return self._keep(self._predictor.predict(self._features, class_name, references, clicks, last))

        return segment

    def _keep(self, prediction: Prediction) -> Mask:
        self._last = prediction
        return prediction.mask


class Benchmark:
    """Runs the protocols with one checkpoint.

    Args:
        predictor: of the checkpoint.
        protocol: what to measure.
        peers: the methods to compare with, by name.
    """

    def __init__(self, predictor: Predictor, protocol: Protocol, peers: Mapping[str, Peer] = PEERS) -> None:
        self._predictor, self._protocol, self._peers = predictor, protocol, peers
        self._checkpoint = weights_hash(predictor.model.network)

    @property
    def checkpoint(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the weights."""
        return self._checkpoint

    def records(
        self, image_set: EvaluationSet, case: Case, done: Mapping[tuple[str, str], Record]
    ) -> Iterator[Record]:
        """Yield the records of one case: the network's first, then one per peer and kind of clicks.

        Args:
            image_set: the case's set.
            case: what to measure.
            done: earlier records by (key, case identity), which are yielded as they are.
        """
        key = self._key(MODEL)
        model = done.get((key, case.identity))
        if model is None:
            model = _record(key, MODEL, case) | self._model_scores(image_set, case)
        yield model
        clicks = [Click(column, row, positive) for row, column, positive in model["places"]]
        for kind in self._protocol.peer_clicks:
            for name in self._peers:
                key = self._key(name, kind)
                earlier = done.get((key, case.identity))
                yield earlier or self._peer_record(key, name, kind, image_set, case, clicks)

    def mask(self, image_set: EvaluationSet, case: Case, mode: str, clicks: int = 0) -> Mask | None:
        """The network's mask again, for pictures; None where the case has no such prompt.

        Args:
            image_set: the case's set.
            case: whose mask.
            mode: "class", "reference" or "clicks".
            clicks: how many, in mode "clicks".
        """
        image, truth = image_set.pixels(case)
        opened = OpenImage(self._predictor, image)
        if mode == "class":
            name = self._class_name(case)
            return None if name is None else opened.by_class(name)
        if mode == "reference":
            references = self._references(image_set, case)
            return None if references is None else opened.by_reference(references)
        return click_series(opened.clicking(), truth, clicks, _seed(case)).mask

    def _model_scores(self, image_set: EvaluationSet, case: Case) -> Record:
        begin = time.perf_counter()
        image, truth = image_set.pixels(case)
        opened = OpenImage(self._predictor, image)
        series = click_series(opened.clicking(), truth, self._protocol.clicks, _seed(case))
        scores: Record = {"size": list(truth.shape), "pixels": int(truth.sum())}
        scores |= {"clicks": series.dice, "iou": series.iou}
        scores["places"] = [[int(click.y), int(click.x), click.positive] for click in series.clicks]
        name, references = self._class_name(case), self._references(image_set, case)
        if name is not None:
            first = opened.by_class(name)
            scores["class_name"] = name
            scores["class"] = self._refined(opened.clicking(name), truth, first, case)
        if references is not None:
            first = opened.by_reference(references)
            scores["reference"] = self._refined(opened.clicking(None, references), truth, first, case)
        return scores | {"seconds": round(time.perf_counter() - begin, 3)}

    def _refined(
        self, segment: Callable[[Sequence[Click]], Mask], truth: Mask, first: Mask, case: Case
    ) -> list[float]:
        """Dice after 0, 1, 2, ... clicks."""
        series = click_series(segment, truth, self._protocol.refinements, _seed(case), start=first)
        return [dice(first, truth), *series.dice]

    def _peer_record(
        self, key: str, name: str, kind: str, image_set: EvaluationSet, case: Case, clicks: Sequence[Click]
    ) -> Record:
        begin = time.perf_counter()
        image, truth = image_set.pixels(case)
        peer, count = self._peers[name], self._protocol.clicks

        def segment(given: Sequence[Click]) -> Mask:
            return peer.segment(image, given)

        if kind == SAME:
            series = replayed(segment, truth, clicks, count)
        else:
            series = click_series(segment, truth, count, _seed(case))
        seconds = round(time.perf_counter() - begin, 3)
        scores = {"clicks_of": kind, "clicks": series.dice, "iou": series.iou, "seconds": seconds}
        return _record(key, name, case) | scores

    def _class_name(self, case: Case) -> str | None:
        """The class that means exactly this label of this set, if the network was trained for one."""
        wanted = f"{case.set_name}:{case.label_name}"
        for entry in self._predictor.model.catalogue.trained:
            of_this_set = [source for source in entry.sources if source.split(":")[0] == case.set_name]
            if of_this_set == [wanted]:
                return entry.name
        return None

    def _references(self, image_set: EvaluationSet, case: Case) -> ReferenceFeatures | None:
        pair = image_set.reference(case)
        return None if pair is None else self._predictor.encode_references([pair], value_range=EIGHT_BIT)

    def _key(self, method: str, kind: str = "") -> str:
        """Differs wherever results may differ; a peer's own clicks do not depend on the checkpoint."""
        parts: list[Any] = [VERSION, method, kind, self._protocol.clicks]
        if kind != OWN:
            parts += [self._checkpoint, self._protocol.refinements]
        if method in self._peers:
            parts.append(repr(self._peers[method]))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def weights_hash(network: KPrism) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a network's names and weights."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _record(key: str, method: str, case: Case) -> Record:
    return {"key": key, "method": method, **asdict(case)}


def _seed(case: Case) -> int:
    return int(hashlib.sha256(case.identity.encode()).hexdigest()[:8], 16)
