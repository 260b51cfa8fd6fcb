"""From the mouse to the voxels: a click on a displayed voxel changes the segment there and on no other slice.

Scene, slice views, logic and session are real; the network is not: it answers with a disc around each click.
"""

from __future__ import annotations

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import OBLIQUE, PLANES, TABLE, show_voxel
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_samples import Heard, scene_mask, wait
from SlicerHost.samples import DIRECTIONS, MARK, SHAPE, newVolume, rasOf

from KPrismCore.predictions import Prediction
from Testing.Core.tiny import FakePredictor

import slicer  # isort: skip
import torch  # isort: skip
import vtk  # isort: skip

RADIUS = 3.0  # pixels of the slice
EXISTING = (MARK[0] - 12, MARK[1] + 9, MARK[2] - 2)


class DiscPredictor(FakePredictor):
    """The mask is all pixels near a positive click and not near a negative one."""

    def predict(self, features, class_name=None, references=None, clicks=(), previous_mask=None):
        rows, columns = features.image.shape[:2]
        y, x = np.mgrid[:rows, :columns]
        mask = np.zeros((rows, columns), dtype=bool)
        for click in clicks:
            mask[np.hypot(x - click.x, y - click.y) <= RADIUS] = click.positive
        probability = mask.astype(np.float32)
        square = torch.from_numpy(np.resize(probability, (1, 1, 16, 16)))
        return Prediction(mask, probability, 0.9, square)


@pytest.fixture
def a_logic(host):
    made = AnnotationLogic(modelLoader=lambda _name, _device, _notify: DiscPredictor())
    made.loadModel()
    wait(made)
    yield made
    made.cleanup()


def show_case(logic, directions):
    """Choose and show a volume of that kind; its node."""
    volume = newVolume(directions)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    logic.setVolume(volume)
    wait(logic)
    return volume


def segment_with_a_block(logic):
    """A segment that has some voxels already, away from the mark; its mask KJI."""
    segment_id = logic.newSegment()
    wait(logic)
    mask = np.zeros(SHAPE, dtype=np.uint8)
    i, j, k = EXISTING
    mask[k - 2 : k + 3, j - 2 : j + 3, i - 2 : i + 3] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, logic.segmentationNode, segment_id, logic.volumeNode
    )
    return mask.astype(bool)


def slices_off(volume, node, mask):
    """How far the voxels of a mask KJI are from the slice of a view, in slices: their depth across it."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    slice_ = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())
    normal = slice_[:3, 2] / np.linalg.norm(slice_[:3, 2])
    voxels = np.argwhere(mask)[:, ::-1]
    heights = (voxels @ to_ras[:3, :3].T + to_ras[:3, 3] - slice_[:3, 3]) @ normal
    return np.abs(heights) / np.abs(normal @ to_ras[:3, :3]).sum()


@pytest.mark.parametrize(("directions", "plane"), TABLE)
def test_a_click_segments_the_voxel_it_is_on_and_no_other_slice(
    layout_manager, mouse, an_interaction, a_logic, directions, plane
):
    volume = show_case(a_logic, directions)
    before = segment_with_a_block(a_logic)
    name = show_voxel(layout_manager, mouse, plane, rasOf(volume, MARK))

    mouse.click(name, rasOf(volume, MARK))
    wait(a_logic)

    after = scene_mask(a_logic, a_logic.segmentId)
    node = layout_manager.sliceWidget(name).mrmlSliceNode()
    assert after[MARK[::-1]]
    assert slices_off(volume, node, after != before).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("other", ["Green", OBLIQUE])
def test_the_same_place_can_be_clicked_in_two_views_that_cross(
    layout_manager, mouse, an_interaction, a_logic, other
):
    ras = rasOf(show_case(a_logic, "flipped"), MARK)
    for plane in ("Yellow", other):
        name = show_voxel(layout_manager, mouse, plane, ras)
        # the second time it is on its own marker
        for _time in range(2):
            mouse.click(name, ras)
            wait(a_logic)
    assert len({one.planeKey for one in a_logic.clicks()}) == len(a_logic.clicks()) == 2


@pytest.mark.parametrize(("directions", "plane"), TABLE)
def test_a_negative_click_empties_the_voxel_it_is_on(
    layout_manager, mouse, an_interaction, a_logic, directions, plane
):
    volume = show_case(a_logic, directions)
    mark = rasOf(volume, MARK)
    name = show_voxel(layout_manager, mouse, plane, mark)
    x, y = mouse.pixel(name, mark)
    mouse.clickPixel(name, (x, y))
    wait(a_logic)
    # a little aside: on its marker it would be a drag
    with_click = scene_mask(a_logic, a_logic.segmentId)
    an_interaction.setTool("negative")
    mouse.clickPixel(name, (x + 10, y))
    wait(a_logic)

    after = scene_mask(a_logic, a_logic.segmentId)
    aside = voxel_at(volume, mouse.ras(name, (x + 10, y)))
    assert with_click.sum() > after.sum()
    assert not after[aside[::-1]]


def voxel_at(volume, ras):
    """The voxel (IJK) at a RAS position."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(matrix)
    return tuple(np.rint(matrix.MultiplyPoint([*ras, 1.0])[:3]).astype(int))


