"""Every text of the panel can be translated, fits, and can be reached without a mouse."""

from __future__ import annotations

from itertools import pairwise

import panel_fixtures
import pytest
import qt
import slicer
from KPrismSlicerLib.Events import PromptsChanged
from KPrismSlicerLib.Widget import PanelWidget
from panel_stand_ins import MARK, a_reference, clipped, contrast
from SlicerHost import palette

from KPrismCore.errors import ProtectedError

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic,
    panel_fixtures.an_interaction,
    panel_fixtures.an_environment,
)
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case
# what is no text of ours: the model's own words, signs
OWN_WORDS = {"\u00d7", "..."}


class Marking(qt.QTranslator):
    """Translates every text of the .ui file by putting a mark before it."""

    def translate(self, context, text, disambiguation=None, n=-1):
        return MARK + text if context == "KPrismSlicer" else None

    def isEmpty(self):  # noqa: N802
        return False


@pytest.fixture
def a_translated_panel(layout_manager, a_logic, an_interaction, an_environment, monkeypatch):
    """A panel all of whose texts are marked if they go through translation."""
    marking = Marking()
    qt.QCoreApplication.installTranslator(marking)
    monkeypatch.setattr("SlicerHost.i18n.translate", lambda _context, text: MARK + text)
    parent = slicer.qMRMLWidget()
    parent.setLayout(qt.QVBoxLayout())
    panel = PanelWidget(parent, a_logic, an_interaction, an_environment)
    yield panel
    panel.cleanup()
    parent.deleteLater()
    qt.QCoreApplication.removeTranslator(marking)


def texts(widget):
    """(name, text) of everything that a reader sees, tool tips included."""
    found = []
    for each in (widget, *widget.findChildren(qt.QWidget)):
        for name in ("text", "toolTip", "placeholderText", "accessibleName", "title", "noneDisplay"):
            value = each.property(name)
            if isinstance(value, str) and value:
                found.append((each.objectName, value))
        if each.inherits("QComboBox"):
            found += [(each.objectName, each.itemText(number)) for number in range(each.count)]
    return found


def test_every_text_goes_through_translation(a_translated_panel):
    unmarked = [
        (name, text)
        for name, text in texts(a_translated_panel.widget)
        if MARK not in text
        and text not in OWN_WORDS
        and not text.isdigit()
        and "Label" not in name
        # the spin boxes' and views' own
        and name not in ("qt_spinbox_lineedit", "viewSelector", "ExpandButton")
        # inside of Slicer's own widgets
        and name
    ]
    assert unmarked == []


def test_every_label_of_a_field_goes_through_translation(a_translated_panel):
    labels = [text for name, text in texts(a_translated_panel.widget) if name.endswith("Label")]
    assert labels
    assert all(text.startswith(MARK) for text in labels)


def test_an_error_of_ours_is_shown_in_the_reader_s_language(a_translated_panel):
    a_translated_panel.showError(RuntimeError("broken"))
    assert a_translated_panel.ui.errorCause.text.startswith(MARK)


def focusable(widget):
    """The shown, enabled widgets that a reader works with."""
    kinds = ("QAbstractButton", "QComboBox", "QAbstractSpinBox", "QListWidget")
    found = [
        each
        for each in widget.findChildren(qt.QWidget)
        if any(each.inherits(kind) for kind in kinds) and each.visible and each.enabled
    ]
    return [each for each in found if each.objectName and not each.objectName.startswith("qt_")]


def test_the_tab_key_reaches_every_control(a_panel, a_case):
    ui = a_panel.ui
    for button in (ui.modelDetailsButton, ui.shortcutsButton, ui.exportButton):
        button.checked = True
    for section in (ui.howFarSection, ui.resultSection):
        section.collapsed = False
    out_of_reach = [
        each.objectName for each in focusable(a_panel.widget) if not each.focusPolicy & qt.Qt.TabFocus
    ]
    assert out_of_reach == []


def test_every_control_has_a_name_for_who_does_not_see_it(a_panel, a_case, a_logic):
    a_logic.shownReferences = [a_reference()]
    a_logic.tell(PromptsChanged())
    labels = a_panel.widget.findChildren(qt.QLabel)
    named = {id(label.buddy()) for label in labels if label.buddy() is not None}
    nameless = [
        each.objectName
        for each in focusable(a_panel.widget)
        if not (each.accessibleName or id(each) in named)
        and not (each.inherits("QAbstractButton") and each.text)
    ]
    assert nameless == []


def test_the_class_comes_before_the_references_in_the_tab_order(a_panel):
    order = []
    widget = a_panel.ui.classLabel.buddy()
    for _step in range(12):
        order.append(widget.objectName)
        widget = widget.nextInFocusChain()
    assert order.index("clearClassButton") < order.index("shotsSelector") < order.index("addSliceButton")


def in_tab_order(a_panel, first):
    """What the Tab key comes to from a widget on: name, and where it begins in the panel."""
    found, widget = [], first
    while widget is not None and (not found or widget is not first):
        inside = a_panel.widget.isAncestorOf(widget) and not widget.objectName.startswith("qt_")
        if inside and widget.objectName and widget.visible and widget.focusPolicy & qt.Qt.TabFocus:
            place = widget.mapTo(a_panel.widget, qt.QPoint(0, 0))
            found.append((widget.objectName, place.y()))
        widget = widget.nextInFocusChain()
    return found


def test_the_tab_key_goes_down_the_panel(a_panel, a_case, host):
    ui = a_panel.ui
    for button in (ui.modelDetailsButton, ui.shortcutsButton, ui.exportButton, ui.rangeRadio):
        button.checked = True
    for section in (ui.howFarSection, ui.resultSection):
        section.collapsed = False
    ui.setupBox.visible = True
    a_panel.showError(ProtectedError("The segment 'liver' is locked.", "Unlock it first."))
    host.processEvents(0.1)
    found = in_tab_order(a_panel, ui.errorCloseButton)
    # buttons in one row may differ by some pixels
    back = [(one, other) for one, other in pairwise(found) if other[1] < one[1] - 12]
    assert len(found) > 30
    assert back == []


def test_no_two_fields_share_a_mnemonic(a_panel):
    letters = []
    for _name, text in texts(a_panel.widget):
        plain = text.replace("&&", "")
        if "&" in plain:
            letters.append(plain[plain.index("&") + 1].lower())
    assert sorted(letters) == sorted(set(letters))


@pytest.mark.parametrize("dark", [False, True])
def test_no_text_is_clipped(a_panel, a_case, a_logic, host, dark):
    palette.usePalette(dark)
    ui = a_panel.ui
    for button in (ui.modelDetailsButton, ui.shortcutsButton, ui.exportButton, ui.rangeRadio):
        button.checked = True
    for section in (ui.howFarSection, ui.resultSection):
        section.collapsed = False
    a_panel.showError(
        ProtectedError("The segment 'liver' of a rather long segmentation is locked.", "Unlock it first.")
    )
    host.processEvents(0.1)
    palette.usePalette(False)
    assert clipped(a_panel.widget) == []


@pytest.mark.parametrize("dark", [False, True])
def test_quiet_text_can_be_read(a_panel, a_case, host, dark):
    palette.usePalette(dark)
    host.processEvents(0.02)
    label = a_panel.ui.clickText
    colours = [label.palette.color(role) for role in (label.foregroundRole(), qt.QPalette.Window)]
    palette.usePalette(False)
    assert contrast(*colours) > 3
