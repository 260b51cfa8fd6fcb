"""The stand-ins for Slicer's MRML widgets."""

from __future__ import annotations

import pytest
import qt
import slicer
from SlicerHost import dialogs, failures


def add(class_name="vtkMRMLScalarVolumeNode", name="CT"):
    return slicer.mrmlScene.AddNewNodeByClass(class_name, name)


@pytest.fixture
def make_selector(scene):
    """make_selector(property=value, ...): a node combo box of volumes with those properties."""

    def make(**properties):
        box = slicer.qMRMLNodeComboBox()
        box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        for name, value in properties.items():
            setattr(box, name, value)
        box.setMRMLScene(slicer.mrmlScene)
        return box

    return make


@pytest.fixture
def selector(make_selector):
    """A node combo box of volumes, with none."""
    return make_selector(noneEnabled=True)


@pytest.fixture
def chosen(selector):
    """What currentNodeChanged told."""
    told = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    return told


class TestNodes:
    def test_a_box_without_scene_has_no_node(self, scene):
        add()
        box = slicer.qMRMLNodeComboBox()
        box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        assert box.currentNode() is None

    def test_a_node_chosen_before_the_scene_is_chosen_with_it(self, scene):
        add()
        second = add()
        box = slicer.qMRMLNodeComboBox()
        box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        box.setCurrentNode(second)
        box.setMRMLScene(scene)
        assert box.currentNode() is second

    def test_it_shows_nodes_of_its_types_only(self, selector):
        add()
        add("vtkMRMLSegmentationNode")
        assert selector.nodeCount() == 1

    def test_a_labelmap_is_also_a_scalar_volume(self, selector):
        add("vtkMRMLLabelMapVolumeNode")
        assert selector.nodeCount() == 1

    def test_without_child_types_a_labelmap_is_none(self, make_selector):
        add("vtkMRMLLabelMapVolumeNode")
        assert make_selector(showChildNodeTypes=False).nodeCount() == 0

    def test_hidden_types_are_left_out(self, make_selector):
        add("vtkMRMLLabelMapVolumeNode")
        assert make_selector(hideChildNodeTypes=["vtkMRMLLabelMapVolumeNode"]).nodeCount() == 0

    def test_hidden_nodes_are_left_out(self, selector):
        add().SetHideFromEditors(True)
        assert selector.nodeCount() == 0

    def test_a_node_that_is_shown_again_comes_back(self, selector):
        node = add()
        node.SetHideFromEditors(True)
        node.SetHideFromEditors(False)
        assert selector.nodeFromIndex(0) is node

    def test_an_attribute_selects(self, selector):
        add().SetAttribute("Kind", "reference")
        add()
        selector.addAttribute("vtkMRMLScalarVolumeNode", "Kind", "reference")
        assert selector.nodeCount() == 1


class TestChoice:
    def test_with_none_a_new_node_is_not_chosen(self, selector):
        add()
        assert selector.currentNode() is None

    def test_without_none_the_first_node_is_chosen(self, make_selector):
        box = make_selector()
        node = add()
        add()
        assert box.currentNode() is node

    def test_a_choice_is_told_once(self, selector, chosen):
        node = add()
        selector.setCurrentNode(node)
        selector.setCurrentNode(node)
        assert chosen == [node]

    def test_a_choice_is_told_as_yes_or_no(self, selector):
        told = []
        selector.connect("currentNodeChanged(bool)", told.append)
        selector.setCurrentNode(add())
        selector.setCurrentNode(None)
        assert told == [True, False]

    def test_a_choice_is_told_by_its_id(self, selector):
        told = []
        selector.connect("currentNodeIDChanged(QString)", told.append)
        node = add()
        selector.setCurrentNode(node)
        assert told == [node.GetID()]

    def test_blocked_signals_tell_nothing(self, selector, chosen):
        selector.blockSignals(True)
        selector.setCurrentNode(add())
        selector.blockSignals(False)
        assert chosen == []

    def test_the_id_is_a_property(self, selector):
        node = add()
        selector.currentNodeID = node.GetID()
        assert selector.currentNode() is node

    def test_a_node_that_is_not_shown_cannot_be_chosen(self, selector):
        selector.setCurrentNode(add())
        selector.setCurrentNode(add("vtkMRMLSegmentationNode"))
        assert selector.currentNode() is None

    def test_removing_the_chosen_node_chooses_the_row_before(self, selector):
        first, second = add(), add()
        selector.setCurrentNode(second)
        slicer.mrmlScene.RemoveNode(second)
        assert selector.currentNode() is first

    def test_removing_the_only_node_chooses_none(self, make_selector):
        box = make_selector()
        slicer.mrmlScene.RemoveNode(add())
        assert box.currentNode() is None

    def test_closing_the_scene_chooses_none_and_tells_it_once(self, selector, chosen):
        selector.setCurrentNode(add())
        add()
        slicer.mrmlScene.Clear(0)
        assert chosen[1:] == [None]

    def test_after_a_batch_the_new_nodes_are_there(self, selector):
        slicer.mrmlScene.StartState(slicer.vtkMRMLScene.BatchProcessState)
        add()
        slicer.mrmlScene.EndState(slicer.vtkMRMLScene.BatchProcessState)
        assert selector.nodeCount() == 1

    def test_a_new_name_is_told(self, selector):
        told, node = [], add()
        selector.setCurrentNode(node)
        selector.connect("currentNodeRenamed(vtkMRMLNode*)", told.append)
        node.SetName("MR")
        assert told == [node]

    def test_a_deleted_box_hears_nothing_of_the_scene(self, selector):
        selector.delete()
        add()
        assert failures.recorded() == ()


