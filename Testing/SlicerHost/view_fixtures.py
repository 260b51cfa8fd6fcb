"""pytest fixtures of tests that look at slice views or use the mouse in them."""

from __future__ import annotations

import pytest
import slicer
from shiboken6 import isValid

from SlicerHost.layout import installLayoutManager
from SlicerHost.mouse import Mouse
from SlicerHost.samples import newVolume


@pytest.fixture
def layout_manager(host):
    """slicer.app.layoutManager(), with the four-up layout and empty views."""
    existed = host.app.layoutManager() is not None
    manager = installLayoutManager(host)
    if not existed:  # otherwise the host's reset has done it
        manager.resetForTest()
    return manager


@pytest.fixture
def more_views(host, layout_manager):
    """The layout manager with Slicer's layout of six slice views; they stay, and later tests are slower."""
    layout_manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutThreeOverThreeView)
    host.processEvents(0.02)
    return layout_manager


@pytest.fixture
def mouse(layout_manager):
    """The mouse and keyboard over the layout manager's views."""
    return Mouse(layout_manager)


@pytest.fixture
def a_window(host, layout_manager):
    """The main window, light, shown and with its first events done; closed afterwards."""
    from SlicerHost.window import openWindow

    window = openWindow(host)
    yield window
    if isValid(window):  # a reset deletes it
        window.close()


@pytest.fixture
def a_shown_volume(layout_manager):
    """A small flipped volume with a bright block (SlicerHost.samples), in all views."""
    volume = newVolume("flipped")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume
