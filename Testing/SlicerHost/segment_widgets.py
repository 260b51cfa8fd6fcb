"""qMRMLSegmentSelectorWidget and qMRMLSegmentsTableView: choose segments of a segmentation."""

from __future__ import annotations

from PySide6.QtCore import Property, QItemSelection, QItemSelectionModel, Qt, Signal
from PySide6.QtGui import QColor, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QTableView, QVBoxLayout, QWidget

from SlicerHost.ctk import ctkComboBox
from SlicerHost.declared import stored
from SlicerHost.icons import eyeIcon, squareIcon
from SlicerHost.node_combo_box import qMRMLNodeComboBox
from SlicerHost.scene_watch import Watch
from SlicerHost.subject_hierarchy import SEGMENT_EVENTS

SEGMENT_ID = Qt.ItemDataRole.UserRole
VISIBILITY, COLOUR, NAME = range(3)


def segmentsOf(node):
    """Return [(id, segment)] of a segmentation node, or of None."""
    segmentation = node.GetSegmentation() if node is not None else None
    if segmentation is None:
        return []
    return [(identifier, segmentation.GetSegment(identifier)) for identifier in segmentation.GetSegmentIDs()]


class qMRMLSegmentSelectorWidget(QWidget):
    """A node combo box for the segmentation and a combo box for one of its segments."""

    mrmlSceneChanged = Signal(object)
    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    cppSignatures = (
        "mrmlSceneChanged(vtkMRMLScene*)",
        "currentNodeChanged(vtkMRMLNode*)",
        "currentSegmentChanged(QString)",
    )
    cppOnly = ("setNoneEnabled", "setSegmentationNodeSelectorVisible", "refill")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._watch, self._segment = Watch(self), ""
        self._nodes, self._segments = qMRMLNodeComboBox(self), ctkComboBox(self)
        for name, value in (("addEnabled", False), ("removeEnabled", False), ("noneEnabled", True)):
            self._nodes.setProperty(name, value)
        self._nodes.setProperty("nodeTypes", ["vtkMRMLSegmentationNode"])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._nodes, 1)
        layout.addWidget(self._segments, 1)
        self._nodes.currentNodeChanged[object].connect(self._onNode)
        self._segments.currentIndexChanged.connect(lambda _: self._tellSegment())

    def mrmlScene(self):
        return self._nodes.mrmlScene()

    def setMRMLScene(self, scene):
        """Offer this scene's segmentations."""
        if scene is not self.mrmlScene():
            self._nodes.setMRMLScene(scene)
            self.mrmlSceneChanged.emit(scene)

    def _onNode(self, node):
        self._watch.clear()
        if node is not None:
            for event in SEGMENT_EVENTS:
                self._watch.on(node, event, lambda _: self.refill())
        self.refill()
        self.currentNodeChanged.emit(node)

    def refill(self):
        """Make the segments' rows anew; the chosen one stays where it is still there."""
        chosen = self._segment
        self._segments.blockSignals(True)
        self._segments.clear()
        if self.noneEnabled:
            self._segments.addItem("None", "")
        for identifier, segment in segmentsOf(self.currentNode()):
            self._segments.addItem(segment.GetName(), identifier)
        row = self._segments.findData(chosen)
        self._segments.setCurrentIndex(row if row >= 0 else min(0, self._segments.count() - 1))
        self._segments.blockSignals(False)
        self._tellSegment()

    def _tellSegment(self):
        chosen = self._segments.currentData() or ""
        if chosen != self._segment:
            self._segment = chosen
            self.currentSegmentChanged.emit(chosen)

    def currentNode(self):
        """Return the chosen segmentation node or None."""
        return self._nodes.currentNode()

    def currentNodeID(self):
        return self.currentNode().GetID() if self.currentNode() is not None else ""

    def setCurrentNode(self, node):
        self._nodes.setCurrentNode(node)

    def setCurrentNodeID(self, identifier):
        self._nodes.setCurrentNodeID(identifier)

    def currentSegmentID(self):
        """Return the chosen segment's id, "" where none is."""
        return self._segment

    def setCurrentSegmentID(self, identifier):
        """Choose a segment; an unknown id changes nothing."""
        row = self._segments.findData(identifier)
        if row >= 0:
            self._segments.setCurrentIndex(row)

    noneEnabled = stored(bool, "noneEnabled", False, "refill")
    segmentationNodeSelectorVisible = Property(
        bool, lambda self: not self._nodes.isHidden(), lambda self, visible: self._nodes.setVisible(visible)
    )


