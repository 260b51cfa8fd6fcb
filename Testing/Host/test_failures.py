"""What must fail a test although no exception reaches it."""

from __future__ import annotations

import pytest
import vtk
from SlicerHost import failures


@pytest.fixture(autouse=True)
def clean(host):
    yield
    failures.clear()


def test_check_raises_with_all_that_was_recorded():
    failures.record(failures.SLOT_ERROR, "one")
    failures.record(failures.VTK_ERROR, "two")
    with pytest.raises(AssertionError, match=r"(?s)2 failure.*slot error: one.*VTK error: two"):
        failures.check()


def test_check_forgets_what_it_told():
    failures.record(failures.SLOT_ERROR, "one")
    with pytest.raises(AssertionError):
        failures.check()
    failures.check()


def test_a_vtk_error_is_recorded():
    with failures.expected(failures.VTK_ERROR, "vtkImageReslice|vtkStreamingDemandDrivenPipeline"):
        vtk.vtkImageReslice().Update()


def test_a_vtk_warning_is_recorded():
    with failures.expected(failures.VTK_WARNING, "a warning of VTK"):
        vtk.vtkOutputWindow.GetInstance().DisplayWarningText("a warning of VTK")


def test_a_qt_warning_is_recorded(host):
    import qt

    widget = qt.QWidget()
    qt.QVBoxLayout(widget)
    with failures.expected(failures.QT_WARNING, "already has a layout"):
        qt.QVBoxLayout(widget)


def test_an_expected_failure_is_not_recorded():
    with failures.expected(failures.SLOT_ERROR, "one"):
        failures.record(failures.SLOT_ERROR, "number one")
    assert failures.recorded() == ()


def test_another_failure_than_the_expected_one_is_recorded():
    with failures.expected(failures.SLOT_ERROR, "one"):
        failures.record(failures.SLOT_ERROR, "one")
        failures.record(failures.SLOT_ERROR, "two")
    assert [failure.text for failure in failures.recorded()] == ["two"]


def test_an_expected_failure_must_come():
    with pytest.raises(AssertionError, match="there was none"), failures.expected(failures.SLOT_ERROR):
        pass


def test_an_error_in_the_block_is_not_hidden_by_a_missing_failure():
    with pytest.raises(ZeroDivisionError), failures.expected(failures.SLOT_ERROR):
        _ = 1 / 0
