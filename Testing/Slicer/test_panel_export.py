"""The export box: what it writes, what it asks before, and what it says afterwards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import panel_fixtures
import pytest
import qt
from KPrismSlicerLib import Export
from SlicerHost import dialogs

from KPrismCore.errors import OutputFileError, ProtectedError

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
)  # fmt: skip
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case


@pytest.fixture
def an_export(a_panel, a_case, a_logic, tmp_path, monkeypatch):
    """The export box on a folder; `written` is what it wrote, `names` are the files that it would write."""
    a_panel.ui.resultSection.collapsed = False
    a_panel.ui.exportButton.click()
    a_panel.ui.exportFolder.currentPath = str(tmp_path)
    made = SimpleNamespace(folder=tmp_path, written=[], names=["CTChest.seg.nrrd"])

    def paths(_segmentation, _volume, folder, _formats):
        return [Path(folder) / name for name in made.names]

    def write(segmentation, volume, folder, formats, overwrite=False):
        made.written.append((segmentation, volume, Path(folder), set(formats), overwrite))
        return Export.CaseExport(tuple(paths(segmentation, volume, folder, formats)))

    monkeypatch.setattr(Export, "exportPaths", paths)
    monkeypatch.setattr(Export, "writeCase", write)
    return made


def test_export_writes_the_ticked_formats(a_panel, a_case, an_export):
    a_panel.ui.exportNifti.checked = True
    a_panel.ui.writeButton.click()
    expected = (a_case.segmentation, a_case.volume, an_export.folder, {"seg.nrrd", "nii.gz"}, False)
    assert an_export.written == [expected]


def test_export_says_what_it_wrote(a_panel, an_export):
    a_panel.ui.writeButton.click()
    assert a_panel.ui.exportText.text == "Written: CTChest.seg.nrrd"


def test_a_long_file_name_is_shown_by_its_ends_and_whole_in_the_tooltip(host, a_panel, an_export):
    name = "1.2.840.113619.2.55.3.604688119.971.1199268623.266_liver.seg.nrrd"
    an_export.names = [name]
    a_panel.ui.writeButton.click()
    host.processEvents(0.05)
    shown = a_panel.ui.exportText
    assert shown.text.startswith("Written: 1.2.840")
    assert shown.text.endswith("r.seg.nrrd")
    assert shown.toolTip == name
    assert a_panel.widget.minimumSizeHint.width() <= 400
    assert qt.QFontMetrics(shown.font).boundingRect(shown.text.split()[-1]).width() <= shown.width


def test_what_was_written_is_not_on_show_beside_a_later_error(a_panel, an_export):
    a_panel.ui.writeButton.click()
    ui = a_panel.ui
    ui.checkpointSelector.currentIndex = ui.checkpointSelector.findData("file")
    ui.loadButton.click()
    assert (ui.errorBar.visible, ui.exportText.visible) == (True, False)


def test_export_takes_away_what_was_wrong_before(a_panel, an_export):
    a_panel.showError(ProtectedError("cause", "remedy"))
    a_panel.ui.writeButton.click()
    assert a_panel.ui.exportText.visible
    assert not a_panel.ui.errorBar.visible


def test_an_export_that_fails_takes_away_what_was_written_before(a_panel, an_export, monkeypatch):
    def refuse(*_arguments, **_options):
        raise OutputFileError("CTChest.seg.nrrd cannot be written.", "Choose another folder.")

    a_panel.ui.writeButton.click()
    monkeypatch.setattr(Export, "writeCase", refuse)
    a_panel.ui.writeButton.click()
    assert a_panel.ui.errorBar.visible
    assert not a_panel.ui.exportText.visible


def test_an_existing_file_is_replaced_only_after_a_yes(a_panel, an_export):
    (an_export.folder / "CTChest.seg.nrrd").touch()
    with dialogs.answer("CTChest.seg.nrrd", "OK"):
        a_panel.ui.writeButton.click()
    assert an_export.written[0][-1] is True


def test_a_no_keeps_the_existing_file(a_panel, an_export):
    (an_export.folder / "CTChest.seg.nrrd").touch()
    with dialogs.answer("CTChest.seg.nrrd", dialogs.CANCEL):
        a_panel.ui.writeButton.click()
    assert an_export.written == []


def test_without_a_folder_export_says_so(a_panel, an_export):
    a_panel.ui.exportFolder.currentPath = ""
    a_panel.ui.writeButton.click()
    assert a_panel.ui.errorCause.text == "No folder is chosen."


def test_without_a_format_there_is_nothing_to_write(a_panel, an_export):
    a_panel.ui.exportSegNrrd.checked = False
    assert not a_panel.ui.writeButton.enabled


def test_the_export_box_is_closed_at_first(a_panel, a_case):
    a_panel.ui.resultSection.collapsed = False
    assert not a_panel.ui.exportBox.visible
