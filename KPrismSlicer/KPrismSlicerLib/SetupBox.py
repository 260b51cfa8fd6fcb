"""What stands between the user and the model: causes, remedies, and the ways to install what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from KPrismSlicerLib.PanelTools import PanelContext, tint
from KPrismSlicerLib.Problems import InstallationError


class SetupBox:
    """Shown in section 1 only while something is missing. Installs nothing without a press of a button.

    Args:
        context: of the panel.
        ready: called when the model can be loaded.
    """

    def __init__(self, context: PanelContext, ready: Callable[[], None]) -> None:
        self._context = context
        self._ready = ready
        ui, connect, environment = context.ui, context.slots.connect, context.environment
        tint(ui.setupBox, 47, 111, 208)
        connect(ui.setupExtensionButton, "clicked()", lambda: self._install("extension"))
        connect(ui.setupCpuButton, "clicked()", lambda: self._install("cpu"))
        connect(ui.setupFolderButton, "clicked()", self._installFromFolder)
        connect(ui.setupRepairButton, "clicked()", lambda: self._work(lambda: environment.repair(self._show)))
        connect(ui.setupCopyButton, "clicked()", self._copyDiagnosis)
        connect(ui.setupAgainButton, "clicked()", self.begin)
        ui.setupBox.visible = False
        ui.setupProgress.visible = False

    def begin(self) -> None:
        """Look whether everything is there: then go on, else say what is not."""
        self._context.clearError()
        ui, readiness = self._context.ui, self._check()
        if self._context.slots.ended:
            return
        ui.setupBox.visible = bool(readiness.problems)
        ui.setupText.text = "\n\n".join(f"{one.cause} {one.remedy}" for one in readiness.problems)
        self._offer({problem.action for problem in readiness.problems})
        if readiness.ready:
            self._ready()

    def _check(self) -> Any:
        """What the environment finds; the first time it may take some seconds, while the window lives."""
        ui = self._context.ui
        ui.loadButton.enabled = ui.setupAgainButton.enabled = False
        ui.modelProgress.visible = True
        try:
            return self._context.environment.check()
        finally:
            if not self._context.slots.ended:
                ui.modelProgress.visible = False
                ui.loadButton.enabled = ui.setupAgainButton.enabled = True

    def resume(self, choice: str) -> None:
        """Go on after a restart with what the user chose before it: an installation, or "repair"."""
        # nobody pressed a button, but errors are shown all the same
        guarded = self._context.slots.guarded
        if choice == "repair":
            guarded(self._work)(lambda: self._context.environment.repair(self._show))
        else:
            guarded(self._install)(choice)

    def _offer(self, actions: set[str]) -> None:
        """Show the buttons that the problems call for."""
        ui = self._context.ui
        for button in (ui.setupExtensionButton, ui.setupCpuButton, ui.setupFolderButton):
            button.visible = "install" in actions
        ui.setupRepairButton.visible = "repair" in actions

    def _install(self, choice: str, folder: str | None = None) -> None:
        environment = self._context.environment
        self._work(lambda: environment.install(choice, folder, self._show))

    def _installFromFolder(self) -> None:
        title = _("Folder with the wheels and their checksums")
        folder = qt.QFileDialog.getExistingDirectory(self._context.ui.setupBox, title)
        if folder:
            self._install("folder", folder)

    def _work(self, work: Callable[[], Any]) -> None:
        """Do something that takes long and lets the window breathe; then look again."""
        ui = self._context.ui
        buttons = (ui.setupExtensionButton, ui.setupCpuButton, ui.setupFolderButton, ui.setupRepairButton,
                   ui.setupAgainButton, ui.loadButton)  # fmt: skip
        for button in buttons:
            button.enabled = False
        ui.setupBox.visible = ui.setupProgress.visible = True
        restart = False
        try:
            restart = work()
        except InstallationError as error:
            self._showFailure(error)
            raise
        finally:
            if not self._context.slots.ended:
                ui.setupProgress.visible = False
                for button in buttons:
                    button.enabled = True
        if self._context.slots.ended:
            return
        if restart and self._mayRestart():
            self._context.environment.restart()
        else:
            self.begin()

    def _showFailure(self, error: InstallationError) -> None:
        """Say it in place of the last progress, and show the buttons that its remedy speaks of."""
        if self._context.slots.ended:
            return
        self._context.ui.setupText.text = f"{error.cause} {error.remedy}"
        if error.action:
            self._offer({error.action})

    def _mayRestart(self) -> bool:
        question = _("3D Slicer has to start anew; then the installation goes on by itself. Restart now?")
        return self._context.ask(question, _("Restart"))

    def _show(self, text: str) -> None:
        if not self._context.slots.ended:
            self._context.ui.setupText.text = text

    def _copyDiagnosis(self) -> None:
        qt.QApplication.clipboard().setText(self._context.environment.diagnosis())
