"""qMRMLSubjectHierarchyTreeView: the Data tree, from which items are dragged."""

from __future__ import annotations

import vtk
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt, Signal

from SlicerHost.declared import stored
from SlicerHost.icons import SIZE
from SlicerHost.scene_watch import Scene, Watch
from SlicerHost.subject_hierarchy import hierarchyOf, segmentIdOf
from SlicerHost.subject_hierarchy_model import COLOUR, NAME, VISIBILITY, qMRMLSubjectHierarchyModel
from SlicerHost.visibility import compositeNodes, isVisible, setVisible

INVALID = 0


class qMRMLSubjectHierarchyTreeView(QtWidgets.QTreeView):
    """The scene's subject hierarchy, with eyes and colours; it follows the scene with Qt's next events."""

    currentItemChanged = Signal(object)
    currentItemsChanged = Signal(object)
    currentItemModified = Signal(object)
    mrmlSceneChanged = Signal(object)
    cppSignatures = (
        "currentItemChanged(vtkIdType)",
        "currentItemsChanged(QList<vtkIdType>)",
        "currentItemModified(vtkIdType)",
        "mrmlSceneChanged(vtkMRMLScene*)",
    )
    cppOnly = ("setMultiSelection", "setNodeTypes", "setNameFilter", "setContextMenuEnabled", "refresh")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._hierarchy, self._current = None, None, INVALID
        self._watch, self._dirty, self._filling = Watch(self), False, False
        self._model = qMRMLSubjectHierarchyModel(self)
        self._timer = QtCore.QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self.refresh)
        self.setModel(self._model)
        self._arrangeColumns()
        self.setDragEnabled(True)
        self.setDragDropMode(self.DragDropMode.DragOnly)
        self.setSelectionBehavior(self.SelectionBehavior.SelectRows)
        self.setEditTriggers(self.EditTrigger.DoubleClicked | self.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._onContextMenu)
        self.clicked.connect(self._onClicked)
        self.selectionModel().selectionChanged.connect(lambda *_: self._onSelection())
        self._model.itemChanged.connect(self._onEdited)
        self.expanded.connect(lambda index: self._keepExpanded(index, True))
        self.collapsed.connect(lambda index: self._keepExpanded(index, False))

    def _arrangeColumns(self):
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(SIZE + 8)
        header.setSectionResizeMode(NAME, header.ResizeMode.Stretch)
        for column in (VISIBILITY, COLOUR):
            header.setSectionResizeMode(column, header.ResizeMode.Fixed)
            self.setColumnWidth(column, SIZE + 10)

    # -- the scene

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        """Show the subject hierarchy of this scene."""
        if scene is self._scene:
            return
        self._watch.clear()
        self._scene = scene
        if scene is not None:
            for event in (
                Scene.NodeAddedEvent,
                Scene.NodeRemovedEvent,
                Scene.EndImportEvent,
                Scene.EndCloseEvent,
            ):
                self._watch.on(scene, event, lambda _: self._onSceneChanged())
        self._followHierarchy()
        self.refresh()
        self.mrmlSceneChanged.emit(scene)

    def _onSceneChanged(self):
        if not self._scene.IsClosing():
            self._followHierarchy()
        self._later()

    def _followHierarchy(self):
        """Observe the hierarchy node, which the scene may have replaced, and the slice views' layers."""
        for composite in compositeNodes(self._scene) if self._scene is not None else ():
            self._watch.forget(composite)
            self._watch.on(composite, "ModifiedEvent", lambda _: self._later())
        hierarchy = hierarchyOf(self._scene) if self._scene is not None else None
        if hierarchy is not self._hierarchy:
            if self._hierarchy is not None:
                self._watch.forget(self._hierarchy)
            self._hierarchy = hierarchy
            if hierarchy is not None:
                self._watch.on(hierarchy, vtk.vtkCommand.AnyEvent, lambda _: self._later())

    def _later(self):
        if not self._filling:
            self._dirty = True
            self._timer.start()

    def refresh(self):
        """Make the rows anew, with what is selected and expanded kept."""
        self._dirty = False
        self._timer.stop()
        selected, current = self._selectedIds(), self._model.idOf(self.currentIndex())
        place = self.verticalScrollBar().value()
        self._filling = True
        self._model.fill(self._hierarchy, self._accepts)
        self._expandRows(QtCore.QModelIndex())
        self._select(selected, current)
        self._filling = False
        self.verticalScrollBar().setValue(place)
        self._onSelection()

    def _upToDate(self):
        if self._dirty:
            self.refresh()

    def _accepts(self, item):
        node = self._hierarchy.GetItemDataNode(item)
        if self.nodeTypes and not (node is not None and any(node.IsA(name) for name in self.nodeTypes)):
            return False
        return self.nameFilter.lower() in self._hierarchy.GetItemName(item).lower()

    def _expandRows(self, parent):
        for row in range(self._model.rowCount(parent)):
            index = self._model.index(row, NAME, parent)
            self.setExpanded(index, self._hierarchy.GetItemExpanded(self._model.idOf(index)))
            self._expandRows(index)

    def _keepExpanded(self, index, expanded):
        if not self._filling:
            self._filling = True
            self._hierarchy.SetItemExpanded(self._model.idOf(index), expanded)
            self._filling = False

    # -- what is chosen

    def _selectedIds(self):
        return [self._model.idOf(index) for index in self.selectionModel().selectedRows(NAME)]

    def _select(self, items, current):
        flags = QtCore.QItemSelectionModel.SelectionFlag
        selection = QtCore.QItemSelection()
        for index in map(self._model.rowOf, items):
            if index.isValid():
                selection.select(index, index)
        self.selectionModel().select(selection, flags.ClearAndSelect | flags.Rows)
        self.selectionModel().setCurrentIndex(self._model.rowOf(current), flags.NoUpdate)

    def _onSelection(self):
        if self._filling:
            return
        selected = self._selectedIds()
        self.currentItemsChanged.emit(selected)
        current = selected[0] if selected else INVALID
        if current != self._current:
            self._current = current
            self.currentItemChanged.emit(current)

    def currentItem(self):
        """Return the selected item's id (of several the first), 0 where none is."""
        self._upToDate()
        return (self._selectedIds() or [INVALID])[0]

    def setCurrentItem(self, item):
        """Select one item; one that is not shown selects none."""
        self._upToDate()
        self._select([item], item)
        if self._model.rowOf(item).isValid():
            self.scrollTo(self._model.rowOf(item))

    def currentItems(self, items):
        """Put the selected items' ids into a vtkIdList."""
        self._upToDate()
        items.Reset()
        for item in self._selectedIds():
            items.InsertNextId(item)

    def setCurrentItems(self, items):
        """Select the items in a vtkIdList."""
        self._upToDate()
        ids = [items.GetId(index) for index in range(items.GetNumberOfIds())]
        self._select(ids, ids[0] if ids else INVALID)

    def setCurrentNode(self, node):
        """Select a node's item."""
        self.setCurrentItem(self._hierarchy.GetItemByDataNode(node) if node is not None else INVALID)

    def displayedItemCount(self):
        """Return how many items are shown, those in collapsed branches included."""
        self._upToDate()
        return self._count(QtCore.QModelIndex())

    def _count(self, parent):
        rows = range(self._model.rowCount(parent))
        return len(rows) + sum(self._count(self._model.index(row, NAME, parent)) for row in rows)

    def expandItem(self, item):
        self._upToDate()
        self.expand(self._model.rowOf(item))

    def collapseItem(self, item):
        self._upToDate()
        self.collapse(self._model.rowOf(item))

    # -- what the user does

    def _onClicked(self, index):
        item = self._model.idOf(index)
        if index.column() == VISIBILITY:
            self._toggle(item)

    def _toggle(self, item):
        visible = isVisible(self._hierarchy, item)
        if visible is not None:
            setVisible(self._hierarchy, item, not visible)
            self._later()

    def _onEdited(self, row):
        if self._filling or row.column() != NAME:
            return
        item = self._model.idOf(row.index())
        if row.text() and row.text() != self._hierarchy.GetItemName(item):
            self._rename(item, row.text())
        self._later()

    def _rename(self, item, name):
        identifier = segmentIdOf(self._hierarchy, item)
        if identifier:
            node = self._hierarchy.GetItemDataNode(self._hierarchy.GetItemParent(item))
            node.GetSegmentation().GetSegment(identifier).SetName(name)
        else:
            self._hierarchy.SetItemName(item, name)
        self.currentItemModified.emit(item)

    def _onContextMenu(self, position):
        index = self.indexAt(position)
        item = self._model.idOf(index)
        if not item or not self.contextMenuEnabled:
            return
        menu = QtWidgets.QMenu(self)
        menu.addAction("Rename...", lambda: self.edit(index.siblingAtColumn(NAME)))
        menu.addAction("Delete", self.deleteSelectedItems)
        menu.addAction("Show or hide", lambda: self._toggle(item))
        menu.exec(self.viewport().mapToGlobal(position))
        menu.deleteLater()

    def deleteSelectedItems(self):
        """Remove the selected items with their nodes and segments."""
        for item in self._selectedIds():
            identifier = segmentIdOf(self._hierarchy, item)
            if identifier:
                node = self._hierarchy.GetItemDataNode(self._hierarchy.GetItemParent(item))
                node.GetSegmentation().RemoveSegment(identifier)
            elif item:
                self._hierarchy.RemoveItem(item, True, True)

    def _onMultiSelection(self):
        mode = self.SelectionMode
        self.setSelectionMode(mode.ExtendedSelection if self.multiSelection else mode.SingleSelection)

    multiSelection = stored(bool, "multiSelection", False, "_onMultiSelection")
    contextMenuEnabled = stored(bool, "contextMenuEnabled", True)
    editMenuActionVisible = stored(bool, "editMenuActionVisible", True)
    highlightReferencedItems = stored(bool, "highlightReferencedItems", True)
    nodeTypes = stored("QStringList", "nodeTypes", [], "refresh")
    nameFilter = stored(str, "nameFilter", "", "refresh")
