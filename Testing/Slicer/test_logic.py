"""The logic: what the user asks for is done in order, on the right voxels."""

from __future__ import annotations

import numpy as np
import pytest
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_fixtures import *  # noqa: F403
from logic_samples import Heard, SlowPredictor, add_image, add_view, ras_at, scene_mask, wait

from KPrismCore.errors import CheckpointError, ClickOutsideError, KPrismError


def test_a_click_changes_the_mask_in_the_scene(logic, segment, view, heard):
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    wait(logic)
    assert heard.errors == []
    assert scene_mask(logic, segment)[2].any()


def test_a_click_changes_nothing_on_other_slices(logic, segment, view):
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    wait(logic)
    assert not np.delete(scene_mask(logic, segment), 2, axis=0).any()


@pytest.mark.parametrize(("kind", "tilt"), [("i", 0), ("j", 0), ("k", 0), ("k", 25), ("j", 40)])
def test_the_scene_has_the_session_s_voxels_after_a_click_on_any_plane(logic, segment, kind, tilt):
    view = add_view(logic, kind, 3, tilt)
    logic.click(ras_at(logic, (9.5, 11.5, 2.5)), True, view)
    wait(logic)
    mask = scene_mask(logic, segment)
    assert mask.any()
    assert np.array_equal(mask, logic.session.mask(segment))


def test_a_click_shown_on_a_voxel_is_on_that_voxel(logic, segment, view):
    place = ras_at(logic, (7, 9, 2))
    logic.click(place, True, view)
    wait(logic)
    (click,) = logic.clicks()
    assert np.allclose(click.ras, place)


def test_without_a_segment_a_click_makes_one(logic, view):
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    wait(logic)
    assert logic.segmentId in logic.segmentationNode.GetSegmentation().GetSegmentIDs()
    assert scene_mask(logic, logic.segmentId).any()


def test_a_click_outside_the_image_is_refused(logic, segment, view, heard):
    logic.click(ras_at(logic, (70, 9, 2)), True, view)
    assert [type(error) for error in heard.errors] == [ClickOutsideError]


def test_a_view_beside_the_image_is_refused(logic, segment, heard):
    logic.click(ras_at(logic, (7, 9, 2)), True, add_view(logic, "k", 40))
    assert [type(error) for error in heard.errors] == [ClickOutsideError]


def test_a_first_click_outside_the_image_makes_no_segment(logic, view, heard):
    logic.click(ras_at(logic, (-9, 9, 2)), True, view)
    logic.stroke([ras_at(logic, (-9, 9, 2)), ras_at(logic, (-8, 9, 2))], True, view)
    wait(logic)
    assert [type(error) for error in heard.errors] == [ClickOutsideError] * 2
    assert logic.segmentationNode is None


def test_without_a_network_a_click_says_what_to_do(scene, heard_nothing_loaded):
    logic, heard, view = heard_nothing_loaded
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    (error,) = heard.errors
    assert isinstance(error, CheckpointError)
    assert "Load" in error.remedy


@pytest.fixture
def heard_nothing_loaded(scene):
    logic, heard = AnnotationLogic(), Heard()
    logic.setVolume(add_image())
    logic.addListener(heard)
    yield logic, heard, add_view(logic)
    logic.cleanup()


# acts in order


def test_a_click_during_the_computation_waits_and_is_not_lost(logic, predictor, segment, view):
    predictor.seconds = None
    for x in (5, 7, 9):
        logic.click(ras_at(logic, (x, 9, 2)), True, view)
    assert predictor.asked_now.wait(20)
    predictor.go.set()
    wait(logic)
    assert [round(click.ras[0], 3) for click in logic.clicks()] == [
        round(float(ras_at(logic, (x, 9, 2))[0]), 3) for x in (5, 7, 9)
    ]


