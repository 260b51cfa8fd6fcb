"""The train command: recipes laid over each other, first weights, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from disc_runs import SETTINGS, TINY, trainer
from made_up_packs import write_pack
from typer.testing import CliRunner

from KPrismCore.__main__ import application
from KPrismCore.checkpoint import read_checkpoint
from KPrismCore.commands.train import train
from KPrismCore.errors import OutputFileError

PAPER = Path(__file__).parents[2] / "Resources" / "Configs" / "train-paper.toml"


@pytest.fixture
def data(tmp_path):
    write_pack(tmp_path / "data", "discs")
    return tmp_path / "data"


@pytest.fixture
def overlays(tmp_path):
    paths = [tmp_path / name for name in ("tiny.toml", "one.toml")]
    text = "[training]\nsteps = 1\nwarmup_steps = 0\nvalidate_steps = 1\nvalidation_images_per_set = 1\n"
    for path, content in zip(paths, (TINY, text + "[network]\nlayers = 3\n"), strict=True):
        path.write_text(content)
    return paths


def test_the_last_overlay_is_trained(data, overlays, tmp_path):
    train(data, tmp_path / "run", PAPER, overlays, device="cpu")
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert (state["step"], state["network"]["layers"], state["network"]["width"]) == (1, 3, 8)


def test_a_run_can_begin_with_the_best_checkpoint_of_another(data, overlays, tmp_path, capsys):
    train(data, tmp_path / "first", PAPER, overlays, device="cpu")
    best = tmp_path / "first" / "best.safetensors"
    train(data, tmp_path / "second", PAPER, overlays, init=str(best), device="cpu")
    count = len(read_checkpoint(best).weights)
    assert f"{count} tensors were taken." in capsys.readouterr().out


def test_sets_of_the_recipe_that_are_not_there_are_told(data, overlays, tmp_path, capsys):
    train(data, tmp_path / "run", PAPER, overlays, device="cpu")
    assert "names AMOS_MRI" in capsys.readouterr().out


def test_a_run_that_is_there_is_not_written_over(data, tmp_path):
    trainer(SETTINGS, tmp_path / "run").save()
    with pytest.raises(OutputFileError, match="holds a training run"):
        train(data, tmp_path / "run", PAPER, device="cpu")


def test_how_far_a_run_is_and_what_comes_next_is_told(data, overlays, tmp_path, capsys):
    train(data, tmp_path / "run", PAPER, overlays, steps=2, minutes=0, device="cpu")
    assert "1 of 2 steps are done; --resume goes on" in capsys.readouterr().out
    train(data, tmp_path / "run", PAPER, overlays, steps=2, resume=True, device="cpu")
    assert f"kprism.py export {tmp_path / 'run'} model.safetensors" in capsys.readouterr().out


def test_a_run_that_has_all_its_steps_says_so(data, overlays, tmp_path, capsys):
    train(data, tmp_path / "run", PAPER, overlays, device="cpu")
    train(data, tmp_path / "run", PAPER, overlays, resume=True, device="cpu")
    assert "has its 1 steps already; --steps makes it longer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [("train", "--steps", "0"), ("train", "--minutes", "-1"), ("train", "--threads", "0"),
     ("export", "--batches", "0"), ("export", "--threads", "0"), ("evaluate", "--limit", "-1"),
     ("evaluate", "--threads", "-1"), ("data", "--size", "0")],
)  # fmt: skip
def test_a_number_that_no_run_could_use_is_refused_before_anything_is_done(command, option, value, tmp_path):
    places = {
        "train": [str(tmp_path), str(tmp_path / "run")], "export": [str(tmp_path), str(tmp_path / "m")],
        "evaluate": ["--data", str(tmp_path)], "data": [str(tmp_path)],
    }  # fmt: skip
    result = CliRunner().invoke(application(), [command, *places[command], option, value])
    assert result.exit_code == 2
    assert option in result.output
    assert not (tmp_path / "run").exists()
