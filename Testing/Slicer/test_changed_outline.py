"""The outline of what an act changed: where it is drawn, when, and that it leaves nothing behind."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import TABLE, show_oblique, show_voxel
from KPrismSlicerLib.ChangedOutline import SHOWN_MILLISECONDS, outlineRas
from KPrismSlicerLib.Events import ActDone, ActResult, ActStarted, PromptsChanged
from KPrismSlicerLib.SceneBridge import SceneBridge
from KPrismSlicerLib.SlicePlanes import planeOf
from SlicerHost.samples import MARK, newVolume, pixelsOf, rasOf

from KPrismCore.geometry import VolumeGeometry
from KPrismCore.slices import SlicePlane

import slicer  # isort: skip

GRID = VolumeGeometry.from_parts((6, 5, 4), (2.0, 3.0, 4.0), np.eye(3), (0.0, 0.0, 0.0))
GREEN, RED = (np.array([0.2, 1.0, 0.3]), np.array([1.0, 0.25, 0.2]))
RADIUS = 4.0  # pixels of the plane


def plane_in(layout_manager, volume, name="Red"):
    """The plane of the volume that a view shows."""
    node = layout_manager.sliceWidget(name).mrmlSliceNode()
    geometry = SceneBridge().volumeOf(volume).geometry
    return planeOf(geometry, slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()))


def result_at(plane, ras, added=True):
    """The result of an act that added, or removed, a disc around a RAS position."""
    rows, columns = np.mgrid[: plane.shape[0], : plane.shape[1]]
    x, y = plane.ras_to_pixel(ras)
    disc = np.hypot(columns - x, rows - y) < RADIUS
    nothing = np.zeros_like(disc)
    return ActResult("click", "segment", plane, disc if added else nothing, nothing if added else disc)


def drawn(view, colour):
    """The pixels (N, 2) as (x, y up) of a view that have a colour."""
    picture = view.picture()
    rows = np.frombuffer(pixelsOf(picture), dtype=np.uint8).reshape(picture.height(), -1)
    pixels = rows[::-1, : 3 * picture.width()].reshape(picture.height(), picture.width(), 3)
    return np.argwhere(np.abs(pixels / 255.0 - colour).max(axis=-1) < 0.1)[:, ::-1]


@pytest.fixture
def result(layout_manager, a_volume):
    """Something was added around the mark, on the slice of the red view."""
    return result_at(plane_in(layout_manager, a_volume), rasOf(a_volume, MARK))


def props(view):
    return view.renderer().GetViewProps().GetNumberOfItems()


def test_the_outline_of_a_pixel_is_its_four_edges():
    mask = np.zeros((5, 6), dtype=bool)
    mask[1, 2] = True
    plane = SlicePlane(GRID, "k", 3)
    ends = outlineRas(mask, plane)
    edges = {tuple(sorted(map(tuple, edge))) for edge in np.round(plane.ras_to_pixel(ends), 6).tolist()}
    assert edges == {
        ((1.5, 0.5), (2.5, 0.5)),
        ((1.5, 1.5), (2.5, 1.5)),
        ((1.5, 0.5), (1.5, 1.5)),
        ((2.5, 0.5), (2.5, 1.5)),
    }


def test_the_outline_lies_on_its_slice():
    ends = outlineRas(np.ones((5, 6), dtype=bool), SlicePlane(GRID, "k", 3))
    assert ends[..., 2] == pytest.approx(12.0)


def test_pixels_side_by_side_have_no_edge_between_them():
    mask = np.zeros((5, 6), dtype=bool)
    mask[2, 1:5] = True
    assert len(outlineRas(mask, SlicePlane(GRID, "k", 0))) == 10


def test_the_outline_is_closed():
    mask = np.random.default_rng(0).random((5, 6)) > 0.5
    ends = np.round(outlineRas(mask, SlicePlane(GRID, "k", 0)).reshape(-1, 3), 6)
    counts = Counter(map(tuple, ends.tolist()))
    assert all(count % 2 == 0 for count in counts.values())


def test_at_the_border_of_the_image_there_is_an_edge():
    assert len(outlineRas(np.ones((5, 6), dtype=bool), SlicePlane(GRID, "k", 0))) == 22


@pytest.mark.parametrize(("directions", "plane_name"), TABLE)
def test_the_outline_is_drawn_around_what_changed(
    layout_manager, mouse, an_interaction, directions, plane_name
):
    volume = newVolume(directions)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    mark = rasOf(volume, MARK)
    name = show_voxel(layout_manager, mouse, plane_name, mark)
    plane = plane_in(layout_manager, volume, name)
    an_interaction.outline.show(result_at(plane, mark))

    pixels = drawn(mouse.view(name), GREEN)
    ras = np.array([mouse.ras(name, pixel) for pixel in pixels])
    distances = np.linalg.norm((plane.ras_to_pixel(ras) - plane.ras_to_pixel(mark)), axis=1)
    assert len(pixels) > 20
    assert distances.min() > RADIUS - 1.5
    assert distances.max() < RADIUS + 1.5


def test_what_was_added_is_green(mouse, an_interaction, result):
    an_interaction.outline.show(result)
    assert len(drawn(mouse.view("Red"), GREEN)) > 20
    assert len(drawn(mouse.view("Red"), RED)) == 0


def test_what_was_removed_is_red(layout_manager, mouse, an_interaction, a_volume):
    plane = plane_in(layout_manager, a_volume)
    an_interaction.outline.show(result_at(plane, rasOf(a_volume, MARK), added=False))
    assert len(drawn(mouse.view("Red"), RED)) > 20
    assert len(drawn(mouse.view("Red"), GREEN)) == 0


@pytest.mark.parametrize("name", ["Green", "Yellow"])
def test_views_across_do_not_show_it(mouse, an_interaction, result, name):
    an_interaction.outline.show(result)
    assert len(drawn(mouse.view(name), GREEN)) == 0


def test_on_another_slice_it_is_hidden_and_back_it_is_shown(mouse, an_interaction, a_volume, result):
    an_interaction.outline.show(result)
    mouse.show("Red", rasOf(a_volume, (MARK[0], MARK[1], MARK[2] + 1)))
    away = an_interaction.outline.isShown
    mouse.show("Red", rasOf(a_volume, MARK))
    assert (away, an_interaction.outline.isShown) == (False, True)


def test_in_a_tilted_view_it_is_hidden(layout_manager, an_interaction, a_volume, result):
    an_interaction.outline.show(result)
    show_oblique(layout_manager, rasOf(a_volume, MARK))
    assert not an_interaction.outline.isShown


def test_it_moves_with_the_image(layout_manager, mouse, an_interaction, a_volume, result):
    an_interaction.outline.show(result)
    before = drawn(mouse.view("Red"), GREEN).mean(axis=0)
    node = layout_manager.sliceWidget("Red").mrmlSliceNode()
    first = np.array(mouse.pixel("Red", rasOf(a_volume, MARK)))
    node.SetXYZOrigin(10.0, -5.0, 0.0)
    node.UpdateMatrices()
    shift = np.array(mouse.pixel("Red", rasOf(a_volume, MARK))) - first
    assert np.abs(shift).max() > 5
    assert drawn(mouse.view("Red"), GREEN).mean(axis=0) - before == pytest.approx(shift, abs=1.0)


def test_it_goes_by_itself(host, an_interaction, result):
    an_interaction.outline._timer.setInterval(30)
    an_interaction.outline.show(result)
    shown = an_interaction.outline.isShown
    host.waitUntil(lambda: not an_interaction.outline.isShown, 2)
    assert shown


def test_it_stays_for_two_seconds():
    assert SHOWN_MILLISECONDS == 2000


def test_an_act_shows_it_and_the_next_one_takes_it_away(an_interaction, a_logic, result):
    a_logic.tell(ActDone(result))
    shown = an_interaction.outline.isShown
    a_logic.tell(ActStarted("click"))
    assert (shown, an_interaction.outline.isShown) == (True, False)


def test_other_events_leave_it(an_interaction, a_logic, result):
    a_logic.tell(ActDone(result))
    a_logic.tell(PromptsChanged())
    assert an_interaction.outline.isShown


def test_without_show_changes_nothing_is_drawn(an_interaction, a_logic, result):
    an_interaction.showChanges = False
    a_logic.tell(ActDone(result))
    assert not an_interaction.outline.isShown


def test_switching_show_changes_off_takes_it_away(an_interaction, a_logic, result):
    a_logic.tell(ActDone(result))
    an_interaction.showChanges = False
    assert not an_interaction.outline.isShown


def test_an_act_without_a_slice_draws_nothing(an_interaction, a_logic):
    a_logic.tell(ActDone(ActResult("accept", "segment")))
    assert not an_interaction.outline.isShown


def test_an_act_that_changed_nothing_draws_nothing(layout_manager, an_interaction, a_logic, a_volume):
    plane = plane_in(layout_manager, a_volume)
    nothing = np.zeros(plane.shape, dtype=bool)
    a_logic.tell(ActDone(ActResult("click", "segment", plane, nothing, nothing)))
    assert not an_interaction.outline.isShown


def test_after_exit_nothing_is_drawn(an_interaction, a_logic, result):
    an_interaction.exit()
    a_logic.tell(ActDone(result))
    assert not an_interaction.outline.isShown


def test_it_leaves_nothing_in_the_views(mouse, an_interaction, result):
    before = props(mouse.view("Red"))
    an_interaction.outline.show(result)
    during = props(mouse.view("Red"))
    an_interaction.outline.clear()
    assert (during, props(mouse.view("Red"))) == (before + 1, before)


def test_it_is_not_in_the_scene(an_interaction, result):
    before = slicer.mrmlScene.GetNumberOfNodes()
    an_interaction.outline.show(result)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_closing_the_scene_takes_it_away(mouse, an_interaction, result):
    before = props(mouse.view("Red"))
    an_interaction.outline.show(result)
    slicer.mrmlScene.Clear(0)
    assert not an_interaction.outline.isShown
    assert props(mouse.view("Red")) <= before


def test_a_view_that_goes_takes_its_outline_along(layout_manager, mouse, an_interaction, result):
    an_interaction.outline.show(result)
    node = layout_manager.sliceWidget("Red").mrmlSliceNode()
    slicer.mrmlScene.RemoveNode(node)
    shown = an_interaction.outline.isShown
    slicer.mrmlScene.AddNode(node)
    assert not shown


def test_views_of_a_former_layout_are_left_alone(more_views, mouse, an_interaction, result):
    name = next(one for one in more_views.sliceViewNames() if one not in ("Red", "Green", "Yellow"))
    more_views.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    before = props(mouse.view(name))
    an_interaction.outline.show(result)
    assert props(mouse.view(name)) == before
