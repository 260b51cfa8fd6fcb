"""kprism.py setup --recreate: the environment that is there is kept until the new one is complete."""

from __future__ import annotations

import os
import shutil

import pytest
from launcher_samples import run_launcher, runs

from KPrismCore.launcher import installer
from KPrismCore.launcher.console import LauncherError
from KPrismCore.launcher.installer import PipRun, Sources

pytestmark = pytest.mark.usefixtures("a_roomy_disk")


@pytest.fixture
def no_wheels(tmp_path):
    (tmp_path / "none").mkdir()
    return Sources(wheels=tmp_path / "none")


@pytest.mark.slow
def test_an_environment_that_cannot_be_made_anew_stays_complete(environment, no_wheels):
    with pytest.raises(LauncherError, match="has no first"):
        environment.prepare(no_wheels, recreate=True)
    assert environment.is_complete()
    assert runs(environment, "import second")


@pytest.mark.slow
def test_the_log_of_the_failure_is_kept(environment, no_wheels):
    with pytest.raises(LauncherError):
        environment.prepare(no_wheels, recreate=True)
    assert "No matching distribution" in (environment.folder / "install.log").read_text()


@pytest.mark.slow
def test_an_interrupted_recreation_leaves_the_environment_as_it_was(environment, wheels, monkeypatch):
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PipRun, "install", interrupt)
    with pytest.raises(KeyboardInterrupt):
        environment.prepare(Sources(wheels=wheels), recreate=True)
    assert environment.is_complete()


@pytest.mark.usefixtures("no_pip")
def test_a_full_disk_says_that_the_old_environment_may_go_first(environment, monkeypatch):
    monkeypatch.setattr(installer, "free_bytes", lambda folder: 10**9)
    with pytest.raises(LauncherError, match=r"delete the folder \.venv"):
        environment.prepare(Sources(), recreate=True)
    assert environment.is_complete()


@pytest.mark.usefixtures("no_pip")
def test_the_environment_comes_back_after_a_launcher_was_killed(environment):
    os.replace(environment.folder, environment.root / ".venv.old")
    environment.folder.mkdir()
    environment.prepare(Sources())
    assert environment.is_complete()
    assert not (environment.root / ".venv.old").exists()


@pytest.mark.usefixtures("no_pip")
def test_setup_removes_what_a_launcher_that_was_killed_had_replaced(environment):
    (environment.root / ".venv.old").mkdir()
    environment.prepare(Sources(), thorough=True)
    assert environment.is_complete()
    assert not (environment.root / ".venv.old").exists()


@pytest.mark.slow
def test_what_does_not_run_is_not_brought_back(environment, no_wheels):
    environment.python.unlink()
    leftover = environment.folder / "leftover"
    leftover.touch()
    with pytest.raises(LauncherError):
        environment.prepare(no_wheels)
    assert not leftover.exists()


@pytest.mark.slow
def test_a_new_environment_replaces_the_old_one(environment, wheels):
    environment.prepare(Sources(wheels=wheels), recreate=True)
    assert not (environment.root / ".venv.old").exists()


@pytest.mark.slow
def test_recreation_without_a_network_says_that_the_old_one_is_kept(launcher_folder, tmp_path):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "other-1.0-py3-none-any.whl").touch()
    done = run_launcher(launcher_folder, "setup", "--recreate", "--wheels", str(tmp_path / "wheels"))
    shutil.rmtree(tmp_path / "wheels")
    assert done.returncode == 1
    assert "The environment that was there before is kept." in done.stderr
