"""A click on a voxel that a slice view shows gives the RAS of that voxel, whatever its axes and the plane.

Where the voxel is shown is read from the picture of the view, not from any matrix.
"""

from __future__ import annotations

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import TABLE, placed, show_voxel
from SlicerHost.samples import MARK, newVolume, pixelsOf, rasOf

import slicer  # isort: skip
import vtk  # isort: skip

VOXELS = [MARK, (9, 31, 3)]


def volume_with_one_bright_voxel(directions, ijk):
    volume = newVolume(directions)
    array = slicer.util.arrayFromVolume(volume)
    array[:] = 0
    array[ijk[::-1]] = 255
    slicer.util.arrayFromVolumeModified(volume)
    # so that the picture shows the voxel as it is, not smeared over its neighbours
    volume.GetDisplayNode().SetInterpolate(False)
    return volume


def middle_of_brightness(view):
    """The pixel (x, y up) in the middle of what is bright in the picture of a view."""
    picture = view.picture()
    values = np.frombuffer(pixelsOf(picture), dtype=np.uint8)
    # rows of a picture begin at multiples of four bytes
    grey = values.reshape(picture.height(), -1)[::-1, : 3 * picture.width() : 3]
    y, x = np.nonzero(grey > 200)
    return round(x.mean()), round(y.mean())


def ijk_of(volume, ras):
    to_ijk = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(to_ijk)
    return np.array(to_ijk.MultiplyPoint([*ras, 1.0])[:3])


@pytest.mark.parametrize("voxel", VOXELS)
@pytest.mark.parametrize(("directions", "plane"), TABLE)
def test_a_click_on_a_displayed_voxel_gives_its_position(
    layout_manager, mouse, an_interaction, a_logic, directions, plane, voxel
):
    volume = volume_with_one_bright_voxel(directions, voxel)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    name = show_voxel(layout_manager, mouse, plane, rasOf(volume, voxel))

    mouse.clickPixel(name, middle_of_brightness(mouse.view(name)))

    ras = a_logic.asked[0][1][0]
    assert tuple(np.rint(ijk_of(volume, ras)).astype(int)) == voxel


@pytest.mark.parametrize(("directions", "plane"), TABLE)
def test_a_click_is_on_the_slice_that_is_shown(
    layout_manager, mouse, an_interaction, a_logic, directions, plane
):
    volume = newVolume(directions)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    name = show_voxel(layout_manager, mouse, plane, rasOf(volume, MARK))
    mouse.clickPixel(name, (41, 77))

    ras, _positive, node = a_logic.asked[0][1]
    slice_ = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    assert (ras - slice_[:3, 3]) @ slice_[:3, 2] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("directions", "plane"), TABLE)
def test_a_marker_is_hit_where_it_is_shown(layout_manager, mouse, an_interaction, a_logic, directions, plane):
    volume = newVolume(directions)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    click = placed(rasOf(volume, MARK))
    a_logic.place(click)
    name = show_voxel(layout_manager, mouse, plane, click.ras)
    mouse.hover(name, click.ras)

    assert an_interaction.removeClickUnderPointer()


def test_zoomed_and_panned_the_voxel_is_the_same(layout_manager, mouse, an_interaction, a_logic):
    volume = volume_with_one_bright_voxel("rotated", MARK)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    mouse.show("Red", rasOf(volume, MARK))
    node = layout_manager.sliceWidget("Red").mrmlSliceNode()
    width, height, depth = node.GetFieldOfView()
    node.SetFieldOfView(width / 2.5, height / 2.5, depth)
    node.SetXYZOrigin(3.0, -4.0, 0.0)
    node.UpdateMatrices()

    mouse.clickPixel("Red", middle_of_brightness(mouse.view("Red")))

    assert tuple(np.rint(ijk_of(volume, a_logic.asked[0][1][0])).astype(int)) == MARK
