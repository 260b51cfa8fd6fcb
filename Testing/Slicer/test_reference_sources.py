"""What an item of the Data tree gives as references."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from KPrismCore.errors import ReferenceMismatchError
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.scene_samples import (
    SIZE,
    add_surface,
    grid,
    item_of,
    new_volume,
    whole_box,
)

SHAPE = SIZE[::-1]


@pytest.fixture
def segmentation(bridge, volume):
    """With liver and spleen, and an empty segment."""
    return marked(bridge, volume, "liver", "spleen", "empty")


@pytest.fixture
def a_mask():
    return np.random.default_rng(5).random(SHAPE) < 0.4


def marked(bridge, volume, *names):
    """A segmentation of an image; segments named 'empty' stay empty."""
    segmentation = bridge.newSegmentation(volume)
    for number, name in enumerate(names):
        one = bridge.newSegment(segmentation, name)
        mask = np.zeros(SHAPE, dtype=bool)
        mask[number + 1] = name != "empty"
        bridge.write(segmentation, one, volume, None, mask, whole_box(SHAPE))
    return segmentation


def new_labelmap(values, matrix=None, name="labels"):
    matrix = grid(np.eye(3)) if matrix is None else matrix
    return slicer.util.addVolumeFromArray(values.astype(np.int16), matrix, name, "vtkMRMLLabelMapVolumeNode")


def names(sources):
    return [source.name for source in sources]


class TestSegmentations:
    def test_all_marked_segments_are_found(self, bridge, segmentation):
        assert names(bridge.sourcesOf(item_of(segmentation))) == ["liver", "spleen"]

    def test_the_image_is_the_one_it_was_made_on(self, bridge, volume, segmentation):
        assert {one.volumeNode for one in bridge.sourcesOf(item_of(segmentation))} == {volume}

    def test_the_mask_can_be_read(self, bridge, segmentation):
        liver = bridge.sourcesOf(item_of(segmentation))[0]
        mask = bridge.readSegment(liver.segmentationNode, liver.segmentId, liver.volumeNode)
        assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [1]

    def test_an_empty_one_is_an_error(self, bridge, volume):
        with pytest.raises(ReferenceMismatchError, match="Nothing is marked"):
            bridge.sourcesOf(item_of(marked(bridge, volume, "empty")))

    def test_a_surface_counts_as_marked(self, bridge, volume, scene):
        surfaces = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
        surfaces.SetSourceRepresentationToClosedSurface()
        surfaces.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        add_surface(surfaces, "ball", (grid(np.eye(3)) @ [4, 4, 3, 1])[:3], 2.2)
        assert names(bridge.sourcesOf(item_of(surfaces))) == ["ball"]

    def test_without_a_named_image_the_one_of_the_same_grid_is_taken(self, bridge, volume, segmentation):
        new_volume(matrix=grid(np.eye(3), (1, 1, 2)), name="another grid")
        forget_image(segmentation)
        assert {one.volumeNode for one in bridge.sourcesOf(item_of(segmentation))} == {volume}

    def test_without_any_image_it_is_an_error(self, bridge, scene, volume, segmentation):
        scene.RemoveNode(volume)
        with pytest.raises(ReferenceMismatchError, match="not loaded"):
            bridge.sourcesOf(item_of(segmentation))

    def test_several_possible_images_are_an_error(self, bridge, segmentation):
        new_volume(name="T2")
        forget_image(segmentation)
        with pytest.raises(ReferenceMismatchError, match="not known"):
            bridge.sourcesOf(item_of(segmentation))

    def test_of_several_possible_images_the_one_beside_it_is_taken(
        self, bridge, hierarchy, volume, segmentation
    ):
        new_volume(name="T2")
        forget_image(segmentation)
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
        for node in (volume, segmentation):
            hierarchy.SetItemParent(item_of(node), study)
        assert {one.volumeNode for one in bridge.sourcesOf(item_of(segmentation))} == {volume}


def forget_image(segmentation):
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    segmentation.SetNodeReferenceID(role, None)


class TestSegments:
    def item(self, hierarchy, segmentation, number):
        """The item of a segment, as Slicer's segments plugin makes it."""
        parent = item_of(segmentation)
        segment = segmentation.GetSegmentation().GetNthSegmentID(number)
        name = segmentation.GetSegmentation().GetSegment(segment).GetName()
        item = hierarchy.CreateHierarchyItem(parent, name, "")
        attribute = slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName()
        hierarchy.SetItemAttribute(item, attribute, segment)
        return item

    def test_one_gives_itself(self, bridge, hierarchy, segmentation):
        assert names(bridge.sourcesOf(self.item(hierarchy, segmentation, 1))) == ["spleen"]

    def test_an_empty_one_is_an_error(self, bridge, hierarchy, segmentation):
        with pytest.raises(ReferenceMismatchError, match="empty"):
            bridge.sourcesOf(self.item(hierarchy, segmentation, 2))


