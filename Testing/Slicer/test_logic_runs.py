"""Runs over many slices: one undo step, with progress, and a cancel that keeps what is finished."""

from __future__ import annotations

import numpy as np
import pytest
from KPrismSlicerLib.Events import RangeProgress
from logic_fixtures import *  # noqa: F403
from logic_samples import add_view, paint, ras_at, scene_mask, wait, wait_until

from KPrismCore.errors import GeometryError, PromptError


@pytest.fixture
def liver(logic):
    made = logic.newSegment("liver")
    wait(logic)
    return made


def slices_with_a_mask(logic, segment_id: str, axis: int = 0) -> list[int]:
    mask = scene_mask(logic, segment_id)
    return np.flatnonzero(mask.any(axis=tuple(n for n in range(3) if n != axis))).tolist()


def test_a_slice_is_predicted_from_the_class_alone(logic, liver, view):
    logic.predictSlice(view)
    wait(logic)
    assert slices_with_a_mask(logic, liver) == [2]


def test_a_range_covers_its_slices_and_no_others(logic, liver, view):
    logic.predictRange(view, 1, 3)
    wait(logic)
    assert slices_with_a_mask(logic, liver) == [1, 2, 3]


def test_a_range_beyond_the_image_ends_at_its_edge(logic, liver, view):
    logic.predictRange(view, -3, 1)
    wait(logic)
    assert slices_with_a_mask(logic, liver) == [0, 1]


def test_a_volume_covers_every_slice_parallel_to_the_view(logic, liver):
    logic.predictVolume(add_view(logic, "i", 4))
    wait(logic)
    assert slices_with_a_mask(logic, liver, axis=2) == list(range(20))


def test_a_volume_of_oblique_slices_is_in_the_scene_as_in_the_session(logic, liver):
    logic.predictVolume(add_view(logic, "k", 3, tilt=30))
    wait(logic)
    mask = scene_mask(logic, liver)
    assert np.array_equal(mask, logic.session.mask(liver))
    assert len(slices_with_a_mask(logic, liver)) == 6


def test_a_run_is_one_undo_step(logic, liver, view):
    logic.predictVolume(view)
    logic.undo()
    wait(logic)
    assert not scene_mask(logic, liver).any()
    assert not logic.canUndo


def test_redo_brings_a_run_back(logic, liver, view):
    logic.predictVolume(view)
    wait(logic)
    before = scene_mask(logic, liver)
    logic.undo()
    logic.redo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, liver), before)


def test_progress_counts_every_slice(logic, liver, view, heard):
    logic.predictVolume(view)
    wait(logic)
    assert [(event.done, event.total) for event in heard.of(RangeProgress)] == [(n, 6) for n in range(1, 7)]


def test_the_time_left_is_nothing_at_the_end(logic, predictor, liver, view, heard):
    predictor.seconds = 0.02
    logic.predictVolume(view)
    wait(logic)
    left = [event.secondsLeft for event in heard.of(RangeProgress)]
    assert left[0] > 0.05
    assert left[-1] == 0


def test_cancel_keeps_what_is_finished_as_one_step(logic, predictor, liver, view, heard):
    predictor.seconds = 0.02
    logic.predictVolume(view)
    assert wait_until(lambda: logic.poll() and len(heard.of(RangeProgress)) == 2)
    logic.cancel()
    wait(logic)
    # the slice that was being computed is kept too
    assert slices_with_a_mask(logic, liver) == [0, 1, 2]
    logic.undo()
    wait(logic)
    assert not scene_mask(logic, liver).any()


def test_cancel_leaves_clicks_that_wait_alone(logic, predictor, liver, view, heard):
    predictor.seconds = 0.02
    logic.predictVolume(view)
    logic.click(ras_at(logic, (5, 9, 5)), True, add_view(logic, "k", 5))
    assert wait_until(lambda: logic.poll() and len(heard.of(RangeProgress)) == 1)
    logic.cancel()
    wait(logic)
    assert len(logic.clicks()) == 1
    assert slices_with_a_mask(logic, liver) == [0, 1, 5]


def test_accepted_slices_are_left_alone(logic, liver, view, heard):
    logic.accept(view)
    logic.predictVolume(view)
    wait(logic)
    assert slices_with_a_mask(logic, liver) == [0, 1, 3, 4, 5]
    assert [event.result is None for event in heard.of(RangeProgress)] == [n == 2 for n in range(6)]


