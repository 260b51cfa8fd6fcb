"""MainWindow: panel of a module on the left, slice views and the Data tree on the right, status bar below.

    window = openWindow(host, dark=False)
    window.setPanel(module.widgetRepresentation(), "K-Prism")
    window.screenshot("window.png")

The window is called qSlicerMainWindow, so slicer.util.mainWindow() and showStatusMessage() find it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from SlicerHost.layout import installLayoutManager
from SlicerHost.palette import usePalette

TITLE = "KPrismSlicer"
PANEL_WIDTH = 420
SIZE = (1440, 900)
PALETTE_KEY = "Styles/Dark"
LAYOUTS = (
    ("Four views", "SlicerLayoutFourUpView"),
    ("Three over three", "SlicerLayoutThreeOverThreeView"),
    ("Red only", "SlicerLayoutOneUpRedSliceView"),
    ("Yellow only", "SlicerLayoutOneUpYellowSliceView"),
    ("Green only", "SlicerLayoutOneUpGreenSliceView"),
)


def openWindow(host, size=SIZE, dark=False):
    """Show a main window of that size in pixels, with the application's layout manager; return it."""
    usePalette(dark)
    window = MainWindow(host)
    window.resize(*size)
    window.show()
    host.processEvents()
    return window


class MainWindow(QtWidgets.QMainWindow):
    """The application window. Closing it gives the views back to the layout manager."""

    closed = QtCore.Signal()

    def __init__(self, host):
        super().__init__()
        self._host = host
        self._layoutManager = installLayoutManager(host)
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle(TITLE)
        self._panel = PanelArea()
        self._tree = slicer.qMRMLSubjectHierarchyTreeView()
        self._tree.setMRMLScene(host.scene)
        self._fill()
        self._makeMenus()
        self._probe = Probe(host.scene, self)
        self.statusBar().addPermanentWidget(self._probe)
        self.statusBar().showMessage("Ready")

    def _fill(self):
        viewport = self._layoutManager.giveViewport()
        self._layoutManager.setCornerWidget(titled("Data", self._tree))
        splitter = QtWidgets.QSplitter(QtCore.Qt.Orientation.Horizontal)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._panel)
        splitter.addWidget(viewport)
        viewport.show()
        splitter.setStretchFactor(0, 0)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([PANEL_WIDTH, SIZE[0] - PANEL_WIDTH])
        self.setCentralWidget(splitter)

    def _makeMenus(self):
        file, view = self.menuBar().addMenu("&File"), self.menuBar().addMenu("&View")
        addAction(file, "&Add data...", "Ctrl+O", self.addData)
        addAction(file, "&Save scene...", "Ctrl+S", self.saveScene)
        addAction(file, "&Close scene", "Ctrl+W", lambda: self._host.scene.Clear(0))
        file.addSeparator()
        addAction(file, "&Quit", "Ctrl+Q", self.close)
        for text, layout in LAYOUTS:
            number = getattr(slicer.vtkMRMLLayoutNode, layout)
            addAction(view, text, "", partial(self._setLayout, number))
        view.addSeparator()
        addAction(view, "Show whole images", "", self._layoutManager.resetSliceViews)
        addAction(view, "Dark", "", lambda: usePalette(True))
        addAction(view, "Light", "", lambda: usePalette(False))

    def _setLayout(self, number, _checked=False):
        self._layoutManager.setLayout(number)

    def addData(self):
        """Ask for files and load them."""
        # the host's file dialogs return only the paths, as PythonQt's do
        for name in QtWidgets.QFileDialog.getOpenFileNames(self, "Add data"):
            kind = slicer.app.coreIOManager().fileType(name)
            slicer.util.loadNodeFromFile(name, kind) if kind != "SceneFile" else slicer.util.loadScene(name)

    def saveScene(self):
        """Ask for a file name and save the scene."""
        name = QtWidgets.QFileDialog.getSaveFileName(self, "Save scene", "", "Scene (*.mrb)")
        if name:
            slicer.util.saveScene(name)

    def setPanel(self, widget, title):
        """Show a module's panel under that title; the window takes the widget over."""
        self._panel.setPanel(widget, title)

    def panel(self):
        """Return the module's panel, or None."""
        return self._panel.panel()

    def dataTree(self):
        """Return the qMRMLSubjectHierarchyTreeView."""
        return self._tree

    def layoutManager(self):
        """Return the layout manager whose views the window shows."""
        return self._layoutManager

    def picture(self):
        """Return the window as it looks now, a QImage, with up-to-date views; needs no display."""
        self._host.processEvents()
        return self.grab().toImage()

    def screenshot(self, path):
        """Write the window as it looks now to a PNG file; return the path.

        Raises:
            OSError: the file cannot be written.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.picture().save(str(path), "PNG"):
            raise OSError(f"cannot write {path}")
        return path

    def closeEvent(self, event):
        """Let go of what is not the window's own before it goes."""
        self._layoutManager.setCornerWidget(None)
        self._layoutManager.takeViewport()
        self._probe.stop()
        # A second window must not be taken for this one while Qt still has it.
        self.setObjectName("")
        super().closeEvent(event)
        self.closed.emit()


