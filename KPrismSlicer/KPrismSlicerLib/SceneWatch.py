"""Tells when the scene closes and when nodes leave it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk


class SceneWatch:
    """Observes slicer.mrmlScene until it is released.

    Args:
        closes: called before the scene closes.
        nodeGoes: called with a node that is about to leave the scene.
    """

    def __init__(self, closes: Callable[[], None], nodeGoes: Callable[[Any], None]) -> None:
        self._closes = closes
        self._nodeGoes = nodeGoes
        self._scene = slicer.mrmlScene
        scene = slicer.vtkMRMLScene
        self._tags = [
            self._scene.AddObserver(scene.StartCloseEvent, self._sceneCloses),
            self._scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._nodeLeaves),
        ]

    def release(self) -> None:
        """Leave the scene unobserved."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []

    def _sceneCloses(self, _caller: Any, _event: str) -> None:
        self._closes()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _nodeLeaves(self, _caller: Any, _event: str, node: Any) -> None:
        self._nodeGoes(node)
