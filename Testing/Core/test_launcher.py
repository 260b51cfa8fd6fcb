"""kprism.py: its environment, with a folder of tiny wheels in place of the real packages."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from launcher_samples import (
    PATIENCE_SECONDS,
    ROOT,
    copy_launcher,
    environment_of,
    packages_folder,
    run_launcher,
    runs,
)

from KPrismCore.launcher import environment as environment_module
from KPrismCore.launcher import installer
from KPrismCore.launcher.console import LauncherError
from KPrismCore.launcher.environment import require_modules
from KPrismCore.launcher.installer import PipRun, Sources, require_space
from KPrismCore.launcher.lock import FolderLock
from KPrismCore.launcher.packages import Wanted

COMMANDS = ["demo", "test", "segment", "train", "evaluate", "verify", "convert", "info", "bench", "setup"]

pytestmark = pytest.mark.usefixtures("a_roomy_disk")

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def heeding_interrupts() -> None:
    """For a child process: tests in the background ignore SIGINT, and it would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# Making the environment


def test_the_first_start_installs_all_requirements(finished_folder):
    assert runs(environment_of(finished_folder), "import first, second")


def test_a_finished_environment_is_complete(environment):
    assert environment.is_complete()


@pytest.mark.usefixtures("no_pip")
def test_a_complete_environment_is_left_alone(environment):
    environment.prepare(Sources())


@pytest.mark.parametrize("name", ["requirements.txt", "requirements.lock"])
def test_other_requirements_make_it_incomplete(environment, name):
    environment.requirements.with_name(name).write_text("first==1.0\n")
    assert not environment.is_complete()


def test_line_endings_do_not_make_it_incomplete(environment):
    environment.requirements.write_bytes(b"first==1.0\r\nsecond==1.0\r\n")
    assert environment.is_complete()


def test_another_python_makes_it_incomplete(environment, monkeypatch):
    monkeypatch.setattr(environment, "python_version", lambda: "3.99")
    assert not environment.is_complete()


def test_an_environment_without_its_python_is_incomplete(environment):
    environment.python.unlink()
    assert not environment.is_complete()


