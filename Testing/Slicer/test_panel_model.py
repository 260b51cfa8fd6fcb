"""The model's line, its card, and what is missing for it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from types import SimpleNamespace

import panel_fixtures
import pytest
import qt
from KPrismSlicerLib import ModelPanel
from KPrismSlicerLib.CheckpointCard import readCard
from KPrismSlicerLib.Environment import Readiness
from KPrismSlicerLib.Events import CaseChanged, ModelChanged, ModelState
from KPrismSlicerLib.Paths import resourcePath
from KPrismSlicerLib.Problems import InstallationError, Problem
from panel_stand_ins import ready_model
from SlicerHost import dialogs

from KPrismCore.errors import CheckpointError

a_logic, an_interaction, an_environment = (
    panel_fixtures.a_logic, panel_fixtures.an_interaction, panel_fixtures.an_environment,
)  # fmt: skip
a_panel, a_case = panel_fixtures.a_panel, panel_fixtures.a_case
DEFAULT_MODEL = resourcePath("Models", "kprism-small.safetensors")


def a_file_with_head(folder: Path, head: bytes) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    return path


def test_the_card_of_the_default_checkpoint_says_what_matters(host):
    text = readCard(DEFAULT_MODEL).toHtml()
    for part in ("Not for clinical use", "CC BY-SA 4.0", "liver", "Modalities", "Training data"):
        assert part in text


def test_a_missing_checkpoint_is_said(host, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        readCard(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"\x10\x00\x00\x00\x00\x00\x00\x00not json at all!", b"\xff" * 64]
)
def test_a_file_of_another_kind_is_refused(host, tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        readCard(path)


def test_a_file_of_another_maker_has_a_card_with_its_name_only(host, tmp_path):
    path = a_file_with_head(tmp_path, json.dumps({"__metadata__": {"kprism.card": "[1"}}).encode())
    assert readCard(path).name == "model"


def test_what_a_card_says_is_no_markup(host, tmp_path):
    card = json.dumps({"name": "<b>x</b>", "licence": "a & b"})
    path = a_file_with_head(tmp_path, json.dumps({"__metadata__": {"kprism.card": card}}).encode())
    text = readCard(path).toHtml()
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "a &amp; b" in text


def test_a_card_names_the_best_and_the_worst_modality(host, tmp_path):
    figures = {
        name: {"cases": 5, "dice_5": dice} for name, dice in (("X-ray", 0.93), ("MR", 0.6), ("US", 0.4))
    }
    card = json.dumps({"metrics": {"modalities": figures}})
    path = a_file_with_head(tmp_path, json.dumps({"__metadata__": {"kprism.card": card}}).encode())
    text = readCard(path).toHtml()
    assert "After five clicks best on X-ray (Dice 0.93), worst on ultrasound (Dice 0.40)." in text


@pytest.mark.parametrize("metrics", [{}, {"sets": 31}, "none", None])
def test_a_card_without_figures_says_so(host, tmp_path, metrics):
    card = json.dumps({"metrics": metrics})
    path = a_file_with_head(tmp_path, json.dumps({"__metadata__": {"kprism.card": card}}).encode())
    assert "Not measured by modality." in readCard(path).toHtml()


def test_an_official_checkpoint_says_that_it_has_no_card(host, tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"PK")
    assert "carries no card" in readCard(path).toHtml()


def test_the_line_says_model_device_and_state(a_panel, a_logic):
    a_logic.model = ready_model()
    a_logic.tell(ModelChanged(a_logic.model))
    assert a_panel.ui.modelText.text == "kprism-small \u00b7 CPU, 2 threads \u00b7 ready"


def test_load_loads_the_default_by_itself(a_panel, a_logic):
    a_panel.ui.loadButton.click()
    assert a_logic.acts("loadModel") == [("loadModel", ("default", "auto"))]


def test_load_takes_the_file_that_is_chosen(a_panel, a_logic):
    ui = a_panel.ui
    ui.modelDetailsButton.click()
    ui.checkpointSelector.currentIndex = ui.checkpointSelector.findData("file")
    ui.checkpointFile.currentPath = str(DEFAULT_MODEL)
    ui.loadButton.click()
    assert a_logic.acts("loadModel")[0][1][0] == str(DEFAULT_MODEL)


def test_a_file_that_is_no_checkpoint_is_not_loaded(a_panel, a_logic, tmp_path):
    ui = a_panel.ui
    ui.checkpointSelector.currentIndex = ui.checkpointSelector.findData("file")
    ui.checkpointFile.currentPath = str(tmp_path / "none.safetensors")
    ui.loadButton.click()
    assert a_logic.acts("loadModel") == []
    assert "There is no checkpoint" in ui.errorCause.text


def test_loading_takes_away_what_was_wrong_before(a_panel, a_logic):
    a_panel.showError(InstallationError("The download stopped.", "Try again."))
    a_panel.ui.loadButton.click()
    assert len(a_logic.acts("loadModel")) == 1
    assert not a_panel.ui.errorBar.visible


def test_while_loading_there_is_progress_and_no_second_load(a_panel, a_logic):
    a_logic.model = ModelState("loading", "kprism-small")
    a_logic.tell(ModelChanged(a_logic.model))
    assert a_panel.ui.modelProgress.visible
    assert not a_panel.ui.loadButton.enabled


def test_the_card_is_shown_before_anything_is_loaded(a_panel):
    a_panel.ui.modelDetailsButton.click()
    assert "Not for clinical use" in a_panel.ui.cardText.plainText


def test_what_is_wrong_with_a_file_is_shown_in_place_of_its_card(a_panel):
    ui = a_panel.ui
    ui.modelDetailsButton.click()
    ui.checkpointSelector.currentIndex = ui.checkpointSelector.findData("file")
    assert "No checkpoint file is chosen." in ui.cardText.plainText
    assert not ui.errorBar.visible


def test_a_warning_of_the_logic_is_shown(a_panel, a_case, a_logic):
    a_logic.shownDoubt = "The model was not trained on US; expect poor results."
    a_logic.tell(CaseChanged())
    assert a_panel.ui.warningBox.visible
    assert "not trained on US" in a_panel.ui.warningText.text


def test_without_a_warning_there_is_no_box(a_panel, a_case):
    assert not a_panel.ui.warningBox.visible


def an_unready(*problems):
    return lambda: SimpleNamespace(ready=False, problems=problems)


NO_TORCH = Problem("PyTorch is not installed.", "Install it in one of these ways.", "install")


def test_what_is_missing_is_said_instead_of_loading(a_panel, a_logic, an_environment):
    an_environment.check = an_unready(NO_TORCH)
    a_panel.ui.loadButton.click()
    assert a_logic.acts("loadModel") == []
    assert a_panel.ui.setupText.text == "PyTorch is not installed. Install it in one of these ways."
    assert a_panel.ui.setupCpuButton.visible


def test_a_broken_installation_offers_repair_only(a_panel, an_environment):
    an_environment.check = an_unready(Problem("PyTorch does not run.", "Repair it.", "repair"))
    a_panel.ui.loadButton.click()
    assert a_panel.ui.setupRepairButton.visible
    assert not a_panel.ui.setupCpuButton.visible


def test_a_warning_does_not_stop_loading(a_panel, a_logic, an_environment):
    problem = Problem("The disk is nearly full.", "Make room.", blocking=False)
    an_environment.check = lambda: SimpleNamespace(ready=True, problems=(problem,))
    a_panel.ui.loadButton.click()
    assert len(a_logic.acts("loadModel")) == 1
    assert a_panel.ui.setupText.text == "The disk is nearly full. Make room."


def test_the_diagnosis_is_copied(a_panel, an_environment):
    an_environment.check = an_unready(NO_TORCH)
    a_panel.ui.loadButton.click()
    a_panel.ui.setupCopyButton.click()
    assert qt.QApplication.clipboard().text() == "Slicer 5.12"


@pytest.fixture
def an_installation(a_panel, an_environment):
    """What is asked of the environment, from where PyTorch is missing; `restart` is what it answers."""
    asked = SimpleNamespace(calls=[], restart=False)

    def install(choice, folder, progress):
        asked.calls.append(("install", choice, folder))
        progress("Downloading ...")
        an_environment.check = lambda: SimpleNamespace(ready=True, problems=())
        return asked.restart

    an_environment.check = an_unready(NO_TORCH)
    an_environment.install = install
    an_environment.repair = lambda _progress: asked.calls.append(("repair",))
    an_environment.restart = lambda: asked.calls.append(("restart",))
    a_panel.ui.loadButton.click()
    return asked


@pytest.mark.parametrize(
    ("button", "choice"), [("setupExtensionButton", "extension"), ("setupCpuButton", "cpu")]
)
def test_after_the_installation_the_model_is_loaded(a_panel, a_logic, an_installation, button, choice):
    getattr(a_panel.ui, button).click()
    assert an_installation.calls == [("install", choice, None)]
    assert len(a_logic.acts("loadModel")) == 1
    assert not a_panel.ui.setupBox.visible


def test_the_folder_of_an_offline_installation_is_asked_for(a_panel, an_installation, tmp_path):
    with dialogs.answer("QFileDialog", str(tmp_path)):
        a_panel.ui.setupFolderButton.click()
    assert an_installation.calls == [("install", "folder", str(tmp_path))]


def test_no_folder_means_no_installation(a_panel, an_installation):
    with dialogs.answer("QFileDialog", dialogs.CANCEL):
        a_panel.ui.setupFolderButton.click()
    assert an_installation.calls == []


def test_a_restart_is_made_only_after_a_yes(a_panel, an_installation):
    an_installation.restart = True
    with dialogs.answer("Restart", "OK"):
        a_panel.ui.setupExtensionButton.click()
    assert an_installation.calls[-1] == ("restart",)


def test_without_a_yes_nothing_restarts(a_panel, an_installation):
    an_installation.restart = True
    with dialogs.answer("Restart", dialogs.CANCEL):
        a_panel.ui.setupExtensionButton.click()
    assert ("restart",) not in an_installation.calls


def test_an_installation_that_fails_is_said_and_can_be_tried_again(
    a_panel, a_logic, an_environment, an_installation
):
    def fail(*_arguments):
        raise InstallationError("The download stopped.", "Try again.")

    an_environment.install = fail
    a_panel.ui.setupCpuButton.click()
    assert a_panel.ui.errorCause.text == "The download stopped."
    assert a_panel.ui.setupCpuButton.enabled
    assert a_logic.acts("loadModel") == []


@pytest.mark.parametrize(("action", "shown"), [("repair", (False, True)), ("install", (True, False))])
def test_a_failure_shows_the_buttons_that_its_remedy_speaks_of(
    a_panel, an_environment, an_installation, action, shown
):
    def fail(_choice, _folder, progress):
        progress("Trying PyTorch ...")
        raise InstallationError("PyTorch does not work.", "Do something.", action)

    an_environment.install = fail
    a_panel.ui.setupCpuButton.click()
    assert (a_panel.ui.setupCpuButton.visible, a_panel.ui.setupRepairButton.visible) == shown
    assert a_panel.ui.setupText.text == "PyTorch does not work. Do something."


def test_a_checkpoint_that_an_installation_added_is_offered(
    a_panel, an_environment, an_installation, tmp_path, monkeypatch
):
    def install(*_arguments):
        (tmp_path / "added.safetensors").touch()
        an_environment.check = lambda: Readiness(True)

    monkeypatch.setattr(ModelPanel, "resourcePath", lambda *parts: tmp_path.joinpath(*parts[1:]))
    an_environment.install = install
    a_panel.ui.setupCpuButton.click()
    selector = a_panel.ui.checkpointSelector
    assert [selector.itemText(place) for place in range(selector.count)][-2:] == ["added", "From a file"]
    assert selector.currentData == "default"


@pytest.mark.parametrize("name", ["file", "default"])
def test_a_checkpoint_of_any_name_is_offered_and_loaded(a_panel, a_logic, tmp_path, monkeypatch, name):
    added = tmp_path / f"{name}.safetensors"
    added.write_bytes(DEFAULT_MODEL.read_bytes())
    monkeypatch.setattr(ModelPanel, "resourcePath", lambda *parts: tmp_path.joinpath(*parts[1:]))
    a_panel.model._addModels()
    a_panel.ui.checkpointSelector.currentIndex = 1
    a_panel.ui.loadButton.click()
    assert a_panel.ui.checkpointSelector.currentText == name
    assert not a_panel.ui.checkpointFile.visible
    assert [call[1][0] for call in a_logic.acts("loadModel")] == [str(added)]


@pytest.mark.parametrize(
    ("choice", "asked"), [("extension", ("install", "extension", None)), ("repair", ("repair",))]
)
def test_what_was_begun_before_a_restart_goes_on(a_panel, an_installation, choice, asked):
    a_panel.model.setup.resume(choice)
    assert an_installation.calls == [asked]
