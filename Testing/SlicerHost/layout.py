"""LayoutManager: the views of a layout, with the names and calls of qMRMLLayoutManager.

The layouts are Slicer's own (vtkMRMLLayoutLogic). The host has slice views only: where a layout has a 3D view
stands what setCornerWidget was given, other views are left out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import slicer
from PySide6 import QtCore, QtWidgets

from SlicerHost.slice_view import SliceWidget

GAP = 4  # pixels between views
OFF_SCREEN_SIZE = (960, 760)
OUTLIVES_RESET = "outlivesReset"  # dynamic property of a top-level widget that Host.reset() leaves alone
FIELD_OF_VIEW = (250.0, 250.0, 1.0)  # mm, of a view that has shown nothing yet
ORIENTATIONS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


def installLayoutManager(host):
    """Return slicer.app.layoutManager(), made and set on the first call."""
    if slicer.app.layoutManager() is None:
        slicer.app.setLayoutManager(LayoutManager(host.scene, host.applicationLogic))
    return slicer.app.layoutManager()


class LayoutManager(QtCore.QObject):
    """Makes slice widgets for the slice nodes of the layout and arranges them in viewport()."""

    layoutChanged = QtCore.Signal(int)

    def __init__(self, scene, applicationLogic, parent=None):
        super().__init__(parent)
        self._scene, self._applicationLogic = scene, applicationLogic
        self._widgets = {}
        self._corner = None
        self._content = None
        self._enabled = True
        self._arranged = None
        self._paused = 0
        self._addPresets()
        self._makeViewport()
        self._linkLogic = slicer.vtkMRMLSliceLinkLogic()
        self._linkLogic.SetMRMLApplicationLogic(applicationLogic)
        self._linkLogic.SetMRMLScene(scene)
        self._layoutLogic = slicer.vtkMRMLLayoutLogic()
        self._layoutLogic.SetMRMLScene(scene)
        self._observe()
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    def _addPresets(self):
        # Views yet to be made have them from the scene's default slice node, which Host.reset() removes.
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self._scene, True)

    def _makeViewport(self):
        self._viewport = QtWidgets.QWidget()
        box = QtWidgets.QVBoxLayout(self._viewport)
        box.setContentsMargins(0, 0, 0, 0)
        self._viewport.setProperty(OUTLIVES_RESET, True)
        self.takeViewport()

    def _observe(self):
        self._layoutLogic.GetLayoutNode().AddObserver("ModifiedEvent", lambda *_: self._follow())
        for event in (slicer.vtkMRMLScene.EndCloseEvent, slicer.vtkMRMLScene.EndImportEvent):
            self._scene.AddObserver(event, lambda *_: self._restoreViews())
        application = slicer.vtkMRMLApplicationLogic
        self._applicationLogic.AddObserver(
            application.PauseRenderEvent, lambda *_: self.setRenderPaused(True)
        )
        self._applicationLogic.AddObserver(
            application.ResumeRenderEvent, lambda *_: self.setRenderPaused(False)
        )

    def viewport(self):
        """Return the widget that holds the views, to be put into a window."""
        return self._viewport

    def takeViewport(self):
        """Take the viewport out of its window, off screen, where its views have sizes all the same."""
        self._viewport.hide()
        self._viewport.setParent(None)
        self._viewport.setAttribute(QtCore.Qt.WidgetAttribute.WA_DontShowOnScreen)
        self._viewport.resize(*OFF_SCREEN_SIZE)
        self._viewport.show()

    def giveViewport(self):
        """Return the viewport, ready to be put into a window."""
        # What was due to be painted off screen would be painted into the window, at another place.
        self._viewport.hide()
        self._viewport.setAttribute(QtCore.Qt.WidgetAttribute.WA_DontShowOnScreen, False)
        return self._viewport

    def setCornerWidget(self, widget):
        """Show this widget where a layout has its first 3D view; None leaves the place to the slice views."""
        previous, self._corner = self._corner, widget
        self._arrange()
        if previous is not None:
            previous.setParent(None)

    def mrmlScene(self):
        """Return the scene."""
        return self._scene

    def layoutLogic(self):
        """Return the vtkMRMLLayoutLogic."""
        return self._layoutLogic

    def mrmlSliceLogics(self):
        """Return a vtkCollection of all slice views' logics."""
        return self._applicationLogic.GetSliceLogics()

    def sliceViewNames(self):
        """Return the names of all slice views made so far, shown or not, as PythonQt gives a QStringList."""
        return tuple(self._widgets)

    def sliceWidget(self, name):
        """Return the SliceWidget of that name, None where there is none."""
        return self._widgets.get(name)

    def viewWidget(self, node):
        """Return the widget that shows this view node, or None."""
        return next((widget for widget in self._widgets.values() if widget.mrmlSliceNode() is node), None)

    def threeDWidget(self, index):
        """There are no 3D views."""
        return None

    def getLayout(self):
        """Return the vtkMRMLLayoutNode.SlicerLayout... number of the layout."""
        return self._layoutLogic.GetLayoutNode().GetViewArrangement()

    def setLayout(self, number):
        """Change to another of Slicer's layouts; views it needs are made."""
        self._layoutLogic.GetLayoutNode().SetViewArrangement(number)

    def isEnabled(self):
        """Say whether the views follow the layout node."""
        return self._enabled

    def setEnabled(self, enabled):
        """Follow the layout node, or leave the views as they are."""
        self._enabled = bool(enabled)
        self._follow()

    layout = QtCore.Property(int, getLayout, setLayout)
    enabled = QtCore.Property(bool, isEnabled, setEnabled)
    threeDViewCount = QtCore.Property(int, lambda self: 0)
    tableViewCount = QtCore.Property(int, lambda self: 0)
    plotViewCount = QtCore.Property(int, lambda self: 0)

    def resetSliceViews(self):
        """Show all of the background volumes."""
        for widget in self._widgets.values():
            widget.fitSliceToBackground()

    def resetThreeDViews(self):
        """There are no 3D views to reset."""

    def pauseRender(self):
        """Stop drawing; calls add up."""
        self.setRenderPaused(True)

    def resumeRender(self):
        """End one pauseRender."""
        self.setRenderPaused(False)

    def setRenderPaused(self, paused):
        """Begin or end a pause of drawing; drawing goes on after as many ends as beginnings."""
        self._paused = max(0, self._paused + (1 if paused else -1))
        for widget in self._widgets.values():
            widget.sliceView().setRenderEnabled(self._paused == 0)

    def resetForTest(self):
        """Four views again, in their own planes, with nothing shown and no pause."""
        self._addPresets()
        self._paused = 0
        self.setEnabled(True)
        self.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        for name, widget in self._widgets.items():
            widget.sliceView().setRenderEnabled(True)
            node = widget.mrmlSliceNode()
            node.SetOrientation(ORIENTATIONS.get(name, "Axial"))
            node.SetXYZOrigin(0, 0, 0)
            node.SetFieldOfView(*FIELD_OF_VIEW)
            widget.sliceLogic().SetSliceOffset(0)
        self._restoreViews()

    def _restoreViews(self):
        """A close or an import gives the slice nodes other values than their views have: put them back."""
        for name, widget in self._widgets.items():
            node, view = widget.mrmlSliceNode(), widget.sliceView()
            node.SetMappedInLayout(int(self._isShown(name)))
            widget.sliceLogic().ResizeSliceNode(*view.renderWindow().GetSize())
            widget.sliceController().updateFromMRML()
            view.scheduleRender()
        self._follow()

    def _isShown(self, name):
        return self._content is not None and self._content.isAncestorOf(self._widgets[name])

    def _follow(self):
        """Arrange the views as the layout node says, unless they are."""
        node = self._layoutLogic.GetLayoutNode()
        description = node.GetCurrentLayoutDescription()
        if self._enabled and description and description != self._arranged:
            self._arranged = description
            self._arrange()
            self.layoutChanged.emit(node.GetViewArrangement())

    def _arrange(self):
        """Make the widgets of the layout and put them in place; those without a place are kept hidden."""
        old, corner = self._content, [self._corner] if self._corner is not None else []
        if old is not None:
            # Out first: Qt would still paint its handles, later and elsewhere.
            old.hide()
            old.setParent(None)
        self._content = self._build(ElementTree.fromstring(self._arranged), list(corner))
        self._viewport.layout().addWidget(self._content)
        self._content.show()
        for name, widget in self._widgets.items():
            widget.mrmlSliceNode().SetMappedInLayout(int(self._isShown(name)))
        for widget in (*self._widgets.values(), *corner):
            if not self._content.isAncestorOf(widget):
                widget.setParent(self._viewport)
                widget.hide()
        if old is not None:
            old.deleteLater()

    def _build(self, element, corner):
        """Return the widget of a <layout>, or None where it holds none of the views there are here."""
        if element.tag == "view":
            return self._viewOf(element, corner)
        children = [self._build(child, corner) for item in element.findall("item") for child in item]
        children = [child for child in children if child is not None]
        if element.get("type") == "tab":
            return self._tabs(children)
        direction = QtCore.Qt.Orientation.Vertical
        if element.get("type") == "horizontal":
            direction = QtCore.Qt.Orientation.Horizontal
        splitter = QtWidgets.QSplitter(direction)
        splitter.setHandleWidth(GAP)
        splitter.setChildrenCollapsible(False)
        for child in children:
            splitter.addWidget(child)
            child.show()
        splitter.setSizes([1000] * len(children))
        return splitter if children else None

    def _tabs(self, children):
        tabs = QtWidgets.QTabWidget()
        for child in children:
            tabs.addTab(child, getattr(child, "sliceViewName", ""))
        return tabs if children else None

    def _viewOf(self, element, corner):
        kind, name = element.get("class"), element.get("singletontag")
        if kind == "vtkMRMLSliceNode":
            return self._sliceWidgetOf(name)
        return corner.pop() if kind == "vtkMRMLViewNode" and corner else None

    def _sliceWidgetOf(self, name):
        if name not in self._widgets:
            node = self._scene.GetSingletonNode(name, "vtkMRMLSliceNode")
            widget = SliceWidget(node, self._applicationLogic)
            widget.sliceView().setRenderEnabled(self._paused == 0)
            self._widgets[name] = widget
        return self._widgets[name]
