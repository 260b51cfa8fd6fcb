"""Fixtures of the panel's tests: `a_panel = panel_fixtures.a_panel` in a test file makes one known there."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from panel_stand_ins import RecordingLogic, StillInteraction, ready_environment, ready_model

# the stand-ins have booted the host, which makes these
import qt  # isort: skip
import slicer  # isort: skip

from KPrismSlicerLib.Events import CaseChanged, ModelChanged
from KPrismSlicerLib.Widget import PanelWidget


@pytest.fixture
def a_logic(host):
    """A logic that records, before anything is chosen."""
    return RecordingLogic()


@pytest.fixture
def an_interaction():
    return StillInteraction()


@pytest.fixture
def an_environment():
    """Everything is installed."""
    return ready_environment()


@pytest.fixture
def a_panel(layout_manager, a_logic, an_interaction, an_environment) -> Iterator[Any]:
    """The panel, shown 400 pixels wide, with nothing chosen."""

    parent = slicer.qMRMLWidget()
    parent.setLayout(qt.QVBoxLayout())
    panel = PanelWidget(parent, a_logic, an_interaction, an_environment)
    parent.setFixedWidth(400)
    parent.show()
    yield panel
    panel.cleanup()
    parent.deleteLater()


@pytest.fixture
def a_case(host, a_panel, a_logic):
    """An image, a segmentation with two segments, and a loaded model, as the logic tells of them."""
    volume = slicer.util.addVolumeFromArray(np.zeros((10, 8, 8), dtype=np.int16), name="CTChest")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "CTChest segmentation")
    for identifier, name in (("one", "liver"), ("two", "aorta")):
        node.GetSegmentation().AddEmptySegment(identifier, name, [0.8, 0.4, 0.2])
    a_logic.volumeNode, a_logic.segmentationNode, a_logic.segmentId = volume, node, "one"
    a_logic.model = ready_model()
    a_logic.session = SimpleNamespace(
        volume=SimpleNamespace(modality="CT"),
        plane=lambda _index: SimpleNamespace(pixel_spacing=(1.0, 1.0)),
        plane_kind="axial",
    )
    a_logic.tell(ModelChanged(a_logic.model))
    a_logic.tell(CaseChanged())
    return SimpleNamespace(volume=volume, segmentation=node)
