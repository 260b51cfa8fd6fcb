"""The line that warns of what the model does badly, on the real logic: when it comes, changes and goes."""

from __future__ import annotations

import panel_fixtures
import pytest
import qt
import slicer
import working_panel_fixtures
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_samples import SlowPredictor, add_image
from panel_stand_ins import MARK, choose_class, contrast, finish
from SlicerHost import palette

from KPrismCore.checkpoint import ModelCard

an_environment, a_panel = panel_fixtures.an_environment, panel_fixtures.a_panel
an_interaction = working_panel_fixtures.an_interaction
METRICS = {
    "modalities": {
        "CT": {"cases": 40, "dice_5": 0.82, "class": 0.74, "reference": 0.41},
        "ultrasound": {"cases": 8, "dice_5": 0.74, "class": 0.21, "reference": 0.66},
        "MR": {"cases": 5, "dice_5": 0.31, "class": None, "reference": 0.8},
    },
    "classes": {"liver": {"dice": 0.87, "cases": 5}, "pancreas": {"dice": 0.19, "cases": 5}},
}
# what the names that are asked for stand for
MODELS = {"default": METRICS, "unmeasured": {}}
POOR_PANCREAS = (
    "This model did poorly on 'pancreas' by its name alone (Dice 0.19 on 5 cases);"
    " expect to correct it with clicks."
)


def load(name, _device, _notify):
    predictor = SlowPredictor(0.0)
    predictor.model.card = ModelCard(name=name, metrics=MODELS[name])
    return predictor


@pytest.fixture
def a_logic(host):
    logic = AnnotationLogic(modelLoader=load)
    yield logic
    logic.cleanup()


@pytest.fixture
def show_image(host, a_panel):
    """Chooses an image of a modality in the panel, as the Data tree knows it."""

    def show(modality):
        volume = add_image(name=modality)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        hierarchy.SetItemAttribute(hierarchy.GetItemByDataNode(volume), "DICOM.Modality", modality)
        a_panel.ui.volumeSelector.setCurrentNode(volume)
        finish(host, a_panel)
        return volume

    return show


@pytest.fixture
def a_ct(host, a_panel, show_image):
    """A CT in the panel, with the measured model loaded by the button."""
    volume = show_image("CT")
    a_panel.ui.loadButton.click()
    finish(host, a_panel)
    return volume


def line(a_panel):
    """The warning as the reader sees it; empty where there is none."""
    ui = a_panel.ui
    return ui.warningText.text if ui.warningBox.visible else ""


def test_where_the_model_is_good_there_is_no_line(a_panel, a_ct):
    assert line(a_panel) == ""


def test_a_poor_class_is_warned_of_until_it_is_cleared(host, a_panel, a_ct):
    choose_class(host, a_panel, "pancreas")
    assert line(a_panel) == POOR_PANCREAS
    a_panel.ui.clearClassButton.click()
    finish(host, a_panel)
    assert line(a_panel) == ""


def test_the_line_follows_the_class(host, a_panel, a_ct):
    choose_class(host, a_panel, "pancreas")
    choose_class(host, a_panel, "hepar")
    assert line(a_panel) == ""


def test_the_line_follows_the_image(a_panel, a_ct, show_image):
    show_image("MR")
    assert line(a_panel) == (
        "This model did poorly on MR even after five clicks (Dice 0.31 on 5 cases); check every slice."
    )


def test_the_line_follows_the_examples(host, a_panel, a_logic, a_ct):
    choose_class(host, a_panel, "hepar")
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    a_panel.ui.clearClassButton.click()
    a_panel.ui.addSliceButton.click()
    finish(host, a_panel)
    assert line(a_panel).startswith("This model did poorly on CT with one example (Dice 0.41 on 40 cases)")
    a_logic.enableReference(0, False)
    finish(host, a_panel)
    assert line(a_panel) == ""


def test_the_line_follows_the_model(host, a_panel, a_logic, a_ct):
    a_logic.loadModel("unmeasured", "cpu")
    finish(host, a_panel)
    assert line(a_panel) == "This model was not measured; check every result."


def test_a_class_name_on_ultrasound_is_warned_of(host, a_panel, a_ct, show_image):
    show_image("US")
    choose_class(host, a_panel, "breast tumour")
    assert line(a_panel) == (
        "This model did poorly on ultrasound with a class name (Dice 0.21 on 8 cases);"
        " expect to correct it with clicks."
    )


def test_a_modality_that_was_not_trained_on_is_said(a_panel, a_ct, show_image):
    show_image("PT")
    assert line(a_panel) == "The model was not trained on PT; expect poor results."


def test_the_line_is_in_the_reader_s_language(host, a_panel, a_ct, monkeypatch):
    monkeypatch.setattr("SlicerHost.i18n.translate", lambda _context, text: MARK + text)
    choose_class(host, a_panel, "pancreas")
    assert line(a_panel).startswith(f"{MARK}This model did poorly on 'pancreas'")
    assert line(a_panel).count(MARK) == 3


@pytest.mark.parametrize("dark", [False, True])
def test_the_line_can_be_read_whole(host, a_panel, a_ct, dark):
    palette.usePalette(dark)
    choose_class(host, a_panel, "pancreas")
    label = a_panel.ui.warningText
    colours = [label.palette.color(role) for role in (label.foregroundRole(), qt.QPalette.Window)]
    palette.usePalette(False)
    assert contrast(*colours) > 4.5
    assert label.heightForWidth(label.width) <= label.height
