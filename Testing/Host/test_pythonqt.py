"""PythonQt's semantics of attributes: what works in 3D Slicer works here, what fails there fails here."""

from __future__ import annotations

import contextlib
import sys

import pytest
from SlicerHost import failures, pythonqt


@pytest.fixture(autouse=True)
def qt(host):
    import qt

    return qt


@pytest.fixture
def label(qt):
    return qt.QLabel("liver")


@pytest.fixture
def panel(qt):
    """A widget with a button named `load`, and a label named `state` below a group box."""
    panel = qt.QWidget()
    button = qt.QPushButton("Load", panel)
    button.objectName = "load"
    box = qt.QGroupBox(panel)
    state = qt.QLabel("ready", box)
    state.objectName = "state"
    return panel


def test_a_property_is_read_without_parentheses(label):
    assert label.text == "liver"


def test_a_property_is_written_by_assignment(label):
    label.text = "spleen"
    assert label.text == "spleen"


def test_a_property_cannot_be_called(label):
    with pytest.raises(TypeError):
        label.text()


def test_a_setter_that_is_a_slot_can_be_called(label):
    label.setText("spleen")
    assert label.text == "spleen"


def test_a_size_hint_is_a_property_too(label):
    assert label.sizeHint.width() > 0
    assert label.minimumSizeHint.width() > 0
    with pytest.raises(TypeError):
        label.sizeHint()


def test_a_python_class_can_override_a_size_hint(qt):
    class Wide(qt.QWidget):
        def sizeHint(self):  # noqa: N802
            return qt.QSize(321, 20)

    parent = qt.QWidget()
    qt.QVBoxLayout(parent).addWidget(Wide())
    assert parent.sizeHint.width() >= 321


def test_an_unknown_attribute_of_a_cpp_object_cannot_be_set(label):
    with failures.expected(failures.UNKNOWN_ATTRIBUTE, "txt"), pytest.raises(AttributeError, match="txt"):
        label.txt = "spleen"


def test_an_unknown_attribute_stays_recorded_when_the_error_is_swallowed(label):
    with failures.expected(failures.UNKNOWN_ATTRIBUTE, "txt"), contextlib.suppress(AttributeError):
        label.txt = "spleen"


def test_an_unknown_attribute_of_a_value_type_cannot_be_set(qt):
    with failures.expected(failures.UNKNOWN_ATTRIBUTE, "note"), pytest.raises(AttributeError):
        qt.QColor("red").note = 1


def test_an_unknown_attribute_cannot_be_read(label):
    with pytest.raises(AttributeError, match="QLabel has no attribute named 'txt'"):
        _ = label.txt


def test_asking_for_an_unknown_attribute_is_no_failure(label):
    assert not hasattr(label, "txt")
    assert failures.recorded() == ()


@pytest.mark.parametrize("name", ["setText", "parent", "linkActivated"])
def test_a_method_or_signal_cannot_be_overwritten(label, name):
    with (
        failures.expected(failures.UNKNOWN_ATTRIBUTE, name),
        pytest.raises(AttributeError, match="overwritten"),
    ):
        setattr(label, name, print)


def test_a_read_only_property_cannot_be_written(label):
    with pytest.raises(AttributeError, match="not writable"):
        label.width = 3


@pytest.mark.parametrize("value", ["five", None, object()])
def test_a_number_property_refuses_what_is_no_number(qt, value):
    with pytest.raises(AttributeError, match="does not accept"):
        qt.QSpinBox().value = value


def test_a_whole_number_property_cuts_a_fraction(qt):
    box = qt.QSpinBox()
    box.value = 3.9
    assert box.value == 3


def test_a_text_property_refuses_none(label):
    with pytest.raises(AttributeError, match="does not accept"):
        label.text = None


def test_a_text_property_takes_a_number(label):
    label.text = 5
    assert label.text == "5"


def test_a_truth_property_takes_a_number(label):
    label.enabled = 0
    assert label.enabled is False


def test_an_enum_property_takes_a_number_and_compares_with_the_name(qt, label):
    label.alignment = 2
    assert label.alignment == qt.Qt.AlignRight