@pytest.mark.parametrize("plane", PLANES)
def test_undo_gives_every_voxel_back(host, layout_manager, mouse, an_interaction, a_logic, plane):
    volume = show_case(a_logic, "rotated")
    before = segment_with_a_block(a_logic)
    name = show_voxel(layout_manager, mouse, plane, rasOf(volume, MARK))
    mouse.click(name, rasOf(volume, MARK))
    wait(a_logic)
    changed = scene_mask(a_logic, a_logic.segmentId)
    a_logic.undo()
    wait(a_logic)

    assert (changed != before).any()
    assert (scene_mask(a_logic, a_logic.segmentId) == before).all()


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_dragged_marker_takes_its_mask_along(mouse, an_interaction, a_logic, directions):
    volume = show_case(a_logic, directions)
    mark, goal = rasOf(volume, MARK), rasOf(volume, (MARK[0] - 12, MARK[1] + 9, MARK[2]))
    name = next(name for name in ("Red", "Green", "Yellow") if shows_both(mouse, name, mark, goal))
    mouse.click(name, mark)
    wait(a_logic)
    mouse.drag(name, [mark, goal])
    wait(a_logic)

    after = scene_mask(a_logic, a_logic.segmentId)
    assert after[MARK[2], MARK[1] + 9, MARK[0] - 12]
    assert not after[MARK[::-1]]


def shows_both(mouse, name, one, other):
    """Scroll a view to a RAS position; whether it shows another one, too."""
    mouse.show(name, one)
    return abs(mouse.view(name).convertRASToXYZ(other)[2]) < 0.1


@pytest.mark.parametrize("plane", PLANES)
def test_the_marker_is_on_the_voxel_that_was_clicked(layout_manager, mouse, an_interaction, a_logic, plane):
    volume = show_case(a_logic, "flipped")
    name = show_voxel(layout_manager, mouse, plane, rasOf(volume, MARK))
    mouse.click(name, rasOf(volume, MARK))
    wait(a_logic)

    shown = an_interaction.markers.node(True).GetNthControlPointPositionWorld(0)
    assert voxel_at(volume, shown) == MARK


def test_deleting_the_only_click_empties_its_slice(mouse, an_interaction, a_logic):
    volume = show_case(a_logic, "flipped")
    mouse.show("Red", rasOf(volume, MARK))
    mouse.click("Red", rasOf(volume, MARK))
    wait(a_logic)
    there = scene_mask(a_logic, a_logic.segmentId).any()
    mouse.hover("Red", rasOf(volume, MARK))
    mouse.key("Red", "Delete")
    wait(a_logic)

    assert there
    assert not scene_mask(a_logic, a_logic.segmentId).any()


def test_a_stroke_is_one_act(mouse, an_interaction, a_logic):
    volume = show_case(a_logic, "flipped")
    mouse.show("Red", rasOf(volume, MARK))
    x, y = mouse.pixel("Red", rasOf(volume, MARK))
    mouse.dragPixels("Red", [(x, y), (x + 50, y)])
    wait(a_logic)
    clicks = len(a_logic.clicks())
    a_logic.undo()
    wait(a_logic)

    assert clicks > 1
    assert a_logic.clicks() == ()


def test_what_changed_is_outlined(mouse, an_interaction, a_logic):
    volume = show_case(a_logic, "flipped")
    mouse.show("Red", rasOf(volume, MARK))
    mouse.click("Red", rasOf(volume, MARK))
    wait(a_logic)

    assert an_interaction.outline.isShown


def test_a_click_without_an_image_is_told_as_an_error(mouse, layout_manager, a_logic):
    heard = Heard()
    a_logic.addListener(heard)
    interaction = Interaction(a_logic, layout_manager)
    interaction.enter()
    interaction.setTool("positive")
    mouse.clickPixel("Red", (20, 20))
    wait(a_logic)
    interaction.cleanup()

    assert len(heard.errors) == 1
