"""qMRMLSliderWidget and qMRMLSpinBox: numbers with the scene's unit of a quantity after them."""

from __future__ import annotations

import slicer
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QDoubleSpinBox

from SlicerHost.ctk import ctkSliderWidget
from SlicerHost.declared import stored


class _WithUnit:
    """The scene and the quantity, and the unit as suffix where the scene has one."""

    def mrmlScene(self):
        return self.__dict__.get("_scene")

    def setMRMLScene(self, scene):
        """Set the scene whose selection node knows the units."""
        if scene is not self.mrmlScene():
            self.__dict__["_scene"] = scene
            self._showUnit()
            self.mrmlSceneChanged.emit(scene)

    def _setQuantity(self, quantity):
        self.__dict__["_quantity"] = quantity
        self._showUnit()

    def _getQuantity(self):
        return self.__dict__.get("_quantity", "")

    def _showUnit(self):
        selection = slicer.app.applicationLogic().GetSelectionNode() if self.mrmlScene() is not None else None
        unit = (
            selection.GetUnitNode(self._getQuantity())
            if selection is not None and self._getQuantity()
            else None
        )
        if unit is not None:
            self.setProperty("suffix", unit.GetSuffix() or "")
            self.setProperty("decimals", unit.GetPrecision())


class qMRMLSliderWidget(_WithUnit, ctkSliderWidget):
    """A slider of fractions, with a spin box."""

    mrmlSceneChanged = Signal(object)
    cppSignatures = ("mrmlSceneChanged(vtkMRMLScene*)",)
    quantity = Property(str, _WithUnit._getQuantity, _WithUnit._setQuantity)


class qMRMLSpinBox(_WithUnit, QDoubleSpinBox):
    """A spin box of fractions."""

    mrmlSceneChanged = Signal(object)
    cppSignatures = ("mrmlSceneChanged(vtkMRMLScene*)",)
    quantity = Property(str, _WithUnit._getQuantity, _WithUnit._setQuantity)
    unitAwareProperties = stored(int, "unitAwareProperties", 0)
