"""What the slice views show, and which image clicks in them go to."""

from __future__ import annotations

import slicer
from logic_samples import add_image
from panel_stand_ins import finish
from working_panel_fixtures import *  # noqa: F403


def backgrounds(layout_manager):
    widgets = map(layout_manager.sliceWidget, layout_manager.sliceViewNames())
    return {widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() for widget in widgets}


def test_an_image_that_is_chosen_is_shown_in_the_views(host, a_panel, an_image, layout_manager):
    slicer.util.setSliceViewerLayers(background=an_image)
    other = add_image(name="MR", seed=5)
    a_panel.ui.volumeSelector.setCurrentNode(other)
    finish(host, a_panel)
    assert backgrounds(layout_manager) == {other.GetID()}


def test_views_that_show_the_chosen_image_already_stay_as_they_are(host, a_panel, an_image, layout_manager):
    other = add_image(name="MR", seed=5)
    slicer.util.setSliceViewerLayers(background=an_image)
    layers = layout_manager.sliceWidget("Green").mrmlSliceCompositeNode()
    layers.SetForegroundVolumeID(other.GetID())
    layers.SetForegroundOpacity(0.5)
    a_panel.ui.volumeSelector.setCurrentNode(other)
    finish(host, a_panel)
    assert backgrounds(layout_manager) == {an_image.GetID()}


def test_a_view_that_shows_another_image_is_warned_of(host, a_panel, an_image, a_logic, layout_manager):
    slicer.util.setSliceViewerLayers(background=an_image)
    host.processEvents(0.2)
    before = a_panel.ui.whereHint.text
    slicer.util.setSliceViewerLayers(background=add_image(name="MR", seed=5))
    host.processEvents(0.2)
    assert "This view does not show 'CTChest'" not in before
    assert "This view does not show 'CTChest'" in a_panel.ui.whereHint.text


def test_the_image_in_the_foreground_counts_where_it_is_seen(host, a_panel, an_image, layout_manager):
    slicer.util.setSliceViewerLayers(background=add_image(name="MR", seed=5), foreground=an_image)
    texts = []
    for opacity in (0.0, 0.5):
        slicer.util.setSliceViewerLayers(foregroundOpacity=opacity)
        host.processEvents(0.2)
        texts.append("does not show" in a_panel.ui.whereHint.text)
    assert texts == [True, False]