class PanelArea(QtWidgets.QWidget):
    """The left side: the panel's title, and the panel in a scroll area as wide as it."""

    def __init__(self):
        super().__init__()
        self._title = QtWidgets.QLabel()
        self._title.setContentsMargins(10, 6, 10, 6)
        font = self._title.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.2)
        self._title.setFont(font)
        self._area = QtWidgets.QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._title)
        layout.addWidget(self._area, 1)
        self.setMinimumWidth(PANEL_WIDTH)

    def setPanel(self, widget, title):
        """Show this widget under the title."""
        self._title.setText(title)
        self._area.setWidget(widget)
        widget.show()

    def panel(self):
        """Return the widget shown, or None."""
        return self._area.widget()


class Probe(QtWidgets.QLabel):
    """Position under the pointer and the background image's value there, as Slicer's Data Probe says."""

    def __init__(self, scene, parent):
        super().__init__(parent)
        self._crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
        self._tag = self._crosshair.AddObserver(event, lambda *_: self.showPosition())
        self.setMinimumWidth(360)

    def stop(self):
        """Stop following the pointer."""
        self._crosshair.RemoveObserver(self._tag)

    def showPosition(self):
        """Show where the pointer is now; nothing where it is outside all views."""
        ras, node = [0.0, 0.0, 0.0], self._crosshair.GetCursorPositionXYZ([0.0, 0.0, 0.0])
        if node is None or not self._crosshair.GetCursorPositionRAS(ras):
            self.setText("")
            return
        position = "{}   R {:.1f}   A {:.1f}   S {:.1f} mm".format(node.GetLayoutName(), *ras)
        self.setText(position + self._valueAt(node, ras))

    def _valueAt(self, sliceNode, ras):
        widget = slicer.app.layoutManager().sliceWidget(sliceNode.GetLayoutName())
        volume = widget.sliceLogic().GetBackgroundLayer().GetVolumeNode() if widget is not None else None
        if volume is None or volume.GetImageData() is None:
            return ""
        toIjk = widget.sliceLogic().GetBackgroundLayer().GetXYToIJKTransform()
        xyz = widget.sliceView().convertRASToXYZ(ras)
        i, j, k = (round(value) for value in toIjk.TransformPoint(xyz))
        image = volume.GetImageData()
        limits = zip((i, j, k), image.GetExtent()[::2], image.GetExtent()[1::2], strict=True)
        if not all(first <= index <= last for index, first, last in limits):
            return f"   {volume.GetName()}: outside"
        components = range(image.GetNumberOfScalarComponents())
        values = (image.GetScalarComponentAsDouble(i, j, k, component) for component in components)
        return f"   {volume.GetName()} ({i}, {j}, {k}): " + ", ".join(f"{value:g}" for value in values)


def titled(title, widget):
    """Return a widget with a title above the given one."""
    frame = QtWidgets.QWidget()
    label = QtWidgets.QLabel(title)
    label.setContentsMargins(8, 4, 8, 4)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    layout = QtWidgets.QVBoxLayout(frame)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addWidget(label)
    layout.addWidget(widget, 1)
    return frame


def addAction(menu, text, shortcut, called):
    """Add a menu entry; an empty shortcut is none."""
    action = menu.addAction(text)
    if shortcut:
        action.setShortcut(QtGui.QKeySequence(shortcut))
    action.triggered.connect(called)
