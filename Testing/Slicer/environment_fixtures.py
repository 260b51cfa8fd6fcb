"""Fixtures of the tests of the environment; import * from here."""

from __future__ import annotations

import pytest
from environment_samples import SAFETENSORS, TORCH, Programs, Shelf, StillSystem
from SlicerHost.boot import boot

boot()

from KPrismSlicerLib import Checks, Installer, Verification  # noqa: E402
from KPrismSlicerLib.Environment import Environment  # noqa: E402


@pytest.fixture
def system():
    return StillSystem()


@pytest.fixture
def programs(monkeypatch):
    made = Programs()
    monkeypatch.setattr(Installer, "runChild", made)
    monkeypatch.setattr(Verification, "runChild", made)
    return made


@pytest.fixture
def shelf(monkeypatch, programs, tmp_path):
    """torch and safetensors are installed; nothing is loaded; there is no GPU, and the disk is large."""
    made = Shelf(TORCH, SAFETENSORS)
    monkeypatch.setattr(Checks, "findPackage", made)
    monkeypatch.setattr(Checks, "findDriver", lambda: None)
    monkeypatch.setattr(Checks, "placeProblems", lambda _driver: iter(()))
    monkeypatch.setattr(Checks, "packagesFolder", lambda: tmp_path)
    monkeypatch.setattr(Checks, "loadedModule", lambda _name: None)
    return made


@pytest.fixture
def environment(system, shelf):
    return Environment(system)
