"""The main thread stays free while the network runs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_samples import SlowPredictor, add_image, add_view, ras_at, scene_mask, wait

LONGEST = 0.05
ROUNDS = 3


class BusyPredictor(SlowPredictor):
    """Computes for a while as a network does: torch in small pieces, on as many threads as torch takes."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.running = False

    def predict(self, *arguments: Any, **options: Any) -> Any:
        self.running = True
        try:
            image, weight = torch.randn(1, 32, 64, 64), torch.randn(32, 32, 3, 3)
            end = time.monotonic() + 0.25
            while time.monotonic() < end:
                image = torch.nn.functional.conv2d(image, weight, padding=1).tanh()
            return super().predict(*arguments, **options)
        finally:
            self.running = False


@pytest.fixture
def predictor():
    return BusyPredictor()


@pytest.fixture
def logic(scene, predictor):
    made = AnnotationLogic(modelLoader=lambda *_: predictor)
    made.loadModel()
    made.setVolume(add_image((256, 256, 60)))
    wait(made)
    made.newSegment("liver")
    wait(made)
    yield made
    made.cleanup()


def longest_call(logic: AnnotationLogic, predictor: BusyPredictor, calls: list) -> float:
    """Seconds of the longest call that the main thread made while the network ran."""
    seconds, number = [], 0
    while logic.busy:
        ran = predictor.running
        began = time.perf_counter()
        calls[number % len(calls)]()
        if ran and predictor.running:
            seconds.append(time.perf_counter() - began)
        number += 1
        time.sleep(0.005)
    assert len(seconds) > 10
    return max(seconds)


def free(logic: AnnotationLogic, predictor: BusyPredictor, begin: Any, calls: list) -> bool:
    """Whether no call takes long; other programs on the machine may disturb a round, but not all."""
    for _ in range(ROUNDS):
        begin()
        if longest_call(logic, predictor, [logic.poll, *calls]) < LONGEST:
            return True
    return False


def test_nothing_blocks_while_a_click_is_computed(logic, predictor):
    view, place = add_view(logic, "k", 30), ras_at(logic, (100, 120, 30))
    looks = [logic.clicks, logic.references, lambda: logic.canUndo, lambda: logic.sliceIndex(view)]
    assert free(logic, predictor, lambda: logic.click(place, True, view), looks)


def test_nothing_blocks_while_clicks_are_queued(logic, predictor):
    view, place, more = add_view(logic, "k", 30), ras_at(logic, (100, 120, 30)), iter(range(9))

    def queue_one_more() -> None:
        if next(more, None) is not None:
            logic.click(place, True, view)

    assert free(logic, predictor, lambda: logic.click(place, True, view), [queue_one_more])


def test_nothing_blocks_during_a_run(logic, predictor):
    view = add_view(logic, "k", 30)
    assert free(logic, predictor, lambda: logic.predictRange(view, 28, 33), [logic.clicks])


def test_undo_of_a_large_run_comes_in_pieces(logic, predictor, monkeypatch):
    monkeypatch.setattr(predictor, "predict", lambda *a, **o: SlowPredictor.predict(predictor, *a, **o))
    logic.predictVolume(add_view(logic, "k", 30))
    wait(logic)
    left = []
    logic.undo()
    while logic.poll():
        left.append(np.count_nonzero(scene_mask(logic, logic.segmentId).any(axis=(1, 2))))
    assert {60, 0} < set(left)
