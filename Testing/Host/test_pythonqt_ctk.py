"""The ctk stand-ins: properties, signals and slots of the C++ classes, and nothing more."""

from __future__ import annotations

import pytest
from SlicerHost import dialogs


@pytest.fixture(autouse=True)
def qt(host):
    import qt

    return qt


@pytest.fixture
def ctk(qt):
    import ctk

    return ctk


@pytest.fixture
def calls():
    return []


@pytest.fixture
def section(qt, ctk):
    """A shown panel with a section that holds a label and a hidden check box."""
    panel = qt.QWidget()
    section = ctk.ctkCollapsibleButton()
    section.text = "Case"
    qt.QVBoxLayout(panel).addWidget(section)
    form = qt.QFormLayout(section)
    label, box = qt.QLabel("image"), qt.QCheckBox("expert")
    label.name, box.name = "label", "box"
    form.addRow(label)
    form.addRow(box)
    box.setVisible(False)
    panel.show()
    yield section
    panel.delete()


@pytest.mark.parametrize("name", ["setRange", "spinBox", "slider", "_spin", "_onSlider"])
def test_what_pythonqt_cannot_call_is_not_there(ctk, name):
    assert not hasattr(ctk.ctkSliderWidget(), name)


def test_collapsing_hides_the_children(section):
    section.collapsed = True
    assert not section.label.visible


def test_expanding_shows_again_what_was_shown(section):
    section.collapsed = True
    section.collapsed = False
    assert section.label.visible
    assert not section.box.visible


def test_what_is_shown_while_collapsed_appears_after_expanding(section):
    section.collapsed = True
    section.box.setVisible(True)
    assert not section.box.visible
    section.collapsed = False
    assert section.box.visible


def test_collapsing_is_signalled(section, calls):
    section.connect("contentsCollapsed(bool)", calls.append)
    section.checked = False
    assert calls == [True]


def test_a_collapsed_section_is_lower(section):
    before = section.sizeHint.height()
    section.collapsed = True
    assert section.sizeHint.height() < before


def test_a_slider_keeps_its_value_in_range(ctk):
    slider = ctk.ctkSliderWidget()
    slider.maximum = 5
    slider.value = 9
    assert slider.value == 5


def test_a_slider_signals_its_value_once(ctk, calls):
    slider = ctk.ctkSliderWidget()
    slider.connect("valueChanged(double)", calls.append)
    slider.value = 2.5
    assert calls == [2.5]


def test_a_slider_rounds_to_its_decimals(ctk):
    slider = ctk.ctkSliderWidget()
    slider.decimals = 1
    slider.value = 2.44
    assert slider.value == pytest.approx(2.4)


def test_the_range_of_a_slider_stays_a_range(ctk):
    slider = ctk.ctkSliderWidget()
    slider.minimum = 200
    assert (slider.minimum, slider.maximum, slider.value) == (200, 200, 200)


@pytest.mark.parametrize("name", ["ctkRangeWidget", "ctkDoubleRangeSlider"])
def test_a_range_signals_both_values(ctk, calls, name):
    widget = getattr(ctk, name)()
    widget.connect("valuesChanged(double,double)", lambda low, high: calls.append((low, high)))
    widget.setValues(3, 8)
    assert calls == [(3.0, 8.0)]
    assert (widget.minimumValue, widget.maximumValue) == (3.0, 8.0)


@pytest.mark.parametrize("name", ["ctkRangeWidget", "ctkDoubleRangeSlider"])
def test_the_ends_of_a_range_do_not_cross(ctk, name):
    widget = getattr(ctk, name)()
    widget.maximumValue = 10
    widget.minimumValue = 20
    assert (widget.minimumValue, widget.maximumValue) == (10.0, 10.0)


def test_a_path_is_signalled(ctk, calls):
    edit = ctk.ctkPathLineEdit()
    edit.connect("currentPathChanged(QString)", calls.append)
    edit.currentPath = "a/b"
    assert calls == ["a/b"]


