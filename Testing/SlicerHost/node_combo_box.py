"""qMRMLNodeComboBox: chooses a node of the scene; None, if enabled, is the first row.

Removing the chosen node chooses the row before it, as Qt 5 does in Slicer.
"""

from __future__ import annotations

from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QLineEdit, QSizePolicy, QWidget

from SlicerHost.ctk import ctkComboBox
from SlicerHost.declared import forwarded, stored
from SlicerHost.node_rows import NodeRows, kindName, nodesOf
from SlicerHost.scene_watch import Scene, Watch


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
        *("currentNodeChanged(vtkMRMLNode*)", "currentNodeChanged(bool)", "currentNodeIDChanged(QString)"),
        *("currentNodeRenamed(vtkMRMLNode*)", "nodeActivated(vtkMRMLNode*)", "nodeAdded(vtkMRMLNode*)"),
        *("nodeAddedByUser(vtkMRMLNode*)", "nodeAboutToBeRemoved(vtkMRMLNode*)"),
        "nodeAboutToBeEdited(vtkMRMLNode*)",
    )
    cppOnly = ("setNodeTypes", "setBaseName", "setNoneDisplay", "setSizeAdjustPolicy", "refill")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene, self._current, self._requested = None, None, None
        self._attributes, self._menuActions = [], []
        self._watch, self._nodeWatch, self._filling = Watch(self), Watch(self), False
        self._model = NodeRows(self)
        self._combo = ctkComboBox(self)
        self._combo.setModel(self._model)
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
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
        if self._scene.IsBatchProcessing():
            return
        self._follow(node)
        if not self._accepts(node):
            return
        self._model.insertNode(node)
        if not self.noneEnabled and self._current is None:
            self._combo.setCurrentIndex(self._model.rowOf(node))
        self.nodeAdded.emit(node)

    def _onNodeAboutToBeRemoved(self, node):
        if not self._scene.IsBatchProcessing() and self._model.rowOf(node) >= 0:
            self.nodeAboutToBeRemoved.emit(node)

    def _onNodeRemoved(self, node):
        self._nodeWatch.forget(node)
        if not self._scene.IsBatchProcessing() and self._model.rowOf(node) >= 0:
            self._remove(self._model.rowOf(node))

    # -- which nodes

    def _accepts(self, node):
        if not self._hasType(node) or (node.GetHideFromEditors() and not self.showHidden):
            return False
        return all(
            not node.IsA(kind)
            or (node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)))
            for kind, name, value in self._attributes
        )

    def _hasType(self, node):
        if any(node.IsA(name) for name in self.hideChildNodeTypes):
            return False
        if self.showChildNodeTypes:
            return any(node.IsA(name) for name in self.nodeTypes)
        return node.GetClassName() in self.nodeTypes

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
            self._model.appendNone(self.noneDisplay)
        nodes = [node for node in nodesOf(self._scene) if self._accepts(node)]
        for node in nodesOf(self._scene):
            self._follow(node)
        for node in nodes:
            self._model.insertNode(node)
        self._addActions()
        row = self._model.rowOf(current)
        self._combo.setCurrentIndex(row if row >= 0 else (0 if self.noneEnabled or nodes else -1))
        self._filling = False
        self._onIndex(self._combo.currentIndex())

    def _follow(self, node):
        # One that is hidden now may be shown later.
        if self._hasType(node):
            self._nodeWatch.on(node, "ModifiedEvent", lambda _: self._onNodeModified(node))

    def _onNodeModified(self, node):
        if self._scene.IsBatchProcessing():
            return
        row, accepted = self._model.rowOf(node), self._accepts(node)
        if accepted and row < 0:
            self._model.insertNode(node)
        elif row >= 0 and not accepted:
            self._remove(row)
        elif accepted and self._model.item(row).text() != node.GetName():
            self._model.item(row).setText(node.GetName())
            if node is self._current:
                self.currentNodeRenamed.emit(node)

    def _remove(self, row):
        chosen = self._combo.currentIndex()
        left = self._model.endOfNodes() - 1
        self._filling = True
        self._model.removeRow(row)
        before = max(chosen - 1, 0) if row == chosen else chosen - int(row < chosen)
        self._combo.setCurrentIndex(min(before, left - 1))
        self._filling = False
        self._onIndex(self._combo.currentIndex())

    def _addActions(self):
        kind = kindName(self._scene, self.nodeTypes)
        entries = [
            (self.addEnabled, f"Create new {kind}", self._addByUser),
            (self.editEnabled, f"Edit current {kind}", self.editCurrentNode),
            (self.renameEnabled, f"Rename current {kind}", self.renameCurrentNode),
            (self.removeEnabled, f"Delete current {kind}", self.removeCurrentNode),
        ]
        shown = [(text, called) for enabled, text, called in entries if enabled]
        shown += [(action.text(), action.trigger) for action in self._menuActions]
        if shown:
            self._combo.insertSeparator(self._model.rowCount())
        for text, called in shown:
            self._model.appendAction(text, called)

    def addMenuAction(self, action):
        """Add an entry below the nodes."""
        self._menuActions.append(action)
        self.refill()

    def _onIndex(self, row):
        if self._filling:
            return
        identifier = self._model.idIn(row)
        if identifier is None:
            self._combo.setCurrentIndex(
                self._model.rowOf(self._current)
            )  # keys came to an action: it is no choice
            return
        node = self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None
        if node is self._current:
            return
        self._current = node
        self.currentNodeChanged[object].emit(node)
        self.currentNodeChanged[bool].emit(node is not None)
        self.currentNodeIDChanged.emit(identifier)

    def _onActivated(self, row):
        called = self._model.actionIn(row)
        if called is not None:
            called()
        else:
            self.nodeActivated.emit(self._current)

    def currentNode(self):
        """Return the chosen node or None."""
        return self._current

    def setCurrentNode(self, node):
        """Choose a node; one that the box does not show, and None, choose none."""
        if self._scene is None:
            self._requested = node
            return
        self._requested = None
        row = self._model.rowOf(node)
        self._combo.setCurrentIndex(row if row >= 0 else self._model.rowOf(None))

    def setCurrentNodeID(self, identifier):
        self.setCurrentNode(
            self._scene.GetNodeByID(identifier) if identifier and self._scene is not None else None
        )

    def setCurrentNodeIndex(self, index):
        """Choose the node in that row of the nodes; below zero none."""
        self.setCurrentNode(self.nodeFromIndex(index))

    def nodeCount(self):
        """Return the number of nodes shown, the entry for none left out."""
        return self._model.endOfNodes() - int(self.noneEnabled)

    def nodeFromIndex(self, index):
        if not 0 <= index < self.nodeCount():
            return None
        return self._scene.GetNodeByID(self._model.idIn(index + int(self.noneEnabled)))

    # -- the entries

    def addNode(self, nodeType=""):
        """Add a node of the first type (or the given one) to the scene; return it."""
        name = self._scene.GenerateUniqueName(self.baseName or kindName(self._scene, self.nodeTypes))
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
        title, normal = f"Rename {kindName(self._scene, self.nodeTypes)}", QLineEdit.EchoMode.Normal
        # As the host answers dialogs: the text alone, empty where it was cancelled.
        name = QInputDialog.getText(self, title, "New name:", normal, self._current.GetName())
        if name:
            self._current.SetName(name)

    nodeTypes = stored("QStringList", "nodeTypes", [], "refill")
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [], "refill")
    showHidden = stored(bool, "showHidden", False, "refill")
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True, "refill")
    baseName = stored(str, "baseName", "")
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
