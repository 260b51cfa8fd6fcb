"""What the application's subject hierarchy plugins do: items for the scene's nodes, and one for each segment.

vtkMRMLSubjectHierarchyNode only keeps the tree; in 3D Slicer plugins of the application fill it.
"""

from __future__ import annotations

from contextlib import contextmanager

import slicer
import vtk

from SlicerHost.scene_watch import Scene, Watch

# Node class -> the plugin that owns its item; the first that fits.
PLUGINS = (
    ("vtkMRMLLabelMapVolumeNode", "LabelMaps"),
    ("vtkMRMLVolumeNode", "Volumes"),
    ("vtkMRMLSegmentationNode", "Segmentations"),
    ("vtkMRMLMarkupsNode", "Markups"),
    ("vtkMRMLModelNode", "Models"),
    ("vtkMRMLTransformNode", "Transforms"),
    ("vtkMRMLTableNode", "Tables"),
    ("vtkMRMLTextNode", "Texts"),
)
SEGMENTS = "Segments"
Constants = slicer.vtkMRMLSubjectHierarchyConstants
Segmentation = slicer.vtkSegmentation
SEGMENT_EVENTS = (
    Segmentation.SegmentAdded,
    Segmentation.SegmentRemoved,
    Segmentation.SegmentModified,
    Segmentation.SegmentsOrderModified,
    slicer.vtkMRMLSegmentationNode.SegmentationChangedEvent,
)


