"""What is said while acts are at work is still to be read when they are done."""

from __future__ import annotations

import panel_fixtures
import pytest
import slicer
from KPrismSlicerLib.Events import ActDone, ActFailed, ActResult, ActStarted, BusyChanged, MessageShown

from KPrismCore.errors import ProtectedError

a_logic, a_panel = panel_fixtures.a_logic, panel_fixtures.a_panel
an_interaction, an_environment = panel_fixtures.an_interaction, panel_fixtures.an_environment
a_case = panel_fixtures.a_case
NOTE = "Another tool changed accepted slices of 'liver'; they are open again."


def act(logic, *notes):
    logic.tell(ActStarted("click"))
    for note in notes:
        logic.tell(MessageShown(note))
    logic.tell(ActDone(ActResult("click", "one", seconds=0.08)))


def test_what_is_said_during_an_act_stays_beside_its_outcome(a_panel, a_logic):
    a_logic.busy = True
    act(a_logic, NOTE)
    assert a_panel.ui.resultText.text == f"Click \u00b7 80 ms\n{NOTE}"


def test_what_is_said_during_an_act_stays_while_others_wait(a_panel, a_logic):
    a_logic.busy = True
    act(a_logic, NOTE)
    act(a_logic)
    assert a_panel.ui.resultText.text == f"Click \u00b7 80 ms\n{NOTE}"


def test_what_was_said_goes_with_the_next_act(a_panel, a_logic):
    a_logic.busy = True
    act(a_logic, NOTE)
    a_logic.tell(BusyChanged(False))
    act(a_logic)
    assert a_panel.ui.resultText.text == "Click \u00b7 80 ms"


def test_what_is_said_of_an_act_that_is_dropped_stays(a_panel, a_logic):
    a_logic.busy = True
    a_logic.tell(ActStarted("click"))
    a_logic.tell(MessageShown(NOTE))
    a_logic.tell(BusyChanged(False))
    assert a_panel.ui.resultText.text == NOTE


def test_a_sentence_is_not_repeated(a_panel, a_logic):
    a_logic.busy = True
    act(a_logic, NOTE, NOTE)
    assert a_panel.ui.resultText.text.count(NOTE) == 1


def test_an_error_stays_beside_the_outcomes_of_acts_that_were_asked_for_before_it(a_panel, a_logic):
    a_logic.outcomesToCome = 2
    a_logic.tell(ActFailed(ProtectedError("This slice is accepted.", "Open it.")))
    shown = []
    for _time in range(3):
        act(a_logic)
        shown.append(a_panel.ui.errorBar.visible)
    assert shown == [True, True, False]


@pytest.mark.parametrize("button", ["newSegmentationButton", "newSegmentButton"])
def test_what_was_wrong_with_a_segment_goes_with_a_new_one(a_panel, a_case, button):
    a_panel.showError(ProtectedError("The segment 'liver' is locked.", "Unlock it first."))
    getattr(a_panel.ui, button).click()
    assert not a_panel.ui.errorBar.visible


def test_what_was_wrong_with_a_segment_goes_when_another_is_chosen(a_panel, a_case):
    a_panel.showError(ProtectedError("The segment 'liver' is locked.", "Unlock it first."))
    a_panel.ui.segmentSelector.activated.emit(1)
    assert not a_panel.ui.errorBar.visible


def test_an_error_goes_with_the_next_act_once_all_before_it_are_over(a_panel, a_logic):
    a_logic.outcomesToCome = 2
    a_logic.tell(ActFailed(ProtectedError("This slice is accepted.", "Open it.")))
    a_logic.tell(BusyChanged(False))
    act(a_logic)
    assert not a_panel.ui.errorBar.visible


def test_the_status_line_of_slicer_gets_one_line(a_panel, a_logic, monkeypatch):
    shown = []
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda text, _duration: shown.append(text))
    a_logic.busy = True
    act(a_logic, NOTE)
    assert shown[-1] == f"Click \u00b7 80 ms \u00b7 {NOTE}"
