"""The panel as a whole: what it shows of the logic's events, and what its buttons ask for."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import panel_fixtures
import pytest
import qt
import slicer
from KPrismSlicerLib.Events import (
    ActDone,
    ActFailed,
    ActResult,
    ActStarted,
    BusyChanged,
    CaseChanged,
    HistoryChanged,
    MessageShown,
    ModelChanged,
    ModelState,
    PlacedClick,
    PromptsChanged,
)
from SlicerHost import dialogs, failures

from KPrismCore.errors import ProtectedError

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
)  # fmt: skip
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case


def a_result(confidence=0.93):
    added, removed = np.zeros((8, 8), dtype=bool), np.zeros((8, 8), dtype=bool)
    added[2:4, 2:5] = True
    removed[0, 0] = True
    return ActResult("click", "one", "plane", added, removed, confidence, 0.084)


def test_opening_the_panel_does_not_import_torch():
    code = (
        "import sys; sys.path[:0] = ['Testing', 'KPrismSlicer', '.']\n"
        "from SlicerHost.boot import boot; boot()\n"
        "import KPrismSlicerLib.Widget\n"
        "sys.exit('torch' in sys.modules)"
    )
    import subprocess
    from pathlib import Path

    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0


def test_only_the_case_is_open_at_first(a_panel):
    ui = a_panel.ui
    closed = [ui.whatSection, ui.whereSection, ui.howFarSection, ui.resultSection]
    assert [section.collapsed for section in closed] == [True] * 4
    assert not ui.caseSection.collapsed


def test_what_and_where_open_once_there_is_an_image_and_a_model(a_panel, a_case):
    assert not a_panel.ui.whatSection.collapsed
    assert not a_panel.ui.whereSection.collapsed


def test_a_section_that_the_reader_closed_stays_closed(a_panel, a_case, a_logic):
    a_panel.ui.whatSection.collapsed = True
    a_logic.tell(CaseChanged())
    assert a_panel.ui.whatSection.collapsed


def test_result_opens_with_the_first_mask(a_panel, a_case, a_logic):
    a_logic.tell(ActDone(a_result()))
    assert not a_panel.ui.resultSection.collapsed


def test_no_text_is_wider_than_the_panel(a_panel, a_case, a_logic, host):
    ui = a_panel.ui
    for button in (ui.modelDetailsButton, ui.shortcutsButton, ui.exportButton, ui.rangeRadio):
        button.checked = True
    for section in (ui.howFarSection, ui.resultSection):
        section.collapsed = False
    a_panel.showError(ProtectedError("The segment 'liver' is locked.", "Unlock it first."))
    host.processEvents(0.05)
    assert a_panel.widget.minimumSizeHint.width() <= 400


@pytest.mark.parametrize("label", ["errorCause", "errorRemedy", "setupText", "resultText", "exportText"])
def test_a_word_longer_than_a_line_does_not_widen_the_panel(host, a_panel, a_case, label):
    ui = a_panel.ui
    for part in (ui.errorBar, ui.setupBox, ui.exportBox, getattr(ui, label)):
        part.visible = True
    ui.resultSection.collapsed = False
    host.processEvents(0.05)
    before = a_panel.widget.minimumSizeHint.width()
    getattr(ui, label).text = "1.2.840.113619" * 9
    host.processEvents(0.05)
    assert a_panel.widget.minimumSizeHint.width() == before


def test_an_error_is_shown_with_cause_and_remedy(a_panel, a_logic):
    a_logic.tell(ActFailed(ProtectedError("The segment 'liver' is locked.", "Unlock it first.")))
    assert a_panel.ui.errorBar.visible
    assert a_panel.ui.errorCause.text == "The segment 'liver' is locked."
    assert a_panel.ui.errorRemedy.text == "Unlock it first."


@pytest.fixture
def an_area(host):
    """A small scroll area, as Slicer has around the panel; before it, so that it outlives it."""
    area = qt.QScrollArea()
    area.setWidgetResizable(True)
    area.resize(420, 200)
    return area


def test_an_error_comes_into_view_from_the_end_of_the_panel(host, an_area, a_panel, a_case):
    an_area.setWidget(a_panel.widget.parentWidget())
    an_area.show()
    host.processEvents(0.05)
    an_area.verticalScrollBar().value = an_area.verticalScrollBar().maximum
    a_panel.showError(ProtectedError("cause", "remedy"))
    host.processEvents(0.05)
    bar = a_panel.ui.errorBar
    assert bar.visibleRegion().boundingRect().height() == bar.height


def test_an_error_takes_the_place_of_what_the_status_line_said(a_panel, monkeypatch):
    said = []
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda text, _milliseconds: said.append(text))
    a_panel.showError(ProtectedError("cause", "remedy"))
    assert said == ["cause"]


def test_the_next_act_takes_an_error_away(a_panel, a_case, a_logic):
    a_panel.showError(ProtectedError("cause", "remedy"))
    a_logic.tell(ActDone(a_result()))
    assert not a_panel.ui.errorBar.visible


def test_an_error_can_be_closed(a_panel):
    a_panel.showError(ProtectedError("cause", "remedy"))
    a_panel.ui.errorCloseButton.click()
    assert not a_panel.ui.errorBar.visible


def test_an_error_can_be_copied_with_its_report(a_panel):
    a_panel.showError(ProtectedError("cause", "remedy"))
    a_panel.ui.errorCopyButton.click()
    assert qt.QApplication.clipboard().text().startswith("cause\nremedy\n")


def test_a_defect_in_a_slot_is_shown_and_still_raised(a_panel, a_case, a_logic):
    def broken(*_arguments):
        raise RuntimeError("broken")

    a_logic.tell(CaseChanged())
    a_panel._context.logic.predictSlice = broken
    a_panel.ui.runButton.enabled = True
    with failures.expected(failures.SLOT_ERROR, "broken"):
        a_panel.ui.runButton.click()
    assert "broken" in a_panel.ui.errorCause.text


def test_an_act_that_was_dropped_does_not_stay_in_the_status_line(a_panel, a_logic):
    a_logic.tell(ActStarted("click"))
    begun = a_panel.ui.resultText.text
    a_logic.tell(BusyChanged(False))
    assert begun == "Click ..."
    assert a_panel.ui.resultText.text == "What the last act changed is shown here."


def test_an_act_that_is_done_stays_in_the_status_line(a_panel, a_logic):
    a_logic.tell(ActStarted("click"))
    a_logic.tell(ActDone(a_result()))
    a_logic.tell(BusyChanged(False))
    assert a_panel.ui.resultText.text.startswith("Click \u00b7 +6")


def test_the_status_line_says_what_changed_how_sure_and_how_long(a_panel, a_logic):
    a_logic.tell(ActDone(a_result()))
    assert a_panel.ui.resultText.text == "Click \u00b7 +6 \u22121 pixels \u00b7 93 % sure \u00b7 84 ms"


def test_the_status_line_of_a_run_counts_all_its_slices(a_panel, a_logic):
    a_logic.tell(ActDone(replace(a_result(), changed=(600, 20))))
    assert "+600 \u221220 pixels" in a_panel.ui.resultText.text


def test_the_status_line_names_the_class_that_references_were_recognised_as(a_panel, a_logic):
    a_logic.tell(ActDone(replace(a_result(), knownClass="liver")))
    assert "with the class liver" in a_panel.ui.resultText.text


def test_without_the_network_no_confidence_is_said(a_panel, a_logic):
    a_logic.tell(ActDone(a_result(confidence=None)))
    assert "%" not in a_panel.ui.resultText.text


def test_a_message_is_shown_in_the_status_line(a_panel, a_logic):
    a_logic.tell(MessageShown("The GPU ran out of memory."))
    assert a_panel.ui.resultText.text == "The GPU ran out of memory."


@pytest.mark.parametrize(("button", "act"), [("undoButton", "undo"), ("redoButton", "redo")])
def test_undo_and_redo_ask_the_logic(a_panel, a_case, a_logic, button, act):
    a_logic.canUndo = a_logic.canRedo = True
    a_logic.tell(HistoryChanged())
    getattr(a_panel.ui, button).click()
    assert a_logic.acts(act) == [(act, ())]


def test_undo_says_what_it_takes_back(a_panel, a_logic):
    a_logic.canUndo, a_logic.undoLabel = True, "click"
    a_logic.tell(HistoryChanged())
    assert a_panel.ui.undoButton.text == "Undo click"


def shown_undo(a_panel, a_logic, host, label):
    """The undo button in a panel of the usual width, with what the last act was called."""
    a_panel.ui.whereSection.collapsed = False
    a_logic.canUndo, a_logic.undoLabel = True, label
    a_logic.tell(HistoryChanged())
    host.processEvents()
    return a_panel.ui.undoButton


def test_a_long_act_is_cut_to_the_width_of_the_button(a_panel, a_logic, host):
    button = shown_undo(a_panel, a_logic, host, "run over 34 slices")
    assert button.text.startswith("Undo ru")
    assert button.fontMetrics().horizontalAdvance(button.text) < button.width - 6


def test_the_tool_tip_has_the_act_that_the_button_cuts(a_panel, a_logic, host):
    button = shown_undo(a_panel, a_logic, host, "run over 34 slices")
    assert (button.text.endswith("\u2026"), button.toolTip) == (True, "Undo run over 34 slices")


def test_a_wider_panel_shows_the_whole_act(a_panel, a_logic, host):
    button = shown_undo(a_panel, a_logic, host, "run over 34 slices")
    button.window().setFixedWidth(800)
    host.processEvents()
    assert button.text == "Undo run over 34 slices"


def test_undo_is_off_where_there_is_nothing_to_take_back(a_panel, a_logic):
    a_logic.tell(HistoryChanged())
    assert not a_panel.ui.undoButton.enabled


def test_the_positive_tool_is_taken_and_put_down(a_panel, a_case, an_interaction):
    a_panel.ui.positiveButton.click()
    taken = an_interaction.tool
    a_panel.ui.positiveButton.click()
    assert (taken, an_interaction.tool) == ("positive", "none")


def test_one_tool_replaces_the_other(a_panel, a_case):
    a_panel.ui.positiveButton.click()
    a_panel.ui.negativeButton.click()
    assert not a_panel.ui.positiveButton.checked


def test_a_tool_taken_by_a_key_is_shown(a_panel, a_case, an_interaction, host):
    an_interaction.tool = "negative"
    host.waitUntil(lambda: a_panel.ui.negativeButton.checked)


def test_the_clicks_of_the_slice_are_counted(a_panel, a_case, a_logic):
    from KPrismCore.session_state import plane_key

    here = plane_key(a_logic.planeOf(None))
    a_logic.shownClicks = (
        PlacedClick("a", (0, 0, 0), True, here),
        PlacedClick("b", (0, 0, 0), False, here),
        PlacedClick("c", (0, 0, 0), True, "elsewhere"),
    )
    a_logic.tell(PromptsChanged())
    assert a_panel.ui.clickText.text == "On this slice: 1 on the object, 1 outside"


def test_clear_slice_is_about_the_view_that_is_chosen(a_panel, a_case, a_logic, layout_manager):
    a_panel.ui.viewSelector.currentIndex = a_panel.ui.viewSelector.findText("Green")
    a_panel.ui.clearSliceButton.click()
    node = layout_manager.sliceWidget("Green").mrmlSliceNode()
    assert a_logic.acts("clearSlice") == [("clearSlice", (node,))]


def test_the_view_follows_the_mouse(a_panel, a_case, an_interaction, layout_manager, host):
    an_interaction.sliceNode = layout_manager.sliceWidget("Yellow").mrmlSliceNode()
    host.waitUntil(lambda: a_panel.ui.viewSelector.currentText == "Yellow")


def test_keys_act_on_the_view_that_is_chosen_by_hand(a_panel, a_case, an_interaction, layout_manager, host):
    a_panel.ui.viewSelector.currentIndex = a_panel.ui.viewSelector.findText("Green")
    host.processEvents(0.25)
    assert an_interaction.sliceNode is layout_manager.sliceWidget("Green").mrmlSliceNode()
    assert a_panel.ui.viewSelector.currentText == "Green"


def test_the_outline_of_changes_can_be_switched_off(a_panel, an_interaction):
    a_panel.ui.showChangesCheck.checked = False
    assert not an_interaction.showChanges


def test_the_keys_are_listed(a_panel):
    a_panel.ui.shortcutsButton.click()
    assert "Click on the object" in a_panel.ui.shortcutsText.text


def test_the_poll_is_fast_while_there_is_work(a_panel, a_logic, host):
    a_logic.busy = True
    host.waitUntil(lambda: a_panel._timer.interval == 10)


def test_cleanup_leaves_no_listener(a_panel, a_logic):
    a_panel.cleanup()
    assert a_logic.listeners == []


def test_cleanup_leaves_no_observer_on_the_segmentation(a_panel, a_case):
    segmentation = a_case.segmentation.GetSegmentation()
    a_panel.cleanup()
    before = a_panel.ui.segmentSelector.count
    segmentation.AddEmptySegment("three", "spleen")
    assert a_panel.ui.segmentSelector.count == before


def test_cleanup_lets_buttons_do_nothing(a_panel, a_case, a_logic):
    a_panel.cleanup()
    a_panel.ui.newSegmentButton.click()
    assert a_logic.acts("newSegment") == []


def test_the_shown_image_is_offered_on_entering(a_panel, a_logic, host):
    volume = slicer.util.addVolumeFromArray(np.zeros((4, 4, 4), dtype=np.int16), name="MR")
    host.applicationLogic.GetSelectionNode().SetActiveVolumeID(volume.GetID())
    a_panel.enter()
    assert a_logic.volumeNode is volume


def test_a_failed_model_says_why(a_panel, a_logic):
    a_logic.model = ModelState("failed", "mine", warnings=("The file is damaged.",))
    a_logic.tell(ModelChanged(a_logic.model))
    assert a_panel.ui.warningText.text == "The file is damaged."


def test_questions_are_asked_in_a_dialog(a_panel):
    with dialogs.answer("Replace", "OK"):
        assert a_panel._context.ask("Replace them?", "Files") is True


def test_no_setting_is_written_without_a_scene_to_keep_it(a_panel):
    a_panel._context.remember("checkpoint", "mine")
    assert a_panel._context.parameters is None


def test_a_setting_is_written_once(a_panel):
    written = []

    class Parameters(SimpleNamespace):
        def __setattr__(self, name, value):
            written.append(name)
            super().__setattr__(name, value)

    parameters = Parameters(checkpoint="default")
    written.clear()
    a_panel._context.parameters = parameters
    a_panel._context.remember("checkpoint", "mine")
    a_panel._context.remember("checkpoint", "mine")
    a_panel._context.parameters = None
    assert written == ["checkpoint"]
