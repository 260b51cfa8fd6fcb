"""SliceView: a slice view with Slicer's own displayable managers, and SliceWidget around it.

The names and calls are those of qMRMLSliceView and qMRMLSliceWidget. Lightbox views (more than one slice in a
view) are the one thing that is missing: their renderer manager is a class of CTK.
"""

from __future__ import annotations

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from SlicerHost.canvas import RenderCanvas
from SlicerHost.slice_controller import SliceController

# Slicer registers the first six when it makes a view, the others when it loads their modules.
DISPLAYABLE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLColorLegendDisplayableManager",
)
ITEM_URL = "mrml://scene/subjecthierarchy/item"


class SliceView(RenderCanvas):
    """What qMRMLSliceView is: a slice logic's image and all that the displayable managers draw on it."""

    def __init__(self, applicationLogic, parent=None):
        super().__init__(parent)
        self._sliceNode = None
        self._sliceLogic = None
        self._scene = None
        self._makeRenderers()
        self._makeImageActor()
        self._managers = self._makeManagers(applicationLogic)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetInteractor(self.interactor())
        self.setAcceptDrops(True)

    def _makeRenderers(self):
        self._renderer, self._overlay = vtk.vtkRenderer(), vtk.vtkRenderer()
        self._overlay.SetLayer(1)
        self.renderWindow().SetNumberOfLayers(2)
        for renderer in (self._renderer, self._overlay):
            renderer.GetActiveCamera().ParallelProjectionOn()
            self.renderWindow().AddRenderer(renderer)
        self._annotation = vtk.vtkCornerAnnotation()
        self._annotation.SetMaximumFontSize(14)
        self._annotation.SetLinearFontScaleFactor(2)
        self._overlay.AddViewProp(self._annotation)

    def _makeImageActor(self):
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)  # the slice logic's image is ready to show
        self._mapper.SetColorLevel(127.5)
        self._imageActor = vtk.vtkActor2D()
        self._imageActor.SetMapper(self._mapper)
        self._imageActor.GetProperty().SetDisplayLocationToBackground()
        self._imageActor.VisibilityOff()
        self._renderer.AddViewProp(self._imageActor)

    def _makeManagers(self, applicationLogic):
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(applicationLogic)
        for name in DISPLAYABLE_MANAGERS:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        managers = factory.InstantiateDisplayableManagers(self._renderer)
        managers.AddObserver("UpdateEvent", lambda *_: self.scheduleRender())
        return managers

    def setSliceLogic(self, logic):
        """Show the slice of this vtkMRMLSliceLogic, which has its slice node."""
        self._sliceLogic, self._sliceNode = logic, logic.GetSliceNode()
        self._scene = logic.GetMRMLScene()
        self._style.SetSliceLogic(logic)
        logic.SetDisplayableManagerGroup(self._managers)
        self._managers.SetMRMLDisplayableNode(self._sliceNode)
        logic.AddObserver("ModifiedEvent", lambda *_: self._showImage())
        self._scene.AddObserver(slicer.vtkMRMLScene.EndBatchProcessEvent, lambda *_: self.scheduleRender())
        self.fitWindow()
        self._showImage()

    def _showImage(self):
        connection = self._sliceLogic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._imageActor.SetVisibility(connection is not None)
        self.scheduleRender()

    def windowResized(self, width, height):
        """Keep the slice node's dimensions (pixels) those of the window."""
        if self._sliceLogic is not None:
            self._sliceLogic.ResizeSliceNode(width, height)

    def picture(self):
        """Return the view as a QImage; while the scene is being loaded or closed the last one."""
        if self._scene is not None and self._scene.IsBatchProcessing():
            return self._picture
        return super().picture()

    def renderer(self):
        """Return the renderer of the image and of everything on it."""
        return self._renderer

    def overlayRenderer(self):
        """Return the renderer on top, of the corner annotation."""
        return self._overlay

    def cornerAnnotation(self):
        """Return the vtkCornerAnnotation."""
        return self._annotation

    def mrmlSliceNode(self):
        """Return the vtkMRMLSliceNode, None before there is a slice logic."""
        return self._sliceNode

    def interactorObserver(self):
        """Return the vtkMRMLSliceViewInteractorStyle."""
        return self._style

    def displayableManagerByClassName(self, className):
        """Return the view's displayable manager of that class, or None."""
        return self._managers.GetDisplayableManagerByClassName(className)

    def getDisplayableManagers(self, collection):
        """Add the view's displayable managers to a vtkCollection."""
        for index in range(self._managers.GetDisplayableManagerCount()):
            collection.AddItem(self._managers.GetNthDisplayableManager(index))

    def convertDeviceToXYZ(self, xy):
        """Return the slice coordinates (pixels, lightbox slice) of a window position in device pixels."""
        xyz = [0.0, 0.0, 0.0]
        manager = slicer.vtkMRMLAbstractSliceViewDisplayableManager
        manager.ConvertDeviceToXYZ(self.interactor(), self._sliceNode, *xy, xyz)
        return xyz

    def convertRASToXYZ(self, ras):
        """Return the slice coordinates (pixels, slices) of a position in RAS mm."""
        rasToXY = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self._sliceNode.GetXYToRAS(), rasToXY)
        return list(rasToXY.MultiplyPoint([*map(float, ras), 1.0])[:3])

    def convertXYZToRAS(self, xyz):
        """Return the position in RAS mm of slice coordinates (pixels, slices)."""
        return list(self._sliceNode.GetXYToRAS().MultiplyPoint([*map(float, xyz), 1.0])[:3])

    def setViewCursor(self, cursor):
        """Show this QCursor over the view."""
        self.setCursor(cursor)

    def unsetViewCursor(self):
        """Show the arrow again."""
        self.unsetCursor()

    def dragEnterEvent(self, event):
        """Take items of the Data tree."""
        if draggedItems(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event):
        """Show the dropped items in this view: volumes as its background, everything else becomes visible."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)
        for item in draggedItems(event.mimeData()):
            node = hierarchy.GetItemDataNode(item)
            if node is not None and node.IsA("vtkMRMLVolumeNode"):
                self._sliceLogic.GetSliceCompositeNode().SetBackgroundVolumeID(node.GetID())
                self._sliceLogic.FitSliceToBackground()
            elif node is not None and node.IsA("vtkMRMLDisplayableNode"):
                node.SetDisplayVisibility(True)
        event.acceptProposedAction()


def draggedItems(mimeData):
    """Return the subject hierarchy item ids of a drag from the Data tree, [] for any other drag."""
    items = []
    for url in mimeData.urls():
        text = url.toString()
        number = QtCore.QUrlQuery(url).queryItemValue("id")
        if text.startswith(ITEM_URL) and number.isdigit():
            items.append(int(number))
    return items


class SliceWidget(QtWidgets.QWidget):
    """What qMRMLSliceWidget is: the controller's bar above the view."""

    def __init__(self, sliceNode, applicationLogic, parent=None):
        super().__init__(parent)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(applicationLogic)
        self._logic.SetMRMLScene(sliceNode.GetScene())
        self._logic.SetSliceNode(sliceNode)
        applicationLogic.GetSliceLogics().AddItem(self._logic)
        self._view = SliceView(applicationLogic, self)
        self._view.setSliceLogic(self._logic)
        self._controller = SliceController(self._logic, self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)
        self.setObjectName("qMRMLSliceWidget" + sliceNode.GetLayoutName())

    def sliceView(self):
        """Return the SliceView."""
        return self._view

    def sliceController(self):
        """Return the SliceController."""
        return self._controller

    def sliceLogic(self):
        """Return the vtkMRMLSliceLogic."""
        return self._logic

    def mrmlSliceNode(self):
        """Return the vtkMRMLSliceNode."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self):
        """Return the vtkMRMLSliceCompositeNode, which says what volumes are shown."""
        return self._logic.GetSliceCompositeNode()

    def interactorStyle(self):
        """Return the vtkMRMLSliceViewInteractorStyle."""
        return self._view.interactorObserver()

    def fitSliceToBackground(self):
        """Show all of the background volume."""
        self._controller.fitSliceToBackground()

    def getSliceViewName(self):
        """Return the name in the layout, such as "Red"."""
        return self.mrmlSliceNode().GetLayoutName()

    def getSliceOrientation(self):
        """Return "Axial", "Sagittal", "Coronal", or "Reformat" for any other plane."""
        return self.mrmlSliceNode().GetOrientation()

    def setSliceOrientation(self, name):
        """Turn to one of the orientation presets."""
        self._controller.setSliceOrientation(name)

    sliceViewName = QtCore.Property(str, getSliceViewName)
    sliceOrientation = QtCore.Property(str, getSliceOrientation, setSliceOrientation)
