"""For tests of the evaluation over workers: one Ray session, and a benchmark that kills a worker."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from KPrismCore.evaluation.benchmark import Benchmark
from KPrismCore.evaluation.cluster import Workers, ray_session
from KPrismCore.evaluation.cluster_worker import Recipe
from KPrismCore.model import load_model
from KPrismCore.predictor import Predictor

TWO = Workers(2)


@pytest.fixture(scope="session")
def a_ray_session() -> Iterator[Any]:
    """The one session of all tests; starting another for each would take most of their time."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs Ray, of Resources/requirements-research.txt")
    with ray_session(TWO) as ray:
        yield ray


class FatalPeer:
    """A peer that kills its process at its first use, and works at every later one, in any process.

    Args:
        grave: a file that is made with the number of the process that died.
    """

    def __init__(self, grave: Path) -> None:
        self._grave = grave

    def segment(self, image, clicks):
        """The pixels left of the last click."""
        if not self._grave.exists():
            self._grave.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        mask = np.zeros(image.shape[:2], dtype=bool)
        mask[:, : int(clicks[-1].x)] = True
        return mask

    def __repr__(self) -> str:
        return "FatalPeer()"


@dataclass(frozen=True)
class FatalRecipe(Recipe):
    """A recipe whose only peer is the fatal one."""

    grave: Path = Path()

    def build(self) -> Benchmark:
        predictor = Predictor(load_model(self.model, self.device))
        return Benchmark(predictor, self.protocol, {"fatal": FatalPeer(self.grave)}, predictor)
