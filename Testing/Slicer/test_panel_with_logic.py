"""The panel on the real logic, with a network that answers at once: what a reader does shows, and lands."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer
from logic_samples import paint, scene_mask
from panel_stand_ins import choose_class, finish
from scene_samples import new_transform
from SlicerHost import dialogs
from working_panel_fixtures import *  # noqa: F403
from working_panel_fixtures import volume_centre


def test_load_ends_with_the_model_ready(a_panel, an_image):
    assert a_panel.ui.modelText.text.startswith("fake \u00b7 CPU")
    assert a_panel.ui.modelText.text.endswith("ready")


def test_a_class_makes_a_segment_of_its_name_and_colour(host, a_panel, an_image):
    choose_class(host, a_panel, "hepar")
    assert a_panel.ui.segmentSelector.currentText == "liver"
    assert a_panel.ui.segmentationSelector.currentNode().GetName().startswith("CTChest")


def test_segmenting_a_slice_writes_it_and_says_so(a_panel, a_liver, a_logic):
    assert scene_mask(a_logic, a_liver).any()
    assert "75 % sure" in a_panel.ui.resultText.text


def test_undo_takes_the_mask_back(host, a_panel, a_liver, a_logic):
    assert a_panel.ui.undoButton.text == "Undo prediction"
    a_panel.ui.undoButton.click()
    finish(host, a_panel)
    assert not scene_mask(a_logic, a_liver).any()
    assert a_panel.ui.redoButton.text == "Redo prediction"


def run_over_the_volume(host, a_panel):
    a_panel.ui.volumeRadio.checked = True
    a_panel.ui.runButton.click()
    finish(host, a_panel)


def test_after_a_run_the_button_names_what_undo_takes_back(host, a_panel, a_liver, a_logic):
    run_over_the_volume(host, a_panel)
    named = a_panel.ui.undoButton.toolTip
    a_panel.ui.undoButton.click()
    finish(host, a_panel)
    assert named == "Undo prediction"
    assert a_panel.ui.resultText.text.startswith("Undo: prediction ")


def test_a_run_that_left_all_slices_alone_is_nothing_to_undo(host, a_panel, a_liver):
    a_panel.ui.acceptCheck.click()
    finish(host, a_panel)
    a_panel.ui.rangeBefore.value = a_panel.ui.rangeAfter.value = 0
    a_panel.ui.rangeRadio.checked = True
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    assert a_panel.ui.undoButton.toolTip == "Undo accept slice"


def test_a_run_under_way_can_be_undone(host, a_panel, a_liver):
    a_panel.ui.undoButton.click()
    finish(host, a_panel)
    a_panel.ui.volumeRadio.checked = True
    a_panel.ui.runButton.click()
    assert a_panel.ui.undoButton.enabled
    assert a_panel.ui.undoButton.toolTip.startswith("Undo run over ")


def test_the_slice_in_view_becomes_a_reference_with_a_picture(host, a_panel, a_liver):
    a_panel.ui.addSliceButton.click()
    finish(host, a_panel)
    assert a_panel.what.list.count == 1
    assert not a_panel.what.list.item(0).icon().isNull()


def test_a_dropped_segment_becomes_references(host, a_panel, a_liver, a_logic):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), a_logic.segmentationNode)
    a_panel.what._dropped([item])
    finish(host, a_panel)
    assert a_panel.what.list.count == 1
    assert "liver" in a_panel.what.list.item(0).text()


def test_a_reference_that_is_unticked_stays_unticked(host, a_panel, a_liver, a_logic):
    a_panel.ui.addSliceButton.click()
    finish(host, a_panel)
    a_panel.what.list.item(0).setCheckState(qt.Qt.Unchecked)
    finish(host, a_panel)
    assert [reference.enabled for reference in a_logic.references()] == [False]


def test_the_volume_is_segmented_with_progress(host, a_panel, a_liver, a_logic):
    a_panel.ui.volumeRadio.checked = True
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    count = a_logic.sliceCount(a_panel.views.sliceNode)
    assert a_panel.ui.rangeText.text == f"{count} of {count} slices"
    assert not a_panel.ui.cancelButton.visible


def test_what_lies_apart_is_removed_at_a_press_and_told(host, a_panel, a_liver, a_logic):
    whole = scene_mask(a_logic, a_liver)
    shown = a_logic.planeOf(a_panel.views.sliceNode).index
    with_piece = whole.copy()
    with_piece[shown - 3, :2, :2] = True
    paint(a_logic, a_liver, with_piece)
    a_panel.ui.volumeRadio.checked = True
    a_panel.ui.connectedButton.click()
    finish(host, a_panel)
    assert np.array_equal(scene_mask(a_logic, a_liver), whole)
    assert a_panel.ui.resultText.text.startswith("Keep connected \u00b7 +0 \u22124 pixels")
    assert a_panel.ui.undoButton.toolTip.startswith("Undo keep connected")


def test_check_next_leads_through_the_slices_of_a_run(host, a_panel, a_liver, a_logic):
    run_over_the_volume(host, a_panel)
    count, seen = a_logic.sliceCount(a_panel.views.sliceNode), set()
    for _ in range(count):
        a_panel.ui.checkNextButton.click()
        seen.add(a_logic.sliceIndex(a_panel.views.sliceNode))
    assert seen == set(range(count))
    assert f"{count - 1} more to check" in a_panel.ui.resultText.text


def test_an_accepted_slice_refuses_to_change(host, a_panel, a_liver):
    a_panel.ui.acceptCheck.click()
    finish(host, a_panel)
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    assert a_panel.ui.acceptCheck.checked
    assert "accepted" in a_panel.ui.errorCause.text


def test_a_locked_segment_refuses_to_change(host, a_panel, a_liver):
    a_panel.ui.lockCheck.click()
    finish(host, a_panel)
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    assert a_panel.ui.lockCheck.checked
    assert "locked" in a_panel.ui.errorCause.text


def test_clear_slice_empties_it(host, a_panel, a_liver, a_logic):
    a_panel.ui.clearSliceButton.click()
    finish(host, a_panel)
    assert not scene_mask(a_logic, a_liver).any()


def test_export_writes_files_and_asks_before_the_second_time(host, a_panel, a_liver, tmp_path):
    a_panel.ui.exportFolder.currentPath = str(tmp_path)
    a_panel.ui.writeButton.click()
    first = sorted(path.name for path in tmp_path.iterdir())
    with dialogs.answer("Replace", "OK"):
        a_panel.ui.writeButton.click()
    assert first == sorted(path.name for path in tmp_path.iterdir())
    assert any(name.endswith(".seg.nrrd") for name in first)


def test_a_closed_scene_leaves_an_empty_panel(host, a_panel, a_liver, scene):
    scene.Clear(0)
    finish(host, a_panel)
    assert a_panel.ui.segmentSelector.currentText == "Made with the first click"
    assert not a_panel.ui.newSegmentButton.enabled
    assert a_panel.what.list.count == 0


def test_a_removed_image_leaves_an_empty_panel(host, a_panel, an_image, scene):
    scene.RemoveNode(an_image)
    finish(host, a_panel)
    assert a_panel.ui.volumeSelector.currentNode() is None
    assert a_panel.ui.whatHint.text != ""


def test_what_was_of_a_removed_segment_leaves_the_panel(host, a_panel, an_image, mouse, a_logic):
    a_panel.ui.positiveButton.click()
    mouse.click("Red", volume_centre(an_image))
    finish(host, a_panel)
    a_logic.segmentationNode.GetSegmentation().RemoveSegment(a_logic.segmentId)
    host.processEvents(0.2)
    ui = a_panel.ui
    assert ui.clickText.text.startswith("Click on the object")
    assert (ui.acceptCheck.enabled, ui.undoButton.text) == (False, "Undo")
    assert ui.resultText.text == "What the last act changed is shown here."
    assert slicer.util.getNode("K-Prism clicks on the object").GetNumberOfControlPoints() == 0


def test_the_click_after_a_removed_segment_is_answered_on_a_new_one(host, a_panel, a_liver, mouse, a_logic):
    a_logic.segmentationNode.GetSegmentation().RemoveSegment(a_liver)
    host.processEvents(0.2)
    a_panel.ui.positiveButton.click()
    mouse.click("Red", volume_centre(a_logic.volumeNode))
    finish(host, a_panel)
    assert a_panel.ui.segmentSelector.currentText == "Segment_1"
    assert a_panel.ui.resultText.text.startswith("Click ")


def test_a_click_with_the_tool_of_the_panel_is_counted_and_answered(host, a_panel, an_image, mouse):
    a_panel.ui.positiveButton.click()
    mouse.click("Red", volume_centre(an_image))
    finish(host, a_panel)
    assert a_panel.ui.clickText.text == "On this slice: 1 on the object, 0 outside"
    assert a_panel.ui.resultText.text.startswith("Click ")
    assert a_panel.ui.undoButton.text == "Undo click"


def test_the_first_click_makes_the_segment_that_is_shown(host, a_panel, an_image, mouse):
    a_panel.ui.positiveButton.click()
    mouse.click("Red", volume_centre(an_image))
    finish(host, a_panel)
    assert a_panel.ui.segmentSelector.enabled
    assert a_panel.ui.segmentSelector.count == 1


def test_buttons_act_on_the_view_that_was_clicked_last(host, a_panel, an_image, mouse):
    a_panel.ui.viewSelector.currentIndex = a_panel.ui.viewSelector.findText("Green")
    a_panel.ui.positiveButton.click()
    mouse.click("Red", volume_centre(an_image))
    finish(host, a_panel)
    host.waitUntil(lambda: a_panel.ui.viewSelector.currentText == "Red")


def test_undo_takes_the_click_out_of_the_count(host, a_panel, an_image, mouse):
    a_panel.ui.positiveButton.click()
    mouse.click("Red", volume_centre(an_image))
    finish(host, a_panel)
    a_panel.ui.undoButton.click()
    finish(host, a_panel)
    assert a_panel.ui.clickText.text.startswith("Click on the object")


def test_leaving_the_module_puts_the_tool_down(a_panel, an_image, an_interaction):
    a_panel.ui.positiveButton.click()
    an_interaction.exit()
    a_panel.exit()
    assert not a_panel.ui.positiveButton.checked


def test_what_a_moved_segmentation_costs_stays_on_show_beside_the_next_click(
    host, a_panel, a_liver, mouse, a_logic
):
    finish(host, a_panel)
    matrix = np.eye(4)
    # by one voxel
    matrix[:3, 3] = a_logic._case.volume.geometry.ijk_to_ras[:3, 2]
    transform = new_transform(matrix)
    a_logic.segmentationNode.SetAndObserveTransformNodeID(transform.GetID())
    shown = []
    for _time in range(2):
        a_logic.predictSlice(None)
        finish(host, a_panel)
        shown.append(a_panel.ui.errorBar.visible)
    assert "was moved" in a_panel.ui.errorCause.text
    assert shown == [True, False]


def test_that_the_history_ends_with_another_model_is_read_in_the_panel(host, a_panel, a_liver):
    a_panel.ui.loadButton.click()
    finish(host, a_panel)
    assert "cannot be undone" in a_panel.ui.resultText.text


def test_that_a_hidden_segment_is_shown_again_is_read_beside_the_outcome(host, a_panel, a_liver, a_logic):
    a_logic.segmentationNode.GetDisplayNode().SetVisibility(False)
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    outcome, note = a_panel.ui.resultText.text.split("\n")
    assert outcome.startswith("Prediction ")
    assert note == "'liver' was hidden. It is shown again, as it changed."


def test_that_accepted_slices_are_open_again_is_read_after_undo(host, a_panel, a_liver, a_logic):
    a_panel.ui.acceptCheck.click()
    finish(host, a_panel)
    paint(a_logic, a_liver, ~scene_mask(a_logic, a_liver))
    a_panel.ui.undoButton.click()
    finish(host, a_panel)
    outcome, note = a_panel.ui.resultText.text.split("\n")
    assert outcome.startswith("Undo: ")
    assert "open again" in note


def test_that_a_segment_was_locked_is_not_said_of_an_unlocked_one(host, a_panel, a_liver):
    a_panel.ui.lockCheck.click()
    finish(host, a_panel)
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    told = a_panel.ui.errorBar.visible
    a_panel.ui.lockCheck.click()
    finish(host, a_panel)
    assert (told, a_panel.ui.errorBar.visible) == (True, False)


def test_undo_names_what_another_tool_painted_once_the_panel_is_entered(host, a_panel, a_liver, a_logic):
    paint(a_logic, a_liver, ~scene_mask(a_logic, a_liver))
    a_panel.enter()
    finish(host, a_panel)
    assert a_panel.ui.undoButton.toolTip == "Undo edit with another tool"


def test_redo_is_off_once_the_panel_is_entered_after_another_tool_painted(host, a_panel, a_liver, a_logic):
    a_panel.ui.undoButton.click()
    finish(host, a_panel)
    paint(a_logic, a_liver, ~scene_mask(a_logic, a_liver))
    a_panel.enter()
    finish(host, a_panel)
    assert not a_panel.ui.redoButton.enabled


@pytest.mark.parametrize("act", ["a new segment", "a click that is refused"])
def test_a_run_can_be_cancelled_after_something_else_was_done(host, a_panel, a_liver, a_logic, act):
    a_logic._predictor.seconds = 0.2
    a_panel.ui.volumeRadio.checked = True
    a_panel.ui.runButton.click()
    host.waitUntil(lambda: a_panel.ui.cancelButton.visible, 10)
    if act == "a new segment":
        a_panel.ui.newSegmentButton.click()
    else:
        a_logic.click((1e4, 0.0, 0.0), True, None)
    assert a_panel.ui.cancelButton.visible
    a_panel.ui.cancelButton.click()
    finish(host, a_panel)
    assert not a_panel.ui.cancelButton.visible
