"""pytest fixtures of every test that needs the host."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

from SlicerHost import dialogs, failures
from SlicerHost.boot import boot
from SlicerHost.view_fixtures import *  # noqa: F403


@pytest.fixture(autouse=True)
def nothing_fails_unseen():
    """Fail a test on errors in slots and observers, on VTK's and Qt's complaints, and on unexpected dialogs.

    It is set up before the other fixtures, so that it also hears of what goes wrong in their teardown.
    """
    failures.install()
    failures.clear()
    dialogs.clear()
    yield
    failures.check()


@pytest.fixture
def host():
    """The host with an empty scene."""
    made = boot()
    if made.used:  # a reset that failed
        made.reset()
    made.used = True
    yield made
    made.reset()


@pytest.fixture
def scene(host):
    """slicer.mrmlScene, empty."""
    return host.scene
