"""Mouse and keys over real slice views: what the logic is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import CROSSING, moved, placed
from SlicerHost.samples import MARK, rasOf

# clicks


def test_a_click_is_asked_for_with_its_place_polarity_and_view(mouse, an_interaction, a_logic, mark, red):
    mouse.clickPixel("Red", mark)
    ((name, (ras, positive, node)),) = a_logic.asked
    assert (name, positive, node) == ("click", True, red)
    assert ras == pytest.approx(mouse.ras("Red", mark))


def test_a_click_happens_at_release(mouse, an_interaction, a_logic, mark):
    mouse.press("Red", mark)
    assert a_logic.asked == []
    mouse.release("Red", mark)
    assert len(a_logic.asked) == 1


def test_the_negative_tool_clicks_negatively(mouse, an_interaction, a_logic, mark):
    an_interaction.setTool("negative")
    mouse.clickPixel("Red", mark)
    assert a_logic.asked[0][1][1] is False


@pytest.mark.parametrize(("tool", "positive"), [("positive", False), ("negative", True)])
def test_ctrl_inverts_the_polarity(mouse, an_interaction, a_logic, mark, tool, positive):
    an_interaction.setTool(tool)
    mouse.clickPixel("Red", mark, ctrl=True)
    assert a_logic.asked[0][1][1] is positive


def test_a_trembling_hand_clicks_where_it_pressed(mouse, an_interaction, a_logic, mark):
    mouse.dragPixels("Red", [mark, moved(mark, 3)])
    assert [name for name, _arguments in a_logic.asked] == ["click"]
    assert a_logic.asked[0][1][0] == pytest.approx(mouse.ras("Red", mark))


def test_the_second_press_of_a_double_click_is_a_click_too(mouse, an_interaction, a_logic, a_volume):
    mouse.doubleClick("Red", rasOf(a_volume, MARK))
    assert [name for name, _arguments in a_logic.asked] == ["click", "click"]


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_every_view_takes_clicks(mouse, an_interaction, a_logic, a_volume, layout_manager, name):
    mouse.click(name, rasOf(a_volume, MARK))
    assert a_logic.asked[0][1][2] is layout_manager.sliceWidget(name).mrmlSliceNode()


def test_a_click_on_a_slice_that_scrolled_away_before_release_is_dropped(
    mouse, an_interaction, a_logic, mark
):
    mouse.press("Red", mark)
    mouse.wheel("Red", 2, mark)
    mouse.release("Red", mark)
    assert a_logic.asked == []


def test_an_unknown_tool_is_refused(an_interaction):
    with pytest.raises(ValueError, match="brush"):
        an_interaction.setTool("brush")


# strokes


def test_a_drag_is_one_stroke_along_its_path(mouse, an_interaction, a_logic, mark, red):
    end = moved(mark, 60)
    mouse.dragPixels("Red", [mark, end])
    ((name, (points, positive, node)),) = a_logic.asked
    assert (name, positive, node) == ("stroke", True, red)
    assert points[0] == pytest.approx(mouse.ras("Red", mark))
    assert points[-1] == pytest.approx(mouse.ras("Red", end))


def test_a_stroke_follows_its_corner(mouse, an_interaction, a_logic, mark):
    corner = moved(mark, 48)
    mouse.dragPixels("Red", [mark, corner, moved(corner, 0, 48)])
    points = a_logic.asked[0][1][0]
    nearest = np.linalg.norm(points - mouse.ras("Red", corner), axis=1).min()
    assert nearest < 0.01


def test_the_clicks_of_a_long_stroke_are_limited(mouse, an_interaction, a_logic, mark):
    mouse.dragPixels("Red", [mark, moved(mark, 60), moved(mark, -60)] * 4)
    assert len(a_logic.asked[0][1][0]) == 16


def test_a_release_without_moves_ends_the_stroke_where_it_is(mouse, an_interaction, a_logic, mark):
    mouse.press("Red", mark)
    mouse.release("Red", moved(mark, 40))
    assert a_logic.asked[0][1][0][-1] == pytest.approx(mouse.ras("Red", moved(mark, 40)))


def test_a_stroke_is_drawn_while_the_button_is_down(mouse, an_interaction, mark):
    renderer = mouse.view("Red").renderer()
    before = renderer.GetViewProps().GetNumberOfItems()
    mouse.press("Red", mark)
    mouse.move("Red", moved(mark, 20))
    during = renderer.GetViewProps().GetNumberOfItems()
    mouse.release("Red", moved(mark, 20))
    assert (during, renderer.GetViewProps().GetNumberOfItems()) == (before + 1, before)


def test_putting_the_tool_down_drops_a_stroke(mouse, an_interaction, a_logic, mark):
    mouse.press("Red", mark)
    mouse.move("Red", moved(mark, 30))
    an_interaction.setTool("none")
    mouse.release("Red", moved(mark, 30))
    assert a_logic.asked == []


# markers


def test_dragging_a_marker_moves_its_click_at_release(mouse, an_interaction, a_logic, a_click, mark):
    mouse.dragPixels("Red", [moved(mark, 2), moved(mark, 30)])
    ((name, (identifier, ras)),) = a_logic.asked
    assert (name, identifier) == ("moveClick", a_click.identifier)
    assert ras == pytest.approx(mouse.ras("Red", moved(mark, 30)))


def test_a_marker_follows_the_mouse_while_it_is_dragged(mouse, an_interaction, a_click, mark):
    mouse.press("Red", mark)
    mouse.move("Red", moved(mark, 30))
    shown = an_interaction.markers.node(True).GetNthControlPointPositionWorld(0)
    assert shown == pytest.approx(mouse.ras("Red", moved(mark, 30)))


def test_a_marker_goes_back_when_its_drag_is_dropped(mouse, an_interaction, a_click, mark):
    mouse.press("Red", mark)
    mouse.move("Red", moved(mark, 30))
    an_interaction.setTool("none")
    assert an_interaction.markers.node(True).GetNthControlPointPositionWorld(0) == pytest.approx(a_click.ras)


def test_pressing_a_marker_without_dragging_asks_for_nothing(mouse, an_interaction, a_logic, a_click, mark):
    mouse.clickPixel("Red", mark)
    assert a_logic.asked == []


def test_beside_a_marker_a_new_click_is_made(mouse, an_interaction, a_logic, a_click, mark):
    mouse.clickPixel("Red", moved(mark, 12))
    assert [name for name, _arguments in a_logic.asked] == ["click"]


def test_a_marker_of_another_slice_is_not_in_the_way(mouse, an_interaction, a_logic, a_click, mark, a_volume):
    mouse.show("Red", rasOf(a_volume, (MARK[0], MARK[1], MARK[2] + 1)))
    mouse.clickPixel("Red", mark)
    assert [name for name, _arguments in a_logic.asked] == ["click"]


def test_on_the_marker_of_a_slice_that_crosses_a_new_click_is_made(
    mouse, an_interaction, a_logic, a_volume, mark
):
    a_logic.place(placed(rasOf(a_volume, MARK), planeKey=CROSSING))
    mouse.clickPixel("Red", mark)
    assert [name for name, _arguments in a_logic.asked] == ["click"]


def test_a_drag_from_the_marker_of_a_slice_that_crosses_is_a_stroke(
    mouse, an_interaction, a_logic, a_volume, mark
):
    a_logic.place(placed(rasOf(a_volume, MARK), planeKey=CROSSING))
    mouse.dragPixels("Red", [moved(mark, 2), moved(mark, 30)])
    assert [name for name, _arguments in a_logic.asked] == ["stroke"]


def test_delete_over_the_marker_of_a_slice_that_crosses_removes_its_click(
    mouse, an_interaction, a_logic, a_volume, mark
):
    a_logic.place(placed(rasOf(a_volume, MARK), identifier="other", planeKey=CROSSING))
    mouse.move("Red", mark)
    mouse.key("Red", "Delete")
    assert a_logic.asked == [("removeClick", ("other",))]


def test_of_two_markers_at_one_place_delete_takes_that_of_the_slice_shown(
    mouse, an_interaction, a_logic, a_volume, mark
):
    ras = rasOf(a_volume, MARK)
    a_logic.place(placed(ras, identifier="other", planeKey=CROSSING), placed(ras, identifier="own"))
    mouse.move("Red", mark)
    mouse.key("Red", "Delete")
    assert a_logic.asked == [("removeClick", ("own",))]


def test_without_a_tool_a_marker_stays(mouse, an_interaction, a_logic, a_click, mark):
    an_interaction.setTool("none")
    mouse.dragPixels("Red", [mark, moved(mark, 30)])
    assert a_logic.asked == []
    assert an_interaction.markers.node(True).GetNthControlPointPositionWorld(0) == pytest.approx(a_click.ras)


@pytest.mark.parametrize("key", ["Delete", "BackSpace"])
def test_delete_over_a_marker_removes_its_click(mouse, an_interaction, a_logic, a_click, mark, key):
    mouse.move("Red", mark)
    mouse.key("Red", key)
    assert a_logic.asked == [("removeClick", (a_click.identifier,))]


def test_delete_beside_a_marker_removes_nothing(mouse, an_interaction, a_logic, a_click, mark):
    mouse.move("Red", moved(mark, 20))
    mouse.key("Red", "Delete")
    assert a_logic.asked == []


def test_delete_removes_nothing_when_the_mouse_has_left_the_view(
    mouse, an_interaction, a_logic, a_click, mark
):
    mouse.move("Red", mark)
    mouse.leave("Red")
    assert not an_interaction.removeClickUnderPointer()


def test_of_two_markers_the_nearer_is_taken(mouse, an_interaction, a_logic, a_volume, mark):
    near, far = mouse.ras("Red", moved(mark, 3)), mouse.ras("Red", moved(mark, -5))
    a_logic.place(placed(far, identifier="far"), placed(near, positive=False, identifier="near"))
    mouse.move("Red", mark)
    mouse.key("Red", "Delete")
    assert a_logic.asked == [("removeClick", ("near",))]