def test_a_missing_package_is_added(environment, wheels):
    environment.marker.unlink()
    for path in packages_folder(environment).glob("second*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    environment.prepare(Sources(wheels=wheels))
    assert runs(environment, "import second")


def test_a_half_unpacked_package_is_unpacked_again(environment, wheels):
    environment.marker.unlink()
    packages = packages_folder(environment)
    (packages / "first-1.0.dist-info" / "INSTALLER").unlink()
    (packages / "first.py").unlink()
    environment.prepare(Sources(wheels=wheels))
    assert runs(environment, "import first")


@pytest.mark.slow
def test_an_environment_without_its_python_is_made_anew(environment, wheels):
    environment.python.unlink()
    environment.prepare(Sources(wheels=wheels))
    assert environment.is_complete()


@pytest.mark.slow
def test_recreate_starts_from_nothing(environment, wheels):
    leftover = environment.folder / "leftover"
    leftover.touch()
    environment.prepare(Sources(wheels=wheels), recreate=True)
    assert not leftover.exists()


def test_packages_that_do_not_load_leave_it_incomplete(environment, wheels):
    environment.marker.unlink()
    (packages_folder(environment) / "first.py").write_text("raise ImportError('no library')\n")
    with pytest.raises(LauncherError, match="no library"):
        environment.prepare(Sources(wheels=wheels))
    assert not environment.is_complete()


def test_two_launchers_at_once_install_once(environment, wheels, monkeypatch):
    environment.marker.unlink()
    installs = []
    install = PipRun.install
    monkeypatch.setattr(PipRun, "install", lambda *a: (installs.append(1), install(*a)))
    starts = [threading.Thread(target=environment.prepare, args=(Sources(wheels=wheels),)) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join(PATIENCE_SECONDS)
    assert installs == [1]


# What stands in the way


def test_a_full_disk_is_reported_before_installing(tmp_path, monkeypatch):
    monkeypatch.setattr(installer, "free_bytes", lambda folder: 10**9)
    with pytest.raises(LauncherError, match=r"3\.0 GB are needed, 1\.0 GB are free"):
        require_space(tmp_path, 3 * 10**9)


@pytest.mark.usefixtures("no_pip")
def test_a_full_disk_stops_the_installation(environment, monkeypatch):
    environment.marker.unlink()
    monkeypatch.setattr(installer, "free_bytes", lambda folder: 10**9)
    with pytest.raises(LauncherError, match="too full"):
        environment.prepare(Sources())


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(LauncherError, match="cannot be written"), FolderLock(tmp_path / "absent" / "lock"):
        pass


def test_a_python_without_venv_names_the_package_to_install(monkeypatch):
    monkeypatch.setattr(environment_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LauncherError, match=r"apt install python3\.\d+-venv"):
        require_modules()


def test_a_registry_out_of_reach_is_reported_with_the_way_around(launcher_folder):
    (launcher_folder / "Resources" / "requirements.txt").write_text("absent==1.0\n")
    closed = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1"}
    done = run_launcher(
        launcher_folder, "setup", PIP_CONFIG_FILE=os.devnull, PIP_EXTRA_INDEX_URL="", **closed
    )
    assert done.returncode == 1
    assert "registry is out of reach" in done.stderr
    assert "setup --wheels" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wheel_that_is_missing_is_named(environment, wheels):
    environment.requirements.write_text("third==1.0\n")
    with pytest.raises(LauncherError, match=r"folder of wheels has no third==1\.0"):
        environment.prepare(Sources(wheels=wheels))


# The lock


def test_a_second_launcher_waits_for_the_first(tmp_path):
    entered = threading.Event()

    def enter() -> None:
        with FolderLock(tmp_path / "lock"):
            entered.set()

    second = threading.Thread(target=enter)
    with FolderLock(tmp_path / "lock"):
        second.start()
        assert not entered.wait(0.5)
    assert entered.wait(PATIENCE_SECONDS)


def test_a_launcher_that_died_does_not_keep_the_lock(tmp_path):
    code = "import sys, time; from pathlib import Path; from KPrismCore.launcher.lock import FolderLock\n"
    code += "with FolderLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        holder.kill()
        holder.wait()
        with FolderLock(tmp_path / "lock"):
            pass


# Interruption


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """A package index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_SECONDS)
        yield server


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_ends_plainly(launcher_folder, silent_index, number):
    (launcher_folder / ".venv" / "kprism-complete").unlink()
    (launcher_folder / "Resources" / "requirements.txt").write_text("absent==1.0\n")
    index = f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple"
    variables = {**os.environ, "PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    command = [sys.executable, launcher_folder / "kprism.py", "setup"]
    pipes = {"stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=variables, preexec_fn=heeding_interrupts, **pipes) as launcher:
        silent_index.accept()
        launcher.send_signal(number)
        said = launcher.communicate(timeout=PATIENCE_SECONDS)[1]
    assert launcher.returncode == 130
    assert "Traceback" not in said
    assert not environment_of(launcher_folder).is_complete()


@needs_posix
@pytest.mark.parametrize("place", ["__init__.py", "__main__.py"])
def test_an_interrupted_command_ends_plainly(launcher_folder, place):
    core = launcher_folder / "KPrismCore"
    (core / "__main__.py").write_text("")
    (core / place).write_text("import time\nprint('started', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, launcher_folder / "kprism.py", "info"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, preexec_fn=heeding_interrupts, **pipes) as launcher:
        launcher.stdout.readline()
        launcher.send_signal(signal.SIGINT)
        said = launcher.communicate(timeout=PATIENCE_SECONDS)[1]
    assert launcher.returncode == 130
    assert "Traceback" not in said


# Running a command


@pytest.fixture
def echoing_folder(launcher_folder) -> Path:
    """A folder whose KPrismCore prints its arguments and place; its environment has no pip left."""
    code = "import os, sys\nprint(sys.argv[1:], os.getcwd())\nsys.exit(7)\n"
    (launcher_folder / "KPrismCore" / "__main__.py").write_text(code)
    (packages_folder(environment_of(launcher_folder)) / "pip").unlink()
    return launcher_folder


def test_a_command_gets_its_arguments_and_the_users_folder(echoing_folder):
    done = run_launcher(echoing_folder, "segment", "--help", "a file.nrrd")
    assert done.stdout == f"['segment', '--help', 'a file.nrrd'] {echoing_folder.parent}\n"


def test_a_command_passes_its_exit_code_on(echoing_folder):
    assert run_launcher(echoing_folder, "segment").returncode == 7


def test_a_ready_launcher_adds_nothing_to_what_a_command_says(echoing_folder):
    assert run_launcher(echoing_folder, "segment").stderr == ""


def test_modules_in_the_users_folder_do_not_replace_others(echoing_folder):
    (echoing_folder.parent / "random.py").write_text("raise SystemExit(99)\n")
    (echoing_folder / "KPrismCore" / "__main__.py").write_text("import random\n")
    assert run_launcher(echoing_folder, "segment").returncode == 0


def test_the_tests_run_in_the_folder_of_the_launcher(echoing_folder):
    environment_of(echoing_folder)._write_markers(Wanted(research=True), [])
    code = "import os, sys\nprint(sys.argv[1:], os.getcwd())\n"
    (packages_folder(environment_of(echoing_folder)) / "pytest.py").write_text(code)
    assert run_launcher(echoing_folder, "test", "-k", "name").stdout == f"['-k', 'name'] {echoing_folder}\n"


def test_no_command_prints_the_help(launcher_folder):
    done = run_launcher(launcher_folder)
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in done.stdout] == []


def test_the_help_needs_no_environment(tmp_path):
    copy_launcher(tmp_path)
    assert run_launcher(tmp_path, "--help").returncode == 0
    assert not (tmp_path / ".venv").exists()


def test_diagnose_names_no_folder_of_the_user(launcher_folder):
    done = run_launcher(launcher_folder, "diagnose")
    assert "Environment      complete" in done.stdout
    assert str(launcher_folder) not in done.stdout
    assert str(Path.home()) not in done.stdout
