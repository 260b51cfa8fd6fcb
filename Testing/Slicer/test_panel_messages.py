"""What is said while acts are at work is still to be read when they are done."""

from __future__ import annotations

import panel_fixtures
from KPrismSlicerLib.Events import ActDone, ActResult, ActStarted, BusyChanged, MessageShown

a_logic, a_panel = panel_fixtures.a_logic, panel_fixtures.a_panel
an_interaction, an_environment = panel_fixtures.an_interaction, panel_fixtures.an_environment
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
