"""Training with a trunk: where its weights come from, and how fast they change."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from disc_runs import NETWORK, SETTINGS, trainer
from published import published
from tiny import TINY

from KPrismCore.catalogue import Catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard
from KPrismCore.errors import CheckpointError, MissingPackageError
from KPrismCore.network.kprism import KPrism
from KPrismCore.preprocess import Preprocessing
from KPrismCore.training.checks import check_settings
from KPrismCore.training.optimizers import make_optimizer, set_rate
from KPrismCore.training.pretrained import load_trunk
from KPrismCore.training.settings import TrainingSettings

TRUNK = {"trunk": "efficientnet-lite0"}
JOINED = replace(SETTINGS, network={**NETWORK, **TRUNK})


@pytest.fixture
def weights_file(tmp_path) -> Path:
    torch.save(published(), tmp_path / "lite0.pth")
    return tmp_path / "lite0.pth"


def start_of(network: KPrism) -> Checkpoint:
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    return Checkpoint(network.config, weights, Catalogue(()), Preprocessing(), ModelCard(name="start"))


def stem_of(network: KPrism) -> torch.Tensor:
    return network.encoder.trunk.stem.weight


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_trunk_learns_at_a_rate_of_its_own(optimizer):
    network = KPrism(replace(TINY, **TRUNK))
    made = make_optimizer(network, TrainingSettings(trunk_rate_factor=0.2, optimizer=optimizer))
    set_rate(made, 1e-3)
    trunk = {id(parameter) for parameter in network.encoder.trunk.parameters()}
    rates = {
        (id(parameter) in trunk, round(group["lr"], 9))
        for group in made.param_groups
        for parameter in group["params"]
    }
    assert rates == {(True, 2e-4), (False, 1e-3)}
    count = sum(len(group["params"]) for group in made.param_groups)
    assert count == len(list(network.parameters()))


def test_a_file_of_published_weights_is_loaded(tmp_path):
    source = published()
    torch.save(source, tmp_path / "lite0.pth")
    network = KPrism(replace(TINY, **TRUNK))
    load_trunk(network, str(tmp_path / "lite0.pth"))
    assert torch.equal(network.encoder.trunk.stem.weight, source["_conv_stem.weight"])


def test_weights_are_found_in_a_package_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "some_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    torch.save(published(), package / "lite0.pth")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_trunk(KPrism(replace(TINY, **TRUNK)), "some_weights") > 0


def test_a_network_without_a_trunk_needs_no_weights(tmp_path):
    assert load_trunk(KPrism(TINY), str(tmp_path / "absent.pth")) == 0


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(MissingPackageError, match="no_such_weights"):
        load_trunk(KPrism(replace(TINY, **TRUNK)), "no_such_weights")


def test_a_file_of_other_weights_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="EfficientNet-Lite0"):
        load_trunk(KPrism(replace(TINY, **TRUNK)), str(tmp_path / "other.pth"))


def test_a_file_with_another_shape_is_refused(tmp_path):
    torch.save({**published(), "_conv_stem.weight": torch.zeros(32, 1, 3, 3)}, tmp_path / "grey.pth")
    with pytest.raises(CheckpointError, match="shape"):
        load_trunk(KPrism(replace(TINY, **TRUNK)), str(tmp_path / "grey.pth"))


class Harmful:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return (Path.touch, (self.witness,))


def test_a_file_that_could_run_code_is_refused_and_runs_nothing(tmp_path):
    with (tmp_path / "bad.pth").open("wb") as stream:
        pickle.dump(Harmful(tmp_path / "witness"), stream, protocol=2)
    with pytest.raises(CheckpointError, match="could run code"):
        load_trunk(KPrism(replace(TINY, **TRUNK)), str(tmp_path / "bad.pth"))
    assert not (tmp_path / "witness").exists()


def test_a_run_begins_with_the_weights_that_the_recipe_names(weights_file, tmp_path):
    run = trainer(replace(JOINED, trunk_weights=str(weights_file)), tmp_path / "run")
    run.begin()
    assert torch.equal(stem_of(run.model), published()["_conv_stem.weight"])
    assert torch.equal(stem_of(run.learner.average.model), published()["_conv_stem.weight"])


def test_a_run_that_begins_with_a_model_without_a_trunk_keeps_the_published_one(weights_file, tmp_path):
    run = trainer(replace(JOINED, trunk_weights=str(weights_file)), tmp_path / "run")
    report = run.start_from(start_of(trainer(SETTINGS, tmp_path / "plain").model))
    assert torch.equal(stem_of(run.model), published()["_conv_stem.weight"])
    assert "encoder.trunk.stem.weight" in report.pretrained
    assert "published weights" in "\n".join(report.lines())
    assert report.fresh == ()


def test_a_run_that_begins_with_a_model_with_a_trunk_takes_that_one(weights_file, tmp_path):
    source = trainer(JOINED, tmp_path / "other").model
    # the published weights are not even looked for
    weights_file.unlink()
    run = trainer(replace(JOINED, trunk_weights=str(weights_file)), tmp_path / "run")
    report = run.start_from(start_of(source))
    assert torch.equal(stem_of(run.model), stem_of(source))
    assert report.pretrained == ()


def test_a_trunk_without_published_weights_is_told_as_new(tmp_path):
    run = trainer(JOINED, tmp_path / "run")
    report = run.start_from(start_of(trainer(SETTINGS, tmp_path / "plain").model))
    assert "encoder.trunk.stem.weight" in report.fresh


def test_a_trunk_with_a_rate_of_nothing_keeps_its_weights(weights_file, tmp_path):
    settings = replace(JOINED, trunk_weights=str(weights_file), trunk_rate_factor=0.0, steps=2)
    run = trainer(settings, tmp_path / "run")
    run.run()
    assert torch.equal(stem_of(run.model), published()["_conv_stem.weight"])


def test_a_continued_run_has_the_trunk_it_had(weights_file, tmp_path):
    settings = replace(JOINED, trunk_weights=str(weights_file), trunk_rate_factor=1.0, steps=3)
    first = trainer(settings, tmp_path / "run")
    first.run()
    second = trainer(settings, tmp_path / "run")
    second.resume()
    second.run()
    assert not torch.equal(stem_of(first.model), published()["_conv_stem.weight"])
    assert torch.equal(stem_of(second.model), stem_of(first.model))


def test_a_negative_rate_of_the_trunk_is_refused():
    with pytest.raises(ValueError, match="trunk_rate_factor"):
        check_settings(TrainingSettings(trunk_rate_factor=-0.1))
