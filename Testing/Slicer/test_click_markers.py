"""The markers of the clicks: two lists in the scene, in step with the logic."""

from __future__ import annotations

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import placed
from KPrismSlicerLib.ClickMarkers import ATTRIBUTE, COLOURS, ClickMarkers
from SlicerHost.samples import MARK, pixelsOf, rasOf

import slicer  # isort: skip

PLACES = [(1.0, 2.0, 3.0), (-4.0, 5.0, 6.5), (7.0, -8.0, 9.0)]


@pytest.fixture
def markers(a_logic):
    return ClickMarkers(a_logic)


def points(node):
    """The positions RAS of all points of a list."""
    return [
        tuple(node.GetNthControlPointPositionWorld(index)) for index in range(node.GetNumberOfControlPoints())
    ]


def click_lists():
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    return [node for node in nodes if node.GetAttribute(ATTRIBUTE)]


def show(logic, markers, *clicks):
    logic.shownClicks = clicks
    markers.sync()


def test_no_clicks_need_no_lists(markers, scene):
    markers.sync()
    assert click_lists() == []


@pytest.mark.parametrize("positive", [True, False])
def test_clicks_are_shown_in_the_list_of_their_polarity(a_logic, markers, positive):
    show(a_logic, markers, *(placed(ras, positive, str(ras)) for ras in PLACES))
    assert np.allclose(points(markers.node(positive)), PLACES)
    assert markers.node(not positive) is None


def test_positive_markers_are_green_and_negative_ones_red(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]), placed(PLACES[1], False, "other"))
    green, red = (markers.node(positive).GetDisplayNode().GetSelectedColor() for positive in (True, False))
    assert green[1] > 2 * green[0]
    assert red[0] > 2 * red[1]


def test_a_click_that_waits_is_pale(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0], pending=True))
    node = markers.node(True)
    assert not node.GetNthControlPointSelected(0)
    assert node.GetDisplayNode().GetColor() == pytest.approx(COLOURS[True][1])


def test_a_click_that_is_done_is_not_pale(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0], pending=True))
    show(a_logic, markers, placed(PLACES[0]))
    assert markers.node(True).GetNthControlPointSelected(0)


def test_removed_clicks_go(a_logic, markers):
    clicks = [placed(ras, identifier=str(ras)) for ras in PLACES]
    show(a_logic, markers, *clicks)
    show(a_logic, markers, clicks[2])
    assert np.allclose(points(markers.node(True)), PLACES[2:])


def test_a_moved_click_is_shown_at_its_new_place(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    show(a_logic, markers, placed(PLACES[1]))
    assert np.allclose(points(markers.node(True)), PLACES[1:2])


def test_each_marker_knows_its_click(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0], identifier="a"), placed(PLACES[1], identifier="b"))
    node = markers.node(True)
    assert [node.GetNthControlPointDescription(index) for index in range(2)] == ["a", "b"]


def test_nothing_is_touched_where_nothing_changed(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    before = markers.node(True).GetMTime()
    markers.sync()
    assert markers.node(True).GetMTime() == before


def test_slicer_cannot_move_a_marker(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    assert markers.node(True).GetLocked()


def test_markers_have_no_labels(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    assert markers.node(True).GetNthControlPointLabel(0) == ""
    assert not markers.node(True).GetDisplayNode().GetPointLabelsVisibility()


def test_a_preview_moves_the_marker_but_not_the_click(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    markers.preview("click-1", PLACES[1])
    assert np.allclose(points(markers.node(True)), PLACES[1:2])
    assert a_logic.asked == []


def test_after_a_preview_the_marker_is_where_its_click_is(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    markers.preview("click-1", PLACES[1])
    markers.endPreview()
    assert np.allclose(points(markers.node(True)), PLACES[:1])


def test_a_list_that_was_deleted_is_made_again(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    slicer.mrmlScene.RemoveNode(markers.node(True))
    markers.sync()
    assert np.allclose(points(markers.node(True)), PLACES[:1])


def test_the_lists_of_a_scene_are_used_again(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    show(a_logic, ClickMarkers(a_logic), placed(PLACES[1]))
    assert len(click_lists()) == 1


def test_a_second_pair_of_lists_is_removed(a_logic, markers):
    show(a_logic, markers, placed(PLACES[0]))
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    other.SetAttribute(ATTRIBUTE, "positive")
    markers.sync()
    assert len(click_lists()) == 1


def test_other_lists_of_points_are_left_alone(a_logic, markers):
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "landmarks")
    other.AddControlPointWorld(1, 2, 3)
    show(a_logic, markers, placed(PLACES[0]))
    assert points(other) == [(1.0, 2.0, 3.0)]


def test_lists_are_beside_the_segmentation_in_the_data_tree(a_logic, markers):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    a_logic.segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(a_logic.segmentationNode), study)
    show(a_logic, markers, placed(PLACES[0]))
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(markers.node(True))) == study


def test_lists_come_back_with_a_saved_scene(a_logic, markers, tmp_path):
    show(a_logic, markers, placed(PLACES[0]), placed(PLACES[1], False, "other"))
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(path)
    assert np.allclose(points(markers.node(True)), PLACES[:1])
    assert np.allclose(points(markers.node(False)), PLACES[1:2])


def test_while_the_scene_is_closed_no_list_is_made(a_logic, markers):
    scene, lists = slicer.mrmlScene, []

    def removed(*_arguments):
        markers.sync()
        lists.append(len(click_lists()))

    a_logic.shownClicks = (placed(PLACES[0]),)
    scene.AddNewNodeByClass("vtkMRMLModelNode")
    tag = scene.AddObserver(scene.NodeRemovedEvent, removed)
    scene.Clear(0)
    scene.RemoveObserver(tag)
    assert lists
    assert not any(lists)


def test_markers_follow_the_logic(a_logic, a_click, an_interaction):
    a_logic.place()
    assert points(an_interaction.markers.node(True)) == []


def test_the_lists_of_a_scene_that_is_read_too_are_not_kept(a_click, an_interaction):
    scene = slicer.mrmlScene
    scene.StartState(scene.ImportState)
    scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode").SetAttribute(ATTRIBUTE, "positive")
    during = len(click_lists())
    scene.EndState(scene.ImportState)
    assert (during, len(click_lists())) == (2, 1)


@pytest.fixture
def unmarked(mouse, a_volume):
    """The red view's pixels before there is a marker."""
    return pixelsOf(mouse.view("Red").picture())


def test_a_marker_is_drawn_on_its_slice(mouse, a_volume, unmarked, a_logic, an_interaction):
    a_logic.place(placed(rasOf(a_volume, MARK)))
    assert pixelsOf(mouse.view("Red").picture()) != unmarked


def test_a_marker_is_not_drawn_on_the_next_slice(mouse, a_volume, unmarked, a_logic, an_interaction):
    a_logic.place(placed(rasOf(a_volume, (MARK[0], MARK[1], MARK[2] + 1))))
    assert pixelsOf(mouse.view("Red").picture()) == unmarked
