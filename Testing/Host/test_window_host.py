"""The host's main window: with no display, and on a real X server with a real mouse."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import slicer
from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QFormLayout, QLabel, QLineEdit, QWidget
from SlicerHost import dialogs, xserver
from SlicerHost.palette import usePalette
from SlicerHost.samples import BRIGHT, MARK, newVolume, pixelsOf, rasOf
from SlicerHost.window import PANEL_WIDTH, openWindow
from SlicerHost.xserver import Pointer, onDisplay, photograph, runOnDisplay

FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
ONE_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView


def brightness_at(picture, window, view, pixel):
    """How bright the pixel (x, y up) of a view is in a picture of its window."""
    place = view.mapTo(window, QPoint(pixel[0], view.height - 1 - pixel[1]))
    return picture.pixelColor(place).value()


def events_of(view, *names):
    """A list that gets (name, position, key) of each such event of the view, before any other observer."""
    events = []
    for name in names:
        view.interactor().AddObserver(
            name, lambda who, event: events.append((event, who.GetEventPosition(), who.GetKeySym())), 100.0
        )
    return events


@pytest.fixture
def a_panel():
    panel = QWidget()
    form = QFormLayout(panel)
    edit = QLineEdit()
    edit.objectName = "edit"
    form.addRow("Name", edit)
    return panel


@pytest.fixture
def a_filled_window(a_window, a_shown_volume, mouse, a_panel):
    """The window with a panel and the sample volume, its bright block in all views."""
    a_window.setPanel(a_panel, "Sample")
    a_window.layoutManager().resetSliceViews()
    for name in ("Red", "Green", "Yellow"):
        mouse.show(name, rasOf(a_shown_volume, MARK))
    slicer.app.processEvents()
    return a_window


def test_slicer_util_finds_the_main_window(a_window):
    assert slicer.util.mainWindow() is a_window


def test_a_status_message_is_shown(a_window):
    slicer.util.showStatusMessage("Liver: 42 ms")

    assert a_window.statusBar().currentMessage() == "Liver: 42 ms"


def test_the_panel_is_on_the_left_and_wide_enough(a_filled_window, a_panel):
    place = a_panel.mapTo(a_filled_window, QPoint(0, 0))

    assert place.x() < 10
    assert a_panel.width >= PANEL_WIDTH - 20


@pytest.mark.parametrize("name", ["Red", "Green", "Yellow"])
def test_a_screenshot_shows_the_views(a_filled_window, a_shown_volume, mouse, tmp_path, name):
    picture = QImage(str(a_filled_window.screenshot(tmp_path / "window.png")))
    pixel = mouse.pixel(name, rasOf(a_shown_volume, MARK))

    assert brightness_at(picture, a_filled_window, mouse.view(name), pixel) == pytest.approx(BRIGHT, abs=2)


def test_a_screenshot_makes_its_folder(a_window, tmp_path):
    assert a_window.screenshot(tmp_path / "new" / "window.png").is_file()


def test_a_screenshot_that_cannot_be_written_is_an_error(a_window, tmp_path):
    folder = tmp_path / "window.png"
    folder.mkdir()

    with pytest.raises(OSError, match="cannot write"):
        a_window.screenshot(folder)


def test_a_screenshot_has_what_changed_just_before(a_filled_window, a_shown_volume, mouse):
    pixel = mouse.pixel("Red", rasOf(a_shown_volume, MARK))
    slicer.util.setSliceViewerLayers(background=None)
    picture = a_filled_window.picture()

    assert brightness_at(picture, a_filled_window, mouse.view("Red"), pixel) == 0


def test_the_data_tree_stands_where_slicer_has_the_3d_view(a_window):
    assert a_window.dataTree().visible


def test_the_data_tree_comes_back_with_the_layout(a_window):
    a_window.layoutManager().setLayout(ONE_UP)
    slicer.app.processEvents()
    away = a_window.dataTree().visible
    a_window.layoutManager().setLayout(FOUR_UP)
    slicer.app.processEvents()

    assert (away, a_window.dataTree().visible) == (False, True)


def test_a_view_fills_the_place_that_the_layout_gives_it(a_window, layout_manager):
    before = layout_manager.sliceWidget("Red").width
    layout_manager.setLayout(ONE_UP)
    slicer.app.processEvents()

    assert layout_manager.sliceWidget("Red").width > 1.8 * before


@pytest.mark.parametrize(("dark", "expected"), [(True, 52), (False, 243)])
def test_the_palette_colours_the_window(a_filled_window, dark, expected):
    usePalette(dark)
    shown = a_filled_window.picture().pixelColor(PANEL_WIDTH // 2, 700).red()
    usePalette(False)

    assert shown == expected


def test_the_status_bar_says_position_and_value_under_the_pointer(a_filled_window, a_shown_volume, mouse):
    mouse.hover("Red", rasOf(a_shown_volume, MARK))
    shown = [label.text for label in a_filled_window.statusBar().findChildren(QLabel)]

    assert [text for text in shown if text.endswith("CT (30, 12, 7): 200")]


def test_views_live_on_after_the_window_is_closed(host, a_filled_window, a_shown_volume, mouse):
    a_filled_window.close()
    host.processEvents()
    pixel = mouse.pixel("Red", rasOf(a_shown_volume, MARK))

    picture = mouse.view("Red").picture()
    assert picture.pixelColor(pixel[0], picture.height() - 1 - pixel[1]).value() == pytest.approx(
        BRIGHT, abs=2
    )


def test_closing_the_window_is_signalled(a_window):
    closed = []
    a_window.closed.connect(lambda: closed.append(1))
    a_window.close()

    assert closed == [1]


def test_a_second_window_takes_over_from_a_closed_one(host, a_window):
    a_window.close()
    second = openWindow(host)

    assert slicer.util.mainWindow() is second


def test_a_reset_closes_the_window(host, a_window):
    host.reset()

    assert slicer.util.mainWindow() is None


def choose(window, text):
    """Choose the menu entry with that text."""
    entries = [action for action in window.findChildren(QAction) if action.text == text]
    entries[0].trigger()


def test_a_menu_entry_changes_the_layout(a_window, layout_manager):
    choose(a_window, "Red only")

    assert layout_manager.layout == ONE_UP


def test_the_chosen_files_are_added(a_window, tmp_path):
    paths = [str(tmp_path / f"{name}.txt") for name in ("one", "two")]
    for path in paths:
        Path(path).write_text("said", encoding="utf-8")
    with dialogs.answer("Add data", paths):
        choose(a_window, "&Add data...")

    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLTextNode")] == ["one", "two"]


def test_no_chosen_file_adds_nothing(a_window):
    before = slicer.mrmlScene.GetNumberOfNodes()
    with dialogs.answer("Add data", dialogs.CANCEL):
        choose(a_window, "&Add data...")

    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_scene_is_saved_where_it_was_asked_for(a_window, tmp_path):
    with dialogs.answer("Save scene", tmp_path / "scene.mrb"):
        choose(a_window, "&Save scene...")

    assert (tmp_path / "scene.mrb").stat().st_size > 0


def test_without_a_file_name_no_scene_is_saved(a_window, monkeypatch):
    saved = []
    monkeypatch.setattr(slicer.util, "saveScene", saved.append)
    with dialogs.answer("Save scene", dialogs.CANCEL):
        choose(a_window, "&Save scene...")

    assert saved == []


@pytest.mark.slow
@pytest.mark.skipif(not xserver.isAvailable(), reason="needs Xvfb and xdotool")
def test_what_fails_on_the_display_fails_here():
    assert runOnDisplay(["-c", "raise SystemExit(3)"]).returncode == 3


@pytest.mark.slow
@pytest.mark.skipif(not xserver.isAvailable(), reason="needs Xvfb and xdotool")
def test_the_x_server_ends_with_its_block():
    with xserver.xServer() as display:
        alive = subprocess.run(["xdotool", "getdisplaygeometry"], env={"DISPLAY": display}, check=False)
    dead = subprocess.run(
        ["xdotool", "getdisplaygeometry"], env={"DISPLAY": display}, check=False, stderr=subprocess.DEVNULL
    )

    assert (alive.returncode, dead.returncode != 0) == (0, True)


@onDisplay
def test_a_real_click_arrives_where_it_was_made(host, a_filled_window, a_shown_volume, mouse):
    place = rasOf(a_shown_volume, MARK)
    pressed = events_of(mouse.view("Red"), "LeftButtonPressEvent")
    Pointer(host).clickRas("Red", place)

    assert [event[1] for event in pressed] == [mouse.pixel("Red", place)]


@onDisplay
def test_a_real_wheel_and_a_real_key_arrive(host, a_filled_window, mouse):
    pointer, red = Pointer(host), mouse.view("Red")
    pointer.focus(a_filled_window)
    pointer.click(red)
    events = events_of(red, "MouseWheelForwardEvent", "KeyPressEvent")
    pointer.wheel(red, 1)
    pointer.key("Delete")

    assert [event[0] for event in events] == ["MouseWheelForwardEvent", "KeyPressEvent"]
    assert events[1][2] == "Delete"


@onDisplay
def test_real_double_clicks_and_drags_arrive(host, a_filled_window, a_shown_volume, mouse):
    pointer = Pointer(host)
    doubled = events_of(mouse.view("Green"), "LeftButtonDoubleClickEvent")
    pointer.doubleClick(mouse.view("Green"))
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.CreateDefaultDisplayNodes()
    start, end = mouse.ras("Red", (200, 150)), mouse.ras("Red", (260, 220))
    points.AddControlPoint(start)
    pointer.dragRas("Red", start, end)

    assert len(doubled) == 1
    assert points.GetNthControlPointPositionWorld(0) == pytest.approx(end)


@onDisplay
def test_real_typing_arrives_in_the_panel(host, a_filled_window, a_panel):
    pointer = Pointer(host)
    edit = a_panel.findChild(QLineEdit, "edit")
    pointer.focus(a_filled_window)
    pointer.click(edit)
    pointer.type("liver 2")

    assert edit.text == "liver 2"


@onDisplay
def test_the_screenshot_is_what_the_screen_shows(host, a_filled_window):
    a_filled_window.move(0, 0)
    host.processEvents(0.3)
    picture = QImage(str(a_filled_window.screenshot(xserver.artifact("window.png"))))
    screen = QImage(str(photograph("window_on_x.png"))).copy(a_filled_window.rect)

    assert pixelsOf(screen) == pixelsOf(picture)


@onDisplay
def test_a_real_drag_from_the_data_tree_shows_a_volume(host, a_filled_window, mouse):
    volume = newVolume("plain", "Other")
    host.processEvents()
    tree = a_filled_window.dataTree()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    tree.setCurrentItem(hierarchy.GetItemByDataNode(volume))
    row = tree.visualRect(tree.currentIndex())
    Pointer(host).drag(tree.viewport(), (row.x() + 30, row.center().y()), mouse.view("Yellow"), None)

    yellow = a_filled_window.layoutManager().sliceWidget("Yellow").mrmlSliceCompositeNode()
    assert yellow.GetBackgroundVolumeID() == volume.GetID()