class TestLabelmaps:
    def test_each_label_is_found(self, bridge, volume, a_mask):
        sources = bridge.sourcesOf(item_of(new_labelmap(a_mask * 2 + 1)))
        assert [one.segmentId for one in sources] == ["1", "3"]

    def test_the_mask_of_a_label_can_be_read(self, bridge, volume, a_mask):
        source = bridge.sourcesOf(item_of(new_labelmap(a_mask * 2)))[0]
        found = bridge.readSegment(source.segmentationNode, source.segmentId, source.volumeNode)
        np.testing.assert_array_equal(found, a_mask)

    def test_labels_are_named_by_the_colour_table(self, bridge, scene, volume, a_mask):
        labelmap = new_labelmap(a_mask)
        table = scene.AddNewNodeByClass("vtkMRMLColorTableNode", "names")
        table.SetTypeToUser()
        table.SetNumberOfColors(2)
        table.SetColor(1, "liver", 1, 0, 0, 1)
        labelmap.CreateDefaultDisplayNodes()
        labelmap.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())
        assert names(bridge.sourcesOf(item_of(labelmap))) == ["liver"]

    def test_the_image_it_was_made_on_is_taken(self, bridge, volume, a_mask):
        new_volume(name="T2")
        labelmap = slicer.modules.volumes.logic().CreateAndAddLabelVolume(volume, "labels")
        slicer.util.updateVolumeFromArray(labelmap, a_mask.astype(np.int16))
        assert bridge.sourcesOf(item_of(labelmap))[0].volumeNode is volume

    def test_an_empty_one_is_an_error(self, bridge, volume):
        with pytest.raises(ReferenceMismatchError, match="Nothing is marked"):
            bridge.sourcesOf(item_of(new_labelmap(np.zeros(SHAPE))))

    def test_without_an_image_it_is_an_error(self, bridge, scene, a_mask):
        with pytest.raises(ReferenceMismatchError, match="not loaded"):
            bridge.sourcesOf(item_of(new_labelmap(a_mask)))


class TestImages:
    def test_what_is_marked_on_one_is_found(self, bridge, volume, segmentation, a_mask):
        other = new_volume(matrix=grid(np.eye(3), (1, 1, 2)), name="other")
        marked(bridge, other, "kidney")
        assert names(bridge.sourcesOf(item_of(volume))) == ["liver", "spleen"]

    def test_labelmaps_on_it_are_found_too(self, bridge, volume, a_mask):
        new_labelmap(a_mask)
        assert len(bridge.sourcesOf(item_of(volume))) == 1

    def test_one_with_nothing_marked_is_an_error(self, bridge, volume):
        with pytest.raises(ReferenceMismatchError, match=r"Nothing is marked on the image 'CT'"):
            bridge.sourcesOf(item_of(volume))


class TestStudies:
    @pytest.fixture
    def patient(self, bridge, hierarchy, volume, segmentation):
        """A patient with a study of an image and its segmentation, and a study with an image only."""
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
        first = hierarchy.CreateStudyItem(patient, "first")
        for node in (volume, segmentation):
            hierarchy.SetItemParent(item_of(node), first)
        second = hierarchy.CreateStudyItem(patient, "second")
        hierarchy.SetItemParent(item_of(new_volume(matrix=grid(np.eye(3), (1, 1, 2)), name="bare")), second)
        return patient

    def test_everything_below_is_found_once(self, bridge, patient):
        assert names(bridge.sourcesOf(patient)) == ["liver", "spleen"]

    def test_a_study_gives_what_is_in_it(self, bridge, hierarchy, patient):
        assert names(bridge.sourcesOf(hierarchy.GetItemChildWithName(patient, "first"))) == [
            "liver",
            "spleen",
        ]

    def test_one_with_nothing_marked_is_an_error(self, bridge, hierarchy, patient):
        with pytest.raises(ReferenceMismatchError, match="second"):
            bridge.sourcesOf(hierarchy.GetItemChildWithName(patient, "second"))


def test_anything_else_is_an_error(bridge, scene):
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "points")
    with pytest.raises(ReferenceMismatchError, match="points"):
        bridge.sourcesOf(item_of(points))