def hierarchyOf(scene):
    """Return the scene's vtkMRMLSubjectHierarchyNode."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def childrenOf(hierarchy, item, recursive=False):
    """Return the ids of the items below an item, in their order."""
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children, recursive)
    return [children.GetId(index) for index in range(children.GetNumberOfIds())]


def segmentIdOf(hierarchy, item):
    """Return the segment's id of a segment's item, "" for other items."""
    return hierarchy.GetItemAttribute(item, slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName())


def pluginOf(node):
    """Return the name of the plugin that takes a node into the tree; None for those that stay out."""
    if node.GetHideFromEditors():
        return None
    if node.GetAttribute(Constants.GetSubjectHierarchyExcludeFromTreeAttributeName()):
        return None
    if node.IsA("vtkMRMLModelNode") and slicer.vtkMRMLSliceLogic.IsSliceModelNode(node):
        return None
    return next((plugin for className, plugin in PLUGINS if node.IsA(className)), None)


def keepHierarchy(scene, owner):
    """Keep the tree of a scene in step with it, as long as the owner (a QObject) lives."""
    owner.hierarchyKeeper = HierarchyKeeper(scene, owner)


class HierarchyKeeper:
    """Answers the scene's events."""

    def __init__(self, scene, owner):
        self._scene = scene
        self._watch, self._segmentWatch = Watch(owner), Watch(owner)
        self._keeping = self._imported = False
        self._watch.on(scene, Scene.NodeAddedEvent, self._onNodeAdded)
        self._watch.on(scene, Scene.NodeRemovedEvent, self._onNodeRemoved)
        self._watch.on(scene, Scene.EndCloseEvent, lambda _: self._onClosed())
        for event in (Scene.EndImportEvent, Scene.EndRestoreEvent):
            self._watch.on(scene, event, lambda _: self._onImported())
        self._watch.on(scene, Scene.EndBatchProcessEvent, lambda _: self._onBatchDone())

    def _onNodeAdded(self, node):
        # A scene file brings its own tree along; what is not in it is added at the end.
        if not self._scene.IsImporting():
            self._add(node)

    def _add(self, node):
        plugin, hierarchy = pluginOf(node), hierarchyOf(self._scene)
        if plugin is None:
            return
        item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
        hierarchy.SetItemOwnerPluginName(item, plugin)
        if node.IsA("vtkMRMLSegmentationNode"):
            hierarchy.SetItemAttribute(item, Constants.GetSubjectHierarchyVirtualBranchAttributeName(), "1")
            self._segmentWatch.forget(node)
            for event in SEGMENT_EVENTS:
                self._segmentWatch.on(node, event, lambda _: self._keepSegments(node))
            self._keepSegments(node)

    def _onNodeRemoved(self, node):
        self._segmentWatch.forget(node)
        if self._scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = hierarchyOf(self._scene)
        item = hierarchy.GetItemByDataNode(node)
        if not item:
            return
        # Items below it that are no segments go up one step.
        for child in childrenOf(hierarchy, item):
            if not segmentIdOf(hierarchy, child):
                hierarchy.SetItemParent(child, hierarchy.GetItemParent(item))
        hierarchy.RemoveItem(item, False, True)

    def _onClosed(self):
        self._segmentWatch.clear()
        hierarchy = hierarchyOf(self._scene)
        hierarchy.RemoveAllItems(False)
        if hierarchy.GetScene() is None:
            # Closing took it out, but the scene goes on using it as long as any Python code has a reference.
            self._scene.AddNode(hierarchy)

    def _onImported(self):
        self._imported = True
        if not self._scene.IsBatchProcessing():
            self._onBatchDone()

    def _onBatchDone(self):
        """After a scene file was read: put its tree and the present one together; add what is in neither."""
        if not self._imported:
            return
        self._imported = False
        hierarchyOf(self._scene).ResolveSubjectHierarchy(self._scene)
        nodes = self._scene.GetNodes()
        for index in range(nodes.GetNumberOfItems()):
            self._add(nodes.GetItemAsObject(index))

    @contextmanager
    def _quietly(self):
        self._keeping = True
        try:
            yield
        finally:
            self._keeping = False

    def _keepSegments(self, node):
        """Make, name, order and remove the items of a segmentation's segments."""
        hierarchy = hierarchyOf(self._scene)
        item = hierarchy.GetItemByDataNode(node)
        if self._keeping or not item:
            return
        with self._quietly():
            segmentation = node.GetSegmentation()
            wanted = list(segmentation.GetSegmentIDs()) if segmentation is not None else []
            self._removeSegmentsBut(hierarchy, item, wanted)
            present = segmentItems(hierarchy, item)
            for identifier in wanted:
                name = segmentation.GetSegment(identifier).GetName() or ""
                self._keepSegment(hierarchy, item, present.get(identifier), identifier, name)
            self._order(hierarchy, item, wanted)

    def _removeSegmentsBut(self, hierarchy, item, wanted):
        for child in childrenOf(hierarchy, item):
            identifier = segmentIdOf(hierarchy, child)
            if identifier and identifier not in wanted:
                hierarchy.RemoveItem(child, False, True)

    def _keepSegment(self, hierarchy, item, child, identifier, name):
        if child is None:
            child = hierarchy.CreateHierarchyItem(item, name, "")
            attribute = slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName()
            hierarchy.SetItemAttribute(child, attribute, identifier)
            hierarchy.SetItemOwnerPluginName(child, SEGMENTS)
        elif hierarchy.GetItemName(child) != name:
            hierarchy.SetItemName(child, name)
        hierarchy.ItemModified(child)

    def _order(self, hierarchy, item, wanted):
        present = segmentItems(hierarchy, item)
        if list(present) == wanted:
            return
        order = vtk.vtkIdList()
        for identifier in wanted:
            order.InsertNextId(present[identifier])
        hierarchy.ReorderItemChildren(item, order)


def segmentItems(hierarchy, item):
    """Return the items below a segmentation's item by the id of their segment, in their order."""
    pairs = ((segmentIdOf(hierarchy, child), child) for child in childrenOf(hierarchy, item))
    return {identifier: child for identifier, child in pairs if identifier}


def segmentItem(hierarchy, item, identifier):
    """Return the item of a segment below its segmentation's item, or None."""
    return segmentItems(hierarchy, item).get(identifier)