def test_a_path_that_is_there_is_valid_input(ctk, calls, tmp_path):
    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Dirs
    edit.connect("validInputChanged(bool)", calls.append)
    edit.currentPath = str(tmp_path)
    edit.currentPath = str(tmp_path / "nowhere")
    assert calls == [True, False]


@pytest.mark.parametrize(
    ("filters", "dialog"),
    [
        (("Dirs",), "getExistingDirectory"),
        (("Files",), "getOpenFileName"),
        (("Files", "Writable"), "getSaveFileName"),
    ],
)
def test_browsing_opens_the_dialog_that_the_filters_ask_for(ctk, tmp_path, filters, dialog):
    edit = ctk.ctkPathLineEdit()
    edit.filters = sum(getattr(ctk.ctkPathLineEdit, name) for name in filters)
    with dialogs.answer(dialog, tmp_path):
        edit.browse()
    assert edit.currentPath == str(tmp_path)


def test_a_colour_is_chosen_in_a_dialog(qt, ctk, calls):
    button = ctk.ctkColorPickerButton()
    button.connect("colorChanged(QColor)", lambda colour: calls.append(colour.name()))
    with dialogs.answer("getColor", "#00ff00"):
        button.click()
    assert calls == ["#00ff00"]
    assert button.color.name() == "#00ff00"


def test_the_default_text_shows_without_a_current_item(ctk):
    combo = ctk.ctkComboBox()
    combo.addItem("liver")
    combo.resize(200, 30)
    combo.currentIndex = -1
    empty = combo.grab().toImage()
    combo.defaultText = "Select a class..."
    assert combo.grab().toImage() != empty


def test_an_item_is_selected_by_its_data(ctk):
    combo = ctk.ctkComboBox()
    combo.addItem("Liver", "10200004")
    combo.addItem("Spleen", "78961009")
    combo.setCurrentUserDataAsString("78961009")
    assert combo.currentText == "Spleen"


def test_a_wheel_that_is_switched_off_changes_nothing(qt, ctk):
    combo = ctk.ctkComboBox()
    for text in "abc":
        combo.addItem(text)
    combo.scrollWheelEffect = ctk.ctkComboBox.NeverScroll
    point = qt.QPointF(5, 5)
    wheel = qt.QWheelEvent(
        point,
        point,
        qt.QPoint(),
        qt.QPoint(0, -120),
        qt.Qt.NoButton,
        qt.Qt.NoModifier,
        qt.Qt.NoScrollPhase,
        False,
    )
    qt.QCoreApplication.sendEvent(combo, wheel)
    assert combo.currentIndex == 0
    combo.scrollWheelEffect = ctk.ctkComboBox.AlwaysScroll
    qt.QCoreApplication.sendEvent(combo, wheel)
    assert combo.currentIndex == 1


def test_a_message_box_shows_its_text_and_buttons(qt, ctk):
    box = ctk.ctkMessageBox()
    box.text = "Delete the segment?"
    box.standardButtons = qt.QMessageBox.Yes | qt.QMessageBox.No
    with dialogs.answer("Delete the segment", "No"):
        assert box.exec_() == qt.QMessageBox.No


def test_a_menu_button_opens_its_menu_by_the_arrow_only(qt, ctk, calls):
    button = ctk.ctkMenuButton("Add")
    button.resize(120, 30)
    button.connect("clicked()", lambda: calls.append("clicked"))
    qt.QTest.mouseClick(button, qt.Qt.LeftButton, qt.Qt.NoModifier, qt.QPoint(20, 15))
    qt.QTest.mouseClick(button, qt.Qt.LeftButton, qt.Qt.NoModifier, qt.QPoint(115, 15))
    assert calls == ["clicked"]


def test_a_search_box_can_be_cleared(ctk):
    box = ctk.ctkSearchBox()
    box.text = "liver"
    assert box.clearButtonEnabled
    box.clear()
    assert box.text == ""


@pytest.mark.parametrize(
    "name", ["ctkCollapsibleGroupBox", "ctkDirectoryButton", "ctkFittedTextBrowser", "ctkCheckBox"]
)
def test_the_other_stand_ins_can_be_shown(ctk, name):
    widget = getattr(ctk, name)()
    assert not widget.grab().isNull()
