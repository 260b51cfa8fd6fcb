"""boot(): the world of a scripted module -- `slicer`, `qt`, `ctk` -- on a real MRML scene.

    from SlicerHost.boot import boot
    host = boot()
    module = host.loadModule("KPrismSlicer/KPrismSlicer.py")
    panel = module.widgetRepresentation().self()

Where there is no display, Qt runs on its offscreen platform and VTK draws into memory.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import slicer
import vtk

from SlicerHost import failures, util

# Modules of the application as Python imports them -> where they are here.
IMPORTED_AS = {
    "qt": "SlicerHost.qt",
    "ctk": "SlicerHost.ctk",
    "slicer.ScriptedLoadableModule": "SlicerHost.scripted",
    "slicer.i18n": "SlicerHost.i18n",
    "slicer.parameterNodeWrapper": "SlicerHost.parameter_node",
}
_hosts: list[Host] = []


@dataclass
class Host:
    """What boot() made."""

    app: Any
    scene: Any
    applicationLogic: Any
    loadedModules: list = field(default_factory=list)
    used: bool = False  # since it was made or reset

    def loadModule(self, path):
        """Load a scripted module; return its entry in slicer.modules, which makes its panel."""
        from SlicerHost.modules import loadScriptedModule

        module = loadScriptedModule(path)
        self.loadedModules.append(module)
        return module

    def unloadModules(self):
        """Unload the scripted modules: their panels clean up and are deleted."""
        for module in reversed(self.loadedModules):
            module.unload()
        self.loadedModules.clear()

    def processEvents(self, seconds=0.0):
        """Let Qt deliver what is due, for at least so many seconds."""
        end = time.monotonic() + seconds
        self.app.processEvents()
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.002)

    def waitUntil(self, condition, seconds=5.0):
        """Let Qt run until the condition holds; AssertionError after so many seconds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain")
            self.processEvents(0.005)

    def reset(self):
        """Unload modules, close all windows and the scene, forget settings: as after a fresh start."""
        self.unloadModules()
        for widget in self.app.topLevelWidgets():
            if not widget.property("outlivesReset"):
                widget.close()
                widget.deleteLater()
        self._closeScene()
        if self.app.layoutManager() is not None:
            self.app.layoutManager().resetForTest()
        self.app.resetForTest()
        self.app.sendPostedEvents(None, DEFERRED_DELETE)
        self.app.processEvents()
        self.used = False

    def _closeScene(self):
        """Leave only the application's own singletons, those of the views among them."""
        self.scene.Clear(0)
        self.scene.RemoveAllDefaultNodes()
        for className in SINGLETONS_OF_MODULES:
            while (node := self.scene.GetFirstNodeByClass(className)) is not None:
                self.scene.RemoveNode(node)
        self.scene.ClearUndoStack()
        self.scene.SetURL("")
        self.scene.SetRootDirectory(self.app.temporaryPath)


# Closing the scene only empties singletons; modules make these when they are first used.
SINGLETONS_OF_MODULES = ("vtkMRMLScriptedModuleNode", "vtkMRMLSegmentEditorNode")
DEFERRED_DELETE = 52  # QEvent::DeferredDelete


def boot():
    """Make everything once per process; return the same Host on every call.

    Raises:
        RuntimeError: There is a QApplication already, made by somebody else.
    """
    if not _hosts:
        _hosts.append(_makeHost())
    return _hosts[0]


def _makeHost():
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not display:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    util.completeUtil()
    failures.install()
    from SlicerHost import app, modules, pythonqt, subject_hierarchy, widgets

    pythonqt.install()
    scene, logic = makeScene()
    application = app.makeApplication(scene, logic)
    modules.installModules(scene, logic)
    for name, place in IMPORTED_AS.items():
        sys.modules[name] = importlib.import_module(place)
        if name.startswith("slicer."):
            setattr(slicer, name.partition(".")[2], sys.modules[name])
    widgets.installWidgets()
    subject_hierarchy.keepHierarchy(scene, application)
    return Host(application, scene, logic)


def makeScene():
    """Return a new scene with Slicer's singletons, also as slicer.mrmlScene, and its application logic."""
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    logic = slicer.vtkSlicerApplicationLogic()
    logic.SetMRMLScene(scene)
    logic.GetColorLogic().SetMRMLScene(scene)
    logic.GetColorLogic().AddDefaultColorNodes()
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    for factory in (
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
    ):
        factory.GetInstance().SetMRMLApplicationLogic(logic)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    return scene, logic
