"""Clicks while the model is being loaded: they wait, each on its own slice."""

from __future__ import annotations

import threading

import pytest
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_samples import SlowPredictor, add_image, add_view, ras_at, wait

POINT = (5, 9, 2)


@pytest.fixture
def loading(scene):
    """A logic with an image, whose model comes when `go` is set."""
    go = threading.Event()

    def load(_name, _device, _notify):
        assert go.wait(20)
        return SlowPredictor(0.0)

    logic = AnnotationLogic(modelLoader=load)
    logic.setVolume(add_image())
    logic.loadModel()
    logic.go = go
    yield logic
    go.set()
    logic.cleanup()


@pytest.mark.parametrize(("kind", "tilt"), [("i", 0.0), ("j", 0.0), ("k", 30.0)])
def test_a_click_that_waits_is_on_its_own_slice_alone(loading, kind, tilt):
    own, crossing = add_view(loading), add_view(loading, kind, POINT["ijk".index(kind)], tilt)
    loading.click(ras_at(loading, POINT), True, own)
    assert (len(loading.clicksOn(own)), len(loading.clicksOn(crossing))) == (1, 0)


def test_clicks_that_waited_are_on_their_slices_when_the_model_has_come(loading):
    views = [add_view(loading), add_view(loading, "i", POINT[0])]
    for view in views:
        loading.click(ras_at(loading, POINT), True, view)
    loading.go.set()
    wait(loading)
    assert [len(loading.clicksOn(view)) for view in views] == [1, 1]


def test_a_slice_that_is_cleared_while_the_model_is_loaded_keeps_no_click(loading):
    view, other = add_view(loading), add_view(loading, "i", POINT[0])
    for one in (view, other):
        loading.click(ras_at(loading, POINT), True, one)
    loading.clearSlice(view)
    assert (len(loading.clicksOn(view)), len(loading.clicksOn(other))) == (0, 1)
