"""Section 2 of the panel: the class dropdown."""

from __future__ import annotations

import panel_fixtures
import pytest
import qt
from KPrismSlicerLib.ClassGroups import BY_MODALITY, BY_REGION, groupClasses, suits
from KPrismSlicerLib.Events import PromptsChanged
from panel_stand_ins import press, ready_model

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
)  # fmt: skip
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case


@pytest.fixture
def entries():
    """The classes of the small model."""
    return ready_model().catalogue.trained


@pytest.fixture
def a_picker(a_panel, a_case):
    """The class list, opened."""
    picker = a_panel.what.picker
    picker.combo.showPopup()
    return picker


def test_a_class_of_two_regions_is_found_under_both(entries):
    found = groupClasses(entries, BY_REGION, None)
    groups = {group.title: [entry.name for entry in group.entries] for group in found}
    assert "aorta" in groups["chest"]
    assert "aorta" in groups["abdomen"]


def test_classes_for_the_image_come_first(entries):
    titles = [group.title for group in groupClasses(entries, BY_REGION, "MR")]
    assert titles.index("brain") < titles.index("cell")


def test_by_modality_the_image_s_modality_leads(entries):
    assert groupClasses(entries, BY_MODALITY, "MRI")[0].title == "MR"


def test_the_best_match_of_a_search_leads():
    found = ready_model().catalogue.search("ventricle")
    assert groupClasses(found, BY_REGION, None)[0].entries[0] is found[0]


def test_any_class_suits_an_image_of_unknown_modality(entries):
    assert all(suits(entry, None) for entry in entries)


@pytest.mark.parametrize("modality", ["DX", "X-ray", "CR"])
def test_names_of_one_modality_are_the_same(entries, modality):
    lungs = next(entry for entry in entries if entry.name == "lungs")
    assert suits(lungs, modality)


def test_the_list_shows_the_snomed_code(a_picker):
    heading = a_picker.tree.topLevelItem(0)
    assert heading.child(0).text(2).isdigit()


def test_the_list_shows_a_colour(a_picker):
    assert not a_picker.tree.topLevelItem(0).child(0).icon(0).isNull()


def test_typing_a_synonym_finds_the_class(a_picker):
    a_picker.searchField.text = "hepar"
    assert a_picker.shownNames() == ["liver"]


def test_enter_takes_the_best_match(a_picker, a_logic):
    a_picker.searchField.text = "panc"
    press(a_picker.searchField, qt.Qt.Key_Return)
    assert a_logic.acts("setClass") == [("setClass", ("pancreas",))]
    assert not a_picker.popup.visible


def test_arrows_move_in_the_list(a_picker, a_logic, host):
    names = a_picker.shownNames()
    a_picker._move(1)
    press(a_picker.searchField, qt.Qt.Key_Return)
    assert a_logic.acts("setClass") == [("setClass", (names[1],))]


def test_enter_without_a_match_takes_nothing(a_picker, a_logic):
    a_picker.searchField.text = "qqqqqq"
    press(a_picker.searchField, qt.Qt.Key_Return)
    assert a_logic.acts("setClass") == []


def test_a_click_takes_the_class_once(a_picker, a_logic):
    leaf = a_picker.tree.topLevelItem(0).child(0)
    a_picker.tree.itemClicked.emit(leaf, 0)
    a_picker.tree.itemActivated.emit(leaf, 0)
    assert len(a_logic.acts("setClass")) == 1


def test_a_heading_is_no_class(a_picker, a_logic):
    a_picker.tree.itemClicked.emit(a_picker.tree.topLevelItem(0), 0)
    assert a_logic.acts("setClass") == []


def test_the_list_can_be_grouped_by_modality(a_picker):
    a_picker.byModality.click()
    titles = [a_picker.tree.topLevelItem(row).text(0) for row in range(a_picker.tree.topLevelItemCount)]
    assert titles[0] == "CT"


def test_the_list_opens_without_the_last_search(a_picker):
    a_picker.searchField.text = "liver"
    a_picker.popup.hide()
    a_picker.combo.showPopup()
    assert len(a_picker.shownNames()) > 10


def test_the_space_key_opens_the_list(a_panel, a_case):
    press(a_panel.what.picker.combo, qt.Qt.Key_Space)
    assert a_panel.what.picker.popup.visible


def test_escape_closes_the_list_and_takes_nothing(a_picker, a_logic):
    press(a_picker.searchField, qt.Qt.Key_Escape)
    assert not a_picker.popup.visible
    assert a_logic.acts("setClass") == []


def test_the_list_is_closed_to_whoever_has_no_image(a_panel):
    assert not a_panel.what.picker.combo.enabled


def test_the_chosen_class_shows_name_and_code(a_panel, a_case, a_logic):
    a_logic.className = "liver"
    a_logic.tell(PromptsChanged())
    assert a_panel.what.picker.combo.currentText == "liver"
    assert "SNOMED CT 10200004 (Liver)" in a_panel.ui.classInfo.text


def test_none_takes_the_class_away(a_panel, a_case, a_logic):
    a_logic.className = "liver"
    a_logic.tell(PromptsChanged())
    a_panel.ui.clearClassButton.click()
    assert a_logic.acts("setClass") == [("setClass", (None,))]