class qMRMLSegmentsTableView(QWidget):
    """A table of a segmentation's segments with eye, colour and name."""

    mrmlSceneChanged = Signal(object)
    selectionChanged = Signal(QItemSelection, QItemSelection)
    cppSignatures = (
        "mrmlSceneChanged(vtkMRMLScene*)",
        "selectionChanged(QItemSelection,QItemSelection)",
    )
    cppOnly = ("refill", "setSelectionMode", "setReadOnly")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._node, self._filling = None, None, False
        self._watch = Watch(self)
        self._model, self._table = QStandardItemModel(0, 3, self), QTableView(self)
        self._model.setHorizontalHeaderLabels(["", "", "Name"])
        self._table.setModel(self._model)
        self._table.verticalHeader().hide()
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setColumnWidth(VISIBILITY, 26)
        self._table.setColumnWidth(COLOUR, 26)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.clicked.connect(self._onClicked)
        self._table.selectionModel().selectionChanged.connect(self._onSelection)
        self._model.itemChanged.connect(self._onEdited)

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def segmentationNode(self):
        """Return the segmentation node or None."""
        return self._node

    def setSegmentationNode(self, node):
        """Show this segmentation's segments."""
        self._watch.clear()
        self._node = node
        if node is not None:
            display = node.DisplayModifiedEvent
            for event in (*SEGMENT_EVENTS, display):
                self._watch.on(node, event, lambda _: self.refill())
        self.refill()

    def refill(self):
        """Make the rows anew; the selection stays."""
        if self._filling:
            return
        selected = self.selectedSegmentIDs()
        self._filling = True
        self._model.removeRows(0, self._model.rowCount())
        for identifier, segment in segmentsOf(self._node):
            self._model.appendRow(self._row(identifier, segment))
        self._filling = False
        self.setSelectedSegmentIDs(selected)

    def _row(self, identifier, segment):
        display = self._node.GetDisplayNode()
        name, eye, colour = QStandardItem(segment.GetName()), QStandardItem(), QStandardItem()
        name.setData(identifier, SEGMENT_ID)
        name.setEditable(not self.readOnly)
        eye.setIcon(eyeIcon(display is None or display.GetSegmentVisibility(identifier)))
        colour.setIcon(squareIcon(QColor.fromRgbF(*segment.GetColor())))
        for each in (eye, colour):
            each.setEditable(False)
        return [eye, colour, name]

    def _idOf(self, row):
        return self._model.item(row, NAME).data(SEGMENT_ID)

    def displayedSegmentIDs(self):
        """Return the ids of the segments shown."""
        return [self._idOf(row) for row in range(self._model.rowCount())]

    segmentCount = Property(int, lambda self: self._model.rowCount())

    def selectedSegmentIDs(self):
        return [self._idOf(index.row()) for index in self._table.selectionModel().selectedRows(NAME)]

    def setSelectedSegmentIDs(self, identifiers):
        """Select these segments, and no others."""
        selection = QItemSelection()
        for row, identifier in enumerate(self.displayedSegmentIDs()):
            if identifier in identifiers:
                index = self._model.index(row, NAME)
                selection.select(index, index)
        flags = QItemSelectionModel.SelectionFlag
        self._table.selectionModel().select(selection, flags.ClearAndSelect | flags.Rows)

    def clearSelection(self):
        self._table.clearSelection()

    def _onSelection(self, selected, deselected):
        if not self._filling:
            self.selectionChanged.emit(selected, deselected)

    def _onClicked(self, index):
        display = self._node.GetDisplayNode()
        if index.column() == VISIBILITY and display is not None:
            identifier = self._idOf(index.row())
            display.SetSegmentVisibility(identifier, not display.GetSegmentVisibility(identifier))

    def _onEdited(self, item):
        if not self._filling and item.column() == NAME:
            self._node.GetSegmentation().GetSegment(item.data(SEGMENT_ID)).SetName(item.text())

    def _setSelectionMode(self, mode):
        self._table.setSelectionMode(QAbstractItemView.SelectionMode(int(mode)))

    readOnly = stored(bool, "readOnly", False, "refill")
    selectionMode = Property(int, lambda self: self._table.selectionMode().value, _setSelectionMode)
    headerVisible = Property(
        bool,
        lambda self: not self._table.horizontalHeader().isHidden(),
        lambda self, visible: self._table.horizontalHeader().setVisible(visible),
    )
