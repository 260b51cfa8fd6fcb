"""Acts that fail when their mask is to be written: they never happened, for masks, prompts and history."""

from __future__ import annotations

import numpy as np
import pytest
from KPrismSlicerLib.Events import RangeProgress
from logic_fixtures import *  # noqa: F403
from logic_samples import add_view, ras_at, scene_mask, wait, wait_until

from KPrismCore.errors import ProtectedError


@pytest.fixture
def refused(logic, segment, view, predictor):
    """A first click whose segment was locked while the network ran; unlocked again."""
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    assert wait_until(lambda: logic.poll() and predictor.asked_now.is_set())
    logic._bridge.setLocked(logic.segmentationNode, segment, True)
    predictor.go.set()
    wait(logic)
    predictor.seconds = 0.0
    logic._bridge.setLocked(logic.segmentationNode, segment, False)
    return logic


def test_an_act_that_could_not_be_written_is_not_offered_again(refused):
    assert (refused.undoLabel, refused.redoLabel) == (None, None)


def test_redo_after_an_act_that_could_not_be_written_does_nothing(refused, segment):
    refused.redo()
    wait(refused)
    assert refused.clicks() == ()
    assert not scene_mask(refused, segment).any()


@pytest.fixture
def half_run(logic, segment, view, predictor, heard, monkeypatch):
    """A run over the volume that ended at its third slice, as the segment was locked; unlocked again."""
    logic.setClass("liver")
    wait(logic)
    predict, asked = predictor.predict, []

    def lock_at_the_third(*arguments, **options):
        asked.append(1)
        if len(asked) == 3:
            # between the look at the locks and the writing
            logic._bridge.setLocked(logic.segmentationNode, segment, True)
        return predict(*arguments, **options)

    monkeypatch.setattr(predictor, "predict", lock_at_the_third)
    logic.predictVolume(view)
    wait(logic)
    logic._bridge.setLocked(logic.segmentationNode, segment, False)
    return logic


def test_a_run_that_ends_at_a_slice_that_cannot_be_written_keeps_the_others(half_run, segment, heard):
    assert [type(error) for error in heard.errors] == [ProtectedError]
    assert list(np.unique(np.nonzero(scene_mask(half_run, segment))[0])) == [0, 1]
    assert np.array_equal(half_run.session.segments[segment].voxels, scene_mask(half_run, segment))


def test_a_run_that_ended_at_a_slice_is_one_step_for_undo(half_run, segment):
    before = scene_mask(half_run, segment)
    half_run.accept(None)
    wait(half_run)
    labels = []
    for _time in range(2):
        labels.append(half_run.undoLabel)
        half_run.undo()
        wait(half_run)
    assert labels == ["accept slice", "prediction"]
    assert not scene_mask(half_run, segment).any()
    half_run.redo()
    wait(half_run)
    assert np.array_equal(scene_mask(half_run, segment), before)


# undo of what is still under way


@pytest.fixture
def accepted(logic, segment, view):
    """A click on one slice, which is accepted now, and then one on another."""
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.accept(view)
    logic.click(ras_at(logic, (5, 9, 4)), True, add_view(logic, "k", 4))
    wait(logic)
    return logic


def test_undo_of_a_click_that_is_refused_takes_nothing_else_back(accepted, segment, view):
    before = scene_mask(accepted, segment)
    accepted.click(ras_at(accepted, (8, 9, 2)), True, view)
    accepted.undo()
    wait(accepted)
    assert np.array_equal(scene_mask(accepted, segment), before)
    assert len(accepted.clicks()) == 2


def test_a_second_undo_behind_a_refused_click_takes_back_what_was_before_it(accepted, segment, view):
    accepted.click(ras_at(accepted, (8, 9, 2)), True, view)
    accepted.undo()
    accepted.undo()
    wait(accepted)
    assert len(accepted.clicks()) == 1
    assert accepted.isAccepted(view)


def test_undo_behind_a_first_click_that_fails_takes_nothing_else_back(
    logic, segment, view, monkeypatch, predictor
):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before = scene_mask(logic, segment)
    monkeypatch.setattr(predictor, "predict", lambda *_arguments, **_options: 1 / 0)
    logic.setSegment(None)
    logic.click(ras_at(logic, (8, 9, 2)), True, view)
    logic.undo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), before)


def test_undo_ends_a_run_that_is_under_way(logic, segment, view, predictor):
    logic.setClass("liver")
    wait(logic)
    predictor.seconds = 0.05
    done = []
    logic.addListener(lambda event: isinstance(event, RangeProgress) and done.append(event.done))
    logic.predictVolume(view)
    assert wait_until(lambda: logic.poll() and done)
    logic.undo()
    wait(logic)
    assert max(done) < 6
    assert not scene_mask(logic, segment).any()
    assert logic.undoLabel == "class"


def test_undo_of_a_run_that_did_nothing_takes_nothing_else_back(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    # nothing to go by on all slices
    logic.predictVolume(view)
    logic.undo()
    wait(logic)
    assert len(logic.clicks()) == 1
