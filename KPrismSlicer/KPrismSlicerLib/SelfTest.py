"""The module's self-test: the same steps in 3D Slicer and on the project's host; see `KPrismSlicerTest`."""

# The steps check with the methods of the test that runs them: it is unittest's, also inside 3D Slicer.
# ruff: noqa: PT009

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


def testPanel(test: Any) -> None:
    """The panel opens on an image, survives closing the scene, and installs and loads nothing by itself."""
    widget = slicer.modules.kprismslicer.widgetRepresentation().self()
    widget.enter()
    node = SampleImages.addPhantom()
    widget.panel.ui.volumeSelector.setCurrentNode(node)
    slicer.app.processEvents()
    test.assertIs(widget.logic.volumeNode, node)
    test.assertEqual(widget.logic.model.status, "none")
    slicer.mrmlScene.Clear(0)
    slicer.app.processEvents()
    test.assertIsNone(widget.logic.volumeNode)
    widget.exit()


def testSampleFile(test: Any) -> None:
    """The sample of the module Sample Data is the phantom."""
    path = SampleImages.resourcePath("Samples", SampleImages.FILE)
    loaded = slicer.util.loadVolume(str(path))
    made = SampleImages.addPhantom()
    same = np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(made))
    test.assertTrue(same)
    test.assertTrue(np.allclose(_clickPoint(loaded), _clickPoint(made)))


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
        _annotate(test, logic)
    finally:
        logic.cleanup()
    test.assertEqual([event.error for event in failures], [])


def _annotate(test: Any, logic: AnnotationLogic) -> None:
    """Act as a reader does and look at the segment after each act."""
    node = SampleImages.addPhantom()
    logic.loadModel("default", "cpu")
    logic.setVolume(node)
    _wait(test, logic)
    test.assertEqual(logic.model.status, "ready")
    entry = logic.classes("liver")[0]
    logic.setClass(entry.name)
    _wait(test, logic)
    test.assertEqual(logic.className, entry.name)
    before = _mask(logic)
    test.assertFalse(before.any())
    logic.click(_clickPoint(node), True, None)
    _wait(test, logic)
    after = _mask(logic)
    changed = np.flatnonzero((after != before).any(axis=(1, 2)))
    test.assertEqual(changed.tolist(), [SampleImages.LIVER_IJK[2]])
    test.assertTrue(after[SampleImages.LIVER_IJK[::-1]])
    logic.undo()
    _wait(test, logic)
    test.assertTrue(np.array_equal(_mask(logic), before))
    logic.redo()
    _wait(test, logic)
    test.assertTrue(np.array_equal(_mask(logic), after))
    _exportAndReload(test, logic, after)


def _exportAndReload(test: Any, logic: AnnotationLogic, expected: NDArray[np.bool_]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = exportCase(logic.segmentationNode, logic.volumeNode, folder, ("seg.nrrd", "nii.gz"))
        test.assertTrue(all(Path(path).stat().st_size for path in paths))
        segmentation = next(path for path in paths if path.name.endswith(".seg.nrrd"))
        loaded = slicer.util.loadSegmentation(str(segmentation))
    identifier = loaded.GetSegmentation().GetNthSegmentID(0)
    test.assertTrue(np.array_equal(readSegment(loaded, identifier, logic.volumeNode), expected))


def _wait(test: Any, logic: AnnotationLogic) -> None:
    test.assertTrue(logic.waitForIdle(_SECONDS))


def _mask(logic: AnnotationLogic) -> NDArray[np.bool_]:
    return readSegment(logic.segmentationNode, logic.segmentId, logic.volumeNode).copy()


def _clickPoint(node: Any) -> NDArray[np.float64]:
    """The voxel in the liver, RAS (3,)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array(matrix.MultiplyPoint((*SampleImages.LIVER_IJK, 1)))[:3]


TESTS = (testPanel, testSampleFile, testAnnotation)
