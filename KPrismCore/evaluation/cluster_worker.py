"""One worker of an evaluation over many: it builds the benchmark once, then measures case after case.

What comes and goes between driver and worker are numbers and JSON, so that a record is the same whoever
measured it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch

from KPrismCore import errors
from KPrismCore.errors import CheckpointError, KPrismError
from KPrismCore.evaluation.benchmark import Benchmark
from KPrismCore.evaluation.cases import Case, DataPlace, EvaluationSet
from KPrismCore.evaluation.peers import PEERS
from KPrismCore.evaluation.protocol import Protocol, Record
from KPrismCore.model import load_model
from KPrismCore.predictor import Predictor

# a worker meets the cases set by set; a pack lies in memory as a whole
OPEN_SETS = 2
Row = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """All that a worker needs to build the benchmark of the driver.

    Args:
        model: name of a shipped model, or a checkpoint file.
        protocol: what to measure.
        data: where they are, with the folder of kept slices.
        checkpoints: hashes of the weights by method, as the driver's benchmark has them.
        previous: another checkpoint as `model`; empty for none.
        peers: names of the peers to compare with.
        device: as `load_model` takes it.
    """

    model: str
    protocol: Protocol
    data: DataPlace
    checkpoints: Mapping[str, str]
    previous: str = ""
    peers: tuple[str, ...] = tuple(PEERS)
    device: str = "cpu"

    def build(self) -> Benchmark:
        """Load the checkpoints.

        Raises:
            CheckpointError: there is no such checkpoint here, or it has other weights than the driver's.
            DeviceError: there is no such device here.
        """
        previous = Predictor(load_model(self.previous, self.device)) if self.previous else None
        peers = {name: PEERS[name] for name in self.peers}
        predictor = Predictor(load_model(self.model, self.device))
        benchmark = Benchmark(predictor, self.protocol, peers, previous)
        if benchmark.checkpoints != dict(self.checkpoints):
            raise CheckpointError(
                f"A worker finds other weights in {self.model} than this process.",
                "Put the same checkpoint at the same place on every machine.",
            )
        return benchmark


class CaseWorker:
    """What Ray Data calls with cases; one per process, on one processor thread.

    Args:
        recipe: of the benchmark, which is built with the first case.
    """

    def __init__(self, recipe: Recipe) -> None:
        torch.set_num_threads(1)
        self._recipe = recipe
        self._open = lru_cache(maxsize=OPEN_SETS)(self._opened)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Measure the cases of a batch.

        Args:
            batch: columns "number", "case" and "done" of `question`.

        Returns:
            Columns "number", "answer" for `records_of`, and "process", the worker's process id.
        """
        columns = (batch["number"], batch["case"], batch["done"])
        rows = list(zip(*columns, strict=True))
        return {
            "number": [int(number) for number, _, _ in rows],
            "answer": [self._answer(str(case), str(done)) for _, case, done in rows],
            "process": [os.getpid()] * len(rows),
        }

    @cached_property
    def _benchmark(self) -> Benchmark:
        return self._recipe.build()

    def _opened(self, name: str) -> EvaluationSet:
        return self._recipe.data.sets([name], everyone=self._recipe.protocol.everyone)[name]

    def _answer(self, case_text: str, done_text: str) -> str:
        case = Case(**json.loads(case_text))
        done = {(record["key"], record["identity"]): record for record in json.loads(done_text)}
        try:
            records = list(self._benchmark.records(self._open(case.set_name), case, done))
        except KPrismError as error:
            # an exception would reach the driver as one of Ray's, without its kind
            return json.dumps({"error": [type(error).__name__, error.cause, error.remedy]})
        return json.dumps({"records": records}, ensure_ascii=False)


def question(number: int, case: Case, done: Sequence[Record]) -> Row:
    """A row for `CaseWorker`.

    Args:
        number: of the case, which comes back with the answer.
        case: what to measure.
        done: records that the case has already.
    """
    texts = {"case": asdict(case), "done": list(done)}
    return {"number": number, **{name: json.dumps(value) for name, value in texts.items()}}


def records_of(answer: str) -> list[Record]:
    """The records that a worker sent.

    Raises:
        KPrismError: the worker met it; of the same kind as there.
    """
    content = json.loads(answer)
    if "error" in content:
        kind, cause, remedy = content["error"]
        raise getattr(errors, kind, KPrismError)(cause, remedy)
    records: list[Record] = content["records"]
    return records
