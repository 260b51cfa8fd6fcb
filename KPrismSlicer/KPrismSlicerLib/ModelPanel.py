"""The model's line in section 1: which, where it runs, its state; Load; checkpoint, device and card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import ctk
from slicer.i18n import tr as _

from KPrismCore.errors import CheckpointError
from KPrismSlicerLib.CheckpointCard import CheckpointCard, cardOf, readCard
from KPrismSlicerLib.PanelTools import PanelContext, openArrow, quietly, tint
from KPrismSlicerLib.Paths import resourcePath
from KPrismSlicerLib.SetupBox import SetupBox

DEFAULT = "default"
DEFAULT_FILE = "kprism-small.safetensors"
_FILE = "file"


class ModelPanel:
    """Loads the model in the background and says what it is.

    Args:
        context: of the panel.
    """

    def __init__(self, context: PanelContext) -> None:
        self._context = context
        ui, connect = context.ui, context.slots.connect
        self.setup = SetupBox(context, self._loadNow)
        self._fillChoices()
        tint(ui.warningBox, 214, 158, 20)
        ui.checkpointFile.filters = ctk.ctkPathLineEdit.Files
        ui.checkpointFile.nameFilters = [_("Checkpoints") + " (*.safetensors *.pth *.pt)"]
        connect(ui.loadButton, "clicked()", self.load)
        connect(ui.modelDetailsButton, "toggled(bool)", self._showDetails)
        connect(ui.checkpointSelector, "currentIndexChanged(int)", lambda _index: self._checkpointChosen())
        connect(ui.checkpointFile, "currentPathChanged(QString)", lambda _path: self._checkpointChosen())
        connect(ui.deviceSelector, "currentIndexChanged(int)", self._deviceChosen)
        self._showDetails(False)
        self._showFile()
        self.update()

    @property
    def checkpoint(self) -> str:
        """What is to be loaded: 'default', a shipped model's name, or a path ('' while there is none)."""
        chosen = self._context.ui.checkpointSelector.currentData
        return self._context.ui.checkpointFile.currentPath if chosen == _FILE else chosen

    def load(self) -> None:
        """Load the chosen checkpoint, or say what this computer lacks for it.

        Raises:
            CheckpointError: no file is chosen, or it is none of ours.
        """
        readCard(self._path())
        self.setup.begin()

    def update(self) -> None:
        """Show the logic's model."""
        ui, model = self._context.ui, self._context.logic.model
        ui.modelText.text = modelLine(model)
        loading = model.status == "loading"
        ui.modelProgress.visible = loading
        ui.loadButton.enabled = not loading
        ui.loadButton.text = _("&Load") if model.status in ("none", "loading") else _("Re&load")
        warnings = [text for text in (*model.warnings, self._context.logic.doubt()) if text]
        ui.warningText.text = "\n".join(dict.fromkeys(warnings))
        ui.warningBox.visible = bool(warnings)
        if ui.modelDetailsButton.checked:
            self._showCard()

    def restore(self, parameters: Any) -> None:
        """Show the checkpoint and the device that a scene remembers; nothing is loaded."""
        ui, checkpoint, device = self._context.ui, parameters.checkpoint, parameters.device
        with quietly(ui.checkpointSelector, ui.checkpointFile, ui.deviceSelector):
            place = ui.checkpointSelector.findData(checkpoint)
            if place < 0:
                place = ui.checkpointSelector.findData(_FILE)
                ui.checkpointFile.currentPath = checkpoint
            ui.checkpointSelector.currentIndex = place
            ui.deviceSelector.currentIndex = max(ui.deviceSelector.findData(device), 0)
        self._showFile()

    def _fillChoices(self) -> None:
        ui = self._context.ui
        ui.checkpointSelector.addItem(_("Default (K-Prism small)"), DEFAULT)
        ui.checkpointSelector.addItem(_("From a file"), _FILE)
        self._addModels()
        for name, text in (
            ("auto", _("Automatic")),
            ("cpu", _("Processor")),
            ("cuda", _("NVIDIA GPU")),
            ("mps", _("Apple GPU")),
        ):
            ui.deviceSelector.addItem(text, name)

    def _addModels(self) -> None:
        """Offer the checkpoints in Resources/Models that are not offered yet, before 'From a file'."""
        selector = self._context.ui.checkpointSelector
        with quietly(selector):
            for path in sorted(resourcePath("Models").glob("*.safetensors")):
                # names that mean something else here are no names for another one
                key = str(path) if path.stem in (DEFAULT, _FILE) else path.stem
                if path.name != DEFAULT_FILE and selector.findData(key) < 0:
                    selector.insertItem(selector.count - 1, path.stem, key)

    def _path(self) -> Path:
        name = self.checkpoint
        if not name:
            raise CheckpointError(_("No checkpoint file is chosen."), _("Choose a file, or the default."))
        if name == DEFAULT:
            return resourcePath("Models", DEFAULT_FILE)
        shipped = resourcePath("Models", f"{name}.safetensors")
        return shipped if shipped.is_file() else Path(name)

    def _loadNow(self) -> None:
        ui = self._context.ui
        # an installation from a folder may have added some
        self._addModels()
        self._context.logic.loadModel(self.checkpoint, ui.deviceSelector.currentData)

    def _checkpointChosen(self) -> None:
        self._showFile()
        if self.checkpoint:
            self._context.remember("checkpoint", self.checkpoint)
        if self._context.ui.modelDetailsButton.checked:
            self._showCard()

    def _deviceChosen(self, _index: int) -> None:
        self._context.remember("device", self._context.ui.deviceSelector.currentData)

    def _showFile(self) -> None:
        ui = self._context.ui
        for widget in (ui.checkpointFile, ui.checkpointFileLabel):
            widget.visible = ui.checkpointSelector.currentData == _FILE

    def _showDetails(self, shown: bool) -> None:
        ui = self._context.ui
        ui.modelDetails.visible = shown
        openArrow(ui.modelDetailsButton, shown)
        if shown:
            self._showCard()

    def _showCard(self) -> None:
        """The card of what is chosen; while a file is being typed, what is wrong with it."""
        try:
            card = self._loadedCard() or readCard(self._path())
        except CheckpointError as error:
            self._context.ui.cardText.setPlainText(f"{error.cause} {error.remedy}")
        else:
            self._context.ui.cardText.setHtml(card.toHtml())

    def _loadedCard(self) -> CheckpointCard | None:
        """The card of the model at work, if that is what is chosen and its file carries none."""
        model = self._context.logic.model
        if model.status != "ready" or self._path().suffix.lower() not in (".pth", ".pt"):
            return None
        return cardOf(asdict(model.card), [entry.name for entry in model.catalogue.trained])


def modelLine(model: Any) -> str:
    """Name, device and state of a ModelState in one line."""
    states = {
        "none": _("No model is loaded"),
        "loading": _("loading ..."),
        "ready": _("ready"),
        "failed": _("could not be loaded"),
    }
    parts = (model.title, model.deviceText, states[model.status])
    return " \u00b7 ".join(part for part in parts if part)
