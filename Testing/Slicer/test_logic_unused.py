"""Segments and segmentations that were made for an act which then failed: none of them is left."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from KPrismSlicerLib.ReferenceSources import ReferenceSource
from logic_fixtures import *  # noqa: F403
from logic_samples import add_image, paint, ras_at, scene_mask, wait, wait_until
from scene_samples import add_surface, new_bending_transform

POINT = (5, 9, 2)


def segmentations():
    return slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def broken_source(logic):
    """A reference whose image is under a transform that is not linear."""
    image = add_image(seed=5, name="yesterday")
    node = logic._bridge.newSegmentation(image)
    identifier = logic._bridge.newSegment(node, "lesion")
    image.SetAndObserveTransformNodeID(new_bending_transform().GetID())
    return ReferenceSource(image, node, identifier, "lesion")


def surfaces(logic):
    """A segmentation of closed surfaces for the image, without a current segment."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    add_surface(node, "ball", logic._case.volume.geometry.ras_from_ijk((9, 9, 2)), 5.0)
    logic.setSegmentation(node)
    logic.setSegment(None)
    wait(logic)
    return node


def test_a_first_reference_that_cannot_be_read_leaves_nothing(logic, heard):
    source = broken_source(logic)
    logic.addReference(source)
    wait(logic)
    assert len(heard.errors) == 1
    assert segmentations() == [source.segmentationNode]
    assert logic.segmentationNode is None


def test_a_first_reference_that_cannot_be_read_leaves_no_segment_beside_others(logic, segment, heard):
    logic.setSegment(None)
    logic.addReference(broken_source(logic))
    wait(logic)
    assert len(heard.errors) == 1
    assert logic.segmentationNode.GetSegmentation().GetSegmentIDs() == (segment,)
    assert list(logic.session.segments) == [segment]


def test_a_first_click_that_cannot_be_written_leaves_no_segment(logic, view, heard):
    node = surfaces(logic)
    before = node.GetSegmentation().GetSegmentIDs()
    logic.click(ras_at(logic, POINT), True, view)
    wait(logic)
    assert len(heard.errors) == 1
    assert node.GetSegmentation().GetSegmentIDs() == before


def test_a_first_click_that_the_network_fails_on_leaves_nothing(logic, view, predictor, heard, monkeypatch):
    def fail(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr(predictor, "predict", fail)
    logic.click(ras_at(logic, POINT), True, view)
    wait(logic)
    assert len(heard.errors) == 1
    assert segmentations() == []
    assert not logic.canUndo


def test_a_segment_made_by_hand_stays_after_a_click_that_failed(logic, view, segment, predictor, monkeypatch):
    monkeypatch.setattr(predictor, "predict", lambda *_arguments, **_options: 1 / 0)
    logic.click(ras_at(logic, POINT), True, view)
    wait(logic)
    assert logic.segmentId == segment


def test_a_second_click_that_fails_takes_nothing_away(logic, view, predictor, monkeypatch):
    logic.click(ras_at(logic, POINT), True, view)
    wait(logic)
    monkeypatch.setattr(predictor, "predict", lambda *_arguments, **_options: 1 / 0)
    logic.click(ras_at(logic, (8, 11, 2)), True, view)
    wait(logic)
    assert len(logic.clicks()) == 1
    assert scene_mask(logic, logic.segmentId).any()


def test_a_click_that_waits_keeps_the_segment_of_one_that_fails(logic, view, predictor, monkeypatch, heard):
    predict, asked = predictor.predict, []

    def fail_first(*arguments, **options):
        asked.append(1)
        if len(asked) == 1:
            raise MemoryError
        return predict(*arguments, **options)

    monkeypatch.setattr(predictor, "predict", fail_first)
    for place in (POINT, (8, 11, 2)):
        logic.click(ras_at(logic, place), True, view)
    wait(logic)
    assert len(heard.errors) == 1
    assert scene_mask(logic, logic.segmentId).any()


def test_what_was_painted_stays_after_a_first_click_that_failed(logic, view, predictor, monkeypatch):
    predict = predictor.predict
    predictor.seconds = None

    def fail(*arguments, **options):
        predict(*arguments, **options)
        raise MemoryError

    monkeypatch.setattr(predictor, "predict", fail)
    logic.click(ras_at(logic, POINT), True, view)
    assert wait_until(lambda: logic.poll() and predictor.asked_now.is_set())
    segment, mask = logic.segmentId, np.zeros(logic._case.volume.geometry.shape, dtype=bool)
    mask[3, 4:8, 4:8] = True
    paint(logic, segment, mask)
    predictor.go.set()
    wait(logic)
    assert np.array_equal(scene_mask(logic, segment), mask)


@pytest.mark.parametrize("loaded", [True, False])
def test_a_first_click_while_a_model_is_loaded_that_fails_leaves_nothing(scene, loaded):
    from KPrismSlicerLib.Logic import AnnotationLogic
    from logic_samples import SlowPredictor, add_view

    def load(name, _device, _notify):
        if name == "bad":
            raise OSError(name)
        return SlowPredictor(0.0)

    logic = AnnotationLogic(modelLoader=load)
    logic.setVolume(add_image())
    logic.loadModel("default" if loaded else "bad")
    logic.click(ras_at(logic, POINT), True, add_view(logic))
    wait(logic)
    assert len(segmentations()) == int(loaded)
    logic.cleanup()


def test_nothing_goes_wrong_where_the_image_goes_after_its_segment(logic, segment, heard):
    logic.segmentationNode.GetSegmentation().RemoveSegment(segment)
    wait(logic)
    slicer.mrmlScene.RemoveNode(logic.volumeNode)
    wait(logic)
    assert heard.errors == []
