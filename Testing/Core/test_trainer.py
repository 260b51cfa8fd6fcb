"""The trainer learns, stops, and continues exactly where it stopped."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from disc_runs import NETWORK, SETTINGS, disc_set, trainer, weights
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from KPrismCore.checkpoint import read_checkpoint
from KPrismCore.errors import CheckpointError, InputFileError, OutputFileError, TrainingDataError
from KPrismCore.training.board import Board
from KPrismCore.training.loop import Trainer
from KPrismCore.training.progress import ProgressLines
from KPrismCore.training.runlog import RunLog, Window
from KPrismCore.training.settings import MODES, OPTIMIZERS, TrainingSettings
from KPrismCore.training.state import save_state


@pytest.fixture
def settings() -> TrainingSettings:
    return SETTINGS


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_has_the_weights_of_an_unbroken_one(
    settings: TrainingSettings, optimizer: str, tmp_path: Path
) -> None:
    settings = replace(settings, optimizer=optimizer)
    whole = trainer(settings, tmp_path / "whole")
    whole.run()
    first = trainer(settings, tmp_path / "parts")
    batches = first._batches
    first._batches = lambda: (parts for parts in batches() if parts[0].step < 3)  # type: ignore[method-assign]
    first.run()
    second = trainer(settings, tmp_path / "parts")
    second.resume()
    assert second.step == 3
    second.run()
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(second), strict=True))


def test_worker_processes_do_not_change_the_weights(settings: TrainingSettings, tmp_path: Path) -> None:
    inline, parallel = (trainer(replace(settings, steps=2, workers=n), tmp_path / str(n)) for n in (0, 1))
    inline.run()
    parallel.run()
    assert all(torch.equal(a, b) for a, b in zip(weights(inline), weights(parallel), strict=True))


def test_training_changes_the_weights(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(settings, tmp_path)
    before = [value.clone() for value in weights(run)]
    run.run()
    assert not all(torch.equal(a, b) for a, b in zip(before, weights(run), strict=True))


def test_a_repeated_batch_is_learnt(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(replace(settings, learning_rate=3e-3, warmup_steps=1, steps=1000), tmp_path)
    batch = replace(run.stream[0], passes=1, silent_rounds=0)
    losses = []
    for _ in range(25):
        window = Window()
        run.learner.step([batch], window)
        losses.append(window.loss)
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(("mode", "differs"), [("references", True), ("class", False)])
def test_matching_counts_where_there_are_references(
    settings: TrainingSettings, mode: str, differs: bool, tmp_path: Path
) -> None:
    probabilities = tuple(float(name == mode) for name in MODES)
    losses = []
    for factor in (0.0, 1.0):
        recipe = replace(settings, mode_probabilities=probabilities, matching_loss_factor=factor)
        run, window = trainer(recipe, tmp_path / str(factor)), Window()
        run.learner.step([run.stream[0]], window)
        losses.append(window.loss)
    assert (losses[1] > losses[0]) == differs


def test_a_stopped_run_ends_after_the_step_and_is_saved(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(settings, tmp_path)
    run.run(minutes=0.0)
    assert run.step == 1
    assert run.state_path.exists()


def test_another_network_is_not_resumed(settings: TrainingSettings, tmp_path: Path) -> None:
    trainer(settings, tmp_path).save()
    other = trainer(replace(settings, network={**NETWORK, "layers": 3}), tmp_path)
    with pytest.raises(CheckpointError, match="another network"):
        other.resume()


def test_a_run_that_goes_on_otherwise_says_in_what(settings: TrainingSettings, tmp_path: Path) -> None:
    trainer(settings, tmp_path).save()
    other = trainer(replace(settings, seed=settings.seed + 1, learning_rate=0.5, save_steps=9), tmp_path)
    assert other.resume() == ["learning_rate", "seed"]


def test_a_run_that_goes_on_as_it_was_says_nothing(settings: TrainingSettings, tmp_path: Path) -> None:
    trainer(settings, tmp_path).save()
    assert trainer(settings, tmp_path).resume() == []


def test_a_state_of_the_first_format_is_continued(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(replace(settings, steps=2), tmp_path)
    run.run()
    state = torch.load(run.state_path, weights_only=True)
    old = {name: state[name] for name in ("model", "average", "optimizer", "step", "samples", "seconds")}
    recipe = {name: state[name] for name in ("settings", "network")}
    for name in ("accumulation", "epochs", "warmup_epochs", "size_power", "changes", "sets"):
        del recipe["settings"][name]
    torch.save({"format": 1, **old, **recipe, "random": {}}, run.state_path)
    again = trainer(settings, tmp_path)
    again.resume()
    assert again.step == 2
    assert all(torch.equal(a, b) for a, b in zip(weights(run), weights(again), strict=True))


def test_the_best_validation_is_kept_as_a_checkpoint(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(replace(settings, steps=1, validate_steps=1), tmp_path)
    run.run()
    checkpoint = read_checkpoint(tmp_path / "best.safetensors")
    average = run.learner.average.model.state_dict()
    assert all(torch.equal(average[name], value) for name, value in checkpoint.weights.items())
    assert checkpoint.card.metrics["quick_validation"]["step"] == 1


def test_a_worse_validation_leaves_the_best_checkpoint(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(settings, tmp_path)
    for step, score in enumerate((0.5, 0.7, 0.6), start=1):
        run.step = step
        run._keep_best({"clicks_1": score})
    card = read_checkpoint(tmp_path / "best.safetensors").card
    assert card.metrics["quick_validation"] == {"step": 2, "clicks_1": 0.7}


def test_the_board_has_loss_rate_and_validation(settings: TrainingSettings, tmp_path: Path) -> None:
    trainer(replace(settings, steps=2, validate_steps=2), tmp_path).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {"train/loss", "train/rate", "validation/clicks_5", "validation_class/1:discs"} <= set(
        events.Tags()["scalars"]
    )
    assert [event.step for event in events.Scalars("train/loss")] == [2]


def test_a_terminal_shows_the_steps_as_a_bar() -> None:
    screen = io.StringIO()
    with ProgressLines(40, 10, Console(file=screen, force_terminal=True, width=100)) as progress:
        progress.step(20, 1.5)
    assert "20/40" in screen.getvalue()
    assert "loss 1.500" in screen.getvalue()


def test_without_a_terminal_there_are_plain_lines() -> None:
    screen = io.StringIO()
    with ProgressLines(40, 10, Console(file=screen, width=20)) as progress:
        progress.step(20, 1.5)
        progress.line("step 20  loss 1.5000  [of 40]  rate 1e-3")
    assert screen.getvalue() == "step 20  loss 1.5000  [of 40]  rate 1e-3\n"


def test_what_a_kill_while_saving_left_is_removed(settings: TrainingSettings, tmp_path: Path) -> None:
    (tmp_path / ".writing-abc.pt").write_bytes(b"half a state")
    trainer(replace(settings, steps=1), tmp_path).run()
    assert list(tmp_path.glob(".writing-*")) == []


def test_what_a_kill_while_writing_the_best_checkpoint_left_is_removed(
    settings: TrainingSettings, tmp_path: Path
) -> None:
    (tmp_path / ".writing-abc.safetensors").write_bytes(b"half a checkpoint")
    trainer(replace(settings, steps=1), tmp_path).run()
    assert list(tmp_path.glob(".writing-*")) == []


@pytest.mark.parametrize("rest", ["3,6,0.1", "\0\0\0", "4,"])
def test_a_row_that_a_loss_of_power_cut_short_is_dropped(rest: str, tmp_path: Path) -> None:
    with Board(tmp_path, 0) as board:
        RunLog(tmp_path, 0, board, print).steps(Window().row(2, 4, 0.1, 1e-3))
        with (tmp_path / "log.csv").open("a") as stream:
            stream.write(rest)
        RunLog(tmp_path, 4, board, print).steps(Window().row(4, 8, 0.1, 1e-3))
    with (tmp_path / "log.csv").open(newline="") as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["2", "4"]


def test_a_broken_state_is_refused(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(settings, tmp_path)
    run.state_path.write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="not a training state"):
        run.resume()


def test_a_class_beyond_the_network_is_refused(settings: TrainingSettings, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="index 2"):
        Trainer(settings, [disc_set()], {2: {"discs": ["disc"]}}, tmp_path)


def test_a_factor_for_each_output_is_needed(settings: TrainingSettings, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="3 values, and the network 2 outputs"):
        trainer(replace(settings, output_weights=(0.5, 0.5, 1.0)), tmp_path)


def test_the_validation_table_has_sets_classes_and_means(settings: TrainingSettings, tmp_path: Path) -> None:
    run = trainer(replace(settings, steps=1, validate_steps=1), tmp_path)
    run.run()
    with (tmp_path / "validation.csv").open() as stream:
        rows = {row["group"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"discs", "1:discs", "mean"}
    assert all(0 <= float(rows["mean"][name]) <= 1 for name in ("class", "reference", "clicks_1", "clicks_5"))


@pytest.mark.usefixtures("no_large_files")
def test_a_disk_that_becomes_full_keeps_the_state_before_and_is_told(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    before = path.read_bytes()
    with pytest.raises(OutputFileError, match="not written to its end"):
        save_state(path, {"step": 2, "weights": torch.zeros(10_000)})
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])
