"""An image that cannot be opened as it is, under a bent transform: the panel says why, and work goes on."""

from __future__ import annotations

import pytest
from logic_samples import add_image
from panel_stand_ins import finish
from scene_samples import new_bending_transform
from working_panel_fixtures import *  # noqa: F403


@pytest.fixture
def a_bent_image(host, a_panel, a_liver, a_logic):
    """The image with a mask, put under a bent transform while it was worked on, and noticed."""
    image = a_logic.volumeNode
    image.SetAndObserveTransformNodeID(new_bending_transform().GetID())
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    return image


def test_a_bent_image_stays_chosen_with_cause_and_remedy(a_panel, a_bent_image):
    assert a_panel.ui.volumeSelector.currentNode() is a_bent_image
    assert "not linear" in a_panel.ui.errorCause.text
    assert "Harden" in a_panel.ui.errorRemedy.text


def test_what_to_do_about_a_bent_image_can_be_read_when_its_error_is_closed(a_panel, a_bent_image):
    a_panel.ui.errorCloseButton.click()
    assert "Harden" in a_panel.ui.whatHint.text
    assert not a_panel.ui.positiveButton.enabled


def test_beside_a_bent_image_another_can_be_chosen(host, a_panel, a_bent_image, a_logic):
    other = add_image(name="other", seed=3)
    a_panel.ui.volumeSelector.setCurrentNode(other)
    finish(host, a_panel)
    assert a_logic.volumeNode is other
    assert not a_panel.ui.errorBar.visible
    assert a_panel.ui.positiveButton.enabled


def test_beside_a_bent_image_none_can_be_chosen(host, a_panel, a_bent_image, a_logic):
    a_panel.ui.volumeSelector.setCurrentNode(None)
    finish(host, a_panel)
    assert a_panel.ui.volumeSelector.currentNode() is None
    assert a_logic.refused is None


def test_another_bent_image_is_told_too(host, a_panel, a_bent_image):
    other = add_image(name="other", seed=3)
    other.SetAndObserveTransformNodeID(a_bent_image.GetTransformNodeID())
    a_panel.ui.volumeSelector.setCurrentNode(other)
    finish(host, a_panel)
    assert a_panel.ui.volumeSelector.currentNode() is other
    assert "'other'" in a_panel.ui.errorCause.text


def test_an_image_that_was_hardened_is_open_again_with_its_segment(
    host, a_panel, a_bent_image, a_logic, a_liver
):
    segmentation = a_panel.ui.segmentationSelector.currentNode()
    a_bent_image.HardenTransform()
    host.processEvents(0.2)
    finish(host, a_panel)
    assert (a_logic.volumeNode, a_logic.segmentationNode) == (a_bent_image, segmentation)
    assert (a_logic.segmentId, a_logic.className) == (a_liver, "liver")
    assert "not linear" not in a_panel.ui.errorCause.text or not a_panel.ui.errorBar.visible


def test_an_image_taken_out_of_its_bent_transform_goes_on_with_its_prompts(
    host, a_panel, a_bent_image, a_logic
):
    a_bent_image.SetAndObserveTransformNodeID(None)
    host.processEvents(0.2)
    finish(host, a_panel)
    assert a_logic.className == "liver"
    assert not a_panel.ui.errorBar.visible
    assert "cannot be undone" in a_panel.ui.resultText.text


def test_a_bent_image_that_is_removed_leaves_an_empty_panel(host, a_panel, a_bent_image, scene):
    scene.RemoveNode(a_bent_image)
    finish(host, a_panel)
    assert a_panel.ui.volumeSelector.currentNode() is None
    assert a_panel.ui.whatHint.text == "Choose an image and load the model first."


def test_a_closed_scene_forgets_a_bent_image(host, a_panel, a_bent_image, a_logic, scene):
    scene.Clear(0)
    finish(host, a_panel)
    assert a_logic.refused is None
