"""The keys: they work in the module only, never in a text field, and leave no trace."""

from __future__ import annotations

from collections import Counter

import pytest
from interaction_fixtures import *  # noqa: F403
from interaction_fixtures import placed
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.Shortcuts import Shortcut, Shortcuts, isTextField
from PySide6.QtTest import QTest
from SlicerHost.samples import MARK, rasOf

import qt  # isort: skip
import slicer  # isort: skip

CTRL = qt.Qt.ControlModifier
SHIFT = qt.Qt.ShiftModifier
PLAIN = qt.Qt.NoModifier


@pytest.fixture
def window(host):
    """A main window with a menu, a text field, a text box and a button, that has the keyboard."""
    made = qt.QMainWindow()
    middle = qt.QWidget()
    made.setCentralWidget(middle)
    box = qt.QVBoxLayout(middle)
    for class_, name in ((qt.QLineEdit, "field"), (qt.QPlainTextEdit, "box"), (qt.QPushButton, "button")):
        widget = class_()
        widget.objectName = name
        box.addWidget(widget)
    made.show()
    made.activateWindow()
    host.waitUntil(lambda: qt.QApplication.activeWindow() is not None)
    child(made, "button").setFocus()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def interaction(layout_manager, a_logic, window):
    """Entered; its keys work in the window."""
    made = Interaction(a_logic, layout_manager, window)
    made.enter()
    yield made
    made.cleanup()


@pytest.fixture
def pressed():
    """What the key of `one_shortcut` did."""
    return []


@pytest.fixture
def one_shortcut(window, pressed):
    made = Shortcuts([Shortcut(("Ctrl+Z", "Return"), "Do it", lambda: pressed.append(1))], window)
    made.enable()
    yield made
    made.disable()


def child(window, name):
    return slicer.util.findChild(window, name)


def type_key(window, key, modifiers=PLAIN):
    """Press a key in the widget that has the focus."""
    QTest.keyClick(qt.QApplication.focusWidget() or window, key, modifiers)


TOOLS = [(qt.Qt.Key_P, "positive"), (qt.Qt.Key_N, "negative"), (qt.Qt.Key_X, "positive")]


@pytest.mark.parametrize(("key", "tool"), TOOLS)
def test_a_letter_takes_a_tool(interaction, window, key, tool):
    type_key(window, key)
    assert interaction.tool == tool


@pytest.fixture
def second_monitor(host, window):
    """Another window, as a layout has for views on a second monitor, that has the keyboard."""
    made = qt.QMainWindow()
    made.show()
    made.activateWindow()
    host.waitUntil(lambda: qt.QApplication.activeWindow() == made)
    yield made
    made.close()
    made.deleteLater()


def test_a_key_acts_once_in_each_of_several_windows(one_shortcut, pressed, second_monitor):
    for _time in range(2):
        one_shortcut.enable([second_monitor])
    QTest.keyClick(second_monitor, qt.Qt.Key_Return)
    assert pressed == [1]


def test_keys_are_made_for_windows_of_slice_views_and_go_at_exit(interaction, layout_manager, host):
    views = layout_manager.sliceWidget("Red").window()
    made = len(views.findChildren(qt.QShortcut))
    interaction.exit()
    host.processEvents(0.05)
    assert made == sum(len(entry.keys) for entry in interaction.shortcuts.entries)
    assert len(views.findChildren(qt.QShortcut)) == 0


def test_x_changes_the_polarity(interaction, window):
    interaction.setTool("positive")
    type_key(window, qt.Qt.Key_X)
    assert interaction.tool == "negative"


def test_escape_puts_the_tool_down(interaction, window):
    interaction.setTool("negative")
    type_key(window, qt.Qt.Key_Escape)
    assert interaction.tool == "none"


ACTS = [
    (qt.Qt.Key_Z, CTRL, "undo"),
    (qt.Qt.Key_Y, CTRL, "redo"),
    (qt.Qt.Key_Z, CTRL | SHIFT, "redo"),
    (qt.Qt.Key_Delete, SHIFT, "clearSlice"),
    (qt.Qt.Key_S, PLAIN, "predictSlice"),
    (qt.Qt.Key_A, PLAIN, "addSliceAsReference"),
    (qt.Qt.Key_C, PLAIN, "checkNext"),
    (qt.Qt.Key_Return, PLAIN, "accept"),
    (qt.Qt.Key_Enter, PLAIN, "accept"),
]


