"""The mouse and the keyboard over the host's slice views."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest


def positions_of(event_name, view):
    """A list that gets the position of each such event of the view, before any other observer."""
    positions = []
    view.interactor().AddObserver(event_name, lambda who, _: positions.append(who.GetEventPosition()), 100.0)
    return positions


@pytest.fixture
def red(layout_manager):
    return layout_manager.sliceWidget("Red")


@pytest.fixture
def some_points(scene):
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.CreateDefaultDisplayNodes()
    return points


@pytest.fixture
def placing(some_points, scene):
    """The list of points, in place mode."""
    slicer.modules.markups.logic().SetActiveList(some_points)
    interaction = scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    interaction.SetPlaceModePersistence(1)
    interaction.SetCurrentInteractionMode(interaction.Place)
    yield some_points
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)


def test_a_pixel_goes_to_ras_and_back(mouse, a_shown_volume):
    assert mouse.pixel("Green", mouse.ras("Green", (123, 45))) == (123, 45)


def test_a_click_places_a_point_at_its_position(mouse, a_shown_volume, placing):
    ras = mouse.ras("Yellow", (120, 90))
    mouse.click("Yellow", ras)

    assert placing.GetNthControlPointPositionWorld(0) == pytest.approx(ras)


def test_each_click_places_one_point(mouse, a_shown_volume, placing):
    for pixel in ((60, 60), (150, 100)):
        mouse.clickPixel("Green", pixel)

    assert placing.GetNumberOfDefinedControlPoints() == 2


def test_a_drag_moves_a_point(mouse, a_shown_volume, some_points):
    start, end = mouse.ras("Red", (300, 150)), mouse.ras("Red", (340, 190))
    some_points.AddControlPoint(start)
    mouse.drag("Red", [start, end])

    assert some_points.GetNthControlPointPositionWorld(0) == pytest.approx(end)


def test_the_wheel_moves_by_one_slice(mouse, a_shown_volume, red):
    before = red.sliceLogic().GetSliceOffset()
    mouse.wheel("Red", 1)

    assert red.sliceLogic().GetSliceOffset() == pytest.approx(before + 3.0)


def test_a_click_has_its_modifier(mouse, red):
    pressed = []
    red.sliceView().interactor().AddObserver(
        "LeftButtonPressEvent", lambda who, _: pressed.append((who.GetControlKey(), who.GetShiftKey())), 100.0
    )
    mouse.clickPixel("Red", (20, 20), ctrl=True)

    assert pressed == [(1, 0)]


def test_the_second_press_of_a_double_click_is_no_press_event(mouse, red, a_shown_volume):
    pressed = positions_of("LeftButtonPressEvent", red.sliceView())
    doubled = positions_of("LeftButtonDoubleClickEvent", red.sliceView())
    mouse.doubleClick("Red", mouse.ras("Red", (40, 50)))

    assert (pressed, doubled) == ([(40, 50)], [(40, 50)])


def test_a_key_arrives_with_its_name(mouse, red):
    keys = []
    red.sliceView().interactor().AddObserver(
        "KeyPressEvent", lambda who, _: keys.append(who.GetKeySym()), 100.0
    )
    mouse.key("Red", "Delete")

    assert keys == ["Delete"]


def test_an_observer_of_high_priority_can_keep_a_click_from_the_view(mouse, a_shown_volume, placing, red):
    interactor = red.sliceView().interactor()
    tags = {}

    def stop(who, event):
        who.GetCommand(tags[event]).SetAbortFlag(1)

    for event in ("LeftButtonPressEvent", "LeftButtonReleaseEvent"):
        tags[event] = interactor.AddObserver(event, stop, 100.0)
    mouse.clickPixel("Red", (80, 80))
    for tag in tags.values():
        interactor.RemoveObserver(tag)

    assert placing.GetNumberOfDefinedControlPoints() == 0


def test_a_click_beside_the_slice_is_refused(mouse, a_shown_volume):
    ras = mouse.ras("Red", (50, 50))

    with pytest.raises(ValueError, match="slices off"):
        mouse.click("Red", np.add(ras, (0, 0, 9)))


def test_a_click_outside_the_view_is_refused(mouse, red):
    with pytest.raises(ValueError, match="outside"):
        mouse.clickPixel("Red", (red.sliceView().width, 5))


def test_the_mouse_knows_no_unknown_view(mouse):
    with pytest.raises(KeyError, match="Blue"):
        mouse.clickPixel("Blue", (1, 1))


def test_a_qt_click_arrives_at_the_interactor_with_y_up(red):
    view = red.sliceView()
    pressed = positions_of("LeftButtonPressEvent", view)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(30, 10))

    assert pressed == [(30, view.height - 11)]


@pytest.mark.parametrize(
    ("key", "modifier", "keysym"),
    [
        (Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier, "Delete"),
        (Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a"),
        (Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier, "z"),
    ],
)
def test_a_qt_key_arrives_with_vtks_name(red, key, modifier, keysym):
    keys = []
    red.sliceView().interactor().AddObserver(
        "KeyPressEvent", lambda who, _: keys.append(who.GetKeySym()), 100.0
    )
    QTest.keyClick(red.sliceView(), key, modifier)

    assert keys[-1] == keysym
