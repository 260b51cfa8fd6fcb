"""slicer.modules: the loadable modules whose logics slicer-core has, and scripted modules."""

from __future__ import annotations

import importlib.util
import os
import sys
import types

import slicer
from PySide6.QtCore import Property
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout

from SlicerHost.mrml_widget import qMRMLWidget

# Attribute of slicer.modules is the name in lower case. Segmentations first: it registers the converters that
# segmentation nodes of all other modules need.
LOGICS = (
    ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    ("Colors", "vtkMRMLColorLogic"),
    ("Units", "vtkSlicerUnitsLogic"),
    ("Volumes", "vtkSlicerVolumesLogic"),
    ("Terminologies", "vtkSlicerTerminologiesModuleLogic"),
    ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    ("Markups", "vtkSlicerMarkupsLogic"),
    ("Models", "vtkSlicerModelsLogic"),
    ("Transforms", "vtkSlicerTransformLogic"),
    ("Texts", "vtkSlicerTextsLogic"),
    ("Tables", "vtkSlicerTablesLogic"),
    ("Sequences", "vtkSlicerSequencesLogic"),
    ("CropVolume", "vtkSlicerCropVolumeLogic"),
    ("Data", "vtkSlicerDataModuleLogic"),
)
SHARE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "share")
# What a scripted module may set on its `parent`, with the value before; C++ refuses other names.
MODULE_PROPERTIES = {
    "title": "",
    "categories": (),
    "contributors": (),
    "dependencies": (),
    "associatedNodeTypes": (),
    "helpText": "",
    "acknowledgementText": "",
    "hidden": False,
    "index": -1,
    "icon": None,
    "path": "",
    "name": "",
    "widgetRepresentationCreationEnabled": True,
}


class LoadableModule:
    """A module as Python sees it: the properties above, logic() and no panel."""

    def __init__(self, name, logic=None, path=""):
        self.__dict__.update(MODULE_PROPERTIES, name=name, title=name, path=path, icon=QIcon(), _logic=logic)

    def __setattr__(self, name, value):
        if name not in self.__dict__:
            raise AttributeError(
                f"'{name}' does not exist on {type(self).__name__}: C++ objects take no new attributes"
            )
        self.__dict__[name] = tuple(value) if isinstance(value, list) else value

    def logic(self):
        """Return the module's VTK logic, connected to the scene and the application logic."""
        return self._logic

    def widgetRepresentation(self):
        """C++ modules have no panel here."""
        return None

    createNewWidgetRepresentation = widgetRepresentation


class qSlicerScriptedLoadableModule(LoadableModule):
    """A scripted module: the entry in slicer.modules and the `parent` of its ScriptedLoadableModule."""

    def __init__(self, name, path, logic):
        super().__init__(name, logic, path)
        self.__dict__["_widget"] = None

    def widgetRepresentation(self):
        """Return the panel's widget; made, and setup() called, the first time."""
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self):
        widget = qSlicerScriptedLoadableModuleWidget(self.name)
        widget.setMRMLScene(slicer.mrmlScene)
        widget.reload()
        return widget

    def unload(self):
        """Clean up the panel, delete it, and forget the module."""
        manager = slicer.app.moduleManager()
        if self._widget is not None and self._widget.isEntered:
            self._widget.exit()
        manager.moduleAboutToBeUnloaded.emit(self.name)
        if self._widget is not None:
            self._widget.deleteLater()
            self._widget = None
        folder = os.path.dirname(self.path)
        if folder in sys.path:
            sys.path.remove(folder)
        for attribute in (self.name.lower(), f"{self.name}Widget", f"{self.name}Instance"):
            vars(slicer.modules).pop(attribute, None)
        getattr(slicer, "selfTests", {}).pop(self.name, None)
        sys.modules.pop(self.name, None)
        manager.moduleUnloaded.emit(self.name)


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The C++ side of a scripted panel: the `parent` of <Name>Widget; forwards enter, exit and setup."""

    def __init__(self, name):
        super().__init__()
        self.setObjectName(f"{name}ModuleWidget")
        self.setLayout(QVBoxLayout())
        self.moduleName = name
        self._entered = False
        self._python = None

    isEntered = Property(bool, lambda self: self._entered)

    def self(self):
        """Return the Python object, <Name>Widget."""
        return self._python

    def reload(self):
        """Make a new <Name>Widget from the module in sys.modules and set it up; entered again if it was."""
        wasEntered = self._entered
        if wasEntered:
            self.exit()
        widgetClass = getattr(sys.modules[self.moduleName], f"{self.moduleName}Widget")
        self._python = widgetClass(self)
        setattr(slicer.modules, f"{self.moduleName}Widget", self._python)
        self._python.setup()
        if wasEntered:
            self.enter()

    def enter(self):
        """The user chose this module."""
        self._entered = True
        getattr(self._python, "enter", _nothing)()

    def exit(self):
        """The user chose another module."""
        getattr(self._python, "exit", _nothing)()
        self._entered = False


def _nothing():
    """A panel need not have enter() and exit()."""


def installModules(scene, applicationLogic):
    """Make `slicer.modules` with one entry for each logic."""
    slicer.modules = sys.modules["slicer.modules"] = types.ModuleType("slicer.modules")
    for name, className in LOGICS:
        logic = newLogic(className, name, scene, applicationLogic)
        applicationLogic.SetModuleLogic(name, logic)
        setattr(slicer.modules, name.lower(), LoadableModule(name, logic))


def newLogic(className, name, scene, applicationLogic):
    """Create one logic. The share folder goes first: the terminologies are read when the scene is set."""
    logic = getattr(slicer, className)()
    if hasattr(logic, "SetModuleShareDirectory"):
        logic.SetModuleShareDirectory(os.path.join(SHARE, name))
    if hasattr(logic, "SetMRMLApplicationLogic"):
        logic.SetMRMLApplicationLogic(applicationLogic)
    logic.SetMRMLScene(scene)
    return logic


def loadScriptedModule(path):
    """Load <Name>.py as Slicer's factory does, with its folder on sys.path; return the module's entry.

    Raises:
        AttributeError: The script has no class of its own name.
    """
    path = os.path.abspath(path)
    folder, name = os.path.split(path)
    name = name.removesuffix(".py")
    if folder not in sys.path:
        sys.path.append(folder)
    specification = importlib.util.spec_from_file_location(name, path)
    script = sys.modules[name] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(script)
    logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
    logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    logic.SetMRMLScene(slicer.mrmlScene)
    entry = qSlicerScriptedLoadableModule(name, path, logic)
    setattr(slicer.modules, name.lower(), entry)
    setattr(slicer.modules, f"{name}Instance", getattr(script, name)(entry))
    slicer.app.moduleManager().moduleLoaded.emit(name)
    return entry
