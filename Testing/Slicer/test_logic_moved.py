"""The logic when image and segmentation come to lie otherwise on each other: transforms, and hardening."""

from __future__ import annotations

import numpy as np
import pytest
from KPrismSlicerLib.Events import Warned
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_fixtures import *  # noqa: F403
from logic_samples import add_view, ras_at, scene_mask, wait, wait_until
from scene_samples import new_bending_transform, new_transform, vtk_matrix

from KPrismCore.errors import GeometryError


def shift(logic, voxels):
    """Matrix (4, 4) RAS that moves by whole voxels along k."""
    matrix = np.eye(4)
    matrix[:3, 3] = voxels * logic._case.volume.geometry.ijk_to_ras[:3, 2]
    return matrix


def move_segmentation(logic, voxels=2):
    transform = new_transform(shift(logic, voxels))
    logic.segmentationNode.SetAndObserveTransformNodeID(transform.GetID())
    return transform


@pytest.fixture
def moved(logic, segment, view):
    """A click on slice 2, whose mask then moved to slice 4 with the segmentation."""
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    move_segmentation(logic)
    assert list(np.unique(np.nonzero(scene_mask(logic, segment))[0])) == [4]
    return logic


def test_a_click_beside_a_moved_segmentation_changes_its_own_slice_alone(moved, segment, view, heard):
    before = scene_mask(moved, segment)
    moved.click(ras_at(moved, (9, 11, 2)), True, view)
    wait(moved)
    after = scene_mask(moved, segment)
    assert heard.errors == []
    assert after[2].any()
    assert np.array_equal(np.delete(after, 2, 0), np.delete(before, 2, 0))


def test_undo_after_a_segmentation_was_moved_is_exact(moved, segment, view):
    before = scene_mask(moved, segment)
    moved.click(ras_at(moved, (9, 11, 4)), False, add_view(moved, "k", 4))
    wait(moved)
    moved.undo()
    wait(moved)
    assert np.array_equal(scene_mask(moved, segment), before)


def test_an_edited_transform_of_the_segmentation_is_noticed(logic, segment, view):
    transform = move_segmentation(logic, 0)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    transform.SetMatrixTransformToParent(vtk_matrix(shift(logic, 2)))
    before = scene_mask(logic, segment)
    logic.click(ras_at(logic, (9, 11, 2)), True, view)
    logic.undo()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), before)


def test_acts_made_before_a_segmentation_was_moved_are_not_undone(moved, segment, heard):
    before = scene_mask(moved, segment)
    moved.undo()
    wait(moved)
    assert [type(error) for error in heard.errors] == [GeometryError]
    assert np.array_equal(scene_mask(moved, segment), before)


def test_a_segmentation_moved_while_the_network_runs_is_not_written(logic, segment, view, predictor, heard):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    assert wait_until(lambda: logic.poll() and predictor.asked_now.is_set())
    move_segmentation(logic)
    predictor.go.set()
    wait(logic)
    assert [type(error) for error in heard.errors] == [GeometryError]
    assert not scene_mask(logic, segment).any()


def test_class_and_references_stay_with_a_moved_segmentation(moved, segment, view):
    moved.setClass("liver")
    moved.click(ras_at(moved, (5, 9, 2)), True, view)
    moved.addSliceAsReference(view)
    wait(moved)
    move_segmentation(moved, 1)
    moved.planeOf(view)
    wait(moved)
    assert (moved.className, len(moved.references())) == ("liver", 1)


