"""Fixtures of the tests of the logic; import * from here."""

from __future__ import annotations

import pytest
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_samples import Heard, SlowPredictor, add_image, add_view, wait


@pytest.fixture
def predictor():
    return SlowPredictor(0.0)


@pytest.fixture
def logic(scene, predictor):
    """With an image and a network, and nothing else."""
    made = AnnotationLogic(modelLoader=lambda _name, _device, _notify: predictor)
    made.loadModel()
    made.setVolume(add_image())
    wait(made)
    yield made
    predictor.go.set()
    made.cleanup()


@pytest.fixture
def heard(logic):
    listener = Heard()
    logic.addListener(listener)
    return listener


@pytest.fixture
def segment(logic):
    made = logic.newSegment()
    wait(logic)
    return made


@pytest.fixture
def view(logic):
    return add_view(logic)