class TestEntries:
    def test_add_node_makes_and_chooses_one(self, selector):
        node = selector.addNode()
        assert selector.currentNode() is node

    def test_delete_removes_the_node_from_the_scene(self, selector):
        node = add()
        selector.setCurrentNode(node)
        selector.removeCurrentNode()
        assert not slicer.mrmlScene.IsNodePresent(node)

    def test_rename_asks_for_the_name(self, selector):
        node = add()
        selector.setCurrentNode(node)
        with dialogs.answer("New name", "MR"):
            selector.renameCurrentNode()
        assert node.GetName() == "MR"

    def test_the_keyboard_does_not_choose_an_entry(self, selector):
        node = add()
        selector.setCurrentNode(node)
        combo = selector.findChild(qt.QComboBox)
        qt.QTest.keyClick(combo, qt.Qt.Key_End)
        assert selector.currentNode() is node


def test_an_unknown_property_is_refused(selector):
    with failures.expected(failures.UNKNOWN_ATTRIBUTE), pytest.raises(AttributeError):
        selector.noneEnable = True


@pytest.fixture
def segmentation(scene):
    node = add("vtkMRMLSegmentationNode", "organs")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("one", "liver", [0.9, 0.1, 0.2])
    node.GetSegmentation().AddEmptySegment("two", "spleen")
    return node


@pytest.fixture
def segment_selector(segmentation):
    widget = slicer.qMRMLSegmentSelectorWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    widget.setCurrentNode(segmentation)
    return widget


class TestSegmentSelector:
    def test_the_first_segment_is_chosen(self, segment_selector):
        assert segment_selector.currentSegmentID() == "one"

    def test_with_none_no_segment_is_chosen_at_first(self, segment_selector):
        segment_selector.noneEnabled = True
        segment_selector.setCurrentNode(None)
        assert segment_selector.currentSegmentID() == ""

    def test_a_choice_is_told(self, segment_selector):
        told = []
        segment_selector.connect("currentSegmentChanged(QString)", told.append)
        segment_selector.setCurrentSegmentID("two")
        assert told == ["two"]

    def test_a_removed_segment_is_no_longer_chosen(self, segment_selector, segmentation):
        segmentation.GetSegmentation().RemoveSegment("one")
        assert segment_selector.currentSegmentID() == "two"


@pytest.fixture
def segment_table(segmentation):
    table = slicer.qMRMLSegmentsTableView()
    table.setMRMLScene(slicer.mrmlScene)
    table.setSegmentationNode(segmentation)
    return table


class TestSegmentsTable:
    def test_it_shows_all_segments(self, segment_table):
        assert list(segment_table.displayedSegmentIDs()) == ["one", "two"]

    def test_a_new_segment_appears(self, segment_table, segmentation):
        segmentation.GetSegmentation().AddEmptySegment("three")
        assert segment_table.segmentCount == 3

    def test_the_selection_survives_a_rename(self, segment_table, segmentation):
        segment_table.setSelectedSegmentIDs(["two"])
        segmentation.GetSegmentation().GetSegment("one").SetName("Liver")
        assert list(segment_table.selectedSegmentIDs()) == ["two"]

    def test_a_click_on_the_eye_hides_the_segment(self, segment_table, segmentation):
        view = segment_table.findChild(qt.QTableView)
        view.clicked.emit(view.model().index(1, 0))
        assert not segmentation.GetDisplayNode().GetSegmentVisibility("two")


class TestSliders:
    def test_a_slider_without_a_quantity_has_no_unit(self, scene):
        slider = slicer.qMRMLSliderWidget()
        slider.setMRMLScene(scene)
        assert slider.suffix == ""

    @pytest.mark.parametrize("name", ["qMRMLSliderWidget", "qMRMLSpinBox"])
    def test_the_unit_of_a_length_stands_after_the_number(self, scene, name):
        widget = getattr(slicer, name)()
        widget.quantity = "length"
        widget.setMRMLScene(scene)
        assert widget.suffix.strip() == "mm"

    def test_a_slider_has_the_value_that_was_set(self, scene):
        slider = slicer.qMRMLSliderWidget()
        slider.value = 12.5
        assert slider.value == 12.5
