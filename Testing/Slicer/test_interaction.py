"""Mouse and keys over real slice views: what the logic is asked for, and what is left to Slicer."""

from __future__ import annotations

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import observers, placed
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.SliceViews import EVENTS
from SlicerHost.samples import MARK, rasOf

import slicer  # isort: skip

AWAY = np.array([6.0, 6.0])


@pytest.fixture
def mark(mouse, a_volume):
    """The pixel of the marked voxel in the red view."""
    return mouse.pixel("Red", rasOf(a_volume, MARK))


@pytest.fixture
def red(layout_manager, a_volume):
    return layout_manager.sliceWidget("Red").mrmlSliceNode()


def moved(pixel, x, y=0):
    return pixel[0] + x, pixel[1] + y


def window_of(volume):
    display = volume.GetDisplayNode()
    return display.GetWindow(), display.GetLevel()


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


# what is left to Slicer


@pytest.fixture
def slicers_share(mouse):
    """Names of the red view's events that come through to Slicer."""
    heard = []
    interactor = mouse.view("Red").interactor()
    names = [
        f"{side}Button{what}Event" for side in ("Left", "Middle", "Right") for what in ("Press", "Release")
    ]
    names += ["MouseWheelForwardEvent", "MouseMoveEvent", "KeyPressEvent", "LeftButtonDoubleClickEvent"]
    tags = [interactor.AddObserver(name, lambda _caller, event: heard.append(event), 5.0) for name in names]
    yield heard
    for tag in tags:
        interactor.RemoveObserver(tag)


@pytest.mark.parametrize("button", ["middle", "right"])
def test_other_buttons_are_slicers(mouse, an_interaction, a_logic, mark, slicers_share, button):
    mouse.clickPixel("Red", mark, button=button)
    name = button.capitalize()
    assert {f"{name}ButtonPressEvent", f"{name}ButtonReleaseEvent"} <= set(slicers_share)
    assert a_logic.asked == []


def test_the_wheel_scrolls(mouse, an_interaction, a_logic, mark, red):
    before = red.GetSliceOffset()
    mouse.wheel("Red", 1, mark)
    assert red.GetSliceOffset() != before


def test_right_drag_zooms(mouse, an_interaction, mark, red):
    before = red.GetFieldOfView()[0]
    mouse.dragPixels("Red", [mark, moved(mark, 0, 40)], button="right")
    assert red.GetFieldOfView()[0] != pytest.approx(before)


@pytest.mark.parametrize("modifier", ["shift", "alt"])
def test_shift_and_alt_leave_the_left_button_to_slicer(
    mouse, an_interaction, a_logic, mark, slicers_share, modifier
):
    mouse.clickPixel("Red", mark, **{modifier: True})
    assert {"LeftButtonPressEvent", "LeftButtonReleaseEvent"} <= set(slicers_share)
    assert a_logic.asked == []


def test_shift_drag_pans(mouse, an_interaction, mark, red):
    before = red.GetXYToRAS().GetElement(0, 3)
    mouse.dragPixels("Red", [mark, moved(mark, 40)], shift=True)
    assert red.GetXYToRAS().GetElement(0, 3) != pytest.approx(before)


def test_with_a_tool_the_left_button_is_kept_from_slicer(mouse, an_interaction, a_volume, slicers_share):
    mouse.doubleClick("Red", rasOf(a_volume, MARK))
    assert not [name for name in slicers_share if name.startswith("LeftButton")]


def test_with_a_tool_the_mouse_still_moves_for_slicer(mouse, an_interaction, mark, slicers_share):
    mouse.move("Red", mark)
    assert slicers_share == ["MouseMoveEvent"]


def test_without_a_tool_everything_is_slicers(mouse, an_interaction, a_logic, mark, slicers_share):
    an_interaction.setTool("none")
    mouse.clickPixel("Red", mark)
    assert {"LeftButtonPressEvent", "LeftButtonReleaseEvent"} <= set(slicers_share)
    assert a_logic.asked == []


@pytest.mark.parametrize(("tool", "changes"), [("none", True), ("positive", False)])
def test_only_without_a_tool_a_drag_adjusts_the_window(mouse, an_interaction, a_volume, mark, tool, changes):
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    node.SetCurrentInteractionMode(node.AdjustWindowLevel)
    an_interaction.setTool(tool)
    before = window_of(a_volume)
    mouse.dragPixels("Red", [mark, moved(mark, 40, 30)])
    node.SetCurrentInteractionMode(node.ViewTransform)
    assert (window_of(a_volume) != before) is changes


def test_other_keys_are_slicers(mouse, an_interaction, a_click, mark, slicers_share):
    mouse.move("Red", mark)
    mouse.key("Red", "v", "v")
    assert "KeyPressEvent" in slicers_share


def test_taking_a_tool_ends_slicers_placing(an_interaction):
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    an_interaction.setTool("none")
    node.SetCurrentInteractionMode(node.Place)
    an_interaction.setTool("positive")
    assert node.GetCurrentInteractionMode() == node.ViewTransform


