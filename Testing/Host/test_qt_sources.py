"""What PySide6 takes and 3D Slicer's PythonQt (Qt 5.15 and 6) does not is not in the module's sources."""

from __future__ import annotations

import ast
import enum
from pathlib import Path

import pytest
from PySide6 import QtCore, QtGui, QtWidgets

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "KPrismSlicer").rglob("*.py"))
QT_LIBRARIES = (QtCore, QtGui, QtWidgets)
PYSIDE_ONLY = {"Signal", "Slot", "Property", "QEnum", "QFlag"}
# Methods and signals that came with Qt 6: not in the Qt 5.15 of many Slicer builds.
QT6_ONLY = {"checkStateChanged", "globalPosition", "position"}


def chain(node: ast.AST) -> list[str]:
    """Return the names of an attribute chain: ['qt', 'Qt', 'AlignLeft'] for qt.Qt.AlignLeft; else nothing."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def qt_class(name: str) -> type | None:
    return next((getattr(library, name) for library in QT_LIBRARIES if hasattr(library, name)), None)


def complaints(source: str) -> list[str]:
    """Return 'line: complaint' for everything in a source that PythonQt or Qt 5.15 does not take."""
    found = []
    nodes = list(ast.walk(ast.parse(source)))
    asked_for = {name for node in nodes for name in asked_names(node)}
    for node in nodes:
        for text in (*attribute_complaints(node, asked_for), *call_complaints(node)):
            found.append(f"{node.lineno}: {text}")
    return found


def asked_names(node: ast.AST) -> list[str]:
    """Return the name that a hasattr() asks for: code that asks has another way too."""
    if isinstance(node, ast.Call) and chain(node.func) == ["hasattr"]:
        return [part.value for part in node.args[1:] if isinstance(part, ast.Constant)]
    return []


def attribute_complaints(node: ast.AST, asked_for: set[str]) -> list[str]:
    if not isinstance(node, ast.Attribute):
        return []
    names = chain(node)
    if names[:1] == ["qt"] and names[1:2] and names[1] in PYSIDE_ONLY:
        return [f"qt.{names[1]} is PySide6's own"]
    if names[:1] == ["qt"] and len(names) == 3:
        member = getattr(qt_class(names[1]), names[2], None)
        if isinstance(member, type) and issubclass(member, enum.Enum):
            return [f"scoped enum {'.'.join(names)}: PythonQt has its values in qt.{names[1]}"]
    return [f"{node.attr} came with Qt 6"] if node.attr in QT6_ONLY - asked_for else []


def call_complaints(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call) or not node.keywords:
        return []
    names = chain(node.func)
    return [f"keyword arguments of {'.'.join(names)}"] if names[:1] in (["qt"], ["ctk"]) else []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_module_keeps_to_pythonqt(path):
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("qt.Qt.AlignmentFlag.AlignLeft", "scoped enum"),
        ("qt.Signal(int)", "PySide6's own"),
        ("qt.QLabel('a', parent=None)", "keyword arguments"),
        ("event.position()", "Qt 6"),
        ("box.checkStateChanged.connect(f)", "Qt 6"),
    ],
)
def test_the_check_finds(source, complaint):
    assert complaint in complaints(source)[0]


@pytest.mark.parametrize(
    "source",
    [
        "qt.Qt.AlignLeft",
        "qt.QMessageBox.Yes",
        "qt.QLabel('a')",
        "event.pos()",
        "logic.act(a=1)",
        "event.position() if hasattr(event, 'position') else event.pos()",
    ],
)
def test_the_check_leaves_alone(source):
    assert complaints(source) == []