@pytest.mark.parametrize(("key", "modifiers", "act"), ACTS)
def test_a_key_asks_for_its_act_once(interaction, a_logic, window, key, modifiers, act):
    type_key(window, key, modifiers)
    assert [name for name, _arguments in a_logic.calls] == [act]


@pytest.mark.parametrize("key", [qt.Qt.Key_Delete, qt.Qt.Key_Backspace])
def test_delete_removes_the_click_under_the_mouse(layout_manager, mouse, a_volume, a_logic, window, key):
    made = Interaction(a_logic, layout_manager, window)
    made.enter()
    a_logic.place(placed(rasOf(a_volume, MARK)))
    mouse.hover("Red", rasOf(a_volume, MARK))
    type_key(window, key)
    made.cleanup()
    assert a_logic.asked == [("removeClick", ("click-1",))]


def test_acts_are_about_the_view_of_the_mouse(layout_manager, mouse, interaction, a_logic, a_volume, window):
    mouse.move("Green", (30, 30))
    type_key(window, qt.Qt.Key_S)
    assert a_logic.calls[-1] == ("predictSlice", (layout_manager.sliceWidget("Green").mrmlSliceNode(),))


def test_no_key_is_given_twice(interaction):
    keys = [qt.QKeySequence(key).toString() for entry in interaction.shortcuts.entries for key in entry.keys]
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_no_key_of_slicers_views_is_taken(interaction):
    # g t v r f b, arrows and brackets mean something to a slice view
    keys = {key for entry in interaction.shortcuts.entries for key in entry.keys}
    assert not keys & {*"GTVRFB[]{}", "Left", "Right", "Up", "Down"}


def test_every_key_says_what_it_does(interaction):
    assert all(entry.text for entry in interaction.shortcuts.entries)


def test_before_entering_keys_do_nothing(layout_manager, a_logic, window):
    Interaction(a_logic, layout_manager, window)
    type_key(window, qt.Qt.Key_S)
    assert a_logic.calls == []


def test_after_exit_keys_do_nothing(interaction, a_logic, window):
    interaction.exit()
    type_key(window, qt.Qt.Key_S)
    assert a_logic.calls == []


def test_after_exit_no_shortcut_is_left(host, interaction, window):
    before = slicer.util.findChildren(window, className="QShortcut")
    interaction.exit()
    host.processEvents()
    assert (bool(before), slicer.util.findChildren(window, className="QShortcut")) == (True, [])


def test_entered_twice_a_key_acts_once(interaction, a_logic, window):
    interaction.enter()
    type_key(window, qt.Qt.Key_S)
    assert len(a_logic.calls) == 1


def test_without_a_window_there_are_no_keys(layout_manager, a_logic):
    made = Interaction(a_logic, layout_manager)
    made.enter()
    assert not made.shortcuts.isEnabled
    made.cleanup()


def test_what_is_typed_into_a_text_field_is_text(interaction, a_logic, window):
    field = child(window, "field")
    field.setFocus()
    QTest.keyClicks(field, "spanx")
    assert (field.text, interaction.tool, a_logic.calls) == ("spanx", "none", [])


@pytest.mark.parametrize("name", ["field", "box"])
@pytest.mark.parametrize(("key", "modifiers"), [(key, modifiers) for key, modifiers, _act in ACTS])
def test_no_key_acts_in_a_text_field(interaction, a_logic, window, name, key, modifiers):
    child(window, name).setFocus()
    type_key(window, key, modifiers)
    assert a_logic.calls == []


def test_return_still_ends_a_text_field(one_shortcut, pressed, window):
    entered = []
    field = child(window, "field")
    field.connect("returnPressed()", lambda: entered.append(1))
    field.setFocus()
    type_key(window, qt.Qt.Key_Return)
    assert (entered, pressed) == ([1], [])


