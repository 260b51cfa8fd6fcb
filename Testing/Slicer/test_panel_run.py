"""Sections 4 and 5 of the panel: how far, progress, and accepting a slice."""

from __future__ import annotations

import panel_fixtures
import pytest
from KPrismSlicerLib.Events import ActDone, ActResult, BusyChanged, PlacedClick, PromptsChanged, RangeProgress
from panel_stand_ins import a_reference

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic,
    panel_fixtures.an_interaction,
    panel_fixtures.an_environment,
)
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case


def test_a_class_is_enough_to_segment(a_panel, a_case, a_logic):
    a_logic.className = "liver"
    a_logic.tell(PromptsChanged())
    assert a_panel.ui.runButton.enabled


def test_without_any_prompt_there_is_nothing_to_run(a_panel, a_case):
    assert not a_panel.ui.runButton.enabled


def test_a_switched_off_reference_is_no_prompt(a_panel, a_case, a_logic):
    a_logic.shownReferences = [a_reference(enabled=False)]
    a_logic.tell(PromptsChanged())
    assert not a_panel.ui.runButton.enabled


def test_clicks_alone_do_for_this_slice(a_panel, a_case, a_logic):
    a_logic.shownClicks = (PlacedClick("a", (0, 0, 0), True, "here"),)
    a_logic.tell(PromptsChanged())
    assert a_panel.ui.runButton.enabled


def test_clicks_alone_do_not_do_for_the_volume(a_panel, a_case, a_logic):
    a_logic.shownClicks = (PlacedClick("a", (0, 0, 0), True, "here"),)
    a_panel.ui.volumeRadio.checked = True
    a_logic.tell(PromptsChanged())
    assert not a_panel.ui.runButton.enabled


def test_the_range_is_cut_at_the_ends_of_the_volume(a_panel, a_case, a_logic):
    a_panel.ui.rangeRadio.checked = True
    a_panel.ui.rangeBefore.value, a_panel.ui.rangeAfter.value = 50, 2
    assert a_panel.howFar.range == (0, 6)


def test_the_range_is_run_on_the_slices_it_says(a_panel, a_case, a_logic):
    a_logic.className = "liver"
    a_panel.ui.rangeRadio.checked = True
    a_panel.ui.rangeBefore.value, a_panel.ui.rangeAfter.value = 1, 2
    a_logic.tell(PromptsChanged())
    a_panel.ui.runButton.click()
    assert a_logic.acts("predictRange")[0][1][1:] == (3, 6)
    assert a_panel.ui.rangeSlices.text == "slices 3 to 6"


@pytest.mark.parametrize(("radio", "act"), [("sliceRadio", "predictSlice"), ("volumeRadio", "predictVolume")])
def test_the_run_button_goes_as_far_as_is_chosen(a_panel, a_case, a_logic, radio, act):
    a_logic.className = "liver"
    getattr(a_panel.ui, radio).checked = True
    a_logic.tell(PromptsChanged())
    a_panel.ui.runButton.click()
    assert len(a_logic.acts(act)) == 1


def test_only_a_range_shows_its_boxes(a_panel, a_case, a_logic, host):
    a_panel.ui.howFarSection.collapsed = False
    before = a_panel.ui.rangeBox.visible
    a_panel.ui.rangeRadio.checked = True
    assert (before, a_panel.ui.rangeBox.visible) == (False, True)


@pytest.mark.parametrize("radio", ["rangeRadio", "volumeRadio"])
def test_what_lies_apart_can_be_removed_after_many_slices(a_panel, a_case, a_logic, radio):
    a_panel.ui.howFarSection.collapsed = False
    before = a_panel.ui.connectedButton.visible
    getattr(a_panel.ui, radio).checked = True
    a_panel.ui.connectedButton.click()
    assert (before, a_panel.ui.connectedButton.visible) == (False, True)
    assert a_logic.acts("keepConnected") == [("keepConnected", (a_panel.views.sliceNode,))]


def test_without_a_segment_nothing_lies_apart(a_panel, a_case, a_logic):
    a_panel.ui.volumeRadio.checked = True
    enabled = a_panel.ui.connectedButton.enabled
    a_logic.segmentId = None
    a_logic.tell(PromptsChanged())
    assert (enabled, a_panel.ui.connectedButton.enabled) == (True, False)


def test_check_next_asks_for_the_next_slice(a_panel, a_case, an_interaction):
    a_panel.ui.checkNextButton.click()
    assert an_interaction.checks == 1


def test_a_view_beside_the_image_has_no_slice_to_check(a_panel, a_case, a_logic):
    before = a_panel.ui.checkNextButton.enabled
    a_logic.slice = None
    a_logic.tell(PromptsChanged())
    assert (before, a_panel.ui.checkNextButton.enabled) == (True, False)


def test_progress_says_slices_and_time_left(a_panel, a_case, a_logic):
    a_panel.ui.howFarSection.collapsed = False
    a_logic.tell(RangeProgress(3, 10, 18.4))
    assert a_panel.ui.rangeText.text == "3 of 10 slices \u00b7 18 s left"
    assert a_panel.ui.cancelButton.visible


def test_cancel_asks_the_logic(a_panel, a_case, a_logic):
    a_panel.ui.howFarSection.collapsed = False
    a_logic.tell(RangeProgress(3, 10, 18.4))
    a_panel.ui.cancelButton.click()
    assert a_logic.acts("cancel") == [("cancel", ())]


def test_when_all_is_done_cancel_goes_and_the_count_stays(a_panel, a_case, a_logic):
    a_panel.ui.howFarSection.collapsed = False
    a_logic.tell(RangeProgress(3, 10, 18.4))
    a_logic.tell(BusyChanged(False))
    assert not a_panel.ui.cancelButton.visible
    assert a_panel.ui.rangeText.visible


def test_after_a_cancelled_run_no_time_is_left(a_panel, a_case, a_logic):
    a_logic.tell(RangeProgress(3, 10, 18.4))
    a_logic.tell(BusyChanged(False))
    assert a_panel.ui.rangeText.text == "3 of 10 slices"


@pytest.mark.parametrize(("changed", "shown"), [((5, 0), True), (None, False)])
def test_the_count_stays_until_another_act_is_done(a_panel, a_case, a_logic, changed, shown):
    a_panel.ui.howFarSection.collapsed = False
    a_logic.tell(RangeProgress(3, 10, 18.4))
    a_logic.tell(ActDone(ActResult("act", "one", changed=changed)))
    assert a_panel.ui.rangeText.visible == shown


def test_accept_is_about_the_slice_in_view(a_panel, a_case, a_logic):
    a_panel.ui.acceptCheck.click()
    assert a_logic.acts("accept")[0][1][1] is True


def test_an_accepted_slice_is_ticked(a_panel, a_case, a_logic):
    a_logic.accepted = True
    a_logic.tell(PromptsChanged())
    assert a_panel.ui.acceptCheck.checked


def test_scrolling_the_view_shows_the_state_of_the_new_slice(a_panel, a_case, a_logic, layout_manager):
    a_logic.accepted = True
    layout_manager.sliceWidget("Red").mrmlSliceNode().SetSliceOffset(4.0)
    assert a_panel.ui.acceptCheck.checked


def test_a_view_beside_the_image_has_nothing_to_accept(a_panel, a_case, a_logic):
    a_logic.slice = None
    a_logic.tell(PromptsChanged())
    assert not a_panel.ui.acceptCheck.enabled
    assert a_panel.ui.clickText.text == "This view does not show the image."
