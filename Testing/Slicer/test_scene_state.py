"""The prompts live in the scene: they come back with it, and what is damaged is said and left out."""

from __future__ import annotations

import json

import numpy as np
import pytest
import slicer
from KPrismSlicerLib.Logic import AnnotationLogic
from KPrismSlicerLib.ParameterNode import KPrismParameterNode
from KPrismSlicerLib.SceneState import PROMPTS_ROLE, PromptsText, readPrompts
from logic_fixtures import *  # noqa: F403
from logic_samples import Heard, SlowPredictor, add_image, add_view, ras_at, scene_mask, wait

from KPrismCore.errors import SessionFileError, UnknownClassError
from KPrismCore.training.datasets.scene import SceneCase


@pytest.fixture
def worked_on(logic, segment, view):
    """Class, a reference, clicks on two slices, one of them accepted."""
    logic.setClass("liver")
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.addSliceAsReference(view)
    logic.click(ras_at(logic, (8, 9, 4)), False, add_view(logic, "k", 4))
    logic.accept(view)
    wait(logic)
    return logic


def text_node(logic):
    return logic.segmentationNode.GetNthNodeReference(PROMPTS_ROLE, 0)


def opened(image, segmentation, heard=None):
    logic = AnnotationLogic(modelLoader=lambda *_: SlowPredictor(0.0))
    if heard is not None:
        logic.addListener(heard)
    logic.loadModel()
    logic.setVolume(image)
    logic.setSegmentation(segmentation)
    wait(logic)
    return logic


def described(logic):
    """All prompts of the current segment, comparable."""
    clicks = [(tuple(np.round(one.ras, 4)), one.positive, one.planeKey) for one in logic.clicks()]
    references = [(one.key, one.enabled) for one in logic.references()]
    accepted = [logic.isAccepted(add_view(logic, "k", index)) for index in range(6)]
    return logic.className, clicks, references, accepted


def test_the_prompts_come_back_with_the_segmentation(worked_on):
    again = opened(worked_on.volumeNode, worked_on.segmentationNode)
    assert described(again) == described(worked_on)
    again.cleanup()


def test_the_prompts_are_in_the_scene_file_to_the_letter(worked_on, scene):
    scene.SetSaveToXMLString(1)
    scene.Commit()
    read = slicer.vtkMRMLScene()
    read.SetLoadFromXMLString(1)
    read.SetSceneXMLString(scene.GetSceneXMLString())
    scene.SetSaveToXMLString(0)
    read.Import()
    node = read.GetNodeByID(text_node(worked_on).GetID())
    assert node.GetText() == text_node(worked_on).GetText()


def test_masks_prompts_and_settings_come_back_from_a_saved_scene(worked_on, tmp_path):
    mask, prompts = scene_mask(worked_on, worked_on.segmentId), described(worked_on)
    settings = KPrismParameterNode(
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "settings")
    )
    settings.inputVolume, settings.segmentation = worked_on.volumeNode, worked_on.segmentationNode
    settings.segmentId, settings.rangeBefore, settings.device = worked_on.segmentId, 7, "cpu"
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    back = KPrismParameterNode(slicer.util.getNode("settings"))
    again = opened(back.inputVolume, back.segmentation)
    assert (again.segmentId, back.rangeBefore, back.device) == (back.segmentId, 7, "cpu")
    assert np.array_equal(scene_mask(again, back.segmentId), mask)
    assert described(again) == prompts
    again.cleanup()


def test_a_saved_scene_is_a_case_to_train_on(worked_on, tmp_path):
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    (content,) = SceneCase("scene", "scene", tmp_path / "scene.mrb").read()
    (layer,) = content.layers
    name = worked_on.segmentationNode.GetSegmentation().GetSegment(worked_on.segmentId).GetName()
    number = 1 + [label.name for label in layer.labels].index(name)
    assert np.array_equal(layer.array == number, scene_mask(worked_on, worked_on.segmentId) > 0)
    assert np.array_equal(content.volume.array, slicer.util.arrayFromVolume(worked_on.volumeNode))