def test_clicks_and_confirmations_do_not_stay_where_the_masks_have_gone(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.accept(view)
    wait(logic)
    move_segmentation(logic)
    logic.planeOf(view)
    wait(logic)
    assert logic.clicks() == ()
    assert not logic.isAccepted(view)


def test_the_history_goes_on_where_image_and_segmentation_are_hardened(logic, segment):
    transform = new_transform()
    for node in (logic.volumeNode, logic.segmentationNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    logic.planeOf(None)
    logic.click(ras_at(logic, (5, 9, 2)), True, add_view(logic))
    wait(logic)
    case = logic._case
    for node in (logic.segmentationNode, logic.volumeNode):
        node.HardenTransform()
        assert logic.planeOf(None) is not None
    wait(logic)
    assert logic._case is case
    assert logic.canUndo


def test_an_image_under_a_bent_transform_is_refused_with_what_to_do_about_it(logic, segment, view, heard):
    point = ras_at(logic, (5, 9, 2))
    logic.volumeNode.SetAndObserveTransformNodeID(new_bending_transform().GetID())
    logic.click(point, True, view)
    wait(logic)
    assert "not linear" in heard.errors[-1].cause
    assert "Harden" in heard.errors[-1].remedy


def test_an_image_that_lost_its_voxels_is_refused_with_the_cause(logic, segment, view, heard):
    point = ras_at(logic, (5, 9, 2))
    logic.volumeNode.SetAndObserveImageData(None)
    logic.click(point, True, view)
    wait(logic)
    assert "no voxels" in heard.errors[-1].cause


def test_a_segmentation_under_a_bent_transform_is_refused_and_stays_as_it_is(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before, transform = scene_mask(logic, segment), new_bending_transform()
    logic.segmentationNode.SetAndObserveTransformNodeID(transform.GetID())
    logic.click(ras_at(logic, (9, 11, 2)), True, view)
    wait(logic)
    assert "Harden" in heard.errors[-1].remedy
    logic.segmentationNode.SetAndObserveTransformNodeID(None)
    assert np.array_equal(scene_mask(logic, segment), before)


def test_a_transform_without_numbers_does_not_keep_the_case_from_opening(logic, segment, view):
    move_segmentation(logic).SetMatrixTransformToParent(vtk_matrix(np.full((4, 4), np.nan)))
    case = logic._case
    assert logic.planeOf(view) is not None
    assert logic._case is case


@pytest.fixture
def moved_together(logic, segment, view):
    """Image and segmentation moved by 50 mm, with class, example, clicks and an accepted slice before."""
    logic.setClass("liver")
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.addSliceAsReference(view)
    logic.accept(view)
    wait(logic)
    transform = new_transform(shift(logic, 10))
    for node in (logic.volumeNode, logic.segmentationNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    logic.planeOf(None)
    wait(logic)
    return logic


def test_class_and_references_stay_where_image_and_segmentation_move_together(moved_together):
    assert (moved_together.className, len(moved_together.references())) == ("liver", 1)


def test_clicks_do_not_stay_where_image_and_segmentation_move_together(moved_together):
    assert moved_together.clicks() == ()
    assert not moved_together.isAccepted(add_view(moved_together))


def test_class_and_references_are_saved_after_image_and_segmentation_moved_together(
    moved_together, predictor
):
    moved_together.click(ras_at(moved_together, (5, 9, 2)), True, add_view(moved_together))
    wait(moved_together)
    again = AnnotationLogic(modelLoader=lambda *_: predictor)
    again.loadModel()
    again.setVolume(moved_together.volumeNode)
    again.setSegmentation(moved_together.segmentationNode)
    wait(again)
    assert (again.className, len(again.references()), len(again.clicks())) == ("liver", 1, 1)
    again.cleanup()


# what is told


def warnings(heard):
    return [event.error for event in heard.of(Warned)]


def test_what_is_lost_as_a_segmentation_moved_is_told_once(moved, view, heard):
    for _time in range(3):
        moved.planeOf(view)
    wait(moved)
    (warning,) = warnings(heard)
    assert f"'{moved.segmentationNode.GetName()}' was moved" in warning.cause
    assert "accepted" in warning.cause


def test_what_is_lost_as_image_and_segmentation_moved_is_told(logic, segment, view, heard):
    logic.setClass("liver")
    wait(logic)
    transform = new_transform(shift(logic, 2))
    for node in (logic.volumeNode, logic.segmentationNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    logic.planeOf(None)
    (warning,) = warnings(heard)
    assert "'image' was moved" in warning.cause
    assert "class" in warning.remedy


def test_nothing_is_told_of_a_move_where_nothing_is_lost(logic, segment, view, heard):
    move_segmentation(logic)
    logic.planeOf(view)
    wait(logic)
    assert warnings(heard) == []
    assert heard.errors == []


def test_a_click_that_is_dropped_as_its_image_moved_is_told(logic, segment, view, predictor, heard):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    assert wait_until(lambda: logic.poll() and predictor.asked_now.is_set())
    move_segmentation(logic)
    logic.planeOf(None)
    predictor.go.set()
    wait(logic)
    assert len(warnings(heard)) == 1


@pytest.mark.parametrize("act", ["undo", "redo"])
def test_undo_before_a_move_was_noticed_says_what_is_lost(moved, heard, act):
    getattr(moved, act)()
    wait(moved)
    (error,) = heard.errors
    assert "undo" in error.cause
    assert not moved.canUndo
    assert warnings(heard) == []


def test_a_bent_transform_of_the_image_is_told_once(logic, segment, view, heard):
    point = ras_at(logic, (5, 9, 2))
    logic.volumeNode.SetAndObserveTransformNodeID(new_bending_transform().GetID())
    logic.click(point, True, view)
    wait(logic)
    assert len(heard.errors) == 1


def test_a_bent_transform_of_the_image_is_told_where_nobody_clicks(logic, segment, view, heard):
    logic.volumeNode.SetAndObserveTransformNodeID(new_bending_transform().GetID())
    for _time in range(2):
        assert logic.sliceCount(view) == 0
    assert len(heard.errors) == 1


def test_a_first_click_beside_a_bent_transform_of_the_segmentation_is_refused_once(logic, view, heard):
    node = logic.newSegmentation()
    node.SetAndObserveTransformNodeID(new_bending_transform().GetID())
    wait(logic)
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert len(heard.errors) == 1
