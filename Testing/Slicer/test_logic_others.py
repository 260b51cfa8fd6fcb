"""The logic beside other tools: locks, confirmed slices, edits by hand, other segments, classes."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from KPrismSlicerLib.Events import CaseChanged, MessageShown
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_fixtures import *  # noqa: F403
from logic_samples import add_image, add_view, overwrite_mode, paint, ras_at, scene_mask, wait

from KPrismCore.errors import PromptError, ProtectedError

# locks and acceptance


def test_a_locked_segment_is_refused(logic, segment, view, heard):
    logic.setLocked(segment, True)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert isinstance(heard.errors[0], ProtectedError)
    assert not scene_mask(logic, segment).any()


def test_a_completed_segment_is_not_undone(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before = scene_mask(logic, segment)
    status = slicer.vtkSlicerSegmentationsModuleLogic
    status.SetSegmentStatus(logic.segmentationNode.GetSegmentation().GetSegment(segment), status.Completed)
    logic.undo()
    wait(logic)
    assert isinstance(heard.errors[0], ProtectedError)
    assert np.array_equal(scene_mask(logic, segment), before)


@pytest.mark.parametrize("order", [1, -1])
def test_an_act_is_not_undone_in_part_where_a_segment_that_lost_voxels_is_locked(
    logic, segment, view, heard, order
):
    other = logic._bridge.newSegment(logic.segmentationNode, "other")
    paint(logic, other, np.ones(logic._case.volume.geometry.shape, dtype=bool))
    overwrite_mode(logic, "OverwriteAllSegments")
    for one in (segment, other)[::order]:
        logic.setSegment(one)
        wait(logic)
    logic.setSegment(segment)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    logic.setLocked(other, True)
    logic.undo()
    wait(logic)
    assert [type(error) for error in heard.errors] == [ProtectedError]
    assert len(logic.clicks()) == 1
    for one in (segment, other):
        assert np.array_equal(logic.session.mask(one), scene_mask(logic, one))


def test_an_accepted_slice_is_refused_until_it_is_opened(logic, segment, view, heard):
    logic.accept(view)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert logic.isAccepted(view)
    assert isinstance(heard.errors[0], ProtectedError)
    logic.accept(view, False)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert scene_mask(logic, segment).any()


def test_an_accepted_slice_of_another_segment_loses_nothing(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.accept(view)
    wait(logic)
    before = scene_mask(logic, segment)
    other = logic.newSegment()
    overwrite_mode(logic, "OverwriteAllSegments")
    for kind, tilt in (("k", 0), ("i", 0), ("k", 30)):
        logic.click(ras_at(logic, (9, 11, 2)), True, add_view(logic, kind, 9 if kind == "i" else 2, tilt))
    wait(logic)
    assert scene_mask(logic, other).any()
    assert np.array_equal(scene_mask(logic, segment), before)
    assert np.array_equal(logic.session.mask(segment), before)


# other tools


def test_a_current_segment_that_is_removed_is_told_once(logic, segment, heard):
    logic.segmentationNode.GetSegmentation().RemoveSegment(segment)
    wait(logic)
    told = len(heard.of(CaseChanged))
    wait(logic)
    assert told > 0
    assert len(heard.of(CaseChanged)) == told


def test_a_removed_segment_takes_its_acts_out_of_the_history(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    logic.segmentationNode.GetSegmentation().RemoveSegment(segment)
    wait(logic)
    assert not logic.canUndo


def test_a_removed_segment_that_is_back_at_once_keeps_its_clicks(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    segmentation = logic.segmentationNode.GetSegmentation()
    kept = segmentation.GetSegment(segment)
    segmentation.RemoveSegment(segment)
    segmentation.AddSegment(kept, segment)
    wait(logic)
    assert len(logic.clicks()) == 1


def test_a_removed_segment_that_comes_back_is_told_and_current(logic, segment, heard):
    segmentation = logic.segmentationNode.GetSegmentation()
    kept = segmentation.GetSegment(segment)
    segmentation.RemoveSegment(segment)
    wait(logic)
    heard.clear()
    segmentation.AddSegment(kept, segment)
    wait(logic)
    assert heard.of(CaseChanged) != []
    assert logic.segmentId == segment
    assert segment in logic.session.segments


def test_what_another_tool_painted_is_refined_and_not_lost(logic, segment, view):
    painted = np.zeros((6, 24, 20), dtype=bool)
    painted[1:5, 4:12, 3:9] = True
    paint(logic, segment, painted)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    mask = scene_mask(logic, segment)
    assert np.array_equal(np.delete(mask, 2, axis=0), np.delete(painted, 2, axis=0))
    logic.undo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), painted)


def test_what_another_tool_painted_is_a_step_of_its_own(logic, segment, view):
    painted = np.zeros((6, 24, 20), dtype=bool)
    painted[1:5, 4:12, 3:9] = True
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    clicked = scene_mask(logic, segment)
    paint(logic, segment, painted)
    logic.undo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), clicked)
    logic.redo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), painted)


def test_what_is_painted_while_the_network_runs_stays(logic, predictor, segment, view):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    assert predictor.asked_now.wait(20)
    painted = np.zeros((6, 24, 20), dtype=bool)
    painted[2, 0:3, 0:3] = painted[4, 5:8, 5:8] = True
    paint(logic, segment, painted)
    predictor.go.set()
    wait(logic)
    mask = scene_mask(logic, segment)
    assert mask[painted].all()
    assert mask.sum() > painted.sum()
    logic.click(ras_at(logic, (5, 9, 5)), True, add_view(logic, "k", 5))
    for _ in range(3):
        logic.undo()
    wait(logic)
    assert not scene_mask(logic, segment).any()


def test_an_edit_of_an_accepted_slice_opens_it_and_is_said(logic, segment, view, heard):
    logic.accept(view)
    wait(logic)
    painted = np.zeros((6, 24, 20), dtype=bool)
    painted[2, 4:8, 4:8] = True
    paint(logic, segment, painted)
    logic.click(ras_at(logic, (5, 9, 4)), True, add_view(logic, "k", 4))
    wait(logic)
    assert not logic.isAccepted(view)
    assert np.array_equal(scene_mask(logic, segment)[2], painted[2])
    assert len(heard.of(MessageShown)) == 1


def test_what_another_tool_painted_on_a_locked_segment_is_not_undone(logic, segment, heard):
    logic.setLocked(segment, True)
    painted = np.zeros((6, 24, 20), dtype=bool)
    painted[1:5, 4:12, 3:9] = True
    paint(logic, segment, painted)
    logic.undo()
    wait(logic)
    assert [type(error) for error in heard.errors] == [ProtectedError]
    assert np.array_equal(scene_mask(logic, segment), painted)


def test_voxels_taken_from_another_segment_come_back_with_undo(logic, segment, view):
    painted = np.ones((6, 24, 20), dtype=bool)
    paint(logic, segment, painted)
    other = logic.newSegment()
    overwrite_mode(logic, "OverwriteAllSegments")
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    taken = scene_mask(logic, other)
    assert taken.any()
    assert np.array_equal(scene_mask(logic, segment), painted & ~taken)
    logic.undo()
    wait(logic)
    assert scene_mask(logic, segment).all()
    logic.redo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), painted & ~taken)
    assert np.array_equal(scene_mask(logic, other), taken)


# class


def test_the_class_describes_the_segment(logic, segment):
    logic.setClass("liver")
    made = logic.segmentationNode.GetSegmentation().GetSegment(segment)
    assert logic.className == "liver"
    assert made.GetName() == "liver"


def test_undo_takes_the_class_back(logic, segment):
    logic.setClass("liver")
    logic.undo()
    wait(logic)
    assert logic.className is None


def test_an_unknown_class_is_refused_with_near_matches(logic, segment, heard):
    logic.setClass("livr")
    wait(logic)
    assert "liver" in heard.errors[0].remedy


def test_classes_are_found_by_a_part_of_their_name(logic):
    assert "liver" in [entry.name for entry in logic.classes("liv")]


def test_without_a_segment_a_class_makes_one_of_it(logic):
    logic.setClass("liver")
    wait(logic)
    assert logic.className == "liver"
    assert logic.segmentationNode.GetSegmentation().GetSegment(logic.segmentId).GetName() == "liver"


def test_a_segment_can_be_locked_before_the_network_is_loaded(scene):
    logic = AnnotationLogic()
    logic.setVolume(add_image())
    segment = logic.newSegment()
    logic.setLocked(segment, True)
    assert logic._bridge.isLocked(logic.segmentationNode, segment)
    logic.cleanup()


def test_clearing_makes_no_segment(logic, view, heard):
    logic.clearSlice(view)
    assert [type(error) for error in heard.errors] == [PromptError]
    assert logic.segmentationNode is None


# the name and the colour of a class


def look(logic, segment):
    return logic._bridge.lookOf(logic.segmentationNode, segment)


def test_undo_of_a_class_brings_name_colour_and_codes_back(logic, segment):
    logic.segmentationNode.GetSegmentation().GetSegment(segment).SetName("left one")
    before = look(logic, segment)
    logic.setClass("liver")
    logic.undo()
    wait(logic)
    assert look(logic, segment) == before


def test_redo_of_a_class_gives_its_name_again(logic, segment):
    logic.setClass("liver")
    wait(logic)
    after = look(logic, segment)
    logic.undo()
    logic.redo()
    wait(logic)
    assert look(logic, segment) == after


def test_undo_from_class_to_class_brings_the_former_one_back(logic, segment):
    logic.setClass("liver")
    wait(logic)
    before = look(logic, segment)
    logic.setClass("aorta")
    logic.undo()
    wait(logic)
    assert look(logic, segment) == before


def test_a_name_given_since_stays_when_a_class_is_undone(logic, segment):
    logic.setClass("liver")
    wait(logic)
    logic.segmentationNode.GetSegmentation().GetSegment(segment).SetName("left lobe")
    logic.undo()
    wait(logic)
    assert (look(logic, segment).name, logic.className) == ("left lobe", None)
