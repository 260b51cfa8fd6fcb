"""Which slice view the buttons act on: the one the mouse was in last, shown and changeable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer
import vtk

from KPrismSlicerLib.PanelTools import Slots, quietly


class ViewChoice:
    """A dropdown of the slice views of the layout.

    Args:
        combo: the QComboBox of the panel.
        slots: for its connections.
        interaction: knows the view that the mouse was in last; a choice by hand is told to it.
        changed: called when another view is chosen, or the chosen one shows another slice or image.
    """

    def __init__(self, combo: Any, slots: Slots, interaction: Any, changed: Callable[[], None]) -> None:
        self._combo = combo
        self._interaction = interaction
        self._changed = changed
        self._observed: tuple[Any, int] | None = None
        self._images: tuple[str, ...] = ()
        self._moved = slots.guarded(lambda *_arguments: changed())
        slots.connect(combo, "currentIndexChanged(int)", lambda _index: self._chosen())

    @property
    def sliceNode(self) -> Any:
        """The slice node of the view; None where the layout has no slice view."""
        widget = self._widget(self._combo.currentText)
        return widget.mrmlSliceNode() if widget is not None else None

    def shows(self, volumeNode: Any) -> bool:
        """Whether the view shows an image; clicks in it go to the chosen one whatever it shows."""
        widget = self._widget(self._combo.currentText)
        return widget is None or volumeNode.GetID() in _imagesOf(widget)

    def update(self) -> None:
        """Offer the views that the layout has now, and choose the one that the mouse is in."""
        manager, current = slicer.app.layoutManager(), self._combo.currentText
        names = list(manager.sliceViewNames()) if manager is not None else []
        shown = [self._combo.itemText(number) for number in range(self._combo.count)]
        if names != shown:
            with quietly(self._combo):
                self._combo.clear()
                self._combo.addItems(names)
                self._combo.currentIndex = max(self._combo.findText(current), 0) if names else -1
            self._observe()
        node = self._interaction.sliceNode
        if node is None:
            self._interaction.chooseView(self.sliceNode)
        elif node is not self.sliceNode:
            # a view of another layout is not offered
            place = self._combo.findText(node.GetLayoutName())
            if place >= 0:
                self._combo.currentIndex = place
        images = _imagesOf(self._widget(self._combo.currentText))
        if images != self._images:
            self._images = images
            self._changed()

    def release(self) -> None:
        """Let go of the view."""
        if self._observed is not None:
            node, tag = self._observed
            node.RemoveObserver(tag)
        self._observed = None

    def _chosen(self) -> None:
        self._interaction.chooseView(self.sliceNode)
        self._observe()
        self._changed()

    def _observe(self) -> None:
        self.release()
        node = self.sliceNode
        if node is not None:
            self._observed = node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._moved)

    def _widget(self, name: str) -> Any:
        manager = slicer.app.layoutManager()
        return manager.sliceWidget(name) if manager is not None and name else None


def showImage(volumeNode: Any) -> None:
    """Show an image in all slice views, unless one of them shows it: clicks go to it and to nothing else."""
    manager = slicer.app.layoutManager()
    if volumeNode is None or manager is None:
        return
    widgets = [manager.sliceWidget(name) for name in manager.sliceViewNames()]
    if not any(volumeNode.GetID() in _imagesOf(widget) for widget in widgets):
        slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)


def _imagesOf(sliceWidget: Any) -> tuple[str, ...]:
    """The ids of the images that a view (or None) shows, one over the other."""
    if sliceWidget is None:
        return ()
    layers = sliceWidget.sliceLogic().GetSliceCompositeNode()
    above = layers.GetForegroundVolumeID() if layers.GetForegroundOpacity() > 0 else None
    return tuple(one for one in (layers.GetBackgroundVolumeID(), above) if one)