def test_work_goes_on_with_the_prompts_that_came_back(worked_on):
    again = opened(worked_on.volumeNode, worked_on.segmentationNode)
    place, view = ras_at(again, (9, 11, 4)), add_view(again, "k", 4)
    for logic in (worked_on, again):
        logic.click(place, True, view)
        wait(logic)
        masks = scene_mask(logic, logic.segmentId)
        logic.undo()
        wait(logic)
        if logic is worked_on:
            expected = masks
    assert np.array_equal(masks, expected)
    again.cleanup()


@pytest.fixture
def tilted_again(logic, segment):
    """A click on an oblique slice, accepted; opened anew, with the view as a scene file rounds it."""
    view = add_view(logic, "k", 2, tilt=30)
    logic.click(ras_at(logic, (9, 11, 2)), True, view)
    logic.accept(view)
    wait(logic)
    again = opened(logic.volumeNode, logic.segmentationNode)
    matrix = view.GetSliceToRAS()
    for row in range(3):
        matrix.SetElement(row, 3, matrix.GetElement(row, 3) + 4e-5)
    view.UpdateMatrices()
    yield again, view
    again.cleanup()


def test_an_oblique_slice_is_accepted_after_its_view_was_rounded(tilted_again):
    logic, view = tilted_again
    assert logic.isAccepted(view)


def test_an_oblique_slice_can_be_opened_after_its_view_was_rounded(tilted_again):
    logic, view = tilted_again
    logic.accept(view, False)
    wait(logic)
    assert logic.session.segments[logic.segmentId].state.accepted == []


def test_an_oblique_slice_is_cleared_with_its_clicks_after_its_view_was_rounded(tilted_again):
    logic, view = tilted_again
    logic.accept(view, False)
    logic.clearSlice(view)
    wait(logic)
    assert logic.clicks() == ()
    assert not scene_mask(logic, logic.segmentId).any()


def test_a_run_leaves_an_oblique_slice_alone_that_was_accepted_before_its_view_was_rounded(tilted_again):
    logic, view = tilted_again
    mask = scene_mask(logic, logic.segmentId)
    here = logic.planeOf(view)
    logic.setClass("liver")
    index = logic.sliceIndex(view)
    matrix = view.GetSliceToRAS()
    for row in range(3):
        step = here.normal[row] * here.slab_thickness
        matrix.SetElement(row, 3, matrix.GetElement(row, 3) + step)
    view.UpdateMatrices()
    assert logic.sliceIndex(view) == index + 1
    logic.predictRange(view, index, index)
    wait(logic)
    assert len(logic.session.segments[logic.segmentId].state.slices) == 1
    assert np.array_equal(scene_mask(logic, logic.segmentId), mask)


def test_the_node_is_hidden_and_belongs_to_the_segmentation(worked_on):
    assert text_node(worked_on).GetHideFromEditors()
    assert text_node(worked_on).GetSaveWithScene()


def test_there_is_one_node_for_each_image(worked_on):
    other = add_image(seed=3, name="other")
    segmentation = worked_on.segmentationNode
    worked_on.setVolume(other)
    worked_on.setSegmentation(segmentation)
    worked_on.setClass("pancreas")
    wait(worked_on)
    assert segmentation.GetNumberOfNodeReferences(PROMPTS_ROLE) == 2


def test_prompts_of_a_segment_that_was_not_opened_stay(worked_on):
    first = worked_on.segmentId
    before = described(worked_on)
    second = worked_on.newSegment()
    wait(worked_on)
    again = opened(worked_on.volumeNode, worked_on.segmentationNode)
    again.setSegment(second)
    again.setClass("pancreas")
    wait(again)
    again.setSegment(first)
    wait(again)
    assert described(again) == before
    again.cleanup()


