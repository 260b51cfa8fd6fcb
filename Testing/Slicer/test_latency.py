"""What `kprism.py latency` counts as the network's time."""

from __future__ import annotations

import time
from types import SimpleNamespace

from SlicerHost.latency import NetworkClock

SECONDS = 0.02


class PredictorThatLooksCloser:
    """Encodes on its own while it predicts, as a predictor with zoom does."""

    def encode(self):
        time.sleep(SECONDS)

    def predict(self):
        self.encode()
        return "mask"


def test_an_encoding_within_a_prediction_is_counted_once():
    predictor = PredictorThatLooksCloser()
    session = SimpleNamespace(engine=SimpleNamespace(predictor=predictor))
    clock = NetworkClock(SimpleNamespace(session=session, addListener=lambda _heard: None))
    began = time.perf_counter()
    answer = predictor.predict()
    assert answer == "mask"
    assert 1000 * SECONDS <= clock.milliseconds <= 1000 * (time.perf_counter() - began)
