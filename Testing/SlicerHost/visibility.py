"""What the eye in the Data tree shows and does."""

from __future__ import annotations

import slicer

from SlicerHost.subject_hierarchy import childrenOf, segmentIdOf


def isVisible(hierarchy, item):
    """Tell whether an item is shown in the views; None where that has no meaning."""
    node = hierarchy.GetItemDataNode(item)
    identifier = segmentIdOf(hierarchy, item)
    if identifier:
        parent = hierarchy.GetItemDataNode(hierarchy.GetItemParent(item))
        display = parent.GetDisplayNode() if parent is not None else None
        return bool(display.GetSegmentVisibility(identifier)) if display is not None else None
    if node is None:
        below = [isVisible(hierarchy, child) for child in childrenOf(hierarchy, item)]
        return any(below) if any(one is not None for one in below) else None
    if node.IsA("vtkMRMLVolumeNode"):
        return any(node.GetID() in shownIn(composite) for composite in compositeNodes(node.GetScene()))
    if not node.IsA("vtkMRMLDisplayableNode") or node.GetDisplayNode() is None:
        return None
    return bool(node.GetDisplayVisibility())


def setVisible(hierarchy, item, visible):
    """Show or hide an item, and what is below a folder, study or patient."""
    node = hierarchy.GetItemDataNode(item)
    identifier = segmentIdOf(hierarchy, item)
    if identifier:
        parent = hierarchy.GetItemDataNode(hierarchy.GetItemParent(item))
        parent.GetDisplayNode().SetSegmentVisibility(identifier, visible)
        if visible:
            parent.SetDisplayVisibility(True)
    elif node is None:
        for child in childrenOf(hierarchy, item):
            setVisible(hierarchy, child, visible)
    elif node.IsA("vtkMRMLVolumeNode"):
        showVolume(node, visible)
    elif isVisible(hierarchy, item) is not None:
        node.SetDisplayVisibility(visible)


def compositeNodes(scene):
    """Return the composite nodes of all slice views."""
    nodes = scene.GetNodesByClass("vtkMRMLSliceCompositeNode")
    nodes.UnRegister(None)
    return [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]


def shownIn(composite):
    """Return the ids of the volumes in a slice view's layers."""
    return composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetLabelVolumeID()


def showVolume(volume, visible):
    """Put a volume into all slice views, a labelmap into their label layer; or take it out of all layers."""
    label = volume.IsA("vtkMRMLLabelMapVolumeNode")
    for composite in compositeNodes(volume.GetScene()):
        if visible and label:
            composite.SetLabelVolumeID(volume.GetID())
        elif visible:
            composite.SetBackgroundVolumeID(volume.GetID())
        else:
            takeOut(volume.GetID(), composite)
    if visible and not label:
        selection = slicer.app.applicationLogic().GetSelectionNode()
        selection.SetActiveVolumeID(volume.GetID())


def takeOut(identifier, composite):
    """Empty the layers of a slice view that show this volume."""
    for layer in ("Background", "Foreground", "Label"):
        if getattr(composite, f"Get{layer}VolumeID")() == identifier:
            getattr(composite, f"Set{layer}VolumeID")(None)
