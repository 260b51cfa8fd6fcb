"""The items that the application makes for the scene's nodes, and the Data tree."""

from __future__ import annotations

import numpy as np
import pytest
import qt
import slicer
import vtk
from SlicerHost.subject_hierarchy import childrenOf, hierarchyOf, segmentIdOf, segmentItem


@pytest.fixture
def hierarchy(scene):
    return hierarchyOf(scene)


@pytest.fixture
def volume(scene):
    return slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), dtype=np.int16), name="CT")


@pytest.fixture
def segmentation(scene):
    """With the segments one, liver, and two, spleen."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "organs")
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().AddEmptySegment("one", "liver", [0.9, 0.1, 0.2])
    node.GetSegmentation().AddEmptySegment("two", "spleen")
    return node


def segments_below(hierarchy, node):
    """[(segment's id, item's name)] below a segmentation's item."""
    items = childrenOf(hierarchy, hierarchy.GetItemByDataNode(node))
    return [(segmentIdOf(hierarchy, item), hierarchy.GetItemName(item)) for item in items]


class TestItems:
    @pytest.mark.parametrize(
        "class_name",
        [
            "vtkMRMLScalarVolumeNode",
            "vtkMRMLLabelMapVolumeNode",
            "vtkMRMLSegmentationNode",
            "vtkMRMLMarkupsFiducialNode",
            "vtkMRMLModelNode",
            "vtkMRMLLinearTransformNode",
            "vtkMRMLTextNode",
        ],
    )
    def test_a_node_has_an_item(self, hierarchy, class_name):
        node = slicer.mrmlScene.AddNewNodeByClass(class_name)
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == hierarchy.GetSceneItemID()

    def test_a_display_node_has_none(self, hierarchy, segmentation):
        assert not hierarchy.GetItemByDataNode(segmentation.GetDisplayNode())

    def test_a_hidden_node_has_none(self, hierarchy):
        node = slicer.vtkMRMLTextNode()
        node.SetHideFromEditors(True)
        slicer.mrmlScene.AddNode(node)
        assert not hierarchy.GetItemByDataNode(node)

    def test_a_node_that_asks_to_be_left_out_has_none(self, hierarchy):
        node = slicer.vtkMRMLTextNode()
        node.SetAttribute(
            slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName(), "1"
        )
        slicer.mrmlScene.AddNode(node)
        assert not hierarchy.GetItemByDataNode(node)

    def test_the_item_goes_with_its_node(self, hierarchy, volume):
        slicer.mrmlScene.RemoveNode(volume)
        assert childrenOf(hierarchy, hierarchy.GetSceneItemID()) == []

    def test_what_is_below_a_removed_node_stays(self, hierarchy, volume, segmentation):
        item = hierarchy.GetItemByDataNode(segmentation)
        hierarchy.SetItemParent(item, hierarchy.GetItemByDataNode(volume))
        slicer.mrmlScene.RemoveNode(volume)
        assert hierarchy.GetItemParent(item) == hierarchy.GetSceneItemID()

    def test_closing_the_scene_removes_all_items_and_folders(self, scene, volume, segmentation):
        hierarchyOf(scene).CreateFolderItem(hierarchyOf(scene).GetSceneItemID(), "folder")
        scene.Clear(0)
        assert childrenOf(hierarchyOf(scene), hierarchyOf(scene).GetSceneItemID()) == []


class TestSegments:
    def test_every_segment_has_an_item_with_its_id_and_name(self, hierarchy, segmentation):
        assert segments_below(hierarchy, segmentation) == [("one", "liver"), ("two", "spleen")]

    def test_slicer_itself_finds_a_segments_item(self, hierarchy, segmentation):
        found = segmentation.GetSegmentSubjectHierarchyItem("two", hierarchy)
        assert found == segmentItem(hierarchy, hierarchy.GetItemByDataNode(segmentation), "two")

    def test_a_removed_segment_has_none(self, hierarchy, segmentation):
        segmentation.GetSegmentation().RemoveSegment("one")
        assert segments_below(hierarchy, segmentation) == [("two", "spleen")]

    def test_a_renamed_segment_renames_its_item(self, hierarchy, segmentation):
        segmentation.GetSegmentation().GetSegment("one").SetName("Liver")
        assert segments_below(hierarchy, segmentation)[0] == ("one", "Liver")

    def test_the_items_have_the_order_of_the_segments(self, hierarchy, segmentation):
        segmentation.GetSegmentation().SetSegmentIndex("two", 0)
        assert [one for one, _ in segments_below(hierarchy, segmentation)] == ["two", "one"]

    def test_renaming_keeps_the_item(self, hierarchy, segmentation):
        before = childrenOf(hierarchy, hierarchy.GetItemByDataNode(segmentation))
        segmentation.GetSegmentation().GetSegment("one").SetName("Liver")
        assert childrenOf(hierarchy, hierarchy.GetItemByDataNode(segmentation)) == before

    def test_removing_the_segmentation_removes_them(self, hierarchy, segmentation):
        slicer.mrmlScene.RemoveNode(segmentation)
        assert hierarchy.GetNumberOfItems() == 0


