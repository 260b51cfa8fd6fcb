"""The module's self-test: the same steps in 3D Slicer and on the project's host; see `KPrismSlicerTest`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from KPrismSlicerLib import SampleImages
from KPrismSlicerLib.Environment import Environment
from KPrismSlicerLib.Events import ActFailed
from KPrismSlicerLib.Export import exportCase
from KPrismSlicerLib.Logic import AnnotationLogic
from KPrismSlicerLib.NodeReading import readSegment

_SECONDS = 120


def testPanel(_test: Any) -> None:
    """The panel opens on an image, survives closing the scene, and installs and loads nothing by itself."""
    widget = slicer.modules.kprismslicer.widgetRepresentation().self()
    widget.enter()
    node = SampleImages.addPhantom()
    widget.panel.ui.volumeSelector.setCurrentNode(node)
    slicer.app.processEvents()
    assert widget.logic.volumeNode is node
    assert widget.logic.model.status == "none"
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    assert widget.logic.volumeNode is None
    widget.exit()


def testSampleFile(_test: Any) -> None:
    """The sample of the module Sample Data is the phantom."""
    path = SampleImages.resourcePath("Samples", SampleImages.FILE)
    loaded = slicer.util.loadVolume(str(path))
    made = SampleImages.addPhantom()
    assert np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(made))
    assert np.allclose(_clickPoint(loaded), _clickPoint(made))


def testAnnotation(test: Any) -> None:
    """Image, model, class, click, undo, redo, export, reload. Without PyTorch only this is said."""
    readiness = Environment().check()
    if not readiness.ready:
        test.delayDisplay(" ".join(f"{one.cause} {one.remedy}" for one in readiness.problems))
        return
    logic = AnnotationLogic()
    failures: list[ActFailed] = []
    logic.addListener(lambda event: failures.append(event) if isinstance(event, ActFailed) else None)
    try:
        _annotate(logic)
    finally:
        logic.cleanup()
    assert [event.error for event in failures] == []


def _annotate(logic: AnnotationLogic) -> None:
    """Act as a reader does and look at the segment after each act."""
    node = SampleImages.addPhantom()
    logic.loadModel("default", "cpu")
    logic.setVolume(node)
    _wait(logic)
    assert logic.model.status == "ready"
    entry = logic.classes("liver")[0]
    logic.setClass(entry.name)
    _wait(logic)
    assert logic.className == entry.name
    before = _mask(logic)
    assert not before.any()
    logic.click(_clickPoint(node), True, None)
    _wait(logic)
    after = _mask(logic)
    changed = np.flatnonzero((after != before).any(axis=(1, 2)))
    assert changed.tolist() == [SampleImages.LIVER_IJK[2]]
    assert after[SampleImages.LIVER_IJK[::-1]]
    logic.undo()
    _wait(logic)
    assert np.array_equal(_mask(logic), before)
    logic.redo()
    _wait(logic)
    assert np.array_equal(_mask(logic), after)
    _exportAndReload(logic, after)


def _exportAndReload(logic: AnnotationLogic, expected: NDArray[np.bool_]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = exportCase(logic.segmentationNode, logic.volumeNode, folder, ("seg.nrrd", "nii.gz"))
        assert all(Path(path).stat().st_size for path in paths)
        segmentation = next(path for path in paths if path.name.endswith(".seg.nrrd"))
        loaded = slicer.util.loadSegmentation(str(segmentation))
    identifier = loaded.GetSegmentation().GetNthSegmentID(0)
    assert np.array_equal(readSegment(loaded, identifier, logic.volumeNode), expected)


def _wait(logic: AnnotationLogic) -> None:
    assert logic.waitForIdle(_SECONDS)


def _mask(logic: AnnotationLogic) -> NDArray[np.bool_]:
    return readSegment(logic.segmentationNode, logic.segmentId, logic.volumeNode).copy()


def _clickPoint(node: Any) -> NDArray[np.float64]:
    """The voxel in the liver, RAS (3,)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array(matrix.MultiplyPoint((*SampleImages.LIVER_IJK, 1)))[:3]


TESTS = (testPanel, testSampleFile, testAnnotation)
