"""The prompts leave the scene with their segmentation, and only then: they hold pictures that nobody sees."""

from __future__ import annotations

import pytest
import slicer
from KPrismSlicerLib.Logic import AnnotationLogic
from KPrismSlicerLib.SceneState import PROMPTS_ROLE
from logic_fixtures import *  # noqa: F403
from logic_samples import add_image, ras_at, wait


@pytest.fixture
def worked_on(logic, segment, view):
    """A click and a reference."""
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.addSliceAsReference(view)
    wait(logic)
    return logic


def prompts_nodes():
    return slicer.util.getNodesByClass("vtkMRMLTextNode")


def test_the_prompts_go_with_their_segmentation(worked_on):
    slicer.mrmlScene.RemoveNode(worked_on.segmentationNode)
    assert prompts_nodes() == []


def test_the_prompts_of_a_segmentation_go_that_is_not_worked_on(worked_on):
    segmentation = worked_on.segmentationNode
    worked_on.setVolume(add_image(seed=3, name="other"))
    wait(worked_on)
    slicer.mrmlScene.RemoveNode(segmentation)
    assert prompts_nodes() == []


def test_the_prompts_of_other_segmentations_stay(worked_on):
    (kept,) = prompts_nodes()
    slicer.mrmlScene.RemoveNode(worked_on._bridge.newSegmentation(worked_on.volumeNode))
    assert prompts_nodes() == [kept]


def test_the_prompts_stay_while_a_copy_of_the_segmentation_goes(worked_on):
    (kept,) = prompts_nodes()
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    copy.Copy(worked_on.segmentationNode)
    assert copy.GetNumberOfNodeReferences(PROMPTS_ROLE) == 1
    slicer.mrmlScene.RemoveNode(copy)
    assert prompts_nodes() == [kept]


@pytest.mark.parametrize("state", ["ImportState", "RestoreState"])
def test_the_prompts_stay_while_a_scene_comes(worked_on, scene, state):
    (node,) = prompts_nodes()
    scene.StartState(getattr(scene, state))
    scene.RemoveNode(worked_on.segmentationNode)
    scene.EndState(getattr(scene, state))
    assert prompts_nodes() == [node]


def test_the_prompts_stay_where_removing_the_segmentation_can_be_undone(worked_on, scene):
    (node,) = prompts_nodes()
    worked_on.segmentationNode.SetUndoEnabled(True)
    scene.SetUndoOn()
    try:
        scene.RemoveNode(worked_on.segmentationNode)
    finally:
        scene.SetUndoOff()
    assert prompts_nodes() == [node]


def saved_without(worked_on, path, node):
    """Save the scene, and load it without a logic; the segmentation is deleted then if `node` says so."""
    assert slicer.util.saveScene(path)
    worked_on.cleanup()
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(path)
    if node is not None:
        slicer.mrmlScene.RemoveNode(slicer.util.getFirstNodeByClassByName("vtkMRMLSegmentationNode", node))


@pytest.mark.parametrize("deleted", [True, False])
def test_prompts_go_whose_segmentation_was_deleted_before_the_module_was_opened(worked_on, tmp_path, deleted):
    name = worked_on.segmentationNode.GetName()
    saved_without(worked_on, str(tmp_path / "scene.mrb"), name if deleted else None)
    assert len(prompts_nodes()) == 1
    AnnotationLogic(modelLoader=lambda *_arguments: None).cleanup()
    assert len(prompts_nodes()) == int(not deleted)


def test_texts_of_others_stay(scene):
    node = scene.AddNewNodeByClass("vtkMRMLTextNode")
    node.SetText("notes on kprism-prompts")
    AnnotationLogic(modelLoader=lambda *_arguments: None).cleanup()
    assert prompts_nodes() == [node]


def test_a_scene_with_prompts_can_be_closed(worked_on, scene):
    scene.Clear(0)
    assert prompts_nodes() == []
