"""K-Prism in 3D Slicer: segmentation by class, references and clicks. The work is done in KPrismSlicerLib.

Nothing is installed, loaded or sent when the module is opened; PyTorch is imported when a model is loaded.
"""

from __future__ import annotations

from typing import Any

import slicer

# the package makes KPrismCore importable
from KPrismSlicerLib.Environment import Environment, resourcePath
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.Logic import AnnotationLogic
from KPrismSlicerLib.ParameterNode import KPrismParameterNode
from KPrismSlicerLib.SampleImages import registerSampleImages
from KPrismSlicerLib.Widget import PanelWidget
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

HOME = "https://github.com/KPrismSlicer/KPrismSlicer"
CITATION = (
    "Bangwei Guo, Yunhe Gao, Meng Ye, Difei Gu, Yang Zhou, Leon Axel, Dimitris Metaxas: K-Prism: A"
    " Knowledge-Guided and Prompt Integrated Universal Medical Image Segmentation Model. International"
    " Conference on Learning Representations (ICLR 2026)."
    ' <a href="https://arxiv.org/abs/2509.25594">arXiv:2509.25594</a>'
)


class KPrismSlicer(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("K-Prism")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["KPrismSlicer contributors"]
        self.parent.helpText = _(
            "Segments an image from what you know: pick a class, drag an example from the Data tree, click"
            " inside and outside. Each answer adds to the others. Everything runs on this computer.<br>"
            "<b>Not a medical device: research and teaching only.</b><br>"
            '<a href="{home}">Tutorial and documentation</a>'
        ).format(home=HOME)
        self.parent.acknowledgementText = _(
            "The network is that of K-Prism. Please cite its authors' paper, and name the checkpoint that you"
            " used; its card names the images that it was trained on.<br>{citation}"
        ).format(citation=CITATION)
        self._findIcon()
        slicer.app.connect("startupCompleted()", onStartupCompleted)

    def _findIcon(self) -> None:
        """Show the icon: in the source tree it is not where Slicer looks for it."""
        import qt

        path = resourcePath("Icons", "KPrismSlicer.png")
        if path.is_file():
            self.parent.icon = qt.QIcon(str(path))


def onStartupCompleted() -> None:
    """Offer the sample, and go on with an installation that the user began before a restart."""
    registerSampleImages()
    choice = Environment().pending()
    if choice:
        slicer.util.selectModule("KPrismSlicer")
        panel = slicer.modules.kprismslicer.widgetRepresentation().self().panel
        panel.model.setup.resume(choice)


class KPrismSlicerLogic(AnnotationLogic, ScriptedLoadableModuleLogic):
    """`AnnotationLogic` with Slicer's parameter node; for scripts too, without the panel."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        # Slicer's class goes on to the next one: in the other order AnnotationLogic would begin twice
        ScriptedLoadableModuleLogic.__init__(self)
        AnnotationLogic.__init__(self, *arguments, **options)

    def getParameterNode(self) -> KPrismParameterNode:
        """The settings in the scene, made where there are none."""
        return KPrismParameterNode(super().getParameterNode())


class KPrismSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel: makes the parts and forwards what Slicer tells. See `KPrismSlicerLib.Widget`."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: KPrismSlicerLogic | None = None
        self.interaction: Interaction | None = None
        self.environment: Environment | None = None
        self.panel: PanelWidget | None = None

    def setup(self) -> None:
        """Build the panel. Nothing is installed or loaded."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = KPrismSlicerLogic()
        self.interaction = Interaction(self.logic)
        self.environment = Environment()
        self.panel = PanelWidget(self.parent, self.logic, self.interaction, self.environment)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Let go of everything, before the module is unloaded or reloaded."""
        self.removeObservers()
        for part in (self.panel, self.interaction, self.logic):
            if part is not None:
                part.cleanup()
        self.panel = self.interaction = self.logic = self.environment = None

    def enter(self) -> None:
        """The user opens the module."""
        if self.panel is None:
            # cleaned up
            return
        self.logic.tidyScene()
        self.initializeParameterNode()
        self.interaction.enter()
        self.panel.enter()

    def exit(self) -> None:
        """The user opens another module: tools and shortcuts end, work under way goes on."""
        # a reload cleans up first and leaves the module then
        if self.panel is not None:
            self.interaction.exit()
            self.panel.exit()

    def onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        """The settings go with the scene."""
        self.panel.setParameterNode(None)

    def onSceneEndClose(self, _caller: Any, _event: Any) -> None:
        """Begin anew where the user is looking at the panel."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, _caller: Any, _event: Any) -> None:
        """A scene was loaded: go back to its settings and its case."""
        self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Use the settings of the scene, made where there are none."""
        self.panel.setParameterNode(self.logic.getParameterNode())


class KPrismSlicerTest(ScriptedLoadableModuleTest):
    """Self-test, in 3D Slicer and on the project's host; `KPrismSlicerLib.SelfTest` has the steps."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run all tests."""
        from KPrismSlicerLib import SelfTest

        for test in SelfTest.TESTS:
            self.setUp()
            self.delayDisplay(test.__doc__)
            test(self)
