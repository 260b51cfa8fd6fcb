"""Makes the host's MRML widgets known: to `slicer` and to .ui files."""

from __future__ import annotations

import slicer

from SlicerHost import modules, uiloader
from SlicerHost.mrml_widget import qMRMLWidget, qSlicerWidget
from SlicerHost.node_combo_box import qMRMLNodeComboBox
from SlicerHost.segment_widgets import qMRMLSegmentSelectorWidget, qMRMLSegmentsTableView
from SlicerHost.sliders import qMRMLSliderWidget, qMRMLSpinBox
from SlicerHost.subject_hierarchy_model import qMRMLSubjectHierarchyModel
from SlicerHost.subject_hierarchy_tree import qMRMLSubjectHierarchyTreeView

WIDGETS = (
    qMRMLNodeComboBox,
    qMRMLSegmentSelectorWidget,
    qMRMLSegmentsTableView,
    qMRMLSliderWidget,
    qMRMLSpinBox,
    qMRMLSubjectHierarchyTreeView,
    qMRMLWidget,
    qSlicerWidget,
)
NOT_IN_UI_FILES = (
    modules.qSlicerScriptedLoadableModule,
    modules.qSlicerScriptedLoadableModuleWidget,
    qMRMLSubjectHierarchyModel,
)


def installWidgets():
    """Put the widgets' classes into `slicer`, and tell the loader of .ui files."""
    for each in (*WIDGETS, *NOT_IN_UI_FILES):
        setattr(slicer, each.__name__, each)
    uiloader.registerWidgets(*WIDGETS)
