"""The application as the environment uses it: settings, extensions, versions."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import slicer
from SlicerHost.boot import boot

boot()

from KPrismSlicerLib.System import System  # noqa: E402


class ExtensionsManager:
    """Slicer's model of the extensions, with one installed; `wanted` is what it was asked for."""

    def __init__(self) -> None:
        self.interactive, self.wanted = True, []

    def isExtensionInstalled(self, name):  # noqa: N802
        return name == "Installed"

    def installExtensionFromServer(self, name, restart):  # noqa: N802
        self.wanted.append((name, restart, self.interactive))
        return True


@pytest.fixture
def system(host):
    return System()


@pytest.fixture
def manager(host, monkeypatch):
    made = ExtensionsManager()
    with monkeypatch.context() as patch:
        patch.setattr(slicer, "app", SimpleNamespace(extensionsManagerModel=lambda: made))
        yield made


def test_a_setting_is_kept(system):
    system.setSetting("choice", "cpu")
    assert System().setting("choice") == "cpu"


def test_a_setting_that_nobody_made_is_empty(system):
    assert system.setting("nothing") == ""


def test_an_empty_setting_is_removed(system):
    system.setSetting("choice", "cpu")
    system.setSetting("choice", "")
    assert not slicer.app.settings().contains("KPrismSlicer/choice")


def test_without_the_extension_there_is_no_installer(system, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    assert system.torchInstaller() is None


def test_the_installer_is_that_of_the_extension(system, monkeypatch):
    module, logic = ModuleType("PyTorchUtils"), SimpleNamespace(installTorch=lambda: "torch")
    module.PyTorchUtilsLogic = lambda: logic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    assert system.torchInstaller() is logic.installTorch


def test_an_extension_is_installed_without_questions_or_restart(manager):
    assert System().installExtension("PyTorch")
    assert manager.wanted == [("PyTorch", False, False)]


def test_the_manager_of_extensions_asks_again_afterwards(manager):
    System().installExtension("PyTorch")
    assert manager.interactive


def test_an_installed_extension_is_not_downloaded(manager):
    assert System().installExtension("Installed")
    assert manager.wanted == []


def test_without_a_manager_nothing_is_installed(system):
    assert not system.installExtension("PyTorch")


def test_an_older_slicer_has_no_packaging(system, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    assert system.packaging() is None


def test_a_newer_slicer_has_its_packaging(system, monkeypatch):
    module = ModuleType("slicer.packaging")
    monkeypatch.setitem(sys.modules, "slicer.packaging", module)
    assert system.packaging() is module


def test_the_versions_name_3d_slicer(system):
    assert system.versions()["3D Slicer"] == "5.10.0"


def test_a_child_process_runs_in_the_pythonslicer_on_the_path(system, monkeypatch):
    monkeypatch.setattr("KPrismSlicerLib.System.shutil.which", {"PythonSlicer": "/slicer/PythonSlicer"}.get)
    assert system.pythonExecutable() == "/slicer/PythonSlicer"
