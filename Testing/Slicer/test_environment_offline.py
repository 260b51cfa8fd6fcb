"""A folder with wheels, checkpoints and checksums."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environment_fixtures import *  # noqa: F403
from KPrismSlicerLib import Checksums, Offline
from KPrismSlicerLib.Child import Ended
from KPrismSlicerLib.Problems import InstallationError

WHEEL = "torch-2.13.0-cp312-cp312-linux_x86_64.whl"


@pytest.fixture
def folder(tmp_path):
    """A wheel and a checkpoint, with their sums."""
    made = tmp_path / "offline"
    made.mkdir()
    (made / WHEEL).write_bytes(b"wheel")
    (made / "mine.safetensors").write_bytes(b"weights")
    Checksums.writeSums(made)
    return made


@pytest.fixture
def models(tmp_path, monkeypatch):
    """In place of Resources/Models."""
    made = tmp_path / "Models"
    made.mkdir()
    monkeypatch.setattr(Offline, "resourcePath", lambda *_parts: made)
    return made


def links_for(programs):
    """What pip is told to take, one list for each run of it that installs."""
    found = []

    def read():
        command = programs.commands[-1]
        if "--find-links" in command:
            page = Path(command[command.index("--find-links") + 1]).read_text(encoding="ascii")
            found.append(re.findall(r'href="([^"]*)"', page))

    programs.during = read
    return found


def failing(environment, folder):
    with pytest.raises(InstallationError) as caught:
        environment.install("folder", str(folder))
    return caught.value.cause


def test_the_folder_is_the_only_source(environment, folder, models, programs):
    links = links_for(programs)
    environment.install("folder", str(folder))
    assert "--no-index" in programs.commands[0]
    assert "--isolated" in programs.commands[0]
    assert links[0] == [f"{(folder / WHEEL).as_uri()}#sha256={Checksums.fileSum(folder / WHEEL)}"]


def test_the_checkpoint_is_added_to_the_models(environment, folder, models):
    environment.install("folder", str(folder))
    assert (models / "mine.safetensors").read_bytes() == b"weights"


def test_a_checkpoint_that_is_there_is_left_alone(environment, folder, models):
    (models / "mine.safetensors").write_bytes(b"weights")
    environment.install("folder", str(folder))
    assert [path.name for path in models.iterdir()] == ["mine.safetensors"]


def test_another_checkpoint_of_that_name_is_never_replaced(environment, folder, models):
    (models / "mine.safetensors").write_bytes(b"other")
    assert "another checkpoint" in failing(environment, folder)
    assert (models / "mine.safetensors").read_bytes() == b"other"


def test_a_damaged_wheel_is_not_installed(environment, folder, programs):
    (folder / WHEEL).write_bytes(b"whee1")
    assert "damaged" in failing(environment, folder)
    assert programs.commands == []


def test_a_wheel_that_is_not_listed_is_not_installed(environment, folder):
    (folder / "safetensors-0.8.0-py3-none-any.whl").write_bytes(b"wheel")
    assert "is not in SHA256SUMS" in failing(environment, folder)


def test_a_folder_without_pytorch_is_refused(environment, folder):
    (folder / WHEEL).unlink()
    assert "no wheel of PyTorch" in failing(environment, folder)


def test_a_folder_without_sums_is_refused(environment, folder):
    (folder / Checksums.NAME).unlink()
    assert "no usable list of checksums" in failing(environment, folder)


def test_a_line_that_is_no_sum_is_refused(environment, folder):
    (folder / Checksums.NAME).write_text(f"123  {WHEEL}\n")
    assert "no usable list of checksums" in failing(environment, folder)


def test_a_missing_folder_is_refused(environment, tmp_path):
    assert "no usable list of checksums" in failing(environment, tmp_path / "nowhere")


def test_sums_marked_as_binary_are_read(folder):
    sums = Checksums.readSums(folder)
    lines = [f"{value} *{name}\n" for name, value in sums.items()]
    (folder / Checksums.NAME).write_text("".join(lines))
    assert Checksums.readSums(folder) == sums


def test_repair_uses_the_folder_again(environment, folder, models, programs):
    environment.install("folder", str(folder))
    links = links_for(programs)
    environment.repair()
    assert links[0][0].startswith(folder.as_uri())


def test_a_repair_removes_nothing_where_the_folder_is_gone(environment, folder, models, programs):
    environment.install("folder", str(folder))
    programs.commands.clear()
    shutil.rmtree(folder)
    with pytest.raises(InstallationError, match="no usable list"):
        environment.repair()
    assert programs.commands == []


# What changes after the check


def test_a_checkpoint_that_came_after_the_check_is_not_added(environment, folder, models, programs):
    programs.during = lambda: (folder / "late.safetensors").write_bytes(b"unlisted")
    environment.install("folder", str(folder))
    assert [path.name for path in models.iterdir()] == ["mine.safetensors"]


def test_a_checkpoint_changed_after_the_check_is_not_added(environment, folder, models, programs):
    programs.during = lambda: (folder / "mine.safetensors").write_bytes(b"changed")
    assert "mine.safetensors is damaged" in failing(environment, folder)
    assert list(models.iterdir()) == []


def test_a_wheel_changed_after_the_check_is_said(environment, folder, models, programs):
    programs.answers = [Ended(1, ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM ...",))]
    assert "was changed after" in failing(environment, folder)


def test_pip_compares_the_checksums_itself(folder, tmp_path):
    checked = Offline.CheckedFolder(folder, {WHEEL: "0" * 64})
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--isolated",
        "--no-index",
        "--no-deps",
        "--find-links",
    ]
    command += [str(checked.writePage(tmp_path)), "--platform", "linux_x86_64", "--python-version", "3.12"]
    command += ["--only-binary", ":all:", "-d", str(tmp_path / "got"), "torch"]
    assert "DO NOT MATCH THE HASHES" in subprocess.run(command, capture_output=True, text=True).stderr


# What is odd about the folder


def test_a_folder_in_place_of_a_wheel_is_said(environment, folder):
    (folder / WHEEL).unlink()
    (folder / WHEEL).mkdir()
    assert f"{WHEEL} cannot be read" in failing(environment, folder)


def test_a_package_that_pytorch_needs_is_named(environment, folder, models, programs):
    programs.answers = [Ended(1, ("ERROR: No matching distribution found for sympy>=1.13.3",))]
    assert "no sympy, which PyTorch needs" in failing(environment, folder)


def test_the_diagnosis_does_not_name_the_folder(environment, folder, models, programs):
    programs.answers = [Ended(1, (f"Processing {folder / WHEEL}", f"Looking in {folder.as_uri()}"))]
    failing(environment, folder)
    assert "Processing FOLDER" in environment.diagnosis()
    assert folder.as_uri() not in environment.diagnosis()
