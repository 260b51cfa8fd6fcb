"""Observers on MRML and VTK objects that end with the widget they serve."""

from __future__ import annotations

import shiboken6
import slicer
import vtk

Scene = slicer.vtkMRMLScene


class Watch:
    """The observers of one Qt object: they end with it, or by clear() and forget()."""

    def __init__(self, owner):
        self._owner = owner
        self._tags = []
        owner.destroyed.connect(self.clear)

    def on(self, caller, event, callback):
        """Call back as callback(call data): a VTK object or text, or None where the event has none."""

        def called(_caller, _event, data=None):
            if shiboken6.isValid(self._owner):
                callback(data)

        number = vtk.vtkCommand.GetEventIdFromString(event) if isinstance(event, str) else event
        if number in OBJECT_EVENTS:
            called.CallDataType = vtk.VTK_OBJECT
        elif number in TEXT_EVENTS:
            called.CallDataType = vtk.VTK_STRING
        self._tags.append((caller, caller.AddObserver(event, called)))

    def clear(self, *_destroyed):
        """Remove all observers."""
        for caller, tag in self._tags:
            caller.RemoveObserver(tag)
        self._tags.clear()

    def forget(self, caller):
        """Remove the observers of one object."""
        for one, tag in self._tags:
            if one is caller:
                one.RemoveObserver(tag)
        self._tags = [(one, tag) for one, tag in self._tags if one is not caller]


OBJECT_EVENTS = {
    Scene.NodeAddedEvent,
    Scene.NodeAboutToBeRemovedEvent,
    Scene.NodeRemovedEvent,
    slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent,
}
TEXT_EVENTS = {slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved}
