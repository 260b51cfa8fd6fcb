"""Configurations stand on others, refuse what cannot be, and say how long a run is and which sets count."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disc_runs import SETTINGS, disc_set

from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.training.batches import BatchStream
from KPrismCore.training.changes import Changes
from KPrismCore.training.configuration import from_plain, read_settings
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.loop import Trainer
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.schedule import learning_rate, with_length, with_steps
from KPrismCore.training.settings import TrainingSettings

CONFIGS = Path(__file__).parents[2] / "Resources" / "Configs"
PAPER = CONFIGS / "train-paper.toml"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def named(name: str) -> ImageSet:
    return replace(disc_set(), name=name)


def drawn(sets: list[ImageSet], settings: TrainingSettings) -> Counter[int]:
    sampler, rng = TaskSampler(sets, {}, settings), np.random.default_rng(0)
    return Counter(sampler._draw_source(rng, classes=False)[1].set_index for _ in range(400))


def test_the_papers_recipe_has_the_papers_numbers():
    settings = read_settings(PAPER)
    assert (settings.epochs, settings.warmup_epochs, settings.batch_size) == (75, 10, 16)
    assert (settings.learning_rate, settings.input_size) == (1e-4, 512)
    assert settings.mode_probabilities == (0.3, 0.3, 0.4, 0.0)
    assert settings.pass_probabilities == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("name", ["classes", "batch_size", "mode_probabilities", "reference_probabilities",
                                  "pass_probabilities", "final_rate_factor", "[network]"])  # fmt: skip
def test_the_papers_recipe_says_where_paper_and_code_differ(name):
    before = PAPER.read_text(encoding="utf-8").split(f"\n{name}", 1)[0]
    said = before[before.rindex("\n\n") :] if name == "[network]" else before[-500:]
    assert "paper" in said
    assert "code" in said


def test_the_small_network_is_trained_in_two_phases_of_one_network():
    first, second = (read_settings(CONFIGS / f"train-small{part}.toml") for part in ("-128", ""))
    assert (first.input_size, first.kept_size, second.input_size) == (128, 256, 256)
    assert first.network == second.network


def test_settings_survive_their_plain_form():
    settings = replace(SETTINGS, sets={"a*": 2.0}, changes=Changes(blur=0.7, scale=(-0.1, 0.1)))
    assert from_plain(settings.to_plain()).to_plain() == settings.to_plain()
    assert from_plain(settings.to_plain()).changes == settings.changes


def test_an_unknown_key_is_named(tmp_path):
    path = written(tmp_path, "recipe.toml", "[training]\nlearningrate = 1\n")
    with pytest.raises(InputFileError, match="learningrate"):
        read_settings(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[trainng]\nseed = 1\n", "trainng"), ("[training]\nsteps = 1\nepochs = 1\n", "not both"),
     ("[training]\nprecision = 'half'\n", "precision"),
    ("[training]\noptimizer = 'sgd'\n", "adamw or muon"), ("[training]\nwarmup_epochs = 1\n", "needs epochs"),
     ("[training]\nmatching_loss_factor = -1\n", "factors of the loss"),
    ("[training]\naccumulation = 0\n", "accumulation"), ("[sets]\ndiscs = -1\n", "not negative"),
     ("[training]\ncrop_sides = [0.0, 0.5]\n", "crop_sides"),
     ("[training]\ncrop_sides = [0.9]\n", "crop_sides"),
     ("[changes]\ncurve_points = [2, 4]\n", "curve_points"), ("[changes]\ncurve = -1\n", "curve is between"),
     ("[changes]\ncurve_points = [3.5, 4.5]\n", "curve_points"),
     ("[changes]\ncoarse_range = [0.5, 2.0]\n", "coarse_range"),
     ("[changes]\nblur = 2\n", "blur is between"), ("[changes]\nsharpness = 2\n", "sharpness"),
     ("base = 'recipe.toml'\n", "back to itself"), ("base = 3\n", "name of a file"),
     ("base = 'none.toml'\n", "none.toml")],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_in_words(text, problem, tmp_path):
    with pytest.raises(InputFileError, match=problem):
        read_settings(written(tmp_path, "recipe.toml", text))


def test_a_configuration_keeps_what_it_does_not_change_of_its_base(tmp_path):
    written(tmp_path, "base.toml", "[training]\nseed = 3\nbatch_size = 5\n[network]\nlayers = 4\nheads = 2\n")
    path = written(tmp_path, "top.toml", 'base = "base.toml"\n[training]\nseed = 4\n[network]\nlayers = 6\n')
    settings = read_settings(path)
    assert (settings.seed, settings.batch_size) == (4, 5)
    assert settings.network == {"layers": 6, "heads": 2}


def test_the_last_overlay_lies_on_top(tmp_path):
    base = written(tmp_path, "base.toml", "[training]\nseed = 1\nbatch_size = 5\n")
    overlays = [written(tmp_path, f"{n}.toml", f"[training]\nseed = {n}\n") for n in (2, 3)]
    settings = read_settings(base, overlays)
    assert (settings.seed, settings.batch_size) == (3, 5)


def test_steps_of_an_overlay_take_the_place_of_epochs(tmp_path):
    overlay = written(tmp_path, "short.toml", "[training]\nsteps = 7\nwarmup_steps = 2\n")
    settings = read_settings(PAPER, [overlay])
    assert (settings.steps, settings.epochs, settings.warmup_steps, settings.warmup_epochs) == (7, 0, 2, 0)


def test_an_epoch_is_as_many_samples_as_there_are_images():
    settings = with_length(replace(SETTINGS, epochs=3.0, warmup_epochs=0.5, batch_size=4), 40)
    assert (settings.steps, settings.warmup_steps) == (30, 5)


def test_a_run_in_epochs_counts_the_training_images(tmp_path):
    recipe = replace(SETTINGS, epochs=4.0, batch_size=1)
    run = Trainer(recipe, [disc_set(6)], {}, tmp_path)
    assert run.settings.steps == 4 * 5  # one of the six subjects is for validation


def test_a_given_number_of_steps_keeps_the_share_of_the_warm_up():
    settings = with_steps(replace(SETTINGS, epochs=75.0, warmup_epochs=15.0), 100)
    assert (settings.steps, settings.warmup_steps, settings.epochs) == (100, 20, 0)


def test_the_rate_rises_then_falls_to_its_floor():
    recipe = replace(SETTINGS, learning_rate=1.0, warmup_steps=10, steps=110, final_rate_factor=0.1)
    rates = [learning_rate(recipe, step) for step in (0, 9, 10, 60, 110)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.55, 0.1])


def test_a_set_with_twice_the_factor_is_drawn_twice_as_often():
    counts = drawn([named("one"), named("two")], replace(SETTINGS, sets={"two": 2.0}))
    assert 1.6 < counts[1] / counts[0] < 2.5


def test_a_set_with_the_factor_nought_is_never_drawn():
    assert set(drawn([named("ct_a"), named("mr_a")], replace(SETTINGS, sets={"ct_*": 0.0}))) == {1}


def test_a_sets_own_factor_comes_before_patterns():
    settings = replace(SETTINGS, sets={"ct_a": 3.0, "*": 0.5, "ct_*": 2.0})
    assert [settings.set_factor(name) for name in ("ct_a", "ct_b", "mr")] == [3.0, 2.0, 0.5]


def test_entries_of_sets_that_are_not_there_are_known():
    settings = replace(SETTINGS, sets={"ct_*": 2.0, "mr_*": 2.0, "*": 1.0})
    assert settings.absent_sets(["ct_a", "us"]) == ["mr_*"]


def test_without_any_set_that_counts_there_is_nothing_to_learn():
    with pytest.raises(TrainingDataError, match="No image"):
        TaskSampler([disc_set()], {}, replace(SETTINGS, sets={"*": 0.0}))


def test_power_one_draws_sets_by_their_number_of_images():
    bounds = {"set_size_bounds": (1, 100), "size_power": 1.0}
    counts = drawn([disc_set(4), disc_set(16)], replace(SETTINGS, **bounds))
    assert 3.0 < counts[1] / counts[0] < 5.3


def test_class_names_only_without_any_class_is_refused():
    settings = replace(SETTINGS, mode_probabilities=(1.0, 0.0, 0.0, 0.0))
    with pytest.raises(TrainingDataError, match="class names only"):
        BatchStream(TaskSampler([disc_set()], {}, settings), settings)


def test_a_label_can_be_named_by_its_number_in_the_class_table():
    sampler = TaskSampler([disc_set()], {7: {"discs": ["1"]}})
    assert [index for index, _ in sampler.classes] == [7]
