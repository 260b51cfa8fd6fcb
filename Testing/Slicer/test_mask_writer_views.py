"""What was written into a segment shows in the slice views, of themselves."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.scene_samples import new_volume

SIZE = (40, 30, 20)


@pytest.fixture
def volume(scene):
    return new_volume(SIZE)


@pytest.fixture
def views(volume, layout_manager):
    """The slice views with the image, drawn."""
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return {name: layout_manager.sliceWidget(name).sliceView() for name in layout_manager.sliceViewNames()}


@pytest.fixture
def segmentation(bridge, volume, views):
    return bridge.newSegmentation(volume)


@pytest.fixture
def segment(bridge, segmentation):
    return bridge.newSegment(segmentation, "liver", "#ff0000")


def pixels(view):
    """What the view shows, drawn only if something asked for it."""
    picture = view.picture()
    return np.frombuffer(picture.constBits(), dtype=np.uint8).copy()


def cut(volume, view, length=SIZE[::-1]):
    """The middle slice of the image that a view of this name shows, as box (k, j, i)."""
    axis = {"Red": 0, "Green": 1, "Yellow": 2}[view]
    box = [slice(0, n) for n in length]
    box[axis] = slice(length[axis] // 2, length[axis] // 2 + 1)
    centre = np.array([n // 2 for n in SIZE], dtype=float)
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    ras = slicer.util.arrayFromVTKMatrix(matrix) @ [*centre, 1.0]
    slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}").JumpSlice(*ras[:3])
    return tuple(box)


def middle(box):
    """A mask of the box with its middle marked."""
    mask = np.zeros([part.stop - part.start for part in box], dtype=bool)
    mask[tuple(slice(n // 4, max(n // 4 + 1, 3 * n // 4)) for n in mask.shape)] = True
    return mask


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_a_first_write_shows(bridge, views, volume, segmentation, segment, name):
    box = cut(volume, name)
    before = pixels(views[name])
    bridge.write(segmentation, segment, volume, None, middle(box), box)
    assert np.any(pixels(views[name]) != before)


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_a_later_write_in_place_shows(bridge, views, volume, segmentation, segment, name):
    box = cut(volume, name)
    bridge.write(segmentation, segment, volume, None, middle(box), box)
    before = pixels(views[name])
    smaller = middle(box)
    smaller.flat[: smaller.size // 2] = False
    bridge.write(segmentation, segment, volume, None, smaller, box)
    assert np.any(pixels(views[name]) != before)


def test_clearing_shows_what_was_there_before(bridge, views, volume, segmentation, segment):
    box = cut(volume, "Red")
    before = pixels(views["Red"])
    bridge.write(segmentation, segment, volume, None, middle(box), box)
    pixels(views["Red"])
    bridge.write(segmentation, segment, volume, None, np.zeros_like(middle(box)), box)
    np.testing.assert_array_equal(pixels(views["Red"]), before)


def test_another_view_of_another_slice_stays(bridge, views, volume, segmentation, segment):
    box = cut(volume, "Red")
    slicer.mrmlScene.GetNodeByID("vtkMRMLSliceNodeRed").SetSliceOffset(1.0)
    before = pixels(views["Red"])
    bridge.write(segmentation, segment, volume, None, middle(box), box)
    np.testing.assert_array_equal(pixels(views["Red"]), before)
