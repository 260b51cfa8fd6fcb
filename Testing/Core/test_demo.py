"""The demo runs on the sample data, leaves its results, and leaves the user's files alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from KPrismCore.commands.demo import FILES, demo, own_folder
from KPrismCore.commands.window import has_window, run_window
from KPrismCore.errors import OutputFileError
from KPrismCore.model import load_model
from KPrismCore.predictor import Predictor
from KPrismCore.session import AnnotationSession
from KPrismCore.volumes import list_segments, read_volume
from Testing.Core.tiny import tiny_checkpoint

APP = typer.Typer()
APP.command()(demo)


@pytest.fixture(scope="module")
def data() -> Path:
    found = importlib.util.find_spec("slicerio")
    if found is None or found.origin is None:
        pytest.skip("needs slicerio")
    return Path(found.origin).parent / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def results(data: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "kprism-demo"
    done = CliRunner().invoke(
        APP, ["--out", str(folder), "--model", str(model), "--device", "cpu", "--no-window"]
    )
    assert done.exit_code == 0, done.output
    return folder


@pytest.mark.slow
def test_the_demo_writes_its_files(results):
    names = [pattern for patterns, _ in FILES for pattern in patterns.split(", ")]
    assert [name for name in names if not list(results.glob(name))] == []


@pytest.mark.slow
def test_the_picture_is_a_picture(results):
    assert (results / "demo.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_the_table_tells_every_act(results):
    text = (results / "demo.txt").read_text(encoding="utf-8")
    assert [
        act for act in ("1 class", "2 examples", "3 clicks", "4 together", "5 volume") if act not in text
    ] == []


@pytest.mark.slow
def test_the_table_tells_what_is_connected(results):
    assert "what is connected" in (results / "demo.txt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_segmentation_holds_all_acts(results):
    assert len(list_segments(results / "demo.seg.nrrd")) == 4


@pytest.mark.slow
def test_the_session_goes_on(results, model, data):
    predictor = Predictor(load_model(model, "cpu"))
    session = AnnotationSession.load(
        results / "demo.kprism.json", predictor, read_volume(data / "CTChest4.nrrd")
    )
    assert session.current.name == "lungs by all prompts"


@pytest.mark.slow
def test_a_missing_model_is_explained(data, tmp_path):
    done = CliRunner().invoke(APP, ["--out", str(tmp_path / "out"), "--model", "absent"])
    assert done.exit_code == 2
    assert "no model called 'absent'" in done.stderr


def test_a_folder_of_others_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs").touch()
    assert own_folder(tmp_path / "out") == tmp_path / "out-2"


def test_a_file_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "out").touch()
    assert own_folder(tmp_path / "out") == tmp_path / "out-2"


def test_the_demos_own_folder_is_used_again(tmp_path):
    own_folder(tmp_path / "out")
    assert own_folder(tmp_path / "out") == tmp_path / "out"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputFileError):
        own_folder(tmp_path / "file" / "out")


@pytest.mark.parametrize("name", ["", ".", "here/.."])
def test_a_folder_that_is_named_by_its_place_gets_a_number_too(tmp_path, monkeypatch, name):
    inside = tmp_path / "inside"
    (inside / "here").mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert own_folder(Path(name)) == tmp_path / "inside-2"


def test_the_root_of_all_folders_takes_no_results():
    with pytest.raises(OutputFileError, match="Choose a folder in it"):
        own_folder(Path("/"))


@pytest.mark.slow
def test_the_demos_window_leaves_its_picture(tmp_path, monkeypatch):
    if not has_window():
        pytest.skip("this Python has no packages for the window")
    # with a display the window would stay open
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert run_window("showcase", str(tmp_path)) == 0
    assert (tmp_path / "demo-window.png").read_bytes()[:4] == b"\x89PNG"


def test_a_window_that_fails_ends_the_demo_with_its_code(tmp_path, monkeypatch):
    monkeypatch.setattr("KPrismCore.commands.demo.load_model", lambda *_: None)
    monkeypatch.setattr("KPrismCore.commands.demo.run", lambda *_: SimpleNamespace(table=""))
    monkeypatch.setattr("KPrismCore.commands.demo.has_window", lambda: True)
    monkeypatch.setattr("KPrismCore.commands.demo.run_window", lambda *_: 3)
    assert CliRunner().invoke(APP, ["--out", str(tmp_path / "out")]).exit_code == 3