def test_clicks_that_wait_are_shown_as_such(logic, predictor, segment, view):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.click(ras_at(logic, (7, 9, 2)), False, view)
    assert [(click.positive, click.pending) for click in logic.clicks()] == [(True, True), (False, True)]
    predictor.go.set()
    wait(logic)
    assert [click.pending for click in logic.clicks()] == [False, False]


def test_a_click_keeps_its_identifier_when_it_is_done(logic, predictor, segment, view):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    (before,) = logic.clicks()
    predictor.go.set()
    wait(logic)
    (after,) = logic.clicks()
    assert after.identifier == before.identifier


def test_clicks_made_while_the_network_loads_wait_for_it(scene, predictor):
    logic = AnnotationLogic(modelLoader=lambda _name, _device, _notify: predictor)
    logic.setVolume(add_image())
    logic.loadModel()
    logic.click(ras_at(logic, (7, 9, 2)), True, add_view(logic))
    wait(logic)
    assert scene_mask(logic, logic.segmentId).any()
    logic.cleanup()


def test_undo_waits_for_the_clicks_before_it(logic, predictor, segment, view):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.undo()
    predictor.go.set()
    wait(logic)
    assert not scene_mask(logic, segment).any()
    assert logic.clicks() == ()
    assert logic.canRedo


def test_a_failing_act_does_not_stop_the_next(logic, predictor, segment, view, heard, monkeypatch):
    answers = iter([RuntimeError("boom")])

    def predict(*arguments, **options):
        for error in answers:
            raise error
        return SlowPredictor.predict(predictor, *arguments, **options)

    monkeypatch.setattr(predictor, "predict", predict)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    wait(logic)
    (error,) = heard.errors
    assert isinstance(error, KPrismError)
    assert "boom" in error.cause
    assert len(logic.clicks()) == 1


def test_a_stroke_is_one_act(logic, segment, view):
    logic.stroke([ras_at(logic, (x, 9, 2)) for x in (5, 6, 7)], True, view)
    wait(logic)
    assert len(logic.clicks()) == 3
    logic.undo()
    wait(logic)
    assert logic.clicks() == ()


# clicks


def test_a_moved_click_keeps_its_identifier(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    (click,) = logic.clicks()
    logic.moveClick(click.identifier, ras_at(logic, (8, 11, 2)))
    wait(logic)
    (moved,) = logic.clicks()
    assert moved.identifier == click.identifier
    assert np.allclose(moved.ras, ras_at(logic, (8, 11, 2)))


def test_undo_moves_a_click_back(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before, mask = logic.clicks(), scene_mask(logic, segment)
    logic.moveClick(before[0].identifier, ras_at(logic, (8, 11, 2)))
    logic.undo()
    wait(logic)
    assert logic.clicks() == before
    assert np.array_equal(scene_mask(logic, segment), mask)


def test_a_removed_click_is_gone(logic, segment, view):
    for x in (5, 7):
        logic.click(ras_at(logic, (x, 9, 2)), True, view)
    wait(logic)
    first, second = logic.clicks()
    logic.removeClick(first.identifier)
    wait(logic)
    assert [click.identifier for click in logic.clicks()] == [second.identifier]


def test_a_click_that_waits_can_be_removed(logic, predictor, segment, view):
    predictor.seconds = None
    for x in (5, 7):
        logic.click(ras_at(logic, (x, 9, 2)), True, view)
    first, second = logic.clicks()
    logic.removeClick(second.identifier)
    assert [click.identifier for click in logic.clicks()] == [first.identifier]
    predictor.go.set()
    wait(logic)
    assert [click.identifier for click in logic.clicks()] == [first.identifier]


def test_clearing_a_slice_takes_its_mask_and_clicks(logic, segment, view):
    other = add_view(logic, "k", 4)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.click(ras_at(logic, (5, 9, 4)), True, other)
    logic.clearSlice(view)
    wait(logic)
    mask = scene_mask(logic, segment)
    assert not mask[2].any()
    assert mask[4].any()
    assert len(logic.clicks()) == 1
