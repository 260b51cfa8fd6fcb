"""Section 1 of the panel: image, segmentation, segment, and what the scene remembers."""

from __future__ import annotations

import numpy as np
import panel_fixtures
import pytest
import qt
import slicer
from KPrismSlicerLib.Events import CaseChanged, PromptsChanged
from KPrismSlicerLib.ParameterNode import KPrismParameterNode

from KPrismCore.errors import ProtectedError

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
)  # fmt: skip
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case


@pytest.fixture
def a_parameter_node(scene):
    return KPrismParameterNode(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "KPrismSlicer"))


def shown_segments(a_panel):
    combo = a_panel.ui.segmentSelector
    return [combo.itemText(number) for number in range(combo.count)]


def test_choosing_an_image_asks_the_logic(a_panel, a_logic):
    volume = slicer.util.addVolumeFromArray(np.zeros((4, 4, 4), dtype=np.int16), name="MR")
    a_panel.ui.volumeSelector.setCurrentNode(volume)
    assert a_logic.volumeNode is volume


def test_what_the_logic_says_does_not_come_back_to_it(a_panel, a_case, a_logic):
    assert a_logic.acts("setVolume", "setSegmentation", "setSegment") == []


def test_the_segments_are_listed(a_panel, a_case):
    assert shown_segments(a_panel) == ["liver", "aorta"]


def test_a_segment_shows_its_colour(a_panel, a_case):
    shown = a_panel.ui.segmentSelector.itemIcon(0).pixmap(16, 16).toImage().pixelColor(8, 8)
    assert (shown.red(), shown.green(), shown.blue()) == pytest.approx((204, 102, 51), abs=2)


def test_a_name_that_is_too_long_for_the_list_can_be_read_whole(a_panel, a_case):
    name = "left_upper_lobe_" * 8
    a_case.segmentation.GetSegmentation().GetSegment("one").SetName(name)
    assert a_panel.ui.segmentSelector.toolTip.startswith(name)
    assert a_panel.ui.segmentSelector.itemData(0, qt.Qt.ToolTipRole) == name


def test_a_segment_added_by_another_tool_is_listed(a_panel, a_case):
    a_case.segmentation.GetSegmentation().AddEmptySegment("three", "spleen")
    assert shown_segments(a_panel) == ["liver", "aorta", "spleen"]


def test_a_renamed_segment_is_listed_anew(a_panel, a_case):
    a_case.segmentation.GetSegmentation().GetSegment("two").SetName("thoracic aorta")
    assert shown_segments(a_panel) == ["liver", "thoracic aorta"]


def test_the_current_segment_stays_current_when_the_list_changes(a_panel, a_case, a_logic):
    a_logic.segmentId = "two"
    a_logic.tell(CaseChanged())
    a_case.segmentation.GetSegmentation().RemoveSegment("one")
    assert a_panel.ui.segmentSelector.currentText == "aorta"


def test_after_the_current_segment_is_removed_no_other_looks_current(a_panel, a_case):
    a_case.segmentation.GetSegmentation().RemoveSegment("one")
    assert a_panel.ui.segmentSelector.currentText == "Made with the first click"
    assert shown_segments(a_panel) == ["Made with the first click", "aorta"]


def test_where_no_segment_is_current_one_can_be_chosen(a_panel, a_case, a_logic):
    a_case.segmentation.GetSegmentation().RemoveSegment("one")
    qt.QTest.keyClick(a_panel.ui.segmentSelector, qt.Qt.Key_Down)
    assert a_logic.acts("setSegment") == [("setSegment", ("two",))]


def test_choosing_a_segment_asks_the_logic(a_panel, a_case, a_logic):
    qt.QTest.keyClick(a_panel.ui.segmentSelector, qt.Qt.Key_Down)
    assert a_logic.acts("setSegment") == [("setSegment", ("two",))]


def test_without_segments_the_list_says_when_one_is_made(a_panel):
    assert shown_segments(a_panel) == ["Made with the first click"]
    assert not a_panel.ui.segmentSelector.enabled


@pytest.mark.parametrize(
    ("button", "act"), [("newSegmentButton", "newSegment"), ("newSegmentationButton", "newSegmentation")]
)
def test_new_ones_are_made_by_the_logic(a_panel, a_case, a_logic, button, act):
    getattr(a_panel.ui, button).click()
    assert a_logic.acts(act) == [(act, ())]


def test_without_an_image_nothing_new_can_be_made(a_panel):
    assert not a_panel.ui.newSegmentButton.enabled
    assert not a_panel.ui.newSegmentationButton.enabled


