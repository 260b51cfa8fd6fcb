"""Mouse and keys over the slice views become acts of the logic.

While a tool is active the left button clicks, draws strokes and drags markers, and nobody else gets it;
without a tool, and for all other buttons, the views behave as always. Shift and Alt leave the left button to
Slicer too (panning, slice intersections), Ctrl inverts the polarity.
"""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from KPrismSlicerLib import Events
from KPrismSlicerLib.ChangedOutline import ChangedOutline
from KPrismSlicerLib.ClickMarkers import ClickMarkers
from KPrismSlicerLib.Gesture import Gesture
from KPrismSlicerLib.Shortcuts import Shortcut, Shortcuts
from KPrismSlicerLib.SliceViews import PRESS_EVENTS, SliceView, SliceViews

NO_TOOL, POSITIVE, NEGATIVE = "none", "positive", "negative"
TOOLS = (NO_TOOL, POSITIVE, NEGATIVE)
DELETE_KEYS = ("Delete", "BackSpace")
_OTHER_TOOL = {NO_TOOL: POSITIVE, POSITIVE: NEGATIVE, NEGATIVE: POSITIVE}
_PROMPTS = (Events.PromptsChanged, Events.HistoryChanged, Events.CaseChanged, Events.ActDone)


class Interaction:
    """Tools, markers, outline and keys of the module; active between `enter` and `exit`. Main thread only.

    Args:
        logic: `Logic.AnnotationLogic`.
        layoutManager: of the slice views; the application's by default.
        parent: widget in whose window the keys work; the main window by default.
    """

    def __init__(self, logic: Any, layoutManager: Any = None, parent: Any = None) -> None:
        self._logic = logic
        self._layoutManager = layoutManager
        self._tool = NO_TOOL
        self._press: Gesture | None = None
        self._pointer: tuple[SliceView, tuple[float, float]] | None = None
        self._sliceNode: Any = None
        self._tags: list[tuple[Any, int]] = []
        self._views: SliceViews | None = None
        self._showChanges = True
        self.markers = ClickMarkers(logic)
        self.outline = ChangedOutline(lambda: self._views or ())
        self.shortcuts = Shortcuts(self._entries(), parent)
        logic.addListener(self._onEvent)

    # what the panel asks

    @property
    def tool(self) -> str:
        """The tool in hand: 'none', 'positive' or 'negative'."""
        return self._tool

    @property
    def sliceNode(self) -> Any:
        """The slice node of the view that the mouse was in last; None at first, and when it has gone."""
        return self._sliceNode

    @property
    def showChanges(self) -> bool:
        """Whether what an act changed is outlined for a moment."""
        return self._showChanges

    @showChanges.setter
    def showChanges(self, on: bool) -> None:
        self._showChanges = on
        if not on:
            self.outline.clear()

    def chooseView(self, sliceNode: Any) -> None:
        """Let keys act on a view, by its slice node, until the mouse comes to one."""
        self._sliceNode = sliceNode

    @property
    def isActive(self) -> bool:
        """Whether the views are observed: between `enter` and `exit`."""
        return self._views is not None

    def setTool(self, tool: str) -> None:
        """Take a tool ('positive', 'negative') or put it down ('none').

        Raises:
            ValueError: there is no such tool.
        """
        if tool not in TOOLS:
            raise ValueError(f"no tool {tool!r}; there are {', '.join(TOOLS)}")
        self._drop()
        self._tool = tool
        node = _interactionNode()
        # Slicer's own placing of points would take the same clicks
        if tool != NO_TOOL and node is not None and node.GetCurrentInteractionMode() == node.Place:
            node.SetCurrentInteractionMode(node.ViewTransform)
        self._showCursor()

    def enter(self) -> None:
        """Begin: the views are observed and the keys work."""
        manager = self._layoutManager or slicer.app.layoutManager()
        if self._views is None and manager is not None:
            self._views = SliceViews(manager, self._onViewEvent)
            self._views.attach()
            manager.connect("layoutChanged(int)", self._onLayout)
            self._observe()
        self._enableKeys()
        self.markers.sync()

    def exit(self) -> None:
        """End: no tool, no keys, nothing observed; the markers stay as they are."""
        self.setTool(NO_TOOL)
        self.outline.clear()
        self.shortcuts.disable()
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags = []
        if self._views is not None:
            manager = self._layoutManager or slicer.app.layoutManager()
            # there is none when the application ends
            if manager is not None:
                manager.disconnect("layoutChanged(int)", self._onLayout)
            self._views.detach()
            self._views = None
        self._pointer = None

    def cleanup(self) -> None:
        """Let go of everything; of no use afterwards."""
        self.exit()
        self.outline.cleanup()
        self._logic.removeListener(self._onEvent)

    # acts of the keys

    def removeClickUnderPointer(self) -> bool:
        """Remove the click whose marker the mouse is on; False where there is none."""
        found = self.markers.clickAt(*self._pointer) if self._pointer is not None else None
        if found is not None:
            self._logic.removeClick(found.identifier)
        return found is not None

    def toggleAccepted(self) -> None:
        """Confirm the slice, or take that back."""
        self._logic.accept(self._sliceNode, not self._logic.isAccepted(self._sliceNode))

    def checkNext(self) -> None:
        """Show the next slice to check in the view that acts are about."""
        place = self._logic.checkNext(self._sliceNode)
        if place is not None and self._sliceNode is not None:
            self._sliceNode.JumpSliceByOffsetting(*map(float, place))

    def _observe(self) -> None:
        scene, node = slicer.mrmlScene, _interactionNode()
        wanted = [
            (scene, scene.NodeAddedEvent, self._nodeAdded),
            (scene, scene.NodeAboutToBeRemovedEvent, self._nodeGoes),
            (scene, scene.StartCloseEvent, self._sceneCloses),
            (scene, scene.EndImportEvent, self._sceneRead),
        ]
        if node is not None:
            wanted.append((node, node.InteractionModeChangedEvent, self._modeChanged))
        self._tags = [(observed, observed.AddObserver(event, called)) for observed, event, called in wanted]

    def _entries(self) -> tuple[Shortcut, ...]:
        logic = self._logic
        return (
            Shortcut(("P",), _("Click on the object (positive)"), lambda: self.setTool(POSITIVE)),
            Shortcut(("N",), _("Click outside the object (negative)"), lambda: self.setTool(NEGATIVE)),
            Shortcut(("X",), _("Change between the two"), lambda: self.setTool(_OTHER_TOOL[self._tool])),
            Shortcut(("Escape",), _("Put the tool down"), lambda: self.setTool(NO_TOOL)),
            Shortcut(("Ctrl+Z",), _("Undo"), logic.undo, repeats=True),
            Shortcut(("Ctrl+Y", "Ctrl+Shift+Z"), _("Redo"), logic.redo, repeats=True),
            Shortcut(
                ("Delete", "Backspace"), _("Remove the click under the mouse"), self.removeClickUnderPointer
            ),
            Shortcut(("Shift+Delete",), _("Clear this slice"), lambda: logic.clearSlice(self._sliceNode)),
            Shortcut(("S",), _("Segment this slice"), lambda: logic.predictSlice(self._sliceNode)),
            Shortcut(
                ("A",), _("Add this slice to the references"),
                lambda: logic.addSliceAsReference(self._sliceNode),
            ),
            Shortcut(("C",), _("Go to the next slice to check"), self.checkNext),
            Shortcut(("Return", "Enter"), _("Accept this slice, or open it again"), self.toggleAccepted),
        )  # fmt: skip

    # events of the views

    def _onViewEvent(self, view: SliceView, event: str) -> bool:
        """Handle an event of a view; True keeps it from everybody else."""
        if event == "LeaveEvent":
            self._pointer = None
            return False
        self._pointer, self._sliceNode = (view, view.pixel), view.node
        if event in PRESS_EVENTS:
            return self._pressed(view)
        if event == "KeyPressEvent":
            wanted = self._tool != NO_TOOL and view.interactor.GetKeySym() in DELETE_KEYS
            return wanted and self.removeClickUnderPointer()
        return self._moved(view, event == "LeftButtonReleaseEvent")

    def _pressed(self, view: SliceView) -> bool:
        self._drop()
        interactor = view.interactor
        left = interactor.GetShiftKey() or interactor.GetAltKey() or not view.isSingle
        if self._tool == NO_TOOL or left:
            return False
        positive = (self._tool == POSITIVE) != bool(interactor.GetControlKey())
        self._press = Gesture(view, self.markers, positive)
        return True

    def _moved(self, view: SliceView, released: bool) -> bool:
        press = self._press
        if press is None:
            return False
        if press.isOver:
            self._drop()
            return True
        press.follow(view)
        if released:
            self._drop()
            press.act(self._logic)
        return True

    def _drop(self) -> None:
        """Forget the press, if there is one, and what was drawn for it."""
        press, self._press = self._press, None
        if press is not None:
            press.drop()

    # events of logic, layout and scene

    def _onEvent(self, event: Events.Event) -> None:
        if isinstance(event, Events.ActStarted):
            self.outline.clear()
        elif isinstance(event, Events.ActDone) and self.isActive and self.showChanges:
            self.outline.show(event.result)
        if isinstance(event, _PROMPTS):
            self.markers.sync()

    def _onLayout(self, *_arguments: Any) -> None:
        self._attach()

    def _attach(self) -> None:
        if self._views is not None:
            self._drop()
            self._views.attach()
            self._showCursor()
            self._enableKeys()

    def _enableKeys(self) -> None:
        # a layout may have views in windows of their own, on a second monitor
        self.shortcuts.enable([view.widget for view in self._views or () if view.widget])

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _nodeAdded(self, _caller: Any, _event: str, node: Any) -> None:
        if node.IsA("vtkMRMLSliceNode"):
            # its view is made after this event
            qt.QTimer.singleShot(0, self._attach)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _nodeGoes(self, _caller: Any, _event: str, node: Any) -> None:
        if not node.IsA("vtkMRMLSliceNode"):
            return
        if self._press is not None and self._press.view.node is node:
            self._drop()
        if self._pointer is not None and self._pointer[0].node is node:
            self._pointer = None
        if self._sliceNode is node:
            self._sliceNode = None
        self.outline.forget(node)
        self._views.forget(node)

    def _sceneCloses(self, _caller: Any, _event: str) -> None:
        # without an image there is nothing to click on
        self.setTool(NO_TOOL)
        self.outline.clear()
        self._pointer = self._sliceNode = None

    def _sceneRead(self, _caller: Any, _event: str) -> None:
        self.markers.sync()

    def _modeChanged(self, node: Any, _event: str) -> None:
        # who begins to place points or to adjust the window wants the left button for that
        if self._tool != NO_TOOL and node.GetCurrentInteractionMode() != node.ViewTransform:
            self.setTool(NO_TOOL)

    def _showCursor(self) -> None:
        for view in self._views or ():
            if not view.widget:
                # the application ends, and Qt has deleted it already
                continue
            if self._tool == NO_TOOL:
                view.widget.unsetViewCursor()
            else:
                view.widget.setViewCursor(qt.QCursor(qt.Qt.CrossCursor))


def _interactionNode() -> Any:
    """Slicer's mouse mode, or None where the scene has none."""
    return slicer.mrmlScene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
