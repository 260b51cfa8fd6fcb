"""All records of one case: what is asked of the network, of another checkpoint and of the peers.

Clicks come from the robot user (`simulate.next_click`) on the image's own size, the first one from an empty
mask. Headline for the peers is **the same clicks**: they get exactly those the robot made on the network's
masks. That favours the network, whose errors these clicks answer; so each peer is measured with **its own
clicks** as well, made by the same robot on the peer's own masks. Both stand in the report side by side.
Source: paper section 4.1; spec section 17.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from KPrismCore.evaluation.cases import Case, EvaluationSet
from KPrismCore.evaluation.clicks import ClickSeries, Segment, click_series, replayed
from KPrismCore.evaluation.model_scores import ModelScores, seed_of
from KPrismCore.evaluation.opened import OpenImage
from KPrismCore.evaluation.peers import PEERS, Peer
from KPrismCore.evaluation.protocol import MODEL, PREVIOUS, SAME, Protocol, Record
from KPrismCore.evaluation.surface import Spacing
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click

VERSION = 4
Done = Mapping[tuple[str, str], Record]


class Benchmark:
    """Runs the protocols with one checkpoint.

    Args:
        predictor: of the checkpoint.
        protocol: what to measure.
        peers: the methods to compare with, by name.
        previous: of another checkpoint, which is measured in the same way and on the same clicks.
    """

    def __init__(
        self,
        predictor: Predictor,
        protocol: Protocol,
        peers: Mapping[str, Peer] = PEERS,
        previous: Predictor | None = None,
    ) -> None:
        self._protocol, self._peers = protocol, peers
        self._models = {MODEL: ModelScores(predictor, protocol)}
        if previous is not None:
            self._models[PREVIOUS] = ModelScores(previous, protocol)

    @property
    def checkpoint(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the weights."""
        return self.checkpoints[MODEL]

    @property
    def checkpoints(self) -> dict[str, str]:
        """The same for the network and the previous checkpoint, by method."""
        return {method: scores.weights for method, scores in self._models.items()}

    def keys(self, image_set: EvaluationSet) -> list[str]:
        """The keys of all records of a case, in their order; the same for every case of a set."""
        own = [
            _key(method, *scores.key(part, image_set))
            for method, scores in self._models.items()
            for part in scores.parts()
        ]
        return own + [
            self._peer_key(name, kind) for kind in self._protocol.peer_clicks for name in self._others(kind)
        ]

    def records(self, image_set: EvaluationSet, case: Case, done: Done) -> Iterator[Record]:
        """Yield the records of one case, each plain values for JSON with a key of its own.

        First the parts of the network, then those of the previous checkpoint, then for each kind of clicks
        one record per peer. (key, identity) is the same for the same measurement and differs for any two
        others.

        Args:
            image_set: the case's set.
            case: what to measure.
            done: earlier records by (key, case identity), which are yielded as they are.
        """
        places: list[Any] = []
        for method, scores in self._models.items():
            for part, measure in scores.parts().items():
                key = _key(method, *scores.key(part, image_set))
                record = done.get((key, case.identity))
                if record is None:
                    begin = time.perf_counter()
                    record = _record(key, method, image_set, case) | {"part": part}
                    record |= measure(image_set, case)
                    record["seconds"] = round(time.perf_counter() - begin, 3)
                if method == MODEL:
                    places = record.get("places", places)
                yield record
        clicks = [Click(column, row, positive) for row, column, positive in places]
        for kind in self._protocol.peer_clicks:
            for name in self._others(kind):
                key = self._peer_key(name, kind)
                earlier = done.get((key, case.identity))
                yield earlier or self._peer_record(key, name, kind, image_set, case, clicks)

    def mask(
        self, image_set: EvaluationSet, case: Case, prompt: str, clicks: int = 0
    ) -> NDArray[np.bool_] | None:
        """The network's mask again, for pictures; see `ModelScores.mask`."""
        return self._models[MODEL].mask(image_set, case, prompt, clicks)

    def _others(self, kind: str) -> list[str]:
        """Who gets clicks of a kind: the peers, and the previous checkpoint those of the network."""
        return [*self._peers, *(name for name in self._models if name != MODEL and kind == SAME)]

    def _peer_record(
        self, key: str, name: str, kind: str, image_set: EvaluationSet, case: Case, clicks: Sequence[Click]
    ) -> Record:
        begin = time.perf_counter()
        image, truth = image_set.pixels(case)
        segment, count = self._segment(name, image, image_set.aspect(case)), self._protocol.clicks
        series: ClickSeries
        if kind == SAME:
            series = replayed(segment, truth, clicks, count)
        else:
            series = click_series(segment, truth, count, seed_of(case))
        seconds = round(time.perf_counter() - begin, 3)
        scores = {"clicks_of": kind, "clicks": series.dice, "iou": series.iou, "seconds": seconds}
        return _record(key, name, image_set, case) | scores

    def _segment(self, name: str, image: NDArray[Any], aspect: Spacing) -> Segment:
        """What makes a mask of the clicks so far: another checkpoint, or a peer."""
        if name in self._models:
            return OpenImage(self._models[name].predictor, image, aspect).clicking()
        peer = self._peers[name]
        return lambda clicks: peer.segment(image, clicks)

    def _peer_key(self, name: str, kind: str) -> str:
        """A peer's own clicks do not depend on the checkpoint; the clicks it shares do."""
        model = self._models[MODEL].identity if kind == SAME else ""
        peer = self._models[name].identity if name in self._models else repr(self._peers[name])
        return _key(name, kind, self._protocol.clicks, model, peer)


def _key(*parts: Any) -> str:
    return hashlib.sha256(repr([VERSION, *parts]).encode()).hexdigest()[:16]


def _record(key: str, method: str, image_set: EvaluationSet, case: Case) -> Record:
    return {"key": key, "method": method, "modality": image_set.modality, **asdict(case)}
