"""Rules on the source of the Slicer module: who imports whom, and who may know Qt."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "KPrismSlicer" / "KPrismSlicerLib"
FILES = sorted(LIBRARY.glob("*.py"))

# A file may import files of its own group, and of the groups that its group names.
PLAIN = "__init__ Paths Events Labels Problems Checksums Child Probe System Strokes ClickRegister"
SCENE = (
    "Grids SegmentLayer SegmentLayers Protection NodeReading MaskWriter EditableArea ReferenceSources"
    " Export Terminologies SceneBridge SegmentLooks SlicePlanes Review Changes SceneWatch SceneState"
    " SegmentationPlace"
)
WORK = "Worker ActQueue Model"
LOGIC = (
    "Case OpenCase RefusedImage CaseLogic LogicBase Mirror PromptLogic ReferenceOrigins SliceActs PieceActs"
    " ClickLogic Logic ParameterNode"
)
VIEWS = "SliceViews ClickMarkers StrokeLine ChangedOutline Gesture Shortcuts Interaction"
SETUP = "Checks Verification Installer Offline Diagnosis Environment SampleImages"
PANEL = (
    "PanelTools Disclosure ErrorBar ViewChoice CasePanel SegmentSelector ModelPanel CheckpointCard SetupBox"
    " WhatPanel ClassPicker ClassCombo ClassGroups DropFrame ReferenceList ReferenceText Thumbnails"
    " WherePanel HowFarPanel ResultPanel ExportBox Widget"
)
MEMBERS = {
    "plain": PLAIN, "scene": SCENE, "work": WORK, "logic": LOGIC, "views": VIEWS, "setup": SETUP,
    "panel": PANEL, "self test": "SelfTest",
}  # fmt: skip
GROUP = {name: group for group, names in MEMBERS.items() for name in names.split()}
MAY_USE = {
    "plain": set(),
    "scene": {"plain"},
    "work": {"plain"},
    "logic": {"plain", "work", "scene"},
    "views": {"plain"},
    "setup": {"plain"},
    # what is locked, and the export's files, are the scene's to say
    "panel": {"plain", "scene", "setup"},
    "self test": set(MEMBERS),
}
WITHOUT_QT = {"plain", "scene", "work", "logic", "setup"}


def imports(path: Path) -> tuple[set[str], set[str]]:
    """Files of the library that a file imports, and the other packages."""
    own, others = set(), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            package, _, module = node.module.partition(".")
            if package != "KPrismSlicerLib":
                others.add(package)
            elif module:
                own.add(module.split(".")[0])
            else:
                own |= {alias.name for alias in node.names}
    return own, others


def imported_at_once(path: Path) -> set[str]:
    """Packages that are imported when the file is."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_has_its_place(path):
    assert path.stem in GROUP


def test_every_place_has_its_file():
    assert set(GROUP) == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_of_the_module_go_one_way(path):
    own, group = imports(path)[0], GROUP[path.stem]
    assert {name for name in own if GROUP[name] not in MAY_USE[group] | {group}} == set()


def test_the_module_has_no_import_cycle():
    graph = {path.stem: imports(path)[0] - {path.stem} for path in FILES}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "path", [path for path in FILES if GROUP.get(path.stem) in WITHOUT_QT], ids=lambda path: path.stem
)
def test_only_views_and_panel_know_qt(path):
    assert not imports(path)[1] & {"qt", "ctk"}


def test_the_worker_knows_neither_scene_nor_qt():
    assert not imports(LIBRARY / "Worker.py")[1] & {"slicer", "vtk", "qt", "ctk"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_opening_the_module_does_not_import_torch(path):
    needs_torch = {
        "torch",
        "KPrismCore.session",
        "KPrismCore.model",
        "KPrismCore.predictor",
        "KPrismCore.references",
    }
    assert not imported_at_once(path) & needs_torch