def test_an_enum_counts_as_its_number(qt):
    assert int(qt.Qt.LeftButton) == 1
    assert qt.Qt.LeftButton == 1


def test_enums_of_different_kinds_are_different(qt):
    assert qt.Qt.LeftButton != qt.QPalette.Button


def test_a_text_list_arrives_as_a_tuple(qt):
    browser = qt.QTextBrowser()
    browser.searchPaths = ["a", "b"]
    assert browser.searchPaths == ("a", "b")


def test_item_data_of_a_combo_box_keeps_python_objects(qt):
    combo = qt.QComboBox()
    data = {"code": [1, 2]}
    combo.addItem("liver", data)
    assert combo.currentData == data


def test_name_is_the_object_name(label):
    label.name = "organ"
    assert (label.objectName, label.name) == ("organ", "organ")


def test_class_name_is_the_cpp_class(label):
    assert label.className() == "QLabel"


def test_a_dynamic_property_is_an_attribute(label):
    label.setProperty("SlicerParameterName", "volume")
    assert label.SlicerParameterName == "volume"
    label.SlicerParameterName = "other"
    assert label.property("SlicerParameterName") == "other"


def test_a_child_is_an_attribute_of_its_parent(panel):
    assert panel.load.text == "Load"


def test_a_grandchild_is_no_attribute(panel):
    assert not hasattr(panel, "state")


def test_children_come_as_a_tuple(panel):
    assert [child.className() for child in panel.children()] == ["QPushButton", "QGroupBox"]
    assert isinstance(panel.children(), tuple)


@pytest.mark.parametrize("kind", ["QLabel", "class"])
def test_a_child_is_found_at_any_depth_by_class_and_name(qt, panel, kind):
    wanted = qt.QLabel if kind == "class" else kind
    assert panel.findChild(wanted, "state").text == "ready"
    assert panel.findChild(wanted, "load") is None


def test_children_are_found_by_regular_expression(qt, panel):
    found = panel.findChildren(qt.QWidget, qt.QRegularExpression("^(load|state)$"))
    assert [each.name for each in found] == ["load", "state"]


def test_a_deleted_object_is_gone(qt):
    parent = qt.QWidget()
    qt.QLabel("a", parent).delete()
    assert parent.children() == ()


def test_a_python_class_has_attributes_of_its_own(qt):
    class Card(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.reference = 3

    assert Card().reference == 3


def test_a_python_class_still_has_its_properties(qt):
    class Card(qt.QLabel):
        pass

    card = Card("a")
    card.text = "b"
    assert card.text == "b"


def test_a_python_class_cannot_take_the_name_of_a_method(qt):
    class Card(qt.QWidget):
        pass

    with failures.expected(failures.UNKNOWN_ATTRIBUTE, "parent"), pytest.raises(AttributeError):
        Card().parent = None


def test_dialogs_have_the_old_name_of_exec_too(qt):
    assert callable(qt.QDialog().exec_)


def test_pyside_keeps_its_own_semantics_for_host_code(label):
    assert pythonqt.speaksPySide("SlicerHost.anything")
    assert pythonqt.speaksPySide("vtkmodules.qt.QVTKRenderWindowInteractor")
    assert not pythonqt.speaksPySide("KPrismSlicerLib.Widget")


def test_a_module_can_be_given_pyside_semantics(label):
    code = compile("text = label.text()", "host_like.py", "exec")
    scope = {"__name__": "host_like", "label": label}
    pythonqt.speakPySide("host_like")
    exec(code, scope)
    assert scope["text"] == "liver"


@pytest.mark.parametrize("name", ["Signal", "Slot", "Property", "QtMsgType"])
def test_qt_lacks_what_only_pyside_has(qt, name):
    assert not hasattr(qt, name)


@pytest.mark.parametrize(
    "name", ["QShortcut", "QKeySequence", "QTimer", "QSettings", "QUiLoader", "QDrag", "Qt"]
)
def test_qt_has_classes_of_all_qt_libraries(qt, name):
    assert hasattr(qt, name)


@pytest.mark.parametrize("constant", [None, True, False])
def test_pyside_cannot_use_up_the_constants_of_python(constant):
    assert sys.getrefcount(constant) > 1 << 30
