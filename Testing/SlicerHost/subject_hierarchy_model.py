"""Rows and drags of the Data tree: the items of a vtkMRMLSubjectHierarchyNode."""

from __future__ import annotations

from PySide6 import QtCore, QtGui
from PySide6.QtCore import Property, Qt

from SlicerHost.icons import eyeIcon, letterIcon, squareIcon
from SlicerHost.subject_hierarchy import Constants, childrenOf, segmentIdOf
from SlicerHost.visibility import isVisible

ITEM = Qt.ItemDataRole.UserRole
ITEM_URL = "mrml://scene/subjecthierarchy/item?id={}"
NAME, VISIBILITY, COLOUR = range(3)


class qMRMLSubjectHierarchyModel(QtGui.QStandardItemModel):
    """One row for each item; column numbers are properties, as in C++. A drag carries the items' URLs."""

    nameColumn = Property(int, lambda self: NAME)
    visibilityColumn = Property(int, lambda self: VISIBILITY)
    colorColumn = Property(int, lambda self: COLOUR)
    cppOnly = ("fill", "rowOf", "idOf")

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setHorizontalHeaderLabels(["Node", "", ""])

    def fill(self, hierarchy, accepts):
        """Make all rows anew; accepts(item) says which items are shown, with all that is above them."""
        self.removeRows(0, self.rowCount())
        if hierarchy is not None:
            self._appendBelow(self.invisibleRootItem(), hierarchy, hierarchy.GetSceneItemID(), accepts)

    def _appendBelow(self, parent, hierarchy, item, accepts):
        for child in childrenOf(hierarchy, item):
            row = rowFor(hierarchy, child)
            self._appendBelow(row[NAME], hierarchy, child, accepts)
            if isListed(hierarchy, child) and (accepts(child) or row[NAME].rowCount()):
                parent.appendRow(row)

    def rowOf(self, item):
        """Return the index of an item's row in the first column; not valid where it is not shown."""
        recursive = Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchRecursive
        found = self.match(self.index(0, 0), ITEM, item, 1, recursive) if self.rowCount() else []
        return found[0] if found else QtCore.QModelIndex()

    def idOf(self, index):
        """Return the item's id in an index's row; 0 where there is none."""
        return index.siblingAtColumn(NAME).data(ITEM) or 0 if index.isValid() else 0

    def mimeTypes(self):
        return ["text/uri-list"]

    def mimeData(self, indexes):
        """Return the URLs of the items in these indexes, each once."""
        items = dict.fromkeys(self.idOf(index) for index in indexes)
        data = QtCore.QMimeData()
        data.setUrls([QtCore.QUrl(ITEM_URL.format(item)) for item in items])
        return data

    def supportedDragActions(self):
        return Qt.DropAction.CopyAction | Qt.DropAction.MoveAction

    def subjectHierarchyItemFromIndex(self, index):
        """Return the item's id."""
        return self.idOf(index)


def isListed(hierarchy, item):
    """Tell whether the tree shows an item: not those of hidden nodes, nor what asks to be left out."""
    node = hierarchy.GetItemDataNode(item)
    if node is not None and node.GetHideFromEditors():
        return False
    return not hierarchy.GetItemAttribute(item, Constants.GetSubjectHierarchyExcludeFromTreeAttributeName())


def rowFor(hierarchy, item):
    """Return the QStandardItems of an item's row."""
    name = QtGui.QStandardItem(hierarchy.GetItemName(item))
    name.setData(item, ITEM)
    name.setIcon(kindIcon(hierarchy, item))
    name.setDragEnabled(True)
    eye, colour = QtGui.QStandardItem(), QtGui.QStandardItem()
    visible = isVisible(hierarchy, item)
    if visible is not None:
        eye.setIcon(eyeIcon(visible))
        eye.setToolTip("Show or hide")
    rgb = colourOf(hierarchy, item)
    if rgb is not None:
        colour.setIcon(squareIcon(QtGui.QColor.fromRgbF(*rgb)))
    for each in (eye, colour):
        each.setEditable(False)
    return [name, eye, colour]


def colourOf(hierarchy, item):
    """Return the colour (r, g, b) of 0 to 1 of a segment or of a displayed node; None for others."""
    identifier = segmentIdOf(hierarchy, item)
    if identifier:
        node = hierarchy.GetItemDataNode(hierarchy.GetItemParent(item))
        segment = node.GetSegmentation().GetSegment(identifier) if node is not None else None
        return segment.GetColor() if segment is not None else None
    node = hierarchy.GetItemDataNode(item)
    if node is None or not (node.IsA("vtkMRMLModelNode") or node.IsA("vtkMRMLMarkupsNode")):
        return None
    display = node.GetDisplayNode()
    return display.GetSelectedColor() if display is not None else None


# What the icon before the name says: node class -> letter and colour
KINDS = (
    ("vtkMRMLSegmentationNode", "S", "#2e7d32"),
    ("vtkMRMLLabelMapVolumeNode", "L", "#6a1b9a"),
    ("vtkMRMLVolumeNode", "V", "#1565c0"),
    ("vtkMRMLMarkupsNode", "M", "#c62828"),
    ("vtkMRMLTransformNode", "T", "#ef6c00"),
)


def kindIcon(hierarchy, item):
    """Return a small square with a letter for the kind of item."""
    node = hierarchy.GetItemDataNode(item)
    if segmentIdOf(hierarchy, item):
        return letterIcon("s", "#558b2f")
    if node is None:
        level = hierarchy.GetItemLevel(item)
        return letterIcon(level[:1] or "F", "#616161")
    kinds = ((letter, colour) for className, letter, colour in KINDS if node.IsA(className))
    return letterIcon(*next(kinds, ("N", "#616161")))
