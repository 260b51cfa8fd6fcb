"""Rules on the source itself: who imports whom, budgets, and what must not be in any file."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("KPrismCore", "KPrismSlicer")
MAXIMUM_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 60

SLICER_SIDE = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "PySide6", "KPrismSlicer", "KPrismSlicerLib"}
CORE_LIBRARIES = {"torch", "numpy", "SimpleITK", "safetensors"}
EXTRA_LIBRARIES = {
    "monai",
    "scipy",
    "skimage",
    "matplotlib",
    "typer",
    "rich",
    "pandas",
    "PIL",
    "pydicom",
    "ray",
    "lightning_fabric",
}
EXTRA_PLACES = {"training", "evaluation", "commands", "__main__", "simulate"}

# A module may import what stands on its own line or above.
LAYERS = (
    {
        "errors",
        "atomic",
        "prompts",
        "geometry",
        "volumes",
        "slices",
        "letterbox",
        "preprocess",
        "catalogue",
        "abilities",
        "doubts",
    },
    {"network"},
    {"checkpoint"},
    {"model"},
    {"predictor"},
    {"session"},
    {"training", "evaluation"},
    {"commands"},
    {"__main__"},
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}

# The brackets keep this file from matching itself.
FORBIDDEN_TEXT = {
    "a path of a machine": re.compile(r"/h[o]me/|/U[s]ers/|/r[o]ot/|/o[p]t/|/w[o]rk/|C:\\+U[s]ers"),
    "a package registry": re.compile(r"pyp[i]\.org|pythonh[o]sted\.org|d[o]wnload\.pytorch|anac[o]nda\.org"),
}


def sources(*packages: str) -> list[Path]:
    files = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in files if "__pycache__" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield resolved_module(path, node)


def resolved_module(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *filter(None, [node.module])])


def imported_packages(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imported_modules(path)}


def part_of(module: str) -> str:
    """Return the part of KPrismCore that a module belongs to: network for KPrismCore.network.moe."""
    return module.split(".")[1]


CORE_FILES = sources("KPrismCore")
PACKAGE_FILES = [ROOT / "kprism.py", *sources(*PACKAGES)]


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_the_core_does_not_know_slicer(path):
    assert not imported_packages(path) & SLICER_SIDE


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_the_core_imports_only_its_libraries(path):
    place = path.relative_to(ROOT / "KPrismCore").parts[0].removesuffix(".py")
    allowed = CORE_LIBRARIES | {"KPrismCore", *sys.stdlib_module_names}
    allowed |= EXTRA_LIBRARIES if place in EXTRA_PLACES else set()
    assert imported_packages(path) <= allowed


@pytest.mark.parametrize("path", sources("KPrismCore/launcher"), ids=name_of)
def test_the_launcher_needs_the_standard_library_only(path):
    probed = {"torch"} if path.name == "probe.py" else set()
    assert imported_packages(path) <= {"KPrismCore", *sys.stdlib_module_names, *probed}


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_imports_go_one_way(path):
    part = path.relative_to(ROOT / "KPrismCore").parts[0].removesuffix(".py")
    level = LEVELS.get(part, len(LAYERS))
    used = {part_of(module) for module in imported_modules(path) if module.startswith("KPrismCore.")}
    assert {name for name in used if LEVELS.get(name, 0) > level} == set()


def test_the_core_has_no_import_cycle():
    graph: dict[str, set[str]] = {}
    for path in CORE_FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        used = {name for name in imported_modules(path) if name.startswith("KPrismCore.")}
        graph[module] = used - {module}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name_of)
def test_a_file_keeps_to_its_budget(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAXIMUM_FILE_LINES


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name_of)
def test_functions_keep_to_their_budget(path):
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno}
    assert {name: lines for name, lines in long.items() if lines > MAXIMUM_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name_of)
def test_the_packages_do_not_assert(path):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    assert [node.lineno for node in nodes if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name_of)
def test_every_except_names_its_error(path):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    assert [node.lineno for node in nodes if isinstance(node, ast.ExceptHandler) and node.type is None] == []


def kept_files() -> list[Path]:
    """Return the files that git keeps or would keep; without git, all outside .venv."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        inside = [path for path in ROOT.rglob("*") if not path.relative_to(ROOT).parts[0].startswith(".venv")]
        return [path for path in inside if path.is_file()]
    return [ROOT / name for name in listed.split("\0") if (ROOT / name).is_file()]


@pytest.mark.parametrize("kind", FORBIDDEN_TEXT)
def test_no_file_names(kind):
    found = []
    for path in kept_files():
        content = path.read_bytes()
        if b"\0" not in content and FORBIDDEN_TEXT[kind].search(content.decode("utf-8", "replace")):
            found.append(name_of(path))
    assert found == []