class TestSavedScene:
    @pytest.fixture
    def reloaded(self, hierarchy, volume, segmentation, tmp_path):
        """A study with an image, and a segmentation, saved and loaded again; the tree of the loaded scene."""
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
        slicer.util.saveScene(str(tmp_path / "scene.mrb"))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(tmp_path / "scene.mrb"))
        return hierarchyOf(slicer.mrmlScene)

    def test_the_image_is_still_below_the_study(self, reloaded):
        item = reloaded.GetItemByDataNode(slicer.util.getNode("CT"))
        assert reloaded.GetItemName(reloaded.GetItemParent(item)) == "study"

    def test_each_segment_has_one_item(self, reloaded):
        assert segments_below(reloaded, slicer.util.getNode("organs")) == [
            ("one", "liver"),
            ("two", "spleen"),
        ]

    def test_the_loaded_segmentation_is_followed(self, reloaded):
        slicer.util.getNode("organs").GetSegmentation().RemoveSegment("one")
        assert segments_below(reloaded, slicer.util.getNode("organs")) == [("two", "spleen")]


@pytest.fixture
def tree(scene, volume, segmentation):
    """The Data tree of the image and the segmentation, shown."""
    view = slicer.qMRMLSubjectHierarchyTreeView()
    view.setMRMLScene(scene)
    view.resize(300, 200)
    view.show()
    return view


@pytest.fixture
def liver(hierarchy, segmentation):
    """The item of the segment liver."""
    return segmentItem(hierarchy, hierarchy.GetItemByDataNode(segmentation), "one")


def click(tree, item, column):
    """Press and release the left button on a cell."""
    index = row_of(tree, item).siblingAtColumn(column)
    place = tree.visualRect(index).center()
    qt.QTest.mouseClick(tree.viewport(), qt.Qt.LeftButton, qt.Qt.NoModifier, place)


def row_of(tree, item):
    tree.setCurrentItem(item)
    return tree.selectionModel().selectedRows(0)[0]


class TestTree:
    def test_it_shows_nodes_and_segments(self, tree):
        assert tree.displayedItemCount() == 4

    def test_an_item_of_a_node_that_is_hidden_is_not_shown(self, tree, volume):
        volume.SetHideFromEditors(True)
        volume.SetName("hidden")
        tree.mrmlScene().AddNewNodeByClass("vtkMRMLTextNode")
        assert tree.displayedItemCount() == 4

    def test_a_filter_shows_what_matches_and_what_is_above(self, tree):
        tree.nameFilter = "spl"
        assert tree.displayedItemCount() == 2

    def test_a_chosen_item_is_told(self, tree, liver):
        told = []
        tree.connect("currentItemChanged(vtkIdType)", told.append)
        tree.setCurrentItem(liver)
        assert told == [liver]

    def test_the_choice_survives_changes_of_the_scene(self, tree, liver, host):
        tree.setCurrentItem(liver)
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
        host.processEvents()
        assert tree.currentItem() == liver

    def test_the_choice_of_a_removed_segment_ends(self, tree, liver, segmentation):
        tree.setCurrentItem(liver)
        segmentation.GetSegmentation().RemoveSegment("one")
        assert tree.currentItem() == 0

    def test_several_items_are_chosen_at_once(self, tree, liver, hierarchy, volume):
        tree.multiSelection = True
        wanted, chosen = vtk.vtkIdList(), vtk.vtkIdList()
        for item in (liver, hierarchy.GetItemByDataNode(volume)):
            wanted.InsertNextId(item)
        tree.setCurrentItems(wanted)
        tree.currentItems(chosen)
        assert chosen.GetNumberOfIds() == 2

    def test_a_collapsed_branch_stays_collapsed(self, tree, hierarchy, segmentation, host):
        item = hierarchy.GetItemByDataNode(segmentation)
        tree.collapseItem(item)
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
        host.processEvents()
        assert not tree.isExpanded(row_of(tree, item))

    def test_a_drag_carries_the_items_urls(self, tree, liver):
        data = tree.model().mimeData([row_of(tree, liver)])
        assert [url.toString() for url in data.urls()] == [f"mrml://scene/subjecthierarchy/item?id={liver}"]

    def test_all_columns_of_a_row_make_one_url(self, tree, liver):
        first = row_of(tree, liver)
        data = tree.model().mimeData([first.siblingAtColumn(column) for column in range(3)])
        assert len(data.urls()) == 1

    def test_a_click_on_the_eye_hides_a_segment(self, tree, liver, segmentation):
        click(tree, liver, 1)
        assert not segmentation.GetDisplayNode().GetSegmentVisibility("one")

    def test_a_second_click_shows_it_again(self, tree, liver, segmentation):
        click(tree, liver, 1)
        click(tree, liver, 1)
        assert segmentation.GetDisplayNode().GetSegmentVisibility("one")

    def test_the_eye_of_an_image_shows_it_in_the_views(self, tree, layout_manager, hierarchy, volume):
        click(tree, hierarchy.GetItemByDataNode(volume), 1)
        shown = layout_manager.sliceWidget("Red").mrmlSliceCompositeNode().GetBackgroundVolumeID()
        assert shown == volume.GetID()

    def test_the_eye_of_a_study_hides_all_below(self, tree, hierarchy, segmentation):
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(segmentation), study)
        click(tree, study, 1)
        assert not segmentation.GetDisplayVisibility()

    def test_a_new_name_in_the_tree_renames_the_segment(self, tree, liver, segmentation):
        tree.model().setData(row_of(tree, liver), "Liver")
        assert segmentation.GetSegmentation().GetSegment("one").GetName() == "Liver"

    def test_deleting_an_item_removes_its_node(self, tree, hierarchy, volume):
        tree.setCurrentItem(hierarchy.GetItemByDataNode(volume))
        tree.deleteSelectedItems()
        assert not slicer.mrmlScene.IsNodePresent(volume)

    def test_closing_the_scene_empties_it(self, tree):
        slicer.mrmlScene.Clear(0)
        assert tree.displayedItemCount() == 0
