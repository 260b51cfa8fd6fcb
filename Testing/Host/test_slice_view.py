"""Slice views of the host: what they show and what their bars say."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from SlicerHost.samples import BRIGHT, DARK, DIRECTIONS, MARK, SHAPE, brightness, newVolume, pixelsOf, rasOf
from SlicerHost.slice_view import draggedItems

VIEWS = ("Red", "Green", "Yellow")


@pytest.fixture
def red(layout_manager):
    return layout_manager.sliceWidget("Red")


def mime_data(*urls):
    data = QMimeData()
    data.setUrls([QUrl(url) for url in urls])
    return data


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_bright_voxel_is_drawn_where_its_position_says(layout_manager, mouse, scene, directions, name):
    volume = newVolume(directions)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    mouse.show(name, rasOf(volume, MARK))

    assert brightness(mouse.view(name), mouse.pixel(name, rasOf(volume, MARK))) == pytest.approx(
        BRIGHT, abs=2
    )


def test_outside_the_block_it_is_dark(mouse, a_shown_volume):
    dark = rasOf(a_shown_volume, (MARK[0] - 8, MARK[1], MARK[2]))
    mouse.show("Red", dark)

    assert brightness(mouse.view("Red"), mouse.pixel("Red", dark)) == pytest.approx(DARK, abs=2)


def test_the_view_converts_positions_as_slicers_does(mouse, a_shown_volume, red):
    ras = mouse.ras("Red", (100, 50))

    assert red.sliceView().convertRASToXYZ(ras) == pytest.approx([100, 50, 0])


def test_two_drawings_are_identical(red, a_shown_volume):
    first = pixelsOf(red.sliceView().picture())
    red.sliceView().forceRender()

    assert pixelsOf(red.sliceView().picture()) == first


def test_a_segment_is_drawn(mouse, a_shown_volume, scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(a_shown_volume)
    identifier = node.GetSegmentation().AddEmptySegment("part", "Part", [1.0, 0.0, 0.0])
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[MARK[2], 10:14, 5:10] = 1
    place = rasOf(a_shown_volume, (7, 12, MARK[2]))
    mouse.show("Red", place)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identifier, a_shown_volume)

    x, y = mouse.pixel("Red", place)
    picture = mouse.view("Red").picture()
    colour = picture.pixelColor(x, picture.height() - 1 - y)
    assert colour.red() > colour.blue() + 50


def test_many_requests_make_one_drawing(red):
    view = red.sliceView()
    view.forceRender()
    drawings = []
    view.renderWindow().AddObserver("StartEvent", lambda *_: drawings.append(1))
    for _ in range(5):
        view.interactor().Render()
    view.picture()

    assert len(drawings) == 1


def test_the_slice_node_has_the_size_of_the_view(red):
    view = red.sliceView()

    assert red.mrmlSliceNode().GetDimensions()[:2] == (view.width, view.height)


def test_the_controller_says_direction_and_offset(red, a_shown_volume):
    red.sliceController().setSliceOffsetValue(39.0)

    assert red.sliceController().offsetText() == "S: 39.00 mm"


def test_the_controller_gives_no_direction_for_an_oblique_plane(red, a_shown_volume):
    node = red.mrmlSliceNode()
    turned = vtk.vtkTransform()
    turned.RotateX(20)
    to_ras = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Multiply4x4(turned.GetMatrix(), node.GetSliceToRAS(), to_ras)
    node.GetSliceToRAS().DeepCopy(to_ras)
    node.UpdateMatrices()

    assert ":" not in red.sliceController().offsetText()


def test_the_slider_moves_the_slice(red, a_shown_volume):
    slider = red.sliceController().sliceOffsetSlider()
    before = red.sliceLogic().GetSliceOffset()
    slider.value += 2

    assert red.sliceLogic().GetSliceOffset() == pytest.approx(before + 6.0)


def test_a_drag_from_the_data_tree_has_its_items():
    data = mime_data("mrml://scene/subjecthierarchy/item?id=12", "mrml://scene/subjecthierarchy/item?id=7")

    assert draggedItems(data) == [12, 7]


def test_a_drag_from_elsewhere_has_no_items():
    assert draggedItems(mime_data("file:///item?id=3")) == []


def test_a_dropped_volume_is_shown_in_that_view(layout_manager, a_shown_volume, red):
    other = newVolume("plain", "MR")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), other)
    url = f"mrml://scene/subjecthierarchy/item?id={item}"
    dragged = mime_data(url)  # the event does not own it
    drop = QDropEvent(
        QPointF(9, 9),
        Qt.DropAction.CopyAction,
        dragged,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    red.sliceView().dropEvent(drop)

    assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() == other.GetID()
