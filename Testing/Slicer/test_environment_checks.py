"""Disk, paths, Python and packages; child processes; the words for what went wrong; the diagnosis."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from environment_fixtures import *  # noqa: F403
from KPrismSlicerLib import Checks
from KPrismSlicerLib.Checks import Driver
from KPrismSlicerLib.Child import Ended, runChild
from KPrismSlicerLib.Verification import failure


def still():
    """Nothing to do meanwhile."""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of packages with a torch that hides the real one."""
    information = tmp_path / "torch-9.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 9.1.0\n")
    (information / "INSTALLER").write_text("pip\n")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_whole_package_is_found_by_its_files(packages):
    assert Checks.findPackage("torch").version == "9.1.0"
    assert Checks.findPackage("torch").present


def test_a_package_without_its_code_is_broken(packages):
    (packages / "torch" / "__init__.py").unlink()
    assert Checks.findPackage("torch").broken


def test_an_interrupted_installation_is_broken(packages):
    (packages / "torch-9.1.0.dist-info" / "INSTALLER").unlink()
    assert Checks.findPackage("torch").broken


def test_a_package_that_nobody_has_is_absent():
    assert Checks.findPackage("kprism_no_such_package") == Checks.Package("kprism_no_such_package")


def test_builds_have_the_numbers_of_their_version():
    assert Checks.versionNumbers("2.13.0+cpu") == (2, 13, 0)


def test_python_3_9_is_too_old():
    assert "3.9" in Checks.pythonProblem((3, 9)).cause


def test_python_3_12_will_do():
    assert Checks.pythonProblem((3, 12)) is None


def test_a_small_disk_is_said(tmp_path):
    assert "free" in Checks.diskProblem(tmp_path, 10**18).cause


def test_a_large_disk_is_not_said(tmp_path):
    assert Checks.diskProblem(tmp_path, 1) is None


def test_a_long_path_is_a_warning_on_windows():
    problem = Checks.pathProblem(Path("C:/" + 100 * "a"), longPaths=False)
    assert not problem.blocking


def test_a_long_path_is_nothing_where_long_paths_are_allowed():
    assert Checks.pathProblem(Path("C:/" + 100 * "a"), longPaths=True) is None


def test_a_short_path_is_nothing_on_windows():
    assert Checks.pathProblem(Path("C:/Slicer/lib"), longPaths=False) is None


def test_a_folder_that_is_not_writable_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(Checks.os, "access", lambda _path, _mode: False)
    assert "cannot be written" in Checks.writeProblem(tmp_path).cause


def test_the_lines_of_a_program_come_one_by_one():
    lines = []
    runChild([sys.executable, "-c", "print('one'); print('two')"], still, lines.append)
    assert lines == ["one", "two"]


def test_the_window_lives_while_a_program_runs():
    lived = []
    runChild([sys.executable, "-c", "import time; time.sleep(0.3)"], lambda: lived.append(1))
    assert len(lived) > 3


def test_a_program_that_takes_too_long_is_ended():
    ended = runChild([sys.executable, "-c", "import time; time.sleep(60)"], still, seconds=0.3)
    assert ended.code is None


def test_errors_of_a_program_are_lines_too():
    ended = runChild([sys.executable, "-c", "raise SystemExit('bad')"], still)
    assert (ended.code, ended.tail) == (1, "bad")


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Ended(None, ()), "did not answer"),
        (Ended(-11, ()), "ends the program"),
        (Ended(0xC0000005, ()), "ends the program"),
        (Ended(1, ("ImportError: DLL load failed while importing _C",)), "Windows cannot load"),
        (Ended(1, ("ImportError: /lib/libc.so.6: version `GLIBC_2.28' not found",)), "too old"),
        (Ended(1, ("ModuleNotFoundError: No module named 'torch._C'",)), "incomplete"),
        (Ended(1, ("OSError: [WinError 1455] The paging file is too small",)), "too little memory"),
        (Ended(1, ("RuntimeError: cpu computed 0",)), "cpu computed 0"),
        (Ended(0, ()), "does not work"),
    ],
)
def test_a_failed_verification_has_a_cause(ended, words):
    assert words in failure(ended).cause


def test_every_failed_verification_has_a_remedy():
    assert failure(Ended(1, ())).remedy


def test_the_diagnosis_names_versions_and_gpu(environment, monkeypatch):
    monkeypatch.setattr(Checks, "findDriver", lambda: Driver("RTX 4090", "24 GB", "580.1"))
    text = environment.diagnosis()
    assert "3D Slicer: 5.12.3" in text
    assert "RTX 4090" in text


def test_the_diagnosis_has_no_name_of_a_person(environment, monkeypatch, tmp_path):
    home = tmp_path / "maria.muster"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr(Checks, "packagesFolder", lambda: home)
    assert "maria.muster" not in environment.diagnosis()


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_the_diagnosis_has_no_name_of_a_person_whose_home_is_linked(environment, monkeypatch, tmp_path):
    (tmp_path / "maria.muster").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "maria.muster")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Checks, "packagesFolder", lambda: tmp_path / "maria.muster")
    assert "maria.muster" not in environment.diagnosis()


def test_the_diagnosis_has_nothing_from_the_scene(environment, scene):
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Muster^Maria")
    assert "Muster" not in environment.diagnosis()


def test_the_diagnosis_hides_the_address_of_a_proxy(environment, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy:3128")
    text = environment.diagnosis()
    assert "Proxy or index set: yes" in text
    assert "secret" not in text
