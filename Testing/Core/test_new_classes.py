"""Further classes by name for a model of which nothing else changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from disc_runs import NETWORK, TINY, disc_set
from made_up_packs import write_pack

from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint, save_checkpoint
from KPrismCore.commands.export import export
from KPrismCore.commands.train import train
from KPrismCore.errors import InputFileError, OutputFileError, TrainingDataError
from KPrismCore.evaluation.metrics import dice
from KPrismCore.model import load_model
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.predictor import Predictor
from KPrismCore.preprocess import Preprocessing
from KPrismCore.prompts import Click
from KPrismCore.recognition import Recognition
from KPrismCore.training.checks import check_settings
from KPrismCore.training.configuration import read_settings
from KPrismCore.training.new_classes import START_NAME, with_classes
from KPrismCore.zoom import Zoom
from Testing.Core.tiny import CLASSES, noise_image

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "Resources" / "Configs" / "train-classes.toml"
OVERLAY = """
[training]
steps = 2
batch_size = 2
precision = "float32"
validate_steps = 2
save_steps = 1
log_steps = 1
trunk_weights = ""
"""
LIVER = Catalogue((load_catalogue(CLASSES).by_index(1),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the liver, and data that shows discs."""
    place = tmp_path_factory.mktemp("new")
    torch.manual_seed(0)
    config = KPrismConfig.from_dict({**NETWORK, "input_size": 64})
    model = Checkpoint(
        config, KPrism(config).state_dict(), LIVER, Preprocessing(), ModelCard("old", licence="CC0"),
        lowest_threshold=0.2, confidence_lines={"class": (0.1, 0.5)}, zoom=Zoom(margin=1.5),
        recognition=Recognition(power=2.0), eight_bit=True,
    )  # fmt: skip
    save_checkpoint(place / "old.safetensors", model)
    (place / "data").mkdir()
    write_pack(place / "data", "discs")
    (place / "quick.toml").write_text(OVERLAY)
    train(
        place / "data", place / "run", RECIPE, [place / "quick.toml"],
        init=str(place / "old.safetensors"), device="cpu",
    )  # fmt: skip
    export(place / "run", place / "new.safetensors")
    return place


def test_the_labels_of_the_data_become_classes_beside_those_of_the_model(folder: Path) -> None:
    names = [entry.name for entry in read_checkpoint(folder / "new.safetensors").catalogue]
    assert names == ["liver", "disc", "square"]


def test_no_other_weight_changes_by_a_bit(folder: Path) -> None:
    old, new = (read_checkpoint(folder / f"{name}.safetensors").weights for name in ("old", "new"))
    changed = [
        name for name in old if not torch.equal(old[name].flatten(), new[name].flatten()[: old[name].numel()])
    ]
    assert changed == []
    assert old.keys() == new.keys()


def test_the_new_class_learns(folder: Path) -> None:
    optimizer = torch.load(folder / "run" / "state.pt", weights_only=True)["optimizer"]["state"]
    moved = [(state["exp_avg"] != 0).any(1).tolist() for state in optimizer.values()]
    assert [rows[:2] for rows in moved] == [[False, False]] * 2
    assert any(rows[2] or rows[4] for rows in moved)


@pytest.mark.parametrize("prompt", [{"class_name": "liver"}, {"clicks": [Click(20, 20)]}])
def test_what_the_model_knew_it_answers_to_the_bit(folder: Path, prompt: dict) -> None:
    image = noise_image(64, 64)
    answers = []
    for name in ("old", "new"):
        predictor = Predictor(load_model(folder / f"{name}.safetensors", "cpu"))
        answers.append(predictor.predict(predictor.encode(image), **prompt).probability)
    assert np.array_equal(*answers)


@pytest.mark.parametrize(
    "part", ["preprocessing", "lowest_threshold", "confidence_lines", "zoom", "recognition", "eight_bit"]
)
def test_the_rules_of_the_model_stay(folder: Path, part: str) -> None:
    old, new = (read_checkpoint(folder / f"{name}.safetensors") for name in ("old", "new"))
    assert getattr(new, part) == getattr(old, part)


def test_the_model_gets_the_rules_of_today_for_parts_when_told_to(folder: Path, tmp_path: Path) -> None:
    export(folder / "run", tmp_path / "today.safetensors", zoom=True)
    assert read_checkpoint(tmp_path / "today.safetensors").zoom == Zoom()


def test_options_for_a_smaller_file_that_change_nothing_are_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(folder / "run", tmp_path / "half.safetensors", half=True)
    first = capsys.readouterr().out
    # this model keeps its weights in half precision now
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    shutil.copy(tmp_path / "half.safetensors", run / START_NAME)
    export(run, tmp_path / "again.safetensors", half=True, eight_bit=True)
    assert ("change nothing" in first, "change nothing" in capsys.readouterr().out) == (False, True)


def test_the_model_that_got_classes_is_not_written_over(folder: Path) -> None:
    with pytest.raises(OutputFileError, match="began with"):
        export(folder / "run", folder / "run" / START_NAME, overwrite=True)