def test_ctrl_z_in_a_text_field_undoes_the_typing(one_shortcut, pressed, window):
    field = child(window, "field")
    field.setFocus()
    QTest.keyClicks(field, "abc")
    type_key(window, qt.Qt.Key_Z, CTRL)
    assert (field.text, pressed) == ("", [])


def test_after_a_text_field_the_keys_work_again(one_shortcut, pressed, window):
    child(window, "field").setFocus()
    child(window, "button").setFocus()
    type_key(window, qt.Qt.Key_Z, CTRL)
    assert pressed == [1]


def test_entering_with_the_focus_in_a_text_field_the_keys_sleep(window, pressed):
    child(window, "field").setFocus()
    made = Shortcuts([Shortcut(("Return",), "Do it", lambda: pressed.append(1))], window)
    made.enable()
    type_key(window, qt.Qt.Key_Return)
    made.disable()
    assert pressed == []


@pytest.fixture
def menu_action(window):
    """An action of the window with the key Ctrl+Z, as those of Slicer's menus."""
    action = qt.QAction("Undo", window)
    action.shortcut = qt.QKeySequence("Ctrl+Z")
    window.addAction(action)
    return action


def test_a_key_that_a_menu_has_too_always_acts_here(menu_action, one_shortcut, pressed, window):
    for _ in range(4):
        type_key(window, qt.Qt.Key_Z, CTRL)
    assert pressed == [1] * 4


def test_afterwards_the_menu_has_its_key_again(menu_action, one_shortcut, pressed, window):
    ran = []
    menu_action.connect("triggered()", lambda: ran.append(1))
    one_shortcut.disable()
    type_key(window, qt.Qt.Key_Z, CTRL)
    assert (ran, pressed) == ([1], [])


@pytest.fixture
def foreign_key(window):
    """What the same key did for another module that never gave it back."""
    ran = []
    other = qt.QShortcut(qt.QKeySequence("Ctrl+Z"), window)
    other.connect("activated()", lambda: ran.append(1))
    return ran


def test_a_key_that_another_module_kept_always_acts_here(foreign_key, one_shortcut, pressed, window):
    for _ in range(4):
        type_key(window, qt.Qt.Key_Z, CTRL)
    assert (pressed, foreign_key) == ([1] * 4, [])


def test_afterwards_the_other_module_has_its_key_again(foreign_key, one_shortcut, pressed, window):
    one_shortcut.disable()
    type_key(window, qt.Qt.Key_Z, CTRL)
    assert (pressed, foreign_key) == ([], [1])


def test_an_entry_of_a_menu_gives_up_its_key(window):
    action = window.menuBar().addMenu("Edit").addAction("Undo")
    action.shortcut = qt.QKeySequence("Ctrl+Z")
    made = Shortcuts([Shortcut(("Ctrl+Z",), "Do it", lambda: None)], window)
    made.enable()
    during = action.shortcut.toString()
    made.disable()
    assert (during, action.shortcut.toString()) == ("", "Ctrl+Z")


def test_other_keys_of_the_menu_stay(window, menu_action):
    menu_action.shortcut = qt.QKeySequence("Ctrl+O")
    made = Shortcuts([Shortcut(("Ctrl+Z",), "Do it", lambda: None)], window)
    made.enable()
    kept = menu_action.shortcut.toString()
    made.disable()
    assert kept == "Ctrl+O"


FIELDS = [
    (qt.QLineEdit, True), (qt.QTextEdit, True), (qt.QPlainTextEdit, True), (qt.QSpinBox, True),
    (qt.QDoubleSpinBox, True), (qt.QPushButton, False), (qt.QComboBox, False), (qt.QTreeView, False),
]  # fmt: skip


@pytest.mark.parametrize(("class_", "is_text"), FIELDS)
def test_text_fields_are_told_from_other_widgets(host, class_, is_text):
    assert isTextField(class_()) is is_text


def test_a_dropdown_to_type_in_is_a_text_field(host):
    box = qt.QComboBox()
    box.editable = True
    assert isTextField(box)


def test_nowhere_is_no_text_field():
    assert not isTextField(None)
