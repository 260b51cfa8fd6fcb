"""Runs in processes of their own: killed and continued, and two that train as one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from disc_runs import CLASSES, KILLED_AT, SETTINGS, disc_set, trainer, weights
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from made_up_packs import write_pack

from KPrismCore.errors import DeviceError, InputFileError, MissingPackageError
from KPrismCore.training import packages
from KPrismCore.training.batches import BatchStream, Share
from KPrismCore.training.checks import check_share
from KPrismCore.training.configuration import read_settings
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.loop import Trainer
from KPrismCore.training.packs import read_packs
from KPrismCore.training.processes import make_fabric
from KPrismCore.training.runlog import Window

ROOT = Path(__file__).parents[2]
# batch statistics are those of one process, so that two can be as one only with frozen norms
RECIPE = """
[training]
input_size = 64
batch_size = 4
steps = 2
warmup_steps = 1
freeze_norms_step = 1
mode_probabilities = [0, 0.5, 0.5, 0]
silent_probability = 0
log_steps = 1
save_steps = 100
validate_steps = 100
[network]
encoder_channels = [4, 4, 8, 8, 8]
encoder_attention = [false, false, false, false]
prompt_channels = [4, 4, 8, 8]
norm_groups = 2
width = 16
layers = 2
experts = 2
heads = 2
ffn_width = 16
pixel_block = "depthwise"
mask_head_channels = 4
classes = 2
click_hidden = 8
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_run_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    done = python(str(ROOT / "Testing/Core/disc_runs.py"), str(tmp_path / "killed"))
    assert done.returncode == 0, done.stderr
    whole = trainer(SETTINGS, tmp_path / "whole")
    whole.run()
    continued = trainer(SETTINGS, tmp_path / "killed")
    continued.resume()
    assert 0 < KILLED_AT < continued.step == whole.step
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(continued), strict=True))


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one_with_twice_the_batch(tmp_path):
    recipe, data = tmp_path / "recipe.toml", tmp_path / "data"
    recipe.write_text(RECIPE)
    write_pack(data, "discs")
    settings, sets = read_settings(recipe), read_packs(data, 64)
    one, two = (Trainer(settings, sets, {}, tmp_path / name) for name in ("one", "two"))
    for run in (one, two):  # the norms are frozen from the second step on
        run.learner.step([run.stream[0]], Window())
        run.step = 1
    two.save()
    done = python(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "KPrismCore", "train",
        str(data), str(tmp_path / "two"), "--config", str(recipe), "--resume", "--device", "cpu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one.run()
    state = torch.load(tmp_path / "two" / "state.pt", weights_only=True)
    assert (state["step"], state["processes"]) == (2, 2)
    # AdamW's first moments are linear in the gradients
    means = [one.learner.optimizer.state_dict(), state["optimizer"]]
    own, theirs = ([values["exp_avg"] for values in each["state"].values()] for each in means)
    largest = max(float(mean.abs().max()) for mean in own)
    assert largest > 1e-4
    for a, b in zip(own, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5 * largest)


def test_accumulated_parts_have_the_gradient_of_the_whole_batch(tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    settings = read_settings(recipe)
    gradients = []
    for parts in (1, 4):
        run = Trainer(replace(settings, accumulation=parts), [disc_set()], {}, tmp_path)
        run.step = 1
        run.learner.step(next(run._batches()), Window())
        gradients.append([p.grad for p in run.model.parameters() if p.grad is not None])
    largest = max(float(gradient.abs().max()) for gradient in gradients[0])
    for whole, added in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, added, rtol=1e-3, atol=1e-5 * largest)


def test_the_shares_of_all_processes_are_the_whole_batch():
    settings = replace(SETTINGS, batch_size=4)
    stream = BatchStream(TaskSampler([disc_set()], {}, settings), settings)
    shares = [Share(stream, 1, parts=2, process=process) for process in (0, 1)]
    parts = [share[2 * 3 + part] for share in shares for part in (0, 1)]
    assert torch.equal(torch.cat([part.images for part in parts]), stream[3].images)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(InputFileError, match="3 processes"):
        check_share(replace(SETTINGS, batch_size=8), 3)


def test_float16_is_refused_on_a_processor():
    with pytest.raises(DeviceError, match="float16"):
        make_fabric(precision="float16", accelerator="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_more_devices_than_there_are_are_refused():
    with pytest.raises(DeviceError, match="0 CUDA devices, not 2"):
        make_fabric(devices=2, accelerator="cuda")


def test_a_missing_package_is_named_with_its_remedy():
    with pytest.raises(MissingPackageError, match="lightning-fabric") as caught:
        packages.optional("no_such_module", "lightning-fabric")
    assert "setup --research" in caught.value.remedy


def test_in_bfloat16_silent_passes_do_not_cost_gradients(tmp_path):
    gradients = []
    for precision in ("float32", "bfloat16"):
        run = trainer(replace(SETTINGS, precision=precision), tmp_path / precision)
        batch = replace(run.stream[0], mode="clicks", class_index=None, passes=1, silent_rounds=2)
        run.learner.step([batch], Window())
        gradients.append({name for name, p in run.model.named_parameters() if p.grad is not None})
    assert gradients[0] == gradients[1]


def test_bfloat16_keeps_the_weights_in_float32_and_learns(tmp_path):
    run = trainer(replace(SETTINGS, precision="bfloat16"), tmp_path)
    before = [value.clone() for value in weights(run)]
    run.run()
    assert {value.dtype for value in run.model.parameters()} == {torch.float32}
    assert not all(torch.equal(a, b) for a, b in zip(before, weights(run), strict=True))


def scaled_trainer(folder: Path, scale: float) -> Trainer:
    """A trainer in float16 with a loss scaler, on the processor (where users are refused it)."""
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    fabric = Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    return Trainer(replace(SETTINGS, steps=1), [disc_set()], CLASSES, folder, fabric)


def test_a_scaler_that_overflows_is_lowered_and_changes_no_weight(tmp_path):
    run = scaled_trainer(tmp_path, 2.0**100)
    before = [value.clone() for value in run.model.parameters()]
    run.run()
    assert run.learner.scaler_state()["scale"] == 2.0**99
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))


def test_a_continued_run_has_the_scaler_of_the_first(tmp_path):
    scaled_trainer(tmp_path, 2.0**100).run()
    continued = scaled_trainer(tmp_path, 2.0)
    continued.resume()
    assert continued.learner.scaler_state()["scale"] == 2.0**99


def test_with_a_scaler_the_weights_learn(tmp_path):
    run = scaled_trainer(tmp_path, 2.0)
    before = [value.clone() for value in run.model.parameters()]
    run.run()
    assert not all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))


def test_a_step_without_a_finite_gradient_changes_no_weight(tmp_path):
    run = trainer(SETTINGS, tmp_path)
    before = [value.clone() for value in run.model.parameters()]
    batch = replace(run.stream[0], mode="clicks", passes=1, silent_rounds=0)
    batch.images.fill_(float("nan"))
    run.learner.step([batch], Window())
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
