"""The panel in the narrowest module panel of 3D Slicer: all of it can be seen and pressed."""

from __future__ import annotations

from types import SimpleNamespace

import panel_fixtures
import pytest
import qt
import slicer
from KPrismSlicerLib.Events import ActDone, ActResult, HistoryChanged, PromptsChanged, RangeProgress
from KPrismSlicerLib.Widget import PanelWidget
from panel_stand_ins import a_reference, clipped

from KPrismCore.errors import ProtectedError

a_logic, an_interaction, an_environment, a_case = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
    panel_fixtures.a_case,
)  # fmt: skip
WIDTH = 300


@pytest.fixture
def a_panel(layout_manager, a_logic, an_interaction, an_environment):
    """The panel in a scroll area, as Slicer's, of a fixed width."""
    area, parent = qt.QScrollArea(), slicer.qMRMLWidget()
    parent.setLayout(qt.QVBoxLayout())
    parent.layout().setContentsMargins(0, 0, 0, 0)
    panel = PanelWidget(parent, a_logic, an_interaction, an_environment)
    area.setWidget(parent)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
    area.setVerticalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
    area.setFrameShape(qt.QFrame.NoFrame)
    area.setFixedSize(WIDTH, 900)
    area.show()
    yield panel
    panel.cleanup()
    area.deleteLater()


@pytest.fixture
def everything(host, a_panel, a_case, a_logic):
    """All sections open, references, a run under way, an error, an export, long names, a long history."""
    ui = a_panel.ui
    for button in (ui.modelDetailsButton, ui.shortcutsButton, ui.exportButton, ui.rangeRadio):
        button.checked = True
    for section in (ui.howFarSection, ui.resultSection):
        section.collapsed = False
    a_case.segmentation.GetSegmentation().GetSegment("one").SetName("a segment with quite a long name " * 3)
    a_logic.className = "liver"
    a_logic.shownReferences = [a_reference("a reference with a long name " * 3) for _number in range(5)]
    a_logic.origins = {0: SimpleNamespace(index=1004, indices=(1002, 1004, 1999), kind="axial")}
    a_logic.canUndo = a_logic.canRedo = True
    a_logic.undoLabel = a_logic.redoLabel = "run over 128 slices"
    a_logic.shownDoubt = "On images of this kind the model did poorly by its own card."
    a_logic.slice, a_logic.slices = 1004, 2000
    a_logic.tell(PromptsChanged())
    a_logic.tell(HistoryChanged())
    a_panel.what.list.currentRow = 0
    for spin in (ui.rangeBefore, ui.rangeAfter):
        spin.value = spin.maximum
    place = ui.checkpointSelector.findData("file")
    ui.checkpointSelector.currentIndex = place
    a_panel.model.setup.begin()
    ui.setupBox.visible = ui.modelProgress.visible = True
    changed = (99999, 99999)
    a_logic.tell(ActDone(ActResult("run over 1280 slices", "one", None, None, None, 0.75, 2000, changed)))
    a_logic.tell(RangeProgress(1000, 1280, 5000.0))
    a_panel.showError(ProtectedError("The segment 'liver' is locked. " * 3, "Unlock it first."))
    ui.exportText.text, ui.exportText.visible = "Written: " + "1.2.840.113619" * 9, True
    host.processEvents(0.05)
    return a_panel


def scrolls(widget, panel):
    """Whether a widget is, or is in, a list or text of the panel that scrolls."""
    while widget is not panel:
        if widget.inherits("QAbstractScrollArea"):
            return True
        widget = widget.parentWidget()
    return False


def beyond(panel):
    """The shown widgets that begin before or end after the panel, and how far they reach."""
    found = {}
    for one in panel.widget.findChildren(qt.QWidget):
        # what scrolls on its own may
        if not one.visible or scrolls(one.parentWidget(), panel.widget):
            continue
        left = one.mapTo(panel.widget, qt.QPoint(0, 0)).x()
        if left < 0 or left + one.width > WIDTH:
            found[one.objectName] = left + one.width
    return found


def test_no_part_of_the_panel_is_beyond_it(everything):
    assert beyond(everything) == {}


def test_no_text_of_the_narrow_panel_is_clipped(everything):
    assert clipped(everything.widget) == []
