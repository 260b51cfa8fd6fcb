"""Segments that are switched off: who changes one sees it again, and is told."""

from __future__ import annotations

import pytest
import slicer
from KPrismSlicerLib.Events import MessageShown, RangeProgress
from logic_fixtures import *  # noqa: F403
from logic_samples import ras_at, wait

SWITCHES = {
    "its own": lambda display, one: display.SetSegmentVisibility(one, False),
    "that of the segmentation": lambda display, _one: display.SetVisibility(False),
    "that of the slice views": lambda display, _one: display.SetVisibility2D(False),
    "inside and outline": lambda display, one: (
        display.SetSegmentVisibility2DFill(one, False),
        display.SetVisibility2DOutline(False),
    ),
}


def is_shown(logic, segment):
    display = logic.segmentationNode.GetDisplayNode()
    drawn = (
        display.GetVisibility2DFill() and display.GetSegmentVisibility2DFill(segment),
        display.GetVisibility2DOutline() and display.GetSegmentVisibility2DOutline(segment),
    )
    switches = (display.GetVisibility(), display.GetVisibility2D(), display.GetSegmentVisibility(segment))
    return all(switches) and any(drawn)


def hide(logic, segment):
    logic.segmentationNode.GetDisplayNode().SetSegmentVisibility(segment, False)


def said(heard):
    return [event.text for event in heard.of(MessageShown) if "hidden" in event.text]


def click(logic, view, place=(5, 9, 2)):
    logic.click(ras_at(logic, place), True, view)
    wait(logic)


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_click_on_a_hidden_segment_shows_it_again(logic, segment, view, switch):
    SWITCHES[switch](logic.segmentationNode.GetDisplayNode(), segment)
    assert not is_shown(logic, segment)
    click(logic, view)
    assert is_shown(logic, segment)


def test_a_segment_that_is_shown_again_is_named_once(logic, segment, view, heard):
    hide(logic, segment)
    for place in ((5, 9, 2), (9, 11, 2)):
        click(logic, view, place)
    (text,) = said(heard)
    assert "'Segment_1'" in text


def test_a_segment_in_sight_is_not_spoken_of(logic, segment, view, heard):
    click(logic, view)
    assert said(heard) == []


def test_other_hidden_segments_stay_hidden(logic, segment, view):
    other = logic.newSegment()
    hide(logic, segment)
    click(logic, view)
    assert is_shown(logic, other)
    assert not logic.segmentationNode.GetDisplayNode().GetSegmentVisibility(segment)


def test_a_click_that_is_refused_shows_nothing(logic, segment, view):
    hide(logic, segment)
    logic.setLocked(segment, True)
    click(logic, view)
    assert not is_shown(logic, segment)


def test_a_segmentation_that_a_script_made_without_a_display_is_shown(logic, view):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segment = node.GetSegmentation().AddEmptySegment("", "liver")
    logic.setSegmentation(node)
    click(logic, view)
    assert is_shown(logic, segment)


@pytest.mark.parametrize("act", ["undo", "redo"])
def test_undo_and_redo_show_what_they_change(logic, segment, view, act):
    click(logic, view)
    if act == "redo":
        logic.undo()
        wait(logic)
    hide(logic, segment)
    getattr(logic, act)()
    wait(logic)
    assert is_shown(logic, segment)


def test_a_run_over_slices_shows_what_it_changes(logic, segment, view, heard):
    logic.setClass("liver")
    wait(logic)
    hide(logic, segment)
    logic.predictVolume(view)
    wait(logic)
    assert is_shown(logic, segment)
    assert len(said(heard)) == 1


def test_a_segment_that_is_hidden_during_a_run_stays_hidden(logic, segment, view, heard):
    logic.setClass("liver")
    wait(logic)

    def hide_at_the_second_slice(event):
        if isinstance(event, RangeProgress) and event.done == 2:
            hide(logic, segment)

    logic.addListener(hide_at_the_second_slice)
    logic.predictVolume(view)
    wait(logic)
    assert not is_shown(logic, segment)
    assert said(heard) == []