def test_placing_in_slicer_puts_the_tool_down(an_interaction):
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    node.SetCurrentInteractionMode(node.Place)
    mode, tool = node.GetCurrentInteractionMode(), an_interaction.tool
    node.SetCurrentInteractionMode(node.ViewTransform)
    assert (mode, tool) == (node.Place, "none")


# the view that keys and buttons are about


def test_the_view_of_the_mouse_is_known(mouse, an_interaction, layout_manager, a_volume):
    mouse.hover("Green", rasOf(a_volume, MARK))
    assert an_interaction.sliceNode is layout_manager.sliceWidget("Green").mrmlSliceNode()


def test_a_chosen_view_is_kept_until_the_mouse_comes_to_another(an_interaction, mouse, red, mark):
    other = object()
    an_interaction.chooseView(other)
    before = an_interaction.sliceNode
    mouse.move("Red", mark)
    assert (before, an_interaction.sliceNode) == (other, red)


def test_accepting_toggles(an_interaction, a_logic, red, mouse, mark):
    mouse.move("Red", mark)
    an_interaction.toggleAccepted()
    a_logic.accepted = True
    an_interaction.toggleAccepted()
    assert a_logic.acts("accept") == [("accept", (red, True)), ("accept", (red, False))]


# beginning and end


def test_entered_every_event_is_observed_once(an_interaction, layout_manager):
    an_interaction.enter()
    assert observers(layout_manager) == len(EVENTS)


@pytest.mark.parametrize("end", ["exit", "cleanup"])
def test_at_the_end_nothing_is_observed(an_interaction, layout_manager, end):
    getattr(an_interaction, end)()
    names = layout_manager.sliceViewNames()
    assert [observers(layout_manager, name) for name in names] == [0] * len(names)


def test_at_the_end_the_scene_is_not_observed(layout_manager, a_logic):
    before = str(slicer.mrmlScene).count("vtkObserver")
    made = Interaction(a_logic, layout_manager)
    made.enter()
    during = str(slicer.mrmlScene).count("vtkObserver")
    made.cleanup()
    assert (during > before, str(slicer.mrmlScene).count("vtkObserver")) == (True, before)


def test_after_exit_a_click_is_slicers(mouse, an_interaction, a_logic, mark):
    an_interaction.exit()
    mouse.clickPixel("Red", mark)
    assert (an_interaction.tool, a_logic.asked) == ("none", [])


def test_it_works_again_after_another_module(mouse, an_interaction, a_logic, mark):
    an_interaction.exit()
    an_interaction.enter()
    an_interaction.setTool("positive")
    mouse.clickPixel("Red", mark)
    assert len(a_logic.asked) == 1


def test_a_second_exit_does_nothing(an_interaction):
    an_interaction.exit()
    an_interaction.exit()
    assert not an_interaction.isActive


def test_cleanup_leaves_the_logic(an_interaction, a_logic):
    an_interaction.cleanup()
    assert a_logic.listeners == []


def test_after_the_scene_was_closed_clicks_work(mouse, an_interaction, a_logic, layout_manager, mark):
    slicer.mrmlScene.Clear(0)
    assert observers(layout_manager) == len(EVENTS)
    mouse.clickPixel("Red", mark)
    assert len(a_logic.asked) == 1


def test_closing_the_scene_drops_a_stroke(mouse, an_interaction, a_logic, mark):
    mouse.press("Red", mark)
    slicer.mrmlScene.Clear(0)
    mouse.release("Red", mark)
    assert a_logic.asked == []


def test_closing_the_scene_forgets_the_view(mouse, an_interaction, mark):
    mouse.move("Red", mark)
    slicer.mrmlScene.Clear(0)
    assert an_interaction.sliceNode is None


def test_a_view_that_is_added_later_takes_clicks(host, mouse, an_interaction, a_logic, layout_manager):
    layout_manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutThreeOverThreeView)
    host.processEvents(0.02)
    (name, *_others) = [one for one in layout_manager.sliceViewNames() if one.endswith("+") or "Slice" in one]
    mouse.clickPixel(name, (20, 20))
    assert a_logic.asked[0][1][2] is layout_manager.sliceWidget(name).mrmlSliceNode()


def test_a_view_whose_node_is_removed_is_released(an_interaction, layout_manager, mouse, red, mark):
    mouse.press("Red", mark)
    slicer.mrmlScene.RemoveNode(red)
    released = observers(layout_manager), an_interaction.sliceNode
    slicer.mrmlScene.AddNode(red)
    assert released == (0, None)


def test_with_a_tool_the_cursor_is_a_cross(an_interaction, mouse):
    import qt

    with_tool = mouse.view("Red").cursor.shape()
    an_interaction.setTool("none")
    assert with_tool == qt.Qt.CrossCursor
    assert mouse.view("Red").cursor.shape() == qt.Qt.ArrowCursor
