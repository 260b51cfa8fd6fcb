"""A reader at the window: opens files, presses buttons, drags from the Data tree, clicks in the views.

    reader = Reader(boot())
    reader.openChestCt()
    reader.loadModel()
    reader.chooseClass("lungs")
    reader.segment()
    reader.screenshot("class.png")

What it does goes through the real widgets and the real events of the views; nothing calls the logic.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import slicer
import vtk
from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from KPrismCore.simulate import next_click
from SlicerHost.mouse import Mouse
from SlicerHost.window import SIZE, openWindow

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = REPOSITORY / "KPrismSlicer" / "KPrismSlicer.py"
TITLE = "K-Prism"
IMAGE, SEGMENTATION = "CTChest4.nrrd", "Segmentation.seg.nrrd"
SECONDS = 120.0
LEFT = QtCore.Qt.MouseButton.LeftButton


class Reader:
    """See the module.

    Args:
        host: what boot() gave.
        dark: palette of the window.
        size: of the window in pixels.
    """

    def __init__(self, host, dark=False, size=SIZE):
        self.host = host
        self.module = host.loadModule(MODULE)
        self.window = openWindow(host, size, dark)
        representation = self.module.widgetRepresentation()
        self.window.setPanel(representation, TITLE)
        self.widget = representation.self()
        representation.enter()
        self.ui, self.logic = self.widget.panel.ui, self.widget.logic
        self.mouse = Mouse(self.window.layoutManager())
        self.settle()

    # files

    def openChestCt(self):
        """Open the chest CT of the slicerio package and its segmentation; the CT becomes the image."""
        self.image = slicer.util.loadVolume(str(sampleFile(IMAGE)))
        self.example = slicer.util.loadSegmentation(str(sampleFile(SEGMENTATION)))
        self.example.GetDisplayNode().SetVisibility(False)
        slicer.util.setSliceViewerLayers(background=self.image, fit=True)
        self.ui.volumeSelector.setCurrentNode(self.image)
        self.settle()

    def truth(self, *names):
        """The union of segments of the sample's segmentation, bool KJI on the grid of the CT."""
        found = [
            slicer.util.arrayFromSegmentBinaryLabelmap(self.example, self.exampleId(one), self.image)
            for one in names
        ]
        return np.logical_or.reduce([one > 0 for one in found])

    def exampleId(self, name):
        """The id of a segment of the sample's segmentation."""
        return self.example.GetSegmentation().GetSegmentIdBySegmentName(name)

    # waiting

    def settle(self, seconds=0.15):
        """Let all events happen."""
        self.host.processEvents(seconds)

    def wait(self, seconds=SECONDS):
        """Wait until no act is at work, and the views show it.

        Raises:
            AssertionError: it took longer.
        """
        self.settle(0.02)
        self.host.waitUntil(lambda: not self.logic.busy, seconds)
        self.settle()

    # the panel

    def press(self, button):
        """Press a button with the mouse."""
        self.reveal(button)
        QtTest.QTest.mouseClick(button, LEFT)
        self.settle(0.02)

    def reveal(self, widget):
        """Scroll the panel to a widget."""
        area = self.window.findChild(QtWidgets.QScrollArea)
        area.ensureWidgetVisible(widget)
        self.settle(0.02)

    def loadModel(self):
        """Press Load and wait until the model is there."""
        self.press(self.ui.loadButton)
        self.host.waitUntil(lambda: self.logic.model.status in ("ready", "failed"), SECONDS)
        self.wait()

    def openClasses(self, text=""):
        """Open the class list and type into its search field."""
        picker = self.widget.panel.what.picker
        self.reveal(picker.combo)
        QtTest.QTest.mouseClick(picker.combo, LEFT)
        QtTest.QTest.keyClicks(picker.searchField, text)
        self.settle()
        return picker

    def closeClasses(self):
        """Leave the class list without taking one."""
        self.widget.panel.what.picker.popup.hide()
        self.settle()

    def chooseView(self, name):
        """Choose the view that the buttons act on."""
        self.ui.viewSelector.setCurrentIndex(self.ui.viewSelector.findText(name))
        self.settle(0.02)

    def chooseSegment(self, name):
        """Choose a segment by its name."""
        selector = self.ui.segmentSelector
        index = selector.findText(name)
        selector.setCurrentIndex(index)
        selector.activated.emit(index)
        self.wait()

    def tilt(self, view, degrees):
        """Turn the slice of a view around its horizontal axis."""
        node = self.window.layoutManager().sliceWidget(view).mrmlSliceNode()
        matrix, turn = node.GetSliceToRAS(), vtk.vtkTransform()
        turn.SetMatrix(matrix)
        turn.RotateX(degrees)
        matrix.DeepCopy(turn.GetMatrix())
        node.UpdateMatrices()
        self.settle()

    def chooseClass(self, name):
        """Search a class, and take the first one found."""
        picker = self.openClasses(name)
        QtTest.QTest.keyClick(picker.searchField, QtCore.Qt.Key.Key_Return)
        self.wait()

    def drop(self, item):
        """Drop an item of the subject hierarchy on the references."""
        frame = self.widget.panel.what.frame
        self.reveal(frame)
        data = QtCore.QMimeData()
        data.setUrls([QtCore.QUrl(f"mrml://scene/subjecthierarchy/item?id={item}")])
        place = QtCore.QPointF(frame.rect().center())
        arguments = (QtCore.Qt.DropAction.CopyAction, data, LEFT, QtCore.Qt.KeyboardModifier.NoModifier)
        enter = QtGui.QDragEnterEvent(place.toPoint(), *arguments)
        QtWidgets.QApplication.sendEvent(frame, enter)
        QtWidgets.QApplication.sendEvent(frame, QtGui.QDropEvent(place, *arguments))
        self.wait()

    def itemOf(self, node, segmentId=None):
        """The subject hierarchy item of a node, or of one of its segments."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(node)
        if segmentId is None:
            return item
        children = []
        hierarchy.GetItemChildren(item, children)
        return next(
            one for one in children if hierarchy.GetItemAttribute(one, SEGMENT_ATTRIBUTE) == segmentId
        )

    def segment(self):
        """Press "Segment" for what is chosen under "How far", and wait."""
        self.press(self.ui.runButton)
        self.wait()

    # the views

    def show(self, ijk):
        """Bring a voxel of the CT into all views."""
        slicer.util.resetSliceViews() if hasattr(slicer.util, "resetSliceViews") else None
        for name in self.window.layoutManager().sliceViewNames():
            logic = self.window.layoutManager().sliceWidget(name).sliceLogic()
            logic.GetSliceNode().JumpSliceByCentering(*self.rasOf(ijk))
        self.settle()

    def rasOf(self, ijk):
        """RAS (3,) in mm of a voxel of the CT."""
        return tuple(self.logic.session.volume.geometry.ras_from_ijk(np.asarray(ijk, dtype=float)))

    def click(self, view, ras, positive=True):
        """Click in a view with the tool of that polarity, and wait for the mask."""
        self.take(positive)
        self.mouse.click(view, ras)
        self.wait()

    def take(self, positive):
        """Press the button of a click tool, unless it is in hand."""
        button = self.ui.positiveButton if positive else self.ui.negativeButton
        if not button.isChecked():
            self.press(button)

    def correct(self, view, truth, rng):
        """Click once where the mask of the slice in a view is most wrong; False where nothing is.

        truth: bool KJI.
        """
        node = self.window.layoutManager().sliceWidget(view).mrmlSliceNode()
        plane = self.logic.planeOf(node)
        session = self.logic.session
        mask = np.zeros(plane.shape, dtype=bool)
        if self.logic.segmentId in session.segments:
            mask = session.slice_mask(plane, self.logic.segmentId)
        found = next_click(mask, plane.read_mask(truth), rng)
        if found is None:
            return False
        row, column, positive = found
        self.click(view, plane.pixel_to_ras((column, row)), positive)
        return True

    def screenshot(self, path):
        """Write a picture of the window and of what has popped up over it; give the path.

        Raises:
            OSError: the file cannot be written.
        """
        self.settle()
        picture = self.window.picture()
        painter = QtGui.QPainter(picture)
        for popup in self.host.app.topLevelWidgets():
            if (
                popup.isVisible()
                and popup.windowFlags() & QtCore.Qt.WindowType.Popup == QtCore.Qt.WindowType.Popup
            ):
                painter.drawPixmap(self.window.mapFromGlobal(popup.pos()), popup.grab())
        painter.end()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if not picture.save(str(path), "PNG"):
            raise OSError(f"cannot write {path}")
        return Path(path)

    def close(self):
        """Close window and module."""
        self.window.close()
        self.host.reset()


SEGMENT_ATTRIBUTE = "segmentID"


def sampleFile(name):
    """A file of the slicerio package.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    found = importlib.util.find_spec("slicerio")
    if found is None or found.origin is None:
        raise FileNotFoundError("the sample data are in the package slicerio, which is not installed")
    return Path(found.origin).parent / "data" / name
