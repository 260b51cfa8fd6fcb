"""Small cases for tests of the logic: images, slice views, predictors, other tools, a record of events."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import slicer
import vtk
from KPrismSlicerLib.Events import ActDone, ActFailed
from KPrismSlicerLib.Logic import AnnotationLogic
from KPrismSlicerLib.SceneBridge import SceneBridge

from KPrismCore.predictions import Prediction
from Testing.Core.tiny import FakePredictor, flipped_geometry

SIZE = (20, 24, 6)


class SlowPredictor(FakePredictor):
    """Answers after `seconds`; for None when `go` is set, with `asked_now` set as soon as it is asked."""

    def __init__(self, seconds: float | None = None) -> None:
        super().__init__()
        self.seconds = seconds
        self.asked_now = threading.Event()
        self.go = threading.Event()

    def predict(self, *arguments: Any, **options: Any) -> Prediction:
        self.asked_now.set()
        if self.seconds is None:
            assert self.go.wait(20)
        else:
            time.sleep(self.seconds)
        return super().predict(*arguments, **options)


class Heard(list):
    """Every event, in order; `of` picks those of a kind."""

    def __call__(self, event: Any) -> None:
        self.append(event)

    def of(self, kind: type) -> list:
        return [event for event in self if isinstance(event, kind)]

    @property
    def errors(self) -> list:
        return [event.error for event in self.of(ActFailed)]

    @property
    def results(self) -> list:
        return [event.result for event in self.of(ActDone)]


def add_image(size: tuple[int, int, int] = SIZE, seed: int = 0, name: str = "image") -> Any:
    """A volume node with flipped and turned axes, thick along k."""
    geometry = flipped_geometry(size)
    array = np.random.default_rng(seed).integers(0, 200, geometry.shape).astype(np.int16)
    return slicer.util.addVolumeFromArray(array, ijkToRAS=geometry.ijk_to_ras, name=name)


def add_view(logic: AnnotationLogic, kind: str = "k", index: int = 2, tilt: float = 0.0) -> Any:
    """A slice node on a slice of voxels ('i', 'j', 'k'), or tilted about its right by an angle in degrees."""
    geometry = logic._case.volume.geometry
    axis = "ijk".index(kind)
    place = (np.array(geometry.size) - 1) / 2
    place[axis] = index
    across = geometry.direction[:, axis]
    right = geometry.direction[:, (axis + 1) % 3]
    up = np.cross(across, right)
    turn = np.deg2rad(tilt)
    up, across = np.cos(turn) * up + np.sin(turn) * across, np.cos(turn) * across - np.sin(turn) * up
    matrix = vtk.vtkMatrix4x4()
    point = geometry.ras_from_ijk(place)
    for column, vector in enumerate((right, up, across, point)):
        for row in range(3):
            matrix.SetElement(row, column, float(vector[row]))
    node = slicer.vtkMRMLSliceNode()
    node.GetSliceToRAS().DeepCopy(matrix)
    node.UpdateMatrices()
    return node


def ras_at(logic: AnnotationLogic, ijk: Any) -> np.ndarray:
    """Where a voxel (3,) IJK is, RAS."""
    return logic._case.volume.geometry.ras_from_ijk(ijk)


def scene_mask(logic: AnnotationLogic, segment_id: str) -> np.ndarray:
    """A segment KJI as the scene has it."""
    mask = SceneBridge().readSegment(logic.segmentationNode, segment_id, logic.volumeNode)
    return np.array(mask, dtype=bool)


def paint(logic: AnnotationLogic, segment_id: str, mask: np.ndarray) -> None:
    """Replace a segment (KJI) as Slicer's own effects do, not knowing of the logic."""
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic
    image = slicer.vtkOrientedImageData()
    k, j, i = mask.shape
    image.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())[:] = mask.astype(np.uint8).ravel()
    matrix = vtk.vtkMatrix4x4()
    logic.volumeNode.GetIJKToRASMatrix(matrix)
    image.SetImageToWorldMatrix(matrix)
    assert segmentations.SetBinaryLabelmapToSegment(
        image, logic.segmentationNode, segment_id, segmentations.MODE_REPLACE, image.GetExtent()
    )


def overwrite_mode(logic: AnnotationLogic, name: str) -> None:
    """Set which segments lose the voxels that another gains, as the Segment Editor's masking box does."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    node.SetAndObserveSegmentationNode(logic.segmentationNode)
    node.SetOverwriteMode(getattr(node, name))


def wait(logic: AnnotationLogic) -> None:
    assert logic.waitForIdle(20)


def wait_until(condition: Any, seconds: float = 5.0) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True
