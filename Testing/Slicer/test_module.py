"""The module in the life of the application: load, open, leave, reload, scene close, end; its self-test."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref

import pytest
from package_lists import ROOT
from SlicerHost import dialogs, failures
from SlicerHost.boot import DEFERRED_DELETE, boot

boot()

import slicer  # noqa: E402
from KPrismSlicerLib import SampleImages, SelfTest  # noqa: E402
from KPrismSlicerLib.Environment import Environment, Readiness  # noqa: E402
from KPrismSlicerLib.Problems import InstallationError  # noqa: E402
from KPrismSlicerLib.System import System  # noqa: E402

SCRIPT = ROOT / "KPrismSlicer" / "KPrismSlicer.py"


@pytest.fixture
def module(host, layout_manager):
    return host.loadModule(str(SCRIPT))


@pytest.fixture
def widget(module):
    """The Python side of the panel, after setup()."""
    return module.widgetRepresentation().self()


@pytest.fixture
def opened(module, widget):
    """The panel as the user has it before him."""
    module.widgetRepresentation().enter()
    return widget


def observers(scene):
    """How many commands observe the scene and its nodes."""
    objects = [scene, *(scene.GetNthNode(place) for place in range(scene.GetNumberOfNodes()))]
    return sum(str(each).count("vtkObserver (") for each in objects)


def workers():
    return [thread for thread in threading.enumerate() if "prism" in thread.name.lower()]


def test_the_module_is_listed_under_segmentation(module):
    assert "Segmentation" in module.categories


def test_the_help_says_that_it_is_no_medical_device(module):
    assert "Not a medical device" in module.helpText


@pytest.mark.parametrize(
    "words", ["ICLR 2026", "Knowledge-Guided and Prompt Integrated", "2509.25594", "Guo"]
)
def test_the_acknowledgement_cites_the_paper(module, words):
    assert words in module.acknowledgementText


def test_the_module_has_its_icon(module):
    assert not module.icon.isNull()


def test_loading_and_opening_import_no_pytorch():
    """In a process of its own: other tests of this one load it."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from SlicerHost.boot import DEFERRED_DELETE, boot;"
        "host = boot(); module = host.loadModule(sys.argv[2]); module.widgetRepresentation().enter();"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(ROOT / "Testing"), str(SCRIPT)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False"]


def test_setup_changes_no_setting(widget):
    assert slicer.app.settings().value("KPrismSlicer/choice") is None


def test_opening_chooses_the_image_on_view(host, module):
    node = SampleImages.addPhantom()
    slicer.app.applicationLogic().GetSelectionNode().SetActiveVolumeID(node.GetID())
    module.widgetRepresentation().enter()
    assert module.widgetRepresentation().self().logic.volumeNode is node


def test_the_views_are_observed_only_while_the_module_is_open(module, opened):
    assert opened.interaction.isActive
    module.widgetRepresentation().exit()
    assert not opened.interaction.isActive


def test_no_tool_is_in_hand_after_leaving(module, opened):
    opened.interaction.setTool("positive")
    module.widgetRepresentation().exit()
    assert opened.interaction.tool == "none"


def test_opening_and_leaving_ten_times_leaves_no_observer(host, module, opened):
    module.widgetRepresentation().exit()
    before = observers(host.scene)
    for _ in range(10):
        module.widgetRepresentation().enter()
        module.widgetRepresentation().exit()
    assert observers(host.scene) == before


def test_an_open_module_observes_the_scene(host, layout_manager):
    before = observers(host.scene)
    host.loadModule(str(SCRIPT)).widgetRepresentation().enter()
    assert observers(host.scene) > before


def test_closing_the_scene_forgets_the_case(host, opened):
    opened.panel.ui.volumeSelector.setCurrentNode(SampleImages.addPhantom())
    host.scene.Clear(0)
    host.processEvents()
    assert (opened.logic.volumeNode, opened.logic.segmentationNode) == (None, None)


def test_after_closing_the_scene_an_image_can_be_opened(host, opened):
    opened.panel.ui.volumeSelector.setCurrentNode(SampleImages.addPhantom())
    host.scene.Clear(0)
    node = SampleImages.addPhantom()
    opened.panel.ui.volumeSelector.setCurrentNode(node)
    host.processEvents()
    assert opened.logic.volumeNode is node


def test_closing_the_scene_five_times_leaves_no_observer(host, opened):
    def close():
        opened.panel.ui.volumeSelector.setCurrentNode(SampleImages.addPhantom())
        host.processEvents()
        host.scene.Clear(0)
        host.processEvents()

    close()
    before = observers(host.scene)
    for _ in range(4):
        close()
    assert observers(host.scene) == before


def test_settings_are_one_node_of_the_scene(host, opened):
    host.scene.Clear(0)
    host.processEvents()
    opened.initializeParameterNode()
    nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
    assert [node.GetAttribute("ModuleName") for node in nodes] == ["KPrismSlicer"]


def test_removing_the_image_is_survived(host, opened):
    node = SampleImages.addPhantom()
    opened.panel.ui.volumeSelector.setCurrentNode(node)
    host.scene.RemoveNode(node)
    host.processEvents()
    assert opened.logic.volumeNode is None


