"""The layout manager of the host: its views, its layouts, and how they follow the scene."""

from __future__ import annotations

import pytest
import slicer
from SlicerHost.samples import BRIGHT, MARK, brightness, newVolume, pixelsOf, rasOf

PLANES = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


@pytest.fixture
def red(layout_manager):
    return layout_manager.sliceWidget("Red")


def test_the_first_views_are_red_green_and_yellow(layout_manager):
    assert layout_manager.sliceViewNames()[:3] == ("Red", "Green", "Yellow")


def test_there_is_no_widget_for_an_unknown_name(layout_manager):
    assert layout_manager.sliceWidget("Blue") is None


@pytest.mark.parametrize("name", PLANES)
def test_each_view_has_its_plane(layout_manager, name):
    assert layout_manager.sliceWidget(name).mrmlSliceNode().GetOrientation() == PLANES[name]


def test_a_slice_widget_is_found_by_its_node(layout_manager, red):
    assert layout_manager.viewWidget(red.mrmlSliceNode()) is red


def test_views_show_what_set_slice_viewer_layers_says(layout_manager, scene):
    volume = newVolume()
    slicer.util.setSliceViewerLayers(background=volume)

    shown = [layout_manager.sliceWidget(name).mrmlSliceCompositeNode() for name in PLANES]
    assert [node.GetBackgroundVolumeID() for node in shown] == [volume.GetID()] * 3


def test_views_follow_the_active_volume_when_it_is_propagated(host, layout_manager, scene):
    volume = newVolume()
    host.applicationLogic.GetSelectionNode().SetActiveVolumeID(volume.GetID())
    host.applicationLogic.PropagateVolumeSelection()

    layers = [layout_manager.sliceWidget(name).sliceLogic().GetBackgroundLayer() for name in PLANES]
    assert [layer.GetVolumeNode() for layer in layers] == [volume] * 3


def test_nothing_is_drawn_while_rendering_is_paused(red, a_shown_volume):
    first, second = (rasOf(a_shown_volume, (0, 0, k))[2] for k in (0, MARK[2]))
    red.sliceLogic().SetSliceOffset(first)
    before = pixelsOf(red.sliceView().picture())
    slicer.app.pauseRender()
    red.sliceLogic().SetSliceOffset(second)
    paused = pixelsOf(red.sliceView().picture())
    slicer.app.resumeRender()

    assert paused == before


def test_what_changed_during_a_pause_is_drawn_after_it(red, a_shown_volume):
    first, second = (rasOf(a_shown_volume, (0, 0, k))[2] for k in (0, MARK[2]))
    red.sliceLogic().SetSliceOffset(first)
    before = pixelsOf(red.sliceView().picture())
    slicer.app.pauseRender()
    red.sliceLogic().SetSliceOffset(second)
    slicer.app.resumeRender()

    assert pixelsOf(red.sliceView().picture()) != before


def test_linked_views_zoom_together(layout_manager, mouse, a_shown_volume, red):
    green = layout_manager.sliceWidget("Green").mrmlSliceNode()
    before = green.GetFieldOfView()[0]
    red.sliceController().setSliceLink(True)
    mouse.dragPixels("Red", [(300, 100), (300, 200)], button="right")

    assert abs(green.GetFieldOfView()[0] - before) > 1


def test_another_layout_makes_the_views_it_needs(more_views):
    assert "Yellow+" in more_views.sliceViewNames()


def test_a_change_of_layout_is_signalled_with_its_number(layout_manager):
    numbers = []
    layout_manager.layoutChanged.connect(numbers.append)
    layout_manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    layout_manager.layoutChanged.disconnect(numbers.append)

    assert numbers == [slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView]


def test_a_view_that_the_layout_does_not_show_is_not_mapped(layout_manager):
    layout_manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)

    mapped = [layout_manager.sliceWidget(name).mrmlSliceNode().IsMappedInLayout() for name in PLANES]
    assert mapped == [True, False, False]


def test_views_work_again_after_the_scene_was_closed(layout_manager, mouse, a_shown_volume, scene):
    scene.Clear(0)
    volume = newVolume("plain")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    mouse.show("Red", rasOf(volume, MARK))

    assert brightness(mouse.view("Red"), mouse.pixel("Red", rasOf(volume, MARK))) == pytest.approx(
        BRIGHT, abs=2
    )


def test_a_reset_turns_views_back_into_their_planes(host, layout_manager, red):
    red.mrmlSliceNode().SetOrientation("Sagittal")
    host.reset()

    assert red.mrmlSliceNode().GetOrientation() == "Axial"


def test_a_saved_scene_brings_slice_and_volume_back(layout_manager, mouse, a_shown_volume, red, tmp_path):
    red.mrmlSliceNode().SetOrientation("Coronal")
    red.sliceController().setSliceOffsetValue(5.5)
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    layout_manager.resetForTest()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))

    node = layout_manager.sliceWidget("Red").mrmlSliceNode()
    assert (node.GetOrientation(), red.sliceLogic().GetSliceOffset()) == ("Coronal", pytest.approx(5.5))
