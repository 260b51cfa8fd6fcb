"""Fixtures of the panel on the real logic, with a network that answers at once; import * from here."""

from __future__ import annotations

import panel_fixtures
import pytest
from KPrismSlicerLib.Interaction import Interaction
from KPrismSlicerLib.Logic import AnnotationLogic
from logic_samples import SlowPredictor, add_image
from panel_stand_ins import choose_class, finish

an_environment, a_panel = panel_fixtures.an_environment, panel_fixtures.a_panel


@pytest.fixture
def a_logic(host):
    """The real logic on a network without weights."""
    logic = AnnotationLogic(modelLoader=lambda _name, _device, _notify: SlowPredictor(0.0))
    yield logic
    logic.cleanup()


@pytest.fixture
def an_interaction(a_logic, layout_manager):
    """The real interaction, with the views observed."""
    interaction = Interaction(a_logic, layout_manager)
    interaction.enter()
    yield interaction
    interaction.cleanup()


@pytest.fixture
def an_image(host, a_panel, layout_manager):
    """An image chosen in the panel and shown in the views, with the network loaded by the button."""
    volume = add_image(name="CTChest")
    a_panel.ui.volumeSelector.setCurrentNode(volume)
    a_panel.ui.loadButton.click()
    finish(host, a_panel)
    for name in layout_manager.sliceViewNames():
        widget = layout_manager.sliceWidget(name)
        widget.mrmlSliceNode().RotateToVolumePlane(volume)
        widget.mrmlSliceNode().JumpSliceByCentering(*volume_centre(volume))
    host.processEvents(0.02)
    return volume


def volume_centre(volume):
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    return [(bounds[2 * n] + bounds[2 * n + 1]) / 2 for n in range(3)]


@pytest.fixture
def a_liver(host, a_panel, an_image):
    """A segment of the class liver with a mask on the slice in view."""
    choose_class(host, a_panel, "hepar")
    a_panel.ui.runButton.click()
    finish(host, a_panel)
    return a_panel._context.logic.segmentId
