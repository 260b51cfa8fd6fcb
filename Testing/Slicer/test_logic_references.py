"""References: from segments of this image or another, from the slice at hand, and what can be done to it."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import slicer
from KPrismSlicerLib.Events import PromptsChanged
from KPrismSlicerLib.ReferenceSources import ReferenceSource
from logic_fixtures import *  # noqa: F403
from logic_samples import add_image, add_view, paint, ras_at, scene_mask, wait
from scene_samples import item_of

from KPrismCore.errors import PromptError, ReferenceMismatchError


def new_source(logic):
    """A segment on slices 1 to 4 of another image."""
    bridge = logic._bridge
    image = add_image(seed=5, name="yesterday")
    node = bridge.newSegmentation(image)
    identifier = bridge.newSegment(node, "lesion")
    mask = np.zeros((6, 24, 20), dtype=bool)
    mask[1:5, 4:12, 3:9] = True
    bridge.write(node, identifier, image, None, mask, (slice(0, 6), slice(0, 24), slice(0, 20)))
    return ReferenceSource(image, node, identifier, "lesion")


@pytest.fixture
def source(logic):
    return new_source(logic)


def test_a_segment_of_another_image_becomes_references(logic, segment, source):
    logic.addReference(source, count=3)
    wait(logic)
    assert [one.name.split(" ")[0] for one in logic.references()] == ["lesion"] * 3


def test_references_are_enough_to_segment_a_slice(logic, segment, source, view):
    logic.addReference(source)
    logic.predictSlice(view)
    wait(logic)
    assert scene_mask(logic, segment)[2].any()


def test_adding_references_is_one_undo_step(logic, segment, source):
    logic.addReference(source, count=3)
    logic.undo()
    wait(logic)
    assert logic.references() == ()


def test_more_references_than_the_network_takes_are_refused(logic, segment, source, heard):
    for _ in range(3):
        logic.addReference(source, count=4)
    wait(logic)
    assert [type(error) for error in heard.errors] == [ReferenceMismatchError]
    assert len(logic.references()) == 8


def test_the_slice_at_hand_becomes_a_reference(logic, segment, view):
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    logic.addSliceAsReference(view)
    wait(logic)
    (reference,) = logic.references()
    plane = logic.planeOf(view)
    assert np.array_equal(reference.mask, plane.read_mask(scene_mask(logic, segment)))


def test_a_slice_with_nothing_on_it_is_no_reference(logic, segment, view, heard):
    logic.addSliceAsReference(view)
    wait(logic)
    assert [type(error) for error in heard.errors] == [ReferenceMismatchError]


def test_without_a_segment_there_is_no_slice_to_add_and_none_is_made(logic, view, heard):
    logic.addSliceAsReference(view)
    wait(logic)
    assert [type(error) for error in heard.errors] == [PromptError]
    assert logic.segmentationNode is None


@pytest.mark.parametrize("act", ["removeReference", "enableReference", "setReferenceSlice"])
def test_changing_a_reference_makes_no_segment(logic, heard, act):
    getattr(logic, act)(*([0, 1] if act == "setReferenceSlice" else [0]))
    wait(logic)
    assert [type(error) for error in heard.errors] == [PromptError]
    assert logic.segmentationNode is None


def test_a_first_reference_makes_the_segment(logic, source):
    logic.addReference(source, count=1)
    wait(logic)
    assert len(logic.references()) == 1


def test_a_reference_can_be_switched_off(logic, segment, source):
    logic.addReference(source, count=1)
    logic.enableReference(0, False)
    wait(logic)
    assert not logic.references()[0].enabled


def test_a_reference_can_be_removed(logic, segment, source):
    logic.addReference(source, count=2)
    wait(logic)
    kept = logic.references()[1]
    logic.removeReference(0)
    wait(logic)
    assert logic.references() == (kept,)


def test_a_reference_can_be_moved(logic, segment, source):
    logic.addReference(source, count=3)
    wait(logic)
    a, b, c = logic.references()
    logic.moveReference(0, 2)
    wait(logic)
    assert logic.references() == (b, c, a)


def test_it_is_known_where_a_reference_came_from(logic, segment, source):
    logic.addReference(source, count=1)
    wait(logic)
    origin = logic.referenceOrigin(0)
    assert origin.indices == (1, 2, 3, 4)
    assert origin.index in origin.indices


def test_another_slice_can_be_taken_instead(logic, segment, source):
    logic.addReference(source, count=1)
    wait(logic)
    before = logic.references()[0]
    index = next(one for one in logic.referenceOrigin(0).indices if one != logic.referenceOrigin(0).index)
    logic.enableReference(0, False)
    logic.setReferenceSlice(0, index)
    wait(logic)
    after = logic.references()[0]
    assert not np.array_equal(after.image, before.image)
    assert not after.enabled
    assert logic.referenceOrigin(0).index == index


def test_another_slice_without_the_object_is_refused(logic, segment, source, heard):
    logic.addReference(source, count=1)
    logic.setReferenceSlice(0, 0)
    wait(logic)
    assert [type(error) for error in heard.errors] == [PromptError]


def test_an_item_of_the_data_tree_becomes_references(logic, segment, source):
    logic.addReferencesFromItem(item_of(source.segmentationNode), count=2)
    wait(logic)
    assert len(logic.references()) == 2


def test_of_several_segments_the_one_of_the_class_is_taken(logic, source):
    other = logic._bridge.newSegment(source.segmentationNode, "liver")
    mask = np.zeros((6, 24, 20), dtype=bool)
    mask[2, 15:20, 3:9] = True
    box = (slice(0, 6), slice(0, 24), slice(0, 20))
    logic._bridge.write(source.segmentationNode, other, source.volumeNode, None, mask, box)
    logic.newSegment("liver")
    logic.addReferencesFromItem(item_of(source.segmentationNode))
    wait(logic)
    assert [one.name.split(" ")[0] for one in logic.references()] == ["liver"]


def test_of_several_segments_none_is_guessed(logic, segment, source, heard):
    other = logic._bridge.newSegment(source.segmentationNode, "nodule")
    box = (slice(0, 6), slice(0, 24), slice(0, 20))
    mask = np.zeros((6, 24, 20), dtype=bool)
    mask[2, 15:20, 3:9] = True
    logic._bridge.write(source.segmentationNode, other, source.volumeNode, None, mask, box)
    logic.addReferencesFromItem(item_of(source.segmentationNode))
    assert "lesion, nodule" in heard.errors[0].cause


def test_a_segment_of_the_same_image_is_a_reference_on_the_same_intensities(logic, segment, view):
    first = segment
    paint(logic, first, np.ones((6, 24, 20), dtype=bool))
    logic.newSegment()
    own = ReferenceSource(logic.volumeNode, logic.segmentationNode, first, "one")
    logic.addReference(own, count=1)
    wait(logic)
    assert logic.references()[0].follows


def test_chosen_slices_are_taken(logic, segment, source, view):
    paint(logic, segment, np.ones((6, 24, 20), dtype=bool))
    own = ReferenceSource(logic.volumeNode, logic.segmentationNode, segment, "one")
    plane = logic.planeOf(add_view(logic, "j", 7))
    logic.addReference(own, planes=[plane])
    wait(logic)
    assert logic.references()[0].mask.shape == plane.shape


@pytest.mark.parametrize("name", ["volumeNode", "segmentationNode"])
def test_where_a_reference_came_from_is_forgotten_with_its_source(logic, segment, source, heard, name):
    logic.addReference(source, count=1)
    wait(logic)
    heard.clear()
    slicer.mrmlScene.RemoveNode(getattr(source, name))
    assert logic.referenceOrigin(0) is None
    assert len(logic.references()) == 1
    assert heard.of(PromptsChanged)


def test_a_source_removed_while_its_slices_are_chosen_is_not_remembered(logic, segment, source):
    logic.addReference(source, count=1)
    assert logic.references() == ()
    slicer.mrmlScene.RemoveNode(source.volumeNode)
    wait(logic)
    assert len(logic.references()) == 1
    assert logic.referenceOrigin(0) is None


@pytest.mark.parametrize("closed", [False, True])
def test_the_image_of_a_reference_is_freed_when_it_leaves_the_scene(logic, segment, closed):
    gone = []
    made = new_source(logic)
    made.volumeNode.GetImageData().AddObserver("DeleteEvent", lambda *_: gone.append("voxels"))
    logic.addReference(made, count=1)
    wait(logic)
    nodes = [made.volumeNode.GetID(), made.segmentationNode.GetID()]
    del made
    assert logic.referenceOrigin(0) is not None
    if closed:
        slicer.mrmlScene.Clear(0)
    else:
        for node in nodes:
            slicer.mrmlScene.RemoveNode(slicer.mrmlScene.GetNodeByID(node))
    gc.collect()
    assert gone == ["voxels"]


def test_another_slice_of_a_removed_source_is_refused(logic, segment, source, heard):
    logic.addReference(source, count=1)
    wait(logic)
    before = logic.references()
    slicer.mrmlScene.RemoveNode(source.volumeNode)
    logic.setReferenceSlice(0, 3)
    wait(logic)
    assert [type(error) for error in heard.errors] == [PromptError]
    assert logic.references() == before
