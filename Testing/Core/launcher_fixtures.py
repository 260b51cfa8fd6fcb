"""Fixtures of the launcher's tests; import * from here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from KPrismCore.launcher import installer
from KPrismCore.launcher.environment import Environment
from KPrismCore.launcher.installer import PipRun, Sources
from Testing.Core.launcher_samples import copy_launcher, environment_of, make_wheel, packages_folder


@pytest.fixture
def a_roomy_disk(monkeypatch):
    monkeypatch.setattr(installer, "free_bytes", lambda folder: 10**12)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "first", "FACT = 1\n")
    make_wheel(folder, "second", "import first\n")
    return folder


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory, wheels) -> Path:
    """A launcher's folder whose environment was made once, by the launcher's own code."""
    folder = tmp_path_factory.mktemp("finished")
    copy_launcher(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installer, "free_bytes", lambda place: 10**12)
        environment_of(folder).prepare(Sources(wheels=wheels))
    return folder


@pytest.fixture
def launcher_folder(tmp_path, finished_folder) -> Path:
    """A copy of the finished folder that a test may damage."""
    folder = tmp_path / "a folder with spaces"
    left_out = shutil.ignore_patterns("pip", "setuptools", "pkg_resources", "__pycache__")
    shutil.copytree(finished_folder, folder, symlinks=True, ignore=left_out)
    # pip alone has more files than all the rest
    pip = packages_folder(environment_of(finished_folder)) / "pip"
    (packages_folder(environment_of(folder)) / "pip").symlink_to(pip, target_is_directory=True)
    return folder


@pytest.fixture
def environment(launcher_folder) -> Environment:
    return environment_of(launcher_folder)


@pytest.fixture
def no_pip(monkeypatch):
    def refuse(*arguments: object) -> None:
        pytest.fail("pip was called")

    monkeypatch.setattr(PipRun, "install", refuse)