def test_the_card_of_the_model_stays_but_for_its_name_and_says_what_was_added(folder: Path) -> None:
    card = read_checkpoint(folder / "new.safetensors").card
    assert (card.name, card.licence, card.training["new_classes"]["steps"]) == ("new", "CC0", 2)


def test_the_best_checkpoint_of_the_run_has_the_rules_of_the_model_too(folder: Path) -> None:
    assert read_checkpoint(folder / "run" / "best.safetensors").zoom == Zoom(margin=1.5)


def test_a_continued_run_needs_the_model_no_more(folder: Path, tmp_path: Path) -> None:
    longer = tmp_path / "longer.toml"
    longer.write_text(OVERLAY.replace("steps = 2", "steps = 3", 1))
    recipe = [longer]
    first, second = tmp_path / "run", tmp_path / "whole"
    start = str(folder / "old.safetensors")
    train(folder / "data", first, RECIPE, recipe, init=start, device="cpu", minutes=0)
    train(folder / "data", first, RECIPE, recipe, init="moved away", resume=True, device="cpu")
    train(folder / "data", second, RECIPE, recipe, init=start, device="cpu")
    states = [torch.load(run / "state.pt", weights_only=True) for run in (first, second)]
    assert [state["step"] for state in states] == [3, 3]
    assert all(torch.equal(states[0]["model"][name], value) for name, value in states[1]["model"].items())


def test_options_that_would_change_the_model_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="only added classes"):
        export(folder / "run", tmp_path / "x.safetensors", data=folder / "data")


def test_a_model_has_to_be_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="added to a model"):
        train(folder / "data", tmp_path / "run", RECIPE, [folder / "quick.toml"], device="cpu")


def test_a_model_that_knows_all_classes_has_nothing_to_learn(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="knows all classes"):
        train(
            folder / "data", tmp_path / "run", RECIPE, [folder / "quick.toml"],
            init=str(folder / "new.safetensors"), device="cpu",
        )  # fmt: skip


def test_an_index_that_is_taken_is_not_used_again(folder: Path, tmp_path: Path) -> None:
    start = read_checkpoint(folder / "old.safetensors")
    settings = replace(read_settings(RECIPE), network=start.config.to_dict(), input_size=64, classes="")
    settings, classes = with_classes(settings, [disc_set()], tmp_path, start, lambda _text: None)
    assert (list(classes), settings.network["classes"]) == ([2], 2)


def test_a_run_that_trains_all_keeps_no_copy_of_a_model(folder: Path, tmp_path: Path) -> None:
    start = read_checkpoint(folder / "old.safetensors")
    settings = read_settings(RECIPE.with_name("train-small.toml"))
    with_classes(settings, [disc_set()], tmp_path, start, lambda _text: None)
    assert (folder / "run" / START_NAME).is_file()
    assert not (tmp_path / START_NAME).exists()


def test_an_attempt_that_had_no_state_yet_leaves_no_model_and_no_classes(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    for name in (START_NAME, "classes.csv", "new-classes.csv"):
        shutil.copy(folder / "run" / name, tmp_path / "run" / name)
    (tmp_path / "tiny.toml").write_text(TINY)
    train(
        folder / "data", tmp_path / "run", RECIPE.with_name("train-paper.toml"), [tmp_path / "tiny.toml"],
        steps=1, device="cpu",
    )  # fmt: skip
    export(tmp_path / "run", tmp_path / "all.safetensors")
    made = read_checkpoint(tmp_path / "all.safetensors")
    assert (made.zoom, [entry.name for entry in made.catalogue]) == (None, ["disc", "square"])


def test_a_recipe_that_would_change_known_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="weight_decay is 0"):
        check_settings(replace(read_settings(RECIPE), weight_decay=0.01))


def test_an_unknown_choice_of_what_learns_is_refused() -> None:
    with pytest.raises(ValueError, match="learned is all or new_classes"):
        check_settings(replace(read_settings(RECIPE), learned="some"))


@pytest.mark.slow
def test_two_processes_do_not_look_for_weights_that_learn_nothing(folder: Path, tmp_path: Path) -> None:
    command = [
        "train", str(folder / "data"), str(tmp_path / "run"), "--config", str(RECIPE),
        "--overlay", str(folder / "quick.toml"), "--init", str(folder / "old.safetensors"),
        "--devices", "2", "--device", "cpu",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "KPrismCore", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "unused parameters" not in done.stderr
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 2


@pytest.mark.slow
def test_the_supplied_model_learns_a_class_of_a_few_images(tmp_path: Path) -> None:
    write_pack(tmp_path / "data", "discs")
    recipe = tmp_path / "short.toml"
    recipe.write_text("[training]\nsteps = 50\nwarmup_steps = 2\nbatch_size = 2\n")
    train(tmp_path / "data", tmp_path / "run", RECIPE, [recipe], init="kprism-small", device="cpu")
    export(tmp_path / "run", tmp_path / "discs.safetensors")
    predictor = Predictor(load_model(tmp_path / "discs.safetensors", "cpu"))
    scores = [
        dice(predictor.predict(predictor.encode(sample.image), "disc").mask, sample.mask > 0)
        for sample in disc_set().samples
    ]
    assert np.mean(scores) > 0.9
