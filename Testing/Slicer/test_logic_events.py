"""The logic tells what happens, and when."""

from __future__ import annotations

import numpy as np
from KPrismSlicerLib.Events import ActDone, ActFailed, BusyChanged, HistoryChanged
from logic_fixtures import *  # noqa: F403
from logic_samples import add_view, paint, ras_at, scene_mask, wait


def test_the_result_tells_what_joined_and_what_left(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    (result,) = heard.results
    assert np.array_equal(result.added, result.plane.read_mask(scene_mask(logic, segment)))
    assert not result.removed.any()
    assert result.confidence == 0.75


def test_undo_tells_what_it_took_away(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.undo()
    wait(logic)
    done, undone = heard.results
    assert np.array_equal(done.added, undone.removed)
    assert undone.label == "undo: click"


def test_the_mask_is_in_the_scene_when_the_act_is_told_done(logic, segment, view):
    seen = []
    logic.addListener(
        lambda event: seen.append(scene_mask(logic, segment).any()) if isinstance(event, ActDone) else None
    )
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert seen == [True]


def test_busy_is_told_when_it_changes_only(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    wait(logic)
    assert [event.busy for event in heard.of(BusyChanged)] == [True, False]


def test_a_removed_listener_hears_nothing_more(logic, segment, view, heard):
    logic.removeListener(heard)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert heard == []


def test_a_listener_may_ask_for_the_next_act(logic, segment, view):
    def once(event):
        if isinstance(event, ActDone) and event.result.label == "click":
            logic.undo()

    logic.addListener(once)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert not scene_mask(logic, segment).any()


def test_what_undo_would_take_back_is_told_whenever_it_differs(logic, segment, view, heard):
    shown = []
    logic.addListener(
        lambda event: shown.append(logic.undoLabel) if isinstance(event, HistoryChanged) else None
    )
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    asked = shown[-1]
    wait(logic)
    logic.accept(view)
    wait(logic)
    logic.predictRange(view, 2, 2)
    wait(logic)
    assert asked == "click"
    assert shown[-1] == logic.undoLabel == "accept slice"


def test_undo_names_the_segment_where_another_one_is_current(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.newSegment()
    logic.undo()
    wait(logic)
    assert heard.results[-1].label == "undo: click of 'Segment_1'"


def test_an_edit_is_taken_over_once(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before = scene_mask(logic, segment)
    paint(logic, segment, ~before)
    for _time in range(2):
        logic.takeEdits()
        wait(logic)
    logic.undo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), before)
    assert logic.undoLabel == "click"


def test_undo_before_there_is_a_segmentation_does_nothing(logic, heard):
    # the key works where the button is off
    for act in (logic.undo, logic.redo, logic.takeEdits):
        act()
        wait(logic)
    assert heard.errors == []


def test_acts_behind_one_that_fails_are_counted(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.accept(view)
    wait(logic)
    counted = []
    logic.addListener(lambda event: isinstance(event, ActFailed) and counted.append(logic.outcomesToCome))
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.click(ras_at(logic, (5, 9, 3)), True, add_view(logic, index=3))
    logic.click((1e4, 0.0, 0.0), True, view)
    wait(logic)
    assert sorted(counted) == [1, 2]
