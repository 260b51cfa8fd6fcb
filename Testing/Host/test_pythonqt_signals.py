"""Signals as PythonQt has them."""

from __future__ import annotations

import gc
import threading

import pytest
import vtk
from SlicerHost import failures


@pytest.fixture(autouse=True)
def qt(host):
    import qt

    return qt


@pytest.fixture
def button(qt):
    button = qt.QPushButton("Load")
    button.setCheckable(True)
    return button


@pytest.fixture
def calls():
    return []


def fail(*_):
    raise ValueError("in a slot")


def test_a_signal_connects_by_its_signature(button, calls):
    assert button.connect("clicked()", lambda: calls.append("clicked")) is True
    button.click()
    assert calls == ["clicked"]


def test_a_signal_connects_as_an_attribute(button, calls):
    button.toggled.connect(calls.append)
    button.click()
    assert calls == [True]


def test_a_slot_gets_the_arguments_of_the_signature(button, calls):
    button.connect("clicked(bool)", lambda *given: calls.append(given))
    button.connect("clicked()", lambda *given: calls.append(given))
    button.click()
    assert calls == [(True,), ()]


def test_a_slot_gets_no_more_arguments_than_it_takes(button, calls):
    button.connect("clicked(bool)", lambda: calls.append("none"))
    button.click()
    assert calls == ["none"]


def test_a_slot_with_too_many_arguments_is_an_error(button):
    with failures.expected(failures.SLOT_ERROR, "missing 1 required positional argument"):
        button.connect("clicked()", lambda checked: checked)
        button.click()


@pytest.mark.parametrize("signature", ["clickd()", "clicked(int)", "clicked"])
def test_an_unknown_signal_gives_false_and_is_recorded(button, signature):
    with failures.expected(failures.UNKNOWN_SIGNAL, "does not exist on QPushButton"):
        assert button.connect(signature, print) is False


def test_the_signature_need_not_be_normalized(qt, calls):
    box = qt.QLineEdit()
    assert box.connect("textChanged( const QString & )", calls.append)
    box.text = "liver"
    assert calls == ["liver"]


def test_a_signal_connects_to_a_slot_by_signature(qt, button):
    label = qt.QLabel()
    label.setEnabled(False)
    button.connect("toggled(bool)", label, "setEnabled(bool)")
    button.click()
    assert label.enabled


def test_an_unknown_slot_is_recorded(qt, button):
    with failures.expected(failures.UNKNOWN_SIGNAL, "setEnable"):
        assert button.connect("toggled(bool)", qt.QLabel(), "setEnable(bool)") is False


def test_a_signal_connects_to_the_method_of_a_widget(qt, button):
    label = qt.QLabel()
    button.toggled.connect(label.setDisabled)
    button.click()
    assert not label.enabled


def test_a_disconnected_slot_is_not_called(button, calls):
    button.connect("toggled(bool)", calls.append)
    assert button.disconnect("toggled(bool)", calls.append) is True
    button.click()
    assert calls == []


def test_disconnecting_what_is_not_connected_gives_false(button, calls):
    assert button.disconnect("toggled(bool)", calls.append) is False


def test_the_two_forms_of_connecting_know_each_other(button, calls):
    button.connect("toggled(bool)", calls.append)
    assert button.toggled.disconnect(calls.append) is True
    button.click()
    assert calls == []


def test_without_a_slot_all_are_disconnected(button, calls):
    button.connect("toggled(bool)", calls.append)
    button.connect("toggled(bool)", lambda _on: calls.append("second"))
    button.disconnect("toggled(bool)")
    button.click()
    assert calls == []


def test_a_bound_method_disconnects_although_python_makes_it_anew(button, calls):
    class Panel:
        def on_toggled(self, on):
            calls.append(on)

    panel = Panel()
    button.toggled.connect(panel.on_toggled)
    button.toggled.disconnect(panel.on_toggled)
    button.click()
    assert calls == []


def test_a_connection_keeps_its_slot_alive(button, calls):
    class Panel:
        def on_toggled(self, on):
            calls.append(on)

    button.toggled.connect(Panel().on_toggled)
    gc.collect()
    button.click()
    assert calls == [True]


def test_an_error_in_a_slot_is_recorded_and_does_not_propagate(button, calls):
    button.connect("clicked()", fail)
    button.connect("clicked()", lambda: calls.append("next"))
    with failures.expected(failures.SLOT_ERROR, "ValueError: in a slot"):
        button.click()
    assert calls == ["next"]


def test_an_error_in_a_single_shot_is_recorded(qt, host):
    qt.QTimer.singleShot(0, fail)
    with failures.expected(failures.SLOT_ERROR, "in a slot"):
        qt.QCoreApplication.processEvents()


def test_an_error_in_an_overridden_qt_method_is_recorded(qt):
    class Broken(qt.QWidget):
        def resizeEvent(self, event):  # noqa: N802
            fail()

    widget = Broken()
    with failures.expected(failures.SLOT_ERROR, "in a slot"):
        widget.resize(50, 60)
        widget.grab()


def test_an_error_in_a_vtk_observer_is_recorded():
    watched = vtk.vtkObject()
    watched.AddObserver("ModifiedEvent", fail)
    with failures.expected(failures.UNCAUGHT_ERROR, "in a slot"):
        watched.Modified()


def test_an_error_in_a_thread_is_recorded():
    with failures.expected(failures.UNCAUGHT_ERROR, "in a slot"):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()


def test_a_signal_can_be_emitted_from_python(button, calls):
    button.connect("clicked(bool)", calls.append)
    button.clicked(True)
    button.clicked.emit(False)
    assert calls == [True, False]


def test_connections_end_with_their_sender(qt):
    from SlicerHost import signals

    button = qt.QPushButton()
    button.connect("clicked()", print)
    address = signals.addressOf(button)
    assert address in signals._connections
    button.delete()
    assert address not in signals._connections
