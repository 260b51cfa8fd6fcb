"""What the interaction leaves to Slicer's views, which view is meant, and that nothing stays observed."""

from __future__ import annotations

import numpy as np
import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import moved, observers
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.SliceViews import EVENTS
from SlicerHost.samples import MARK, rasOf

import qt  # isort: skip
import slicer  # isort: skip


def window_of(volume):
    display = volume.GetDisplayNode()
    return display.GetWindow(), display.GetLevel()


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


@pytest.mark.parametrize("name", ["Place", "AdjustWindowLevel"])
def test_another_use_of_the_left_button_puts_the_tool_down(an_interaction, name):
    node = slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    wanted = getattr(node, name)
    node.SetCurrentInteractionMode(wanted)
    mode, tool = node.GetCurrentInteractionMode(), an_interaction.tool
    node.SetCurrentInteractionMode(node.ViewTransform)
    assert (mode, tool) == (wanted, "none")


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


@pytest.mark.parametrize("shift", [(0, 0, 0), (0, 0, 3), (4, -2, -3)])
def test_the_view_goes_to_the_slice_to_check(an_interaction, a_logic, a_volume, red, mouse, mark, shift):
    place = np.add(rasOf(a_volume, MARK), shift)
    a_logic.checkNext = lambda node: place if node is red else None
    mouse.move("Red", mark)
    an_interaction.checkNext()
    matrix = slicer.util.arrayFromVTKMatrix(red.GetSliceToRAS())
    assert matrix[:3, 2] @ (place - matrix[:3, 3]) == pytest.approx(0, abs=1e-6)


def test_with_no_slice_to_check_the_view_stays(an_interaction, a_logic, red, mouse, mark):
    mouse.move("Red", mark)
    before = red.GetSliceOffset()
    an_interaction.checkNext()
    assert a_logic.acts("checkNext") == [("checkNext", (red,))]
    assert red.GetSliceOffset() == before


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


def test_closing_the_scene_puts_the_tool_down(mouse, an_interaction, a_logic, mark):
    slicer.mrmlScene.Clear(0)
    mouse.clickPixel("Red", mark)
    assert (an_interaction.tool, a_logic.asked) == ("none", [])


def test_after_the_scene_was_closed_clicks_work(mouse, an_interaction, a_logic, layout_manager, mark):
    slicer.mrmlScene.Clear(0)
    an_interaction.setTool("positive")
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


def test_a_view_that_is_added_later_takes_clicks(mouse, an_interaction, a_logic, more_views):
    (name, *_others) = [one for one in more_views.sliceViewNames() if one.endswith("+") or "Slice" in one]
    mouse.clickPixel(name, (20, 20))
    assert a_logic.asked[0][1][2] is more_views.sliceWidget(name).mrmlSliceNode()


def test_a_view_whose_node_is_removed_is_released(an_interaction, layout_manager, mouse, red, mark):
    mouse.press("Red", mark)
    slicer.mrmlScene.RemoveNode(red)
    released = observers(layout_manager), an_interaction.sliceNode
    slicer.mrmlScene.AddNode(red)
    assert released == (0, None)


def test_with_a_tool_the_cursor_is_a_cross(an_interaction, mouse):
    with_tool = mouse.view("Red").cursor.shape()
    an_interaction.setTool("none")
    assert with_tool == qt.Qt.CrossCursor
    assert mouse.view("Red").cursor.shape() == qt.Qt.ArrowCursor
