"""The rows of a qMRMLNodeComboBox: none, the nodes, then the entries that do something."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel

NODE_ID = Qt.ItemDataRole.UserRole
ACTION = Qt.ItemDataRole.UserRole + 1


class NodeRows(QStandardItemModel):
    """Rows of the node ids ("" for none); rows below them have a callable instead of an id, or neither."""

    def appendNone(self, text):
        none = QStandardItem(text)
        none.setData("", NODE_ID)
        self.appendRow(none)

    def insertNode(self, node):
        """Put a node below the others."""
        item = QStandardItem(node.GetName() or "")
        item.setData(node.GetID(), NODE_ID)
        self.insertRow(self.endOfNodes(), item)

    def appendAction(self, text, called):
        item = QStandardItem(text)
        item.setData(called, ACTION)
        self.appendRow(item)

    def endOfNodes(self):
        """Return the number of rows for none and for the nodes."""
        rows = range(self.rowCount())
        return next((row for row in rows if self.item(row).data(NODE_ID) is None), len(rows))

    def rowOf(self, node):
        """Return the row of a node (None: of the entry for none), -1 where there is none."""
        wanted = "" if node is None else node.GetID()
        rows = range(self.endOfNodes())
        return next((row for row in rows if self.item(row).data(NODE_ID) == wanted), -1)

    def idIn(self, row):
        """Return the node id in a row: "" for none and where there is no such row, None for other entries."""
        return self.item(row).data(NODE_ID) if row >= 0 else ""

    def actionIn(self, row):
        """Return what an entry calls, None for the nodes."""
        return self.item(row).data(ACTION)


def nodesOf(scene):
    """Return the nodes of a scene, or of None."""
    nodes = scene.GetNodes() if scene is not None else None
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())] if nodes else []


def kindName(scene, nodeTypes):
    """Return what the user calls a node of the first type."""
    node = scene.CreateNodeByClass(nodeTypes[0]) if scene is not None and nodeTypes else None
    if node is None:
        return "Node"
    node.UnRegister(None)
    return node.GetTypeDisplayName()