def test_after_unloading_the_scene_has_no_observer_more_than_before(host, layout_manager):
    before = observers(host.scene)
    host.loadModule(str(SCRIPT)).widgetRepresentation().enter()
    host.unloadModules()
    host.app.sendPostedEvents(None, DEFERRED_DELETE)
    gc.collect()
    host.scene.Clear(0)
    assert observers(host.scene) == before


def test_after_unloading_no_worker_runs(host, module, opened):
    before = workers()
    host.unloadModules()
    assert [thread for thread in workers() if thread not in before] == []
    assert not any(thread.is_alive() for thread in before)


@pytest.mark.parametrize("part", ["logic", "interaction", "environment", "panel"])
def test_after_unloading_nothing_of_the_panel_is_left(host, layout_manager, part):
    widget = host.loadModule(str(SCRIPT)).widgetRepresentation().self()
    widget.enter()
    kept = weakref.ref(getattr(widget, part))
    del widget
    host.unloadModules()
    host.reset()
    gc.collect()
    assert kept() is None


def test_cleaning_up_twice_is_harmless(widget):
    widget.cleanup()
    assert widget.cleanup() is None


def test_opening_and_leaving_after_cleaning_up_are_harmless(widget):
    widget.cleanup()
    assert (widget.enter(), widget.exit()) == (None, None)


def test_after_a_reload_from_the_open_module_the_new_panel_is_live(module, opened):
    opened.onReload()
    fresh = module.widgetRepresentation().self()
    node = SampleImages.addPhantom()
    fresh.panel.ui.volumeSelector.setCurrentNode(node)
    assert fresh is not opened
    assert fresh.interaction.isActive
    assert fresh.logic.volumeNode is node


def test_events_after_cleaning_up_are_harmless(host, widget):
    widget.cleanup()
    host.scene.Clear(0)
    host.processEvents()
    assert failures.recorded() == ()


def test_a_reload_makes_a_new_panel(module, opened):
    module.widgetRepresentation().reload()
    assert module.widgetRepresentation().self() is not opened


def test_after_a_restart_the_installation_goes_on(host, module, monkeypatch):
    System().setSetting("resume", "cpu")
    asked = []
    monkeypatch.setattr(Environment, "install", lambda _self, *arguments: asked.append(arguments[:2]))
    monkeypatch.setattr(Environment, "check", lambda _self: Readiness(False))
    monkeypatch.setattr(slicer.util, "selectModule", asked.append)
    sys.modules["KPrismSlicer"].onStartupCompleted()
    assert asked == ["KPrismSlicer", ("cpu", None)]


def test_a_start_without_an_unfinished_installation_opens_nothing(host, module, monkeypatch):
    opened = []
    monkeypatch.setattr(slicer.util, "selectModule", opened.append)
    sys.modules["KPrismSlicer"].onStartupCompleted()
    assert opened == []


@pytest.mark.parametrize(("answer", "restarts"), [("OK", 1), ("Cancel", 0)])
def test_the_user_is_asked_before_a_restart(host, opened, monkeypatch, answer, restarts):
    done = []
    monkeypatch.setattr(Environment, "install", lambda _self, *_arguments: True)
    monkeypatch.setattr(Environment, "restart", lambda _self: done.append(1))
    with dialogs.answer("start anew", answer):
        opened.panel.ui.setupExtensionButton.click()
    assert len(done) == restarts


def test_what_fails_after_a_restart_is_shown_in_the_panel(host, module, monkeypatch):
    def install(_self, *_arguments):
        raise InstallationError("The disk is full.", "Free some space.")

    System().setSetting("resume", "cpu")
    monkeypatch.setattr(Environment, "install", install)
    monkeypatch.setattr(slicer.util, "selectModule", lambda _name: None)
    sys.modules["KPrismSlicer"].onStartupCompleted()
    ui = module.widgetRepresentation().self().panel.ui
    assert "The disk is full." in ui.errorCause.text


def test_unloading_during_an_installation_is_survived(host, opened, monkeypatch):
    def install(_self, *_arguments):
        host.unloadModules()
        return True

    monkeypatch.setattr(Environment, "install", install)
    opened.panel.ui.setupCpuButton.click()
    host.processEvents()
    assert failures.recorded() == ()


def test_unloading_during_a_check_is_survived(host, opened, monkeypatch):
    def check(_self):
        host.unloadModules()
        return Readiness(True)

    monkeypatch.setattr(Environment, "check", check)
    opened.panel.ui.loadButton.click()
    host.processEvents()
    assert failures.recorded() == ()


@pytest.mark.parametrize("step", SelfTest.TESTS[:2], ids=lambda step: step.__name__)
def test_the_self_test_passes_on_the_host(host, module, step):
    test = sys.modules["KPrismSlicer"].KPrismSlicerTest()
    test.setUp()
    step(test)


@pytest.mark.slow
def test_the_whole_self_test_passes_on_the_host(host, module, layout_manager):
    slicer.selfTests["KPrismSlicer"]()
