"""Results for what is no longer there are dropped, and nothing of the logic stays behind."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import slicer
from KPrismSlicerLib.Events import ActDone, MessageShown, ModelChanged
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_fixtures import *  # noqa: F403
from logic_samples import Heard, SlowPredictor, add_image, add_view, ras_at, scene_mask, wait, wait_until

from KPrismCore.errors import GeometryError, ProtectedError


@pytest.fixture
def running(logic, predictor, segment, view, heard):
    """A click is being computed, and another waits."""
    predictor.seconds = None
    for x in (5, 7):
        logic.click(ras_at(logic, (x, 9, 2)), True, view)
    assert predictor.asked_now.wait(20)
    return logic


def test_a_result_for_a_closed_scene_is_dropped(running, scene, predictor, heard):
    scene.Clear(0)
    predictor.go.set()
    wait(running)
    assert heard.errors == []
    assert heard.of(ActDone) == []
    assert running.volumeNode is None


def test_a_result_for_a_removed_image_is_dropped(running, scene, predictor, heard):
    scene.RemoveNode(running.volumeNode)
    predictor.go.set()
    wait(running)
    assert heard.errors == []
    assert heard.of(ActDone) == []


def test_a_result_for_a_removed_segmentation_is_dropped(running, scene, predictor, heard):
    image = running.volumeNode
    scene.RemoveNode(running.segmentationNode)
    predictor.go.set()
    wait(running)
    assert heard.errors == []
    assert heard.of(ActDone) == []
    assert running.volumeNode is image
    assert running.segmentationNode is None


def test_a_result_for_a_removed_segment_is_dropped(running, predictor, heard, segment):
    running.segmentationNode.GetSegmentation().RemoveSegment(segment)
    predictor.go.set()
    wait(running)
    assert heard.errors == []
    assert heard.of(ActDone) == []
    assert segment not in running.session.segments
    assert running.clicks() == ()


def test_a_result_for_another_case_is_dropped(running, predictor, heard, segment):
    former = running.segmentationNode
    running.setVolume(add_image(seed=1, name="other"))
    predictor.go.set()
    wait(running)
    assert heard.errors == []
    assert heard.of(ActDone) == []
    assert former.GetSegmentation().GetSegment(segment).GetRepresentation("Binary labelmap") is None or not (
        slicer.util.arrayFromSegmentBinaryLabelmap(former, segment).any()
    )


def test_what_another_image_puts_an_end_to_is_said(running, predictor, heard):
    running.setVolume(add_image(seed=3, name="other"))
    predictor.go.set()
    wait(running)
    (text,) = [event.text for event in heard.of(MessageShown)]
    assert "under way on 'image' has ended" in text


def test_a_class_stays_where_another_image_is_chosen_before_it_is_saved(logic, segment, heard, monkeypatch):
    go, (image, segmentation) = threading.Event(), (logic.volumeNode, logic.segmentationNode)
    monkeypatch.setattr(logic._promptsText, "make", lambda *_arguments: go.wait(20) and "")
    logic.setClass("liver")
    assert wait_until(lambda: logic.poll() and heard.results)
    logic.setVolume(add_image(seed=3, name="other"))
    go.set()
    wait(logic)
    monkeypatch.undo()
    logic.setVolume(image)
    logic.setSegmentation(segmentation)
    wait(logic)
    assert logic.className == "liver"


def test_after_another_case_the_next_click_is_for_that_case(running, predictor, heard):
    running.setVolume(add_image(seed=1, name="other"))
    predictor.go.set()
    running.click(ras_at(running, (5, 9, 3)), True, add_view(running, "k", 3))
    wait(running)
    assert heard.errors == []
    assert scene_mask(running, running.segmentId)[3].any()


def test_a_result_after_cleanup_is_dropped(running, predictor, heard):
    count = len(heard)
    running.cleanup()
    predictor.go.set()
    assert not running.poll()
    assert heard[count:] == []


def test_cleanup_leaves_no_observer_on_the_scene(scene):
    logic = AnnotationLogic(modelLoader=lambda *_: SlowPredictor(0.0))
    logic.setVolume(add_image())
    logic.loadModel()
    wait(logic)
    logic.cleanup()
    gone = weakref.ref(logic)
    del logic
    gc.collect()
    # an observer would keep it
    assert gone() is None


def test_an_image_that_was_moved_is_opened_anew(logic, segment, view, scene, heard):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    matrix.SetElement(0, 3, 50.0)
    transform.SetMatrixTransformToParent(matrix)
    for node in (logic.volumeNode, logic.segmentationNode):
        node.SetAndObserveTransformNodeID(transform.GetID())
    logic.planeOf(None)
    place = ras_at(logic, (5, 9, 2))
    logic.click(place, True, add_view(logic))
    wait(logic)
    assert heard.errors == []
    assert scene_mask(logic, segment)[2].any()


def test_changed_voxels_of_the_image_are_seen_by_the_next_act(logic, predictor, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before = scene_mask(logic, segment)
    array = slicer.util.arrayFromVolume(logic.volumeNode)
    array[:] = array[::-1].copy()
    slicer.util.arrayFromVolumeModified(logic.volumeNode)
    logic.undo()
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert not np.array_equal(scene_mask(logic, segment), before)


# the network


def test_a_network_that_cannot_be_loaded_is_told(scene):
    def load(_name, _device, _notify):
        raise RuntimeError("no such file")

    logic, heard = AnnotationLogic(modelLoader=load), Heard()
    logic.addListener(heard)
    logic.loadModel("nothing")
    wait(logic)
    assert [event.model.status for event in heard.of(ModelChanged)] == ["loading", "failed"]
    assert len(heard.errors) == 1
    logic.cleanup()


def test_a_network_that_cannot_be_loaded_leaves_the_one_in_use(logic, segment, view, heard):
    def load(_name, _device, _notify):
        raise RuntimeError("no such file")

    logic._loader = load
    logic.loadModel("nothing")
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    assert logic.model.status == "ready"
    assert scene_mask(logic, segment).any()


def test_another_network_goes_on_with_masks_and_prompts(logic, segment, view):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    logic.setClass("liver")
    wait(logic)
    before = scene_mask(logic, segment)
    logic.loadModel("another")
    wait(logic)
    assert np.array_equal(logic.session.mask(segment), before)
    assert len(logic.clicks()) == 1
    assert logic.className == "liver"


def test_that_the_history_ends_with_another_network_is_said(logic, segment, view, heard):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    logic.loadModel("another")
    wait(logic)
    assert any("undone" in event.text for event in heard.of(MessageShown))
    assert not logic.canUndo


def test_leaving_the_gpu_is_said_and_shown(scene):
    given = []

    def load(_name, _device, notify):
        given.append(notify)
        return SlowPredictor(0.0)

    logic, heard = AnnotationLogic(modelLoader=load), Heard()
    logic.loadModel()
    wait(logic)
    logic.addListener(heard)
    given[0]("The memory of cuda does not suffice; going on with the processor.")
    logic.poll()
    assert "processor" in heard[0].text
    assert "CPU" in heard.of(ModelChanged)[0].model.deviceText
    logic.cleanup()


# what cannot be written any more


def test_a_segment_locked_during_the_computation_stays_as_it_is(logic, predictor, segment, view, heard):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    assert predictor.asked_now.wait(20)
    logic._bridge.setLocked(logic.segmentationNode, segment, True)
    predictor.go.set()
    wait(logic)
    assert [type(error) for error in heard.errors] == [ProtectedError]
    assert not scene_mask(logic, segment).any()
    assert not logic.session.mask(segment).any()
    assert logic.clicks() == ()


def test_after_unlocking_work_goes_on(logic, predictor, segment, view):
    predictor.seconds = None
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    assert predictor.asked_now.wait(20)
    logic._bridge.setLocked(logic.segmentationNode, segment, True)
    predictor.go.set()
    wait(logic)
    logic.setLocked(segment, False)
    logic.click(ras_at(logic, (7, 9, 2)), True, view)
    wait(logic)
    assert len(logic.clicks()) == 1
    assert np.array_equal(scene_mask(logic, segment), logic.session.mask(segment))


def test_undo_that_cannot_be_written_changes_nothing(logic, segment, view, heard, monkeypatch):
    logic.click(ras_at(logic, (5, 9, 2)), True, view)
    wait(logic)
    before = scene_mask(logic, segment)

    def refuse(*_arguments):
        raise GeometryError("The grid has changed.", "Change it back.")

    monkeypatch.setattr(logic._bridge, "restoreAll", refuse)
    logic.undo()
    wait(logic)
    assert [type(error) for error in heard.errors] == [GeometryError]
    assert np.array_equal(scene_mask(logic, segment), before)
    assert np.array_equal(logic.session.mask(segment), before)
    assert logic.canUndo