def test_prompts_of_a_removed_segment_are_forgotten(worked_on):
    first = worked_on.segmentId
    worked_on.newSegment()
    wait(worked_on)
    worked_on.segmentationNode.GetSegmentation().RemoveSegment(first)
    worked_on.setClass("pancreas")
    wait(worked_on)
    geometry = worked_on.session.volume.geometry
    saved = readPrompts(worked_on.segmentationNode, worked_on.volumeNode, geometry)
    assert list(saved) == [worked_on.segmentId]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other"}', '{"format": "kprism-prompts"}'])
def test_damaged_prompts_are_said_and_work_goes_on(worked_on, text):
    text_node(worked_on).SetText(text)
    heard = Heard()
    again = opened(worked_on.volumeNode, worked_on.segmentationNode, heard)
    assert [type(error) for error in heard.errors] == [SessionFileError]
    again.click(ras_at(again, (9, 11, 4)), True, add_view(again, "k", 4))
    wait(again)
    assert len(heard.errors) == 1
    again.cleanup()


def test_prompts_of_a_newer_version_are_refused(worked_on):
    values = {**json.loads(text_node(worked_on).GetText()), "version": 99}
    text_node(worked_on).SetText(json.dumps(values))
    with pytest.raises(SessionFileError, match="newer"):
        readPrompts(worked_on.segmentationNode, worked_on.volumeNode, worked_on.session.volume.geometry)


def test_a_class_that_the_network_lacks_is_said_and_the_clicks_stay(worked_on):
    values = json.loads(text_node(worked_on).GetText())
    values["segments"][0]["class"] = "a class of another network"
    text_node(worked_on).SetText(json.dumps(values))
    heard = Heard()
    again = opened(worked_on.volumeNode, worked_on.segmentationNode, heard)
    assert [type(error) for error in heard.errors] == [UnknownClassError]
    assert again.className is None
    assert len(again.clicks()) == 2
    again.cleanup()


@pytest.fixture
def lacking(worked_on):
    """Opened by a network that lacks the class that was saved, and saved anew by it."""
    values = json.loads(text_node(worked_on).GetText())
    values["segments"][0]["class"] = "a class of another network"
    text_node(worked_on).SetText(json.dumps(values))
    again = opened(worked_on.volumeNode, worked_on.segmentationNode)
    again.click(ras_at(again, (9, 11, 4)), True, add_view(again, "k", 4))
    wait(again)
    yield again
    again.cleanup()


def saved_class(logic):
    return json.loads(text_node(logic).GetText())["segments"][0]["class"]


def test_a_class_that_the_network_lacks_stays_in_the_scene(lacking):
    assert lacking.className is None
    assert saved_class(lacking) == "a class of another network"


def test_a_class_chosen_in_place_of_one_that_the_network_lacks_is_saved(lacking):
    lacking.setClass("pancreas")
    wait(lacking)
    assert saved_class(lacking) == "pancreas"


def test_a_class_that_the_network_lacks_is_gone_once_somebody_takes_the_class_away(lacking):
    lacking.setClass("pancreas")
    lacking.setClass(None)
    wait(lacking)
    assert saved_class(lacking) is None


def test_prompts_made_on_another_grid_are_left_out(worked_on):
    values = json.loads(text_node(worked_on).GetText())
    values["ijkToRas"][0][3] += 5
    text_node(worked_on).SetText(json.dumps(values))
    again = opened(worked_on.volumeNode, worked_on.segmentationNode)
    assert again.clicks() == ()
    again.cleanup()


def test_the_pixels_of_a_reference_are_packed_once(worked_on, monkeypatch):
    import KPrismCore.session_values as session_values

    text = PromptsText()
    text.make(worked_on.session)
    packed = []
    original = session_values.segment_values

    def count(segment):
        packed.extend(segment.state.references)
        return original(segment)

    monkeypatch.setattr(session_values, "segment_values", count)
    again = text.make(worked_on.session)
    assert packed == []
    assert len(json.loads(again)["segments"][0]["references"]) == 1
