"""kprism.py: options, version check and messages; nothing here makes an environment."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from KPrismCore.launcher import installer, main
from KPrismCore.launcher.console import LauncherError, format_bytes, format_seconds
from KPrismCore.launcher.installer import PipRun, Sources, condense, explain
from KPrismCore.launcher.lock import FolderLock

ROOT = Path(__file__).resolve().parents[2]
LOG = Path("install.log")

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")


# The version check


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 9, 18)])
def test_an_old_python_gets_a_plain_message(version):
    code = "import runpy, sys; sys.version_info = {}; runpy.run_path({!r}, run_name='__main__')"
    command = [sys.executable, "-c", code.format(version, str(ROOT / "kprism.py"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "K-Prism needs Python 3.10 or newer; this is Python {}.{}.".format(*version)
    )


def test_the_entry_file_has_no_syntax_that_old_pythons_refuse():
    tree = ast.parse((ROOT / "kprism.py").read_text(encoding="ascii"))
    new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.FunctionDef, ast.AsyncFunctionDef)
    assert [node for node in ast.walk(tree) if isinstance(node, new)] == []


# Options


def test_options_stand_before_the_command():
    options = main.Options()
    rest = main.take_options(["--torch-index=x", "--recreate", "train", "--recreate"], options)
    assert (options.torch_index, options.recreate, rest) == ("x", True, ["train", "--recreate"])


@pytest.mark.parametrize("arguments", [["--wheel", "x"], ["--wheels"], ["setup", "now"], ["setup", "--fast"]])
def test_a_wrong_option_is_refused(arguments):
    with pytest.raises(LauncherError) as caught:
        main.run(arguments)
    assert caught.value.code == 2


def test_a_folder_without_wheels_is_refused(tmp_path):
    with pytest.raises(LauncherError, match="no wheels"):
        main.Options(wheels=str(tmp_path)).sources()


def test_wheels_keep_pip_from_any_index(tmp_path):
    assert Sources(wheels=tmp_path).pip_options() == ["--no-index", "--find-links", str(tmp_path)]


def test_the_torch_index_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("KPRISM_TORCH_INDEX", "an address")
    assert main.Options().sources().pip_options() == ["--extra-index-url", "an address"]


# What is said


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk became full"),
        ("ERROR: [WinError 112] There is not enough space on the disk", "disk became full"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "out of reach"),
        ("ERROR: SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "out of reach"),
        (
            "ERROR: No matching distribution found for torch==2.13.0 (from -r x)",
            "no torch==2.13.0 for Python",
        ),
        ("ERROR: Could not install packages: [Errno 13] Permission denied: 'x'", "cannot be written"),
        ("ERROR: something else", "something else"),
    ],
)
def test_a_failure_of_pip_is_explained(line, cause):
    assert cause in explain([line, "a last line"], Sources(), LOG).cause


def test_an_index_without_any_version_may_be_out_of_reach():
    lines = ["ERROR: Could not find a version that satisfies a==1 (from versions: none)"]
    lines += ["ERROR: No matching distribution found for a==1"]
    assert "or is out of reach" in explain(lines, Sources(), LOG).cause


def test_a_pip_without_output_is_explained():
    assert "without a message" in explain([], Sources(), LOG).cause


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("Collecting torch==2.13.0 (from -r x)", ("looking for torch", False)),
        ("  Downloading numpy-2.4.6-cp311-cp311-linux_x86_64.whl (16.9 MB)", ("numpy (16.9 MB)", True)),
        ("  Using cached rich-15.0.0-py3-none-any.whl (310 kB)", ("rich (310 kB)", False)),
        ("Processing /a b/torch-2.13.0+cpu-cp311-cp311-linux.whl", None),
        ("Processing /wheels/torch-2.13.0+cpu-cp311-cp311-linux.whl", ("torch", False)),
        ("  Downloading rich-15.0.0-py3-none-any.whl.metadata (18 kB)", None),
        (
            "Installing collected packages: a, b, c",
            ("unpacking 3 packages; this takes a minute or two", True),
        ),
        ("WARNING: anything", None),
    ],
)
def test_a_line_of_pip_is_condensed(line, step):
    assert condense(line) == step


@pytest.mark.parametrize(("count", "text"), [(850_000_000, "850 MB"), (1_840_000_000, "1.8 GB")])
def test_sizes_are_readable(count, text):
    assert format_bytes(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")])
def test_durations_are_readable(seconds, text):
    assert format_seconds(seconds) == text


@pytest.fixture
def cuda_pip(tmp_path) -> Path:
    """A stand-in for the environment's Python whose pip finds CUDA packages."""
    path = tmp_path / "python"
    lines = ["  Downloading torch-2.13.0-cp311-linux.whl (526.6 MB)", "Collecting nvidia-cublas==13"]
    path.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    path.chmod(0o755)
    return path


@needs_posix
def test_the_large_build_is_announced_once_with_the_way_to_the_small_one(
    cuda_pip, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(installer, "has_nvidia_gpu", lambda: False)
    with FolderLock(tmp_path / "lock") as lock:
        PipRun(cuda_pip, tmp_path / LOG, lock.descriptor).install([], Sources())
    assert capsys.readouterr().err.count("--torch-index") == 1


@pytest.mark.parametrize(
    "line",
    ["Collecting torch==2.13.0", "  Downloading torch-2.13.0+cpu-cp311-linux.whl (191.2 MB)"],
)
def test_the_small_build_is_not_taken_for_the_large_one(line):
    assert not installer.CUDA_BUILD.search(line)


@needs_posix
def test_the_large_build_needs_more_space(cuda_pip, tmp_path, monkeypatch):
    monkeypatch.setattr(installer, "free_bytes", lambda folder: 5 * 10**9)
    with FolderLock(tmp_path / "lock") as lock, pytest.raises(LauncherError, match="too full"):
        PipRun(cuda_pip, tmp_path / LOG, lock.descriptor).install([], Sources())
