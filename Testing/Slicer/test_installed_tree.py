"""The extension as it is installed: configured and installed by CMake, then loaded from the flat folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from package_lists import LISTS, ROOT

PLACE = Path("lib", "Slicer-5.10", "qt-scripted-modules")
LICENCE = "KPrismCore/LICENSE.txt"
# Run in a process of its own: this one has the source tree on its path.
LOAD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from SlicerHost.boot import boot
from SlicerHost import failures
host = boot()
folder = Path(sys.argv[1]).resolve()
module = host.loadModule(str(folder / "KPrismSlicer.py"))
panel = module.widgetRepresentation().self()
panel.enter()
import KPrismCore, KPrismSlicerLib
from KPrismSlicerLib.Paths import resourcePath, rootFolder
from KPrismSlicerLib.SampleImages import addPhantom
panel.panel.ui.volumeSelector.setCurrentNode(addPhantom())
host.processEvents()
print("CORE", Path(KPrismCore.__file__).parent == folder / "KPrismCore")
print("LIB", Path(KPrismSlicerLib.__file__).parent == folder / "KPrismSlicerLib")
print("ROOT", rootFolder() == folder)
print("MODEL", resourcePath("Models", "kprism-small.safetensors").is_file())
print("ICON", not module.icon.isNull())
print("VOLUME", panel.logic.volumeNode.GetName())
print("TORCH", "torch" in sys.modules)
panel.exit()
host.reset()
print("FAILURES", failures.recorded())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of the module in an installation made by CMake with the stand-in for Slicer's build."""
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("needs 3D Slicer's build tool, CMake")
    folder = tmp_path_factory.mktemp("installed")
    slicer = ROOT / "Testing" / "SlicerCMake"
    configure = [
        cmake, "-S", str(ROOT), "-B", str(folder / "build"), f"-DSlicer_DIR={slicer}",
        f"-DCMAKE_INSTALL_PREFIX={folder / 'tree'}", "-DKPRISM_LANGUAGES=NONE",
        f"-DKPRISM_PYTHON={Path(sys.executable).as_posix()}",
    ]  # fmt: skip
    subprocess.run(configure, check=True, capture_output=True, text=True)
    subprocess.run([cmake, "--install", str(folder / "build")], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def loaded(installed):
    """What the module says of itself, loaded from the installed folder: names and values."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["QT_QPA_PLATFORM"] = "offscreen"
    command = [sys.executable, "-c", LOAD, str(installed / "tree" / PLACE), str(ROOT / "Testing")]
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=installed, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return dict(line.split(" ", 1) for line in ended.stdout.splitlines() if " " in line)


def test_every_listed_file_is_installed(installed):
    """Of the core, of Resources and of the module, in its place."""
    place = installed / "tree" / PLACE
    assert [name for each in LISTS[:3] for name in each.listed() if not (place / name).is_file()] == []


def test_nothing_else_is_installed(installed):
    place = installed / "tree"
    found = {path.relative_to(place / PLACE).as_posix() for path in place.rglob("*") if path.is_file()}
    assert found == {LICENCE, *(name for each in LISTS[:3] for name in each.listed())}


def test_the_licence_is_installed_with_the_code(installed):
    assert (installed / "tree" / PLACE / LICENCE).read_bytes() == (ROOT / "LICENSE.txt").read_bytes()


def test_only_the_module_lies_in_the_module_path(installed):
    """Slicer takes every script there for a module."""
    assert [path.name for path in (installed / "tree" / PLACE).glob("*.py")] == ["KPrismSlicer.py"]


def test_the_description_for_the_extensions_manager_is_complete(installed):
    written = (installed / "build" / "KPrismSlicer.s4ext").read_text()
    assert "homepage https://github.com/KPrismSlicer/KPrismSlicer\n" in written


def test_each_test_file_is_a_test_of_ctest(installed):
    ctest = shutil.which("ctest")
    if ctest is None:
        pytest.skip("needs 3D Slicer's build tool, CTest")
    command = [ctest, "--test-dir", str(installed / "build"), "-N"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "pytest_Slicer/test_installed_tree.py" in listed


def test_the_core_comes_from_the_installed_folder(loaded):
    assert (loaded["CORE"], loaded["LIB"], loaded["ROOT"]) == ("True", "True", "True")


def test_the_installed_module_finds_model_and_icon(loaded):
    assert (loaded["MODEL"], loaded["ICON"]) == ("True", "True")


def test_the_installed_panel_takes_an_image(loaded):
    assert loaded["VOLUME"] == "KPrismPhantom"


def test_opening_the_installed_module_does_not_import_pytorch(loaded):
    assert loaded["TORCH"] == "False"


def test_the_installed_module_fails_nowhere(loaded):
    assert loaded["FAILURES"] == "()"
