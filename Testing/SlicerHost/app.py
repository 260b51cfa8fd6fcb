"""slicer.app: the application object, its settings and its module manager."""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path

import slicer
from PySide6.QtCore import Property, QObject, QSettings, Signal
from PySide6.QtWidgets import QApplication

from SlicerHost.file_io import CoreIOManager

VERSION = (5, 10, 0)


class ModuleManager(QObject):
    """slicer.app.moduleManager(): the modules by name, and signals before and after loading."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def module(self, name):
        """Return the module with this name (case matters), or None."""
        found = getattr(slicer.modules, name.lower(), None)
        return found if found is not None and found.name == name else None

    def modulesNames(self):
        """Return the names of all loaded modules."""
        modules = vars(slicer.modules).items()
        return [module.name for key, module in modules if key == getattr(module, "name", "").lower()]

    loadedModuleNames = registeredModuleNames = modulesNames

    def isModuleLoaded(self, name):
        return self.module(name) is not None

    def factoryManager(self):
        """The factory manager answers the same questions here."""
        return self


class CommandOptions:
    """slicer.app.commandOptions(): what the command line asked for."""

    def __init__(self):
        self.noMainWindow = True
        self.testingEnabled = False
        self.disableSettings = True


def makeApplication(scene, applicationLogic):
    """Make slicer.app; RuntimeError if the process has another QApplication."""
    if QApplication.instance() is not None:
        raise RuntimeError("boot() makes the QApplication: call it before anything else makes one")
    slicer.app = Application(scene, applicationLogic)
    return slicer.app


def connectCache(scene, folder):
    """Give the scene the managers without which it does not read a bundle (.mrb)."""
    cache, manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(folder)
    cache.SetMRMLScene(scene)
    scene.SetCacheManager(cache)
    manager.SetCacheManager(cache)
    scene.SetDataIOManager(manager)
    return cache, manager


class Application(QApplication):
    """The QApplication of the process, with qSlicerApplication's properties and methods.

    Settings and temporary files lie in one temporary folder for the process; restart() is only recorded.
    """

    startupCompleted = Signal()
    mrmlSceneChanged = Signal(object)

    def __init__(self, scene, applicationLogic):
        super().__init__(["Slicer"])
        self._folder = tempfile.TemporaryDirectory(prefix="SlicerHost")
        self._scene, self._logic = scene, applicationLogic
        self._layoutManager = None
        self._moduleManager, self._ioManager = ModuleManager(self), CoreIOManager(self)
        self.testing = False
        self.restarts = 0
        self.setOrganizationName("SlicerHost")
        self.setApplicationName("Slicer")
        self.setApplicationVersion(".".join(map(str, VERSION)))
        self.setQuitOnLastWindowClosed(False)
        QSettings.setDefaultFormat(QSettings.IniFormat)
        QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, self._folder.name)
        applicationLogic.SetTemporaryPath(self._temporaryPath())
        scene.SetRootDirectory(self._temporaryPath())
        self._cache = connectCache(scene, self._temporaryPath())

    def _temporaryPath(self):
        path = Path(self._folder.name, "Temp")
        path.mkdir(exist_ok=True)
        return str(path)

    temporaryPath = Property(str, _temporaryPath)
    slicerHome = Property(str, lambda self: self._folder.name)
    extensionsInstallPath = Property(str, lambda self: str(Path(self._folder.name, "Extensions")))
    slicerUserSettingsFilePath = Property(str, lambda self: QSettings().fileName())
    mainApplicationName = Property(str, lambda self: "Slicer")
    majorVersion = Property(int, lambda self: VERSION[0])
    minorVersion = Property(int, lambda self: VERSION[1])
    revision = Property(str, lambda self: "host")
    os = Property(str, lambda self: {"Darwin": "macosx", "Windows": "win"}.get(platform.system(), "linux"))
    documentationBaseUrl = Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")

    def mrmlScene(self):
        return self._scene

    def applicationLogic(self):
        return self._logic

    def moduleManager(self):
        return self._moduleManager

    def coreIOManager(self):
        return self._ioManager

    ioManager = coreIOManager

    def layoutManager(self):
        """Return the layout manager, or None until setLayoutManager(): like Slicer without a main window."""
        return self._layoutManager

    def setLayoutManager(self, layoutManager):
        self._layoutManager = layoutManager

    def settings(self):
        return QSettings()

    userSettings = revisionUserSettings = settings

    def commandOptions(self):
        return CommandOptions()

    def testingEnabled(self):
        """False unless a test sets `slicer.app.testing`: dialogs come, and the host answers them."""
        return self.testing

    def pauseRender(self):
        self._logic.PauseRender()

    def resumeRender(self):
        self._logic.ResumeRender()

    def pythonConsole(self):
        return None

    def moduleDocumentationUrl(self, name):
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    def restart(self):
        """Record that a restart was asked for."""
        self.restarts += 1

    def resetForTest(self):
        """Forget the settings, the temporary files and what was recorded."""
        QSettings().clear()
        shutil.rmtree(self._temporaryPath())
        self._temporaryPath()
        self.testing = False
        self.restarts = 0
        while self.overrideCursor() is not None:
            self.restoreOverrideCursor()
