"""The export box of section 5: formats, folder, and a question before anything is overwritten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from KPrismCore.errors import OutputFileError, PromptError
from KPrismSlicerLib import Export
from KPrismSlicerLib.PanelTools import PanelContext, openArrow, quietly

_SHOWN = 6
# of a file name, what fits into a narrow panel
_NAME_LETTERS = 32


class ExportBox:
    """Writes the segmentation to files.

    Args:
        context: of the panel.
    """

    def __init__(self, context: PanelContext) -> None:
        self._context = context
        ui, connect = context.ui, context.slots.connect
        ui.exportFolder.filters = ctk.ctkPathLineEdit.Dirs
        connect(ui.exportButton, "toggled(bool)", self._open)
        connect(ui.writeButton, "clicked()", self.write)
        connect(ui.exportFolder, "currentPathChanged(QString)", self._folderChosen)
        for check in self._checks().values():
            connect(check, "toggled(bool)", lambda _on: self.update())
        self._open(False)

    @property
    def formats(self) -> set[str]:
        """The endings that are ticked."""
        return {ending for ending, check in self._checks().items() if check.checked}

    def write(self) -> None:
        """Write the files; asks before it replaces any.

        Raises:
            PromptError: there is no segmentation.
            OutputFileError: no folder is chosen, or a file cannot be written.
            GeometryError: see `Export.writeCase`.
        """
        logic, ui = self._context.logic, self._context.ui
        # of two attempts only the later one's outcome is on show
        self.clear()
        self._context.clearError()
        if logic.segmentationNode is None or logic.volumeNode is None:
            raise PromptError(_("There is nothing to export yet."), _("Segment something first."))
        if not ui.exportFolder.currentPath:
            raise OutputFileError(_("No folder is chosen."), _("Choose the folder for the files."))
        case = (logic.segmentationNode, logic.volumeNode, Path(ui.exportFolder.currentPath), self.formats)
        existing = Export.existing(Export.exportPaths(*case))
        if existing and not self._context.ask(_question(existing), _("Replace files?")):
            return
        done = Export.writeCase(*case, overwrite=bool(existing))
        names = [path.name for path in done.paths]
        self._show([_shortened(ui.exportText, name) for name in names], done.warnings)
        ui.exportText.toolTip = ", ".join(names)

    def update(self) -> None:
        """Show whether there is something to write."""
        ui, logic = self._context.ui, self._context.logic
        ui.writeButton.enabled = bool(self.formats) and logic.segmentationNode is not None

    def clear(self) -> None:
        """Forget what was written last."""
        self._context.ui.exportText.visible = False

    def restore(self, parameters: Any) -> None:
        """Show the folder that a scene remembers."""
        folder = self._context.ui.exportFolder
        with quietly(folder):
            folder.currentPath = parameters.exportFolder

    def _checks(self) -> dict[str, Any]:
        ui = self._context.ui
        return {"seg.nrrd": ui.exportSegNrrd, "nrrd": ui.exportNrrd, "nii.gz": ui.exportNifti}

    def _show(self, names: Sequence[str], warnings: Sequence[str]) -> None:
        text = _("Written: {names}").format(names=", ".join(names))
        self._context.ui.exportText.text = "\n".join((text, *warnings))
        self._context.ui.exportText.visible = True

    def _folderChosen(self, path: str) -> None:
        self._context.remember("exportFolder", path)

    def _open(self, opened: bool) -> None:
        self._context.ui.exportBox.visible = opened
        openArrow(self._context.ui.exportButton, opened)
        self.clear()
        self.update()


def _shortened(label: Any, name: str) -> str:
    """A file name, with an ellipsis in its middle where it is too long for a line: labels break no words."""
    metrics = qt.QFontMetrics(label.font)
    return metrics.elidedText(name, qt.Qt.ElideMiddle, _NAME_LETTERS * metrics.averageCharWidth())


def _question(existing: list[Path]) -> str:
    names = "\n".join(path.name for path in existing[:_SHOWN])
    if len(existing) > _SHOWN:
        names += "\n..."
    text = _("These files are in the folder already. Replace them?\n\n{names}")
    return text.format(names=names)