def test_a_locked_segment_is_ticked(a_panel, a_case, a_logic):
    a_case.segmentation.GetSegmentation().GetSegment("one").SetTag("KPrism.Locked", "1")
    a_logic.tell(CaseChanged())
    assert a_panel.ui.lockCheck.checked


def test_the_tick_locks_the_current_segment(a_panel, a_case, a_logic):
    a_panel.ui.lockCheck.click()
    assert a_logic.acts("setLocked") == [("setLocked", ("one", True))]


def test_the_case_is_kept_in_the_scene(a_panel, a_case, a_logic, a_parameter_node):
    a_panel.setParameterNode(a_parameter_node)
    a_logic.tell(CaseChanged())
    assert a_parameter_node.inputVolume is a_case.volume
    assert a_parameter_node.segmentId == "one"


def test_the_case_comes_back_from_the_scene(a_panel, a_case, a_logic, a_parameter_node):
    a_parameter_node.inputVolume, a_parameter_node.segmentation = a_case.volume, a_case.segmentation
    a_parameter_node.segmentId = "two"
    a_logic.volumeNode = a_logic.segmentationNode = a_logic.segmentId = None
    a_panel.setParameterNode(a_parameter_node)
    assert (a_logic.volumeNode, a_logic.segmentationNode) == (a_case.volume, a_case.segmentation)
    assert a_logic.segmentId == "two"


def test_a_segment_that_is_gone_is_not_restored(a_panel, a_case, a_logic, a_parameter_node):
    a_parameter_node.inputVolume, a_parameter_node.segmentation = a_case.volume, a_case.segmentation
    a_parameter_node.segmentId = "gone"
    a_panel.setParameterNode(a_parameter_node)
    assert a_logic.acts("setSegment") == []


def test_settings_come_back_from_the_scene(a_panel, a_parameter_node):
    a_parameter_node.referenceCount, a_parameter_node.rangeBefore = 9, 3
    a_parameter_node.checkpoint, a_parameter_node.device = "/models/mine.safetensors", "cpu"
    a_parameter_node.exportFolder, a_parameter_node.exportNrrd = "/results", True
    a_panel.setParameterNode(a_parameter_node)
    ui = a_panel.ui
    assert (ui.shotsSelector.value, ui.rangeBefore.value) == (9, 3)
    assert (a_panel.model.checkpoint, ui.deviceSelector.currentData) == ("/models/mine.safetensors", "cpu")
    assert (ui.exportFolder.currentPath, ui.exportNrrd.checked) == ("/results", True)


def test_settings_go_into_the_scene(a_panel, a_parameter_node):
    a_panel.setParameterNode(a_parameter_node)
    ui = a_panel.ui
    ui.shotsSelector.value, ui.exportFolder.currentPath = 3, "/results"
    ui.deviceSelector.currentIndex = ui.deviceSelector.findData("cpu")
    ui.checkpointSelector.currentIndex = ui.checkpointSelector.findData("file")
    ui.checkpointFile.currentPath = "/models/mine.safetensors"
    stored = a_parameter_node
    assert (stored.referenceCount, stored.exportFolder) == (3, "/results")
    assert (stored.device, stored.checkpoint) == ("cpu", "/models/mine.safetensors")


def test_a_parameter_node_that_was_left_is_not_written(a_panel, a_parameter_node):
    a_panel.setParameterNode(a_parameter_node)
    a_panel.setParameterNode(None)
    a_panel.ui.shotsSelector.value = 7
    assert a_parameter_node.referenceCount == 5


def test_what_was_wrong_in_a_scene_goes_with_it(a_panel, a_parameter_node):
    a_panel.setParameterNode(a_parameter_node)
    a_panel.showError(ProtectedError("cause", "remedy"))
    a_panel.setParameterNode(None)
    assert not a_panel.ui.errorBar.visible


def test_what_was_wrong_with_an_image_goes_when_another_is_chosen(a_panel, a_case):
    a_panel.showError(ProtectedError("cause", "remedy"))
    a_panel.ui.volumeSelector.setCurrentNode(None)
    assert not a_panel.ui.errorBar.visible


def test_a_removed_segmentation_leaves_an_empty_list(a_panel, a_case, a_logic, scene):
    a_logic.segmentationNode = a_logic.segmentId = None
    scene.RemoveNode(a_case.segmentation)
    a_logic.tell(CaseChanged())
    a_logic.tell(PromptsChanged())
    assert shown_segments(a_panel) == ["Made with the first click"]
