"""qMRMLNodeComboBox: chooses a node of the scene; None, if enabled, is the first row.

The rows are a combo box's own, so removing the chosen node selects the row before it, as in Slicer.
"""

from __future__ import annotations

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QWidget

from SlicerHost.ctk import ctkComboBox
from SlicerHost.declared import forwarded, stored
from SlicerHost.scene_watch import Scene, Watch

NODE_ID = Qt.ItemDataRole.UserRole
ACTION = Qt.ItemDataRole.UserRole + 1


class qMRMLNodeComboBox(QWidget):
    """A combo box of the scene's nodes of some types, with entries to create, edit, rename and delete."""

    currentNodeChanged = Signal((bool,), (object,))
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(object)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeAboutToBeEdited = Signal(object)
    cppSignatures = (
        "currentNodeChanged(vtkMRMLNode*)",
        "currentNodeChanged(bool)",
        "currentNodeIDChanged(QString)",
        "currentNodeRenamed(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)",
        "nodeAboutToBeEdited(vtkMRMLNode*)",
    )
    cppOnly = ("setNodeTypes", "setBaseName", "setNoneDisplay", "setSizeAdjustPolicy", "refill")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._current, self._requested = None, None, None
        self._attributes, self._menuActions = [], []
        self._watch, self._nodeWatch, self._filling = Watch(self), Watch(self), False
        self._model = QStandardItemModel(self)
        self._combo = ctkComboBox(self)
        self._combo.setModel(self._model)
        self._combo.setSizePolicy(
            self._combo.sizePolicy().horizontalPolicy().Expanding, self.sizePolicy().verticalPolicy()
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self.setFocusProxy(self._combo)
        self._combo.currentIndexChanged.connect(self._onIndex)
        self._combo.activated.connect(self._onActivated)
        self.refill()

    # -- the scene

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        """Show this scene's nodes; without a scene nothing can be chosen."""
        if scene is self._scene:
            return
        self._watch.clear()
        self._scene = scene
        if scene is not None:
            self._watch.on(scene, Scene.NodeAddedEvent, self._onNodeAdded)
            self._watch.on(scene, Scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved)
            self._watch.on(scene, Scene.NodeRemovedEvent, self._onNodeRemoved)
            self._watch.on(scene, Scene.EndBatchProcessEvent, lambda _: self.refill())
            self._watch.on(scene, Scene.EndCloseEvent, lambda _: self.refill())
        self.refill()
        if self._requested is not None and scene is not None:
            self.setCurrentNode(self._requested)

    def _onNodeAdded(self, node):
        if self._scene.IsBatchProcessing() or not self._accepts(node):
            return
        self._insert(self._endOfNodes(), node)
        if not self.noneEnabled and self._current is None:
            self._combo.setCurrentIndex(self._rowOf(node))
        self.nodeAdded.emit(node)

    def _onNodeAboutToBeRemoved(self, node):
        if not self._scene.IsBatchProcessing() and self._rowOf(node) >= 0:
            self.nodeAboutToBeRemoved.emit(node)

    def _onNodeRemoved(self, node):
        self._nodeWatch.forget(node)
        if not self._scene.IsBatchProcessing() and self._rowOf(node) >= 0:
            self._model.removeRow(self._rowOf(node))

    # -- which nodes

    def _accepts(self, node):
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        if not any(self._isType(node, name) for name in self.nodeTypes):
            return False
        if any(node.IsA(name) for name in self.hideChildNodeTypes):
            return False
        return all(
            not node.IsA(kind)
            or (node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)))
            for kind, name, value in self._attributes
        )

    def _isType(self, node, name):
        return node.IsA(name) if self.showChildNodeTypes else node.GetClassName() == name

    def addAttribute(self, nodeType, attributeName, attributeValue=None):
        """Show nodes of that type only if they have the attribute (with that value, where one is given)."""
        value = None if attributeValue is None else str(attributeValue)
        self._attributes.append((nodeType, attributeName, value))
        self.refill()

    def removeAttribute(self, nodeType, attributeName):
        self._attributes = [one for one in self._attributes if one[:2] != (nodeType, attributeName)]
        self.refill()

    # -- the rows

    def refill(self):
        """Make all rows anew; the current node stays where it is still to be had."""
        current = self._current
        self._filling = True
        self._nodeWatch.clear()
        self._model.clear()
        if self.noneEnabled:
            none = QStandardItem(self.noneDisplay)
            none.setData("", NODE_ID)
            self._model.appendRow(none)
        nodes = [node for node in self._sceneNodes() if self._accepts(node)]
        for node in nodes:
            self._insert(self._model.rowCount(), node)
        self._addActions()
        row = self._rowOf(current)
        self._combo.setCurrentIndex(row if row >= 0 else (0 if self.noneEnabled or nodes else -1))
        self._filling = False
        self._onIndex(self._combo.currentIndex())

    def _sceneNodes(self):
        nodes = self._scene.GetNodes() if self._scene is not None else None
        return (
            [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
            if nodes is not None
            else []
        )

    def _insert(self, row, node):
        item = QStandardItem(node.GetName() or "")
        item.setData(node.GetID(), NODE_ID)
        self._model.insertRow(row, item)
        self._nodeWatch.on(node, "ModifiedEvent", lambda _: self._onNodeModified(node))

    def _onNodeModified(self, node):
        row = self._rowOf(node)
        if row < 0 or self._scene.IsBatchProcessing():
            return
        if not self._accepts(node):
            self._nodeWatch.forget(node)
            self._model.removeRow(row)
        elif self._model.item(row).text() != node.GetName():
            self._model.item(row).setText(node.GetName())
            if node is self._current:
                self.currentNodeRenamed.emit(node)

    def _rowOf(self, node):
        """Return the row of a node (None: of the entry for none), -1 where there is none."""
        wanted = "" if node is None else node.GetID()
        rows = range(self._endOfNodes())
        return next((row for row in rows if self._model.item(row).data(NODE_ID) == wanted), -1)

    def _endOfNodes(self):
        rows = range(self._model.rowCount())
        return next((row for row in rows if self._model.item(row).data(NODE_ID) is None), len(rows))

    def _addActions(self):
        kind = self._kindName()
        entries = [
            (self.addEnabled, f"Create new {kind}", self._addByUser),
            (self.editEnabled, f"Edit current {kind}", self.editCurrentNode),
            (self.renameEnabled, f"Rename current {kind}", self.renameCurrentNode),
            (self.removeEnabled, f"Delete current {kind}", self.removeCurrentNode),
        ]
        entries += [(True, action.text(), action.trigger) for action in self._menuActions]
        shown = [(text, called) for enabled, text, called in entries if enabled]
        if shown:
            self._combo.insertSeparator(self._model.rowCount())
        for text, called in shown:
            item = QStandardItem(text)
            item.setData(called, ACTION)
            self._model.appendRow(item)

    def _kindName(self):
        types = self.nodeTypes
        if not types or self._scene is None:
            return "Node"
        node = self._scene.CreateNodeByClass(types[0])
        if node is None:
            return "Node"
        node.UnRegister(None)
        return node.GetTypeDisplayName()

    def addMenuAction(self, action):
        """Add an entry below the nodes."""
        self._menuActions.append(action)
        self.refill()

    # -- what is chosen

    def _onIndex(self, row):
        if self._filling:
            return
        item = self._model.item(row) if row >= 0 else None
        if item is not None and item.data(NODE_ID) is None:
            self._combo.setCurrentIndex(self._rowOf(self._current))  # keys came to an action: it is no choice
            return
        identifier = item.data(NODE_ID) if item is not None else ""
        node = self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None
        if node is self._current:
            return
        self._current = node
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(identifier or "")

    def _onActivated(self, row):
        called = self._model.item(row).data(ACTION)
        if called is not None:
            called()
        else:
            self.nodeActivated.emit(self._current)

    def currentNode(self):
        """Return the chosen node or None."""
        return self._current

    def setCurrentNode(self, node):
        """Choose a node; one that the box does not show, and None, choose none."""
        if isinstance(node, str):
            self.setCurrentNodeID(node)
            return
        if self._scene is None:
            self._requested = node
            return
        self._requested = None
        row = self._rowOf(node)
        self._combo.setCurrentIndex(row if row >= 0 else self._rowOf(None))

    def setCurrentNodeID(self, identifier):
        self.setCurrentNode(
            self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None
        )

    def setCurrentNodeIndex(self, index):
        """Choose the node in that row of the nodes; below zero none."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeCount(self):
        """Return the number of nodes shown, the entry for none left out."""
        return self._endOfNodes() - int(self.noneEnabled)

    def nodeFromIndex(self, index):
        if not 0 <= index < self.nodeCount():
            return None
        return self._scene.GetNodeByID(self._model.item(index + int(self.noneEnabled)).data(NODE_ID))

    # -- the entries

    def addNode(self, nodeType=""):
        """Add a node of the first type (or the given one) to the scene; return it."""
        name = self._scene.GenerateUniqueName(self.baseName or self._kindName())
        node = self._scene.AddNewNodeByClass(nodeType or self.nodeTypes[0], name)
        if node is not None and self.selectNodeUponCreation:
            self.setCurrentNode(node)
        return node

    def _addByUser(self):
        node = self.addNode()
        if node is not None:
            self.nodeAddedByUser.emit(node)

    def removeCurrentNode(self):
        """Take the chosen node out of the scene."""
        if self._current is not None:
            self._scene.RemoveNode(self._current)

    def editCurrentNode(self):
        """Tell that the user wants to edit the chosen node; the host has no module to show for it."""
        if self._current is not None:
            self.nodeAboutToBeEdited.emit(self._current)

    def renameCurrentNode(self):
        """Ask for a new name."""
        if self._current is None:
            return
        title = f"Rename {self._kindName()}"
        name, accepted = QInputDialog.getText(self, title, "New name:", text=self._current.GetName())
        if accepted and name:
            self._current.SetName(name)

    nodeTypes = stored("QStringList", "nodeTypes", [], "refill")
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [], "refill")
    showHidden = stored(bool, "showHidden", False, "refill")
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True, "refill")
    baseName = stored(str, "baseName", "")
    nodeTypeLabel = stored(str, "nodeTypeLabel", "")
    noneEnabled = stored(bool, "noneEnabled", False, "refill")
    noneDisplay = stored(str, "noneDisplay", "None", "refill")
    addEnabled = stored(bool, "addEnabled", True, "refill")
    removeEnabled = stored(bool, "removeEnabled", True, "refill")
    editEnabled = stored(bool, "editEnabled", False, "refill")
    renameEnabled = stored(bool, "renameEnabled", False, "refill")
    interactionNodeSingletonTag = stored(str, "interactionNodeSingletonTag", "")
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)
    sizeAdjustPolicy = forwarded(
        QComboBox.SizeAdjustPolicy, "_combo", "sizeAdjustPolicy", "setSizeAdjustPolicy"
    )
    currentNodeID = Property(
        str, lambda self: self._current.GetID() if self._current is not None else "", setCurrentNodeID
    )
