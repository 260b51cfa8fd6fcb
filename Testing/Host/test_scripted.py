"""A scripted module's life: loading, panel, reloading, unloading; and its base classes."""

from __future__ import annotations

import sys

import pytest
import slicer

MODULE = """
import slicer, vtk
from slicer.ScriptedLoadableModule import *
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

calls = []

class AModule(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("A module")
        self.parent.categories = ["Segmentation"]

class AModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        calls.append("setup")
        self.logic = AModuleLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, lambda *_: calls.append("closed"))

    def enter(self):
        calls.append("enter")

    def exit(self):
        calls.append("exit")

    def cleanup(self):
        calls.append("cleanup")
        self.removeObservers()

class AModuleLogic(ScriptedLoadableModuleLogic):
    pass

class AModuleTest(ScriptedLoadableModuleTest):
    def runTest(self):
        calls.append("test")
"""


@pytest.fixture
def module(host, tmp_path):
    """A module loaded from a file."""
    (tmp_path / "AModule.py").write_text(MODULE)
    return host.loadModule(tmp_path / "AModule.py")


@pytest.fixture
def panel(module):
    """The C++ side of its panel."""
    return module.widgetRepresentation()


@pytest.fixture
def calls(module):
    """What was called in the module, oldest first."""
    return sys.modules["AModule"].calls


class TestModule:
    def test_it_is_in_slicer_modules(self, module):
        assert slicer.modules.amodule is module

    def test_its_title_is_what_the_script_says(self, module):
        assert module.title == "A module"

    def test_loading_it_makes_no_panel(self, module, calls):
        assert calls == []

    def test_the_module_manager_knows_it(self, module):
        assert slicer.app.moduleManager().module("AModule") is module

    def test_a_property_that_slicer_lacks_is_refused(self, module):
        with pytest.raises(AttributeError, match="titel"):
            module.titel = "A module"

    def test_its_self_test_runs(self, module, calls):
        slicer.selfTests["AModule"]()
        assert calls == ["test"]

    def test_unloading_forgets_it(self, host, module):
        host.unloadModules()
        assert not hasattr(slicer.modules, "amodule")

    def test_a_script_without_its_class_is_refused(self, host, tmp_path):
        (tmp_path / "Empty.py").write_text("")
        with pytest.raises(AttributeError, match="Empty"):
            host.loadModule(tmp_path / "Empty.py")


class TestPanel:
    def test_asking_for_the_panel_sets_it_up_once(self, module, panel, calls):
        module.widgetRepresentation()
        assert calls == ["setup"]

    def test_it_has_the_scene(self, panel):
        assert panel.mrmlScene() is slicer.mrmlScene

    def test_slicer_util_finds_its_python_object(self, panel):
        assert slicer.util.getModuleWidget("AModule") is panel.self()

    def test_entering_and_leaving_are_told(self, panel, calls):
        panel.enter()
        panel.exit()
        assert calls[1:] == ["enter", "exit"]

    def test_unloading_leaves_it_and_cleans_up(self, host, panel, calls):
        panel.enter()
        host.unloadModules()
        assert calls[2:] == ["exit", "cleanup"]

    def test_reloading_makes_a_new_panel(self, panel):
        before = panel.self()
        before.onReload()
        assert slicer.util.getModuleWidget("AModule") is not before

    def test_after_cleanup_it_hears_nothing_of_the_scene(self, host, panel, calls):
        host.unloadModules()
        slicer.mrmlScene.Clear(0)
        assert "closed" not in calls


class TestLogic:
    def test_its_parameter_node_is_the_same_every_time(self, panel):
        logic = panel.self().logic
        assert logic.getParameterNode() is logic.getParameterNode()

    def test_the_parameter_node_belongs_to_the_module(self, panel):
        assert panel.self().logic.getParameterNode().GetAttribute("ModuleName") == "AModule"

    def test_after_closing_the_scene_there_is_one_again(self, panel):
        logic = panel.self().logic
        logic.getParameterNode()
        slicer.mrmlScene.Clear(0)
        assert logic.getParameterNode().GetAttribute("ModuleName") == "AModule"

    def test_without_singleton_each_one_is_found(self, panel):
        logic = panel.self().logic
        logic.isSingletonParameterNode = False
        for _ in range(2):
            slicer.mrmlScene.AddNode(logic.createParameterNode())
        assert len(logic.getAllParameterNodes()) == 2