def test_without_class_reference_or_click_nothing_is_begun(logic, segment, view, heard):
    logic.predictVolume(view)
    wait(logic)
    assert [type(error) for error in heard.errors] == [PromptError]
    assert not logic.canUndo


def test_the_end_of_a_run_shows_the_change_on_the_view_s_slice(logic, liver, view, heard):
    logic.predictVolume(view)
    wait(logic)
    result = heard.results[-1]
    assert result.plane.index == 2
    assert np.array_equal(result.added, result.plane.read_mask(scene_mask(logic, liver)))
    assert result.confidence == pytest.approx(0.75)


def test_the_end_of_a_run_counts_the_pixels_of_all_slices(logic, liver, view, heard):
    logic.predictVolume(view)
    wait(logic)
    mask = scene_mask(logic, liver)
    assert heard.results[-1].changed == (mask.sum(), 0)
    assert mask.sum() > heard.results[-1].added.sum()


def test_each_slice_is_in_the_scene_when_its_progress_is_told(logic, liver, view):
    seen = []

    def look(event):
        if isinstance(event, RangeProgress):
            seen.append(slices_with_a_mask(logic, liver))

    logic.addListener(look)
    logic.predictRange(view, 1, 3)
    wait(logic)
    assert seen == [[1], [1, 2], [1, 2, 3]]


def test_an_error_keeps_the_slices_before_it(logic, predictor, liver, view, heard, monkeypatch):
    original, asked = predictor.predict, []

    def predict(*arguments, **options):
        asked.append(1)
        if len(asked) == 3:
            raise RuntimeError("boom")
        return original(*arguments, **options)

    monkeypatch.setattr(predictor, "predict", predict)
    logic.predictVolume(view)
    wait(logic)
    assert len(heard.errors) == 1
    assert slices_with_a_mask(logic, liver) == [0, 1]
    logic.undo()
    wait(logic)
    assert not scene_mask(logic, liver).any()


@pytest.mark.parametrize("number", [1, 3])
def test_a_slice_of_a_run_that_cannot_be_written_is_in_neither_session_nor_history(
    logic, liver, view, monkeypatch, number
):
    original, written = logic._bridge.write, []

    def write(*arguments):
        written.append(1)
        if len(written) == number:
            raise GeometryError("The grid has changed.", "Change it back.")
        return original(*arguments)

    monkeypatch.setattr(logic._bridge, "write", write)
    logic.predictVolume(view)
    wait(logic)
    assert slices_with_a_mask(logic, liver) == list(range(number - 1))
    assert np.array_equal(scene_mask(logic, liver), logic.session.mask(liver))
    assert not logic.canRedo
    logic.undo()
    wait(logic)
    assert not scene_mask(logic, liver).any()
    assert not logic.session.mask(liver).any()


def test_what_is_painted_during_a_run_stays_and_undo_is_exact(logic, predictor, liver, view, heard):
    predictor.seconds = 0.02
    logic.predictVolume(view)
    assert wait_until(lambda: logic.poll() and len(heard.of(RangeProgress)) == 2)
    painted = scene_mask(logic, liver)
    painted[0] = ~painted[0]
    paint(logic, liver, painted)
    wait(logic)
    assert np.array_equal(scene_mask(logic, liver)[0], painted[0])
    assert np.array_equal(scene_mask(logic, liver), logic.session.mask(liver))
    while logic.canUndo:
        logic.undo()
        wait(logic)
        assert np.array_equal(scene_mask(logic, liver), logic.session.mask(liver))
    assert not scene_mask(logic, liver).any()


def test_a_run_takes_from_other_segments_in_the_same_step(logic, segment, view):
    from logic_samples import overwrite_mode

    paint(logic, segment, np.ones((6, 24, 20), dtype=bool))
    liver = logic.newSegment("liver")
    overwrite_mode(logic, "OverwriteAllSegments")
    logic.predictVolume(view)
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), ~scene_mask(logic, liver))
    logic.undo()
    wait(logic)
    assert scene_mask(logic, segment).all()


def test_the_places_of_slices_are_those_of_the_view(logic, view):
    assert (logic.sliceCount(view), logic.sliceIndex(view)) == (6, 2)


def test_a_view_beside_the_image_has_no_slices(logic):
    view = add_view(logic, "k", 40)
    assert (logic.sliceCount(view), logic.sliceIndex(view)) == (0, None)
