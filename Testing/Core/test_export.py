"""Exporting a run: the averaged weights, the card, the size, and the normalisation's statistics."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_up_packs import write_pack
from torch import nn

from KPrismCore.catalogue import Catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint, read_metadata
from KPrismCore.commands.export import export
from KPrismCore.errors import CheckpointError, InputFileError, OutputFileError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.preprocess import Preprocessing
from KPrismCore.training.export import (
    halved,
    read_card,
    recalibrated,
    run_checkpoint,
    state_checkpoint,
    write_export,
)
from KPrismCore.training.loop import Trainer
from KPrismCore.training.mixing import mixed
from KPrismCore.training.packs import ImageSet, read_packs
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.state import STATE_NAME, load_state
from KPrismCore.zoom import Zoom

ROOT = Path(__file__).parents[2]
CARD = ROOT / "Resources" / "Models" / "card-small.toml"
NETWORK = {
    "encoder_channels": (4, 4, 8, 8, 8), "encoder_attention": (False, False, False, False),
    "prompt_channels": (4, 4, 8, 8), "norm_groups": 2, "width": 16, "layers": 2, "experts": 2, "heads": 2,
    "ffn_width": 16, "pixel_block": "depthwise", "mask_head_channels": 4, "classes": 20, "click_hidden": 8,
}  # fmt: skip
SETTINGS = TrainingSettings(
    input_size=64, batch_size=2, steps=2, warmup_steps=1, seed=5, classes="kprism-small.csv", network=NETWORK,
    save_steps=100, validate_steps=2, mode_probabilities=(0.0, 0.5, 0.5, 0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[ImageSet]:
    folder = tmp_path_factory.mktemp("data")
    write_pack(folder, "discs")
    return read_packs(folder, 64)


@pytest.fixture(scope="module")
def a_run(sets: list[ImageSet], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    Trainer(SETTINGS, sets, {}, folder).run()
    return folder


def test_the_averaged_weights_are_exported(a_run):
    state = torch.load(a_run / "state.pt", weights_only=True)
    weights = run_checkpoint(a_run, ModelCard()).weights
    assert all(torch.equal(weights[name], value) for name, value in state["average"].items())
    assert not all(torch.equal(weights[name], value) for name, value in state["model"].items())


@pytest.mark.parametrize(
    ("cut_out", "zooms"), [({}, False), ({"crop_probability": 0.3, "crop_sides": (0.4, 0.9)}, True)]
)
def test_only_a_network_trained_on_enlarged_parts_looks_at_parts(a_run, cut_out, zooms):
    state = load_state(a_run / STATE_NAME)
    state["settings"] = replace(SETTINGS, **cut_out).to_plain()
    made = state_checkpoint(state, ModelCard(), {}, Catalogue([]))
    assert (made.zoom is not None) == zooms


@pytest.mark.parametrize("zoom", [None, True, False])
def test_the_command_leaves_the_zoom_out_when_told_to(a_run_on_parts, tmp_path, zoom):
    export(a_run_on_parts, tmp_path / "m.safetensors", zoom=zoom)
    assert read_checkpoint(tmp_path / "m.safetensors").zoom == (None if zoom is False else Zoom())


@pytest.fixture
def a_run_on_parts(a_run: Path, tmp_path: Path) -> Path:
    state = load_state(a_run / STATE_NAME)
    state["settings"] = replace(SETTINGS, crop_probability=0.3, crop_sides=(0.4, 0.9)).to_plain()
    torch.save(state, tmp_path / STATE_NAME)
    return tmp_path


def test_an_exported_file_can_be_built(a_run, tmp_path):
    path = tmp_path / "m.safetensors"
    write_export(path, run_checkpoint(a_run, ModelCard(name="tiny")))
    network = read_checkpoint(path).build()
    assert network.config.input_size == 64
    assert not network.training


def test_the_card_tells_the_facts_of_the_training(a_run):
    facts = run_checkpoint(a_run, ModelCard()).card.training
    assert (facts["steps"], facts["samples"], facts["seed"], facts["complete"]) == (2, 4, 5, True)
    assert facts["settings"]["batch_size"] == 2


def test_the_quick_validation_is_on_the_card(a_run):
    metrics = run_checkpoint(a_run, ModelCard()).card.metrics["quick_validation"]
    assert metrics["step"] == 2
    assert 0 <= metrics["clicks_5"] <= 1


def test_a_validation_of_weights_that_a_kill_took_is_not_on_the_card(a_run, tmp_path):
    for name in (STATE_NAME, "validation.csv"):
        shutil.copy(a_run / name, tmp_path / name)
    with (tmp_path / "validation.csv").open("a", newline="") as stream:
        stream.write("3,0.2,mean,0.99,0.99,0.99,0.99,0.99\r\n")
    assert run_checkpoint(tmp_path, ModelCard()).card.metrics["quick_validation"]["step"] == 2


def test_the_classes_are_in_the_file(a_run):
    assert run_checkpoint(a_run, ModelCard()).catalogue.by_name("liver").index == 1


def test_a_file_beyond_the_limit_is_not_written(a_run, tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(OutputFileError, match=r"0\.01 MB are allowed"):
        write_export(path, run_checkpoint(a_run, ModelCard()), 0.01)
    assert not path.exists()


def test_a_file_of_any_size_is_written_where_no_limit_is_given(a_run, tmp_path):
    whole = run_checkpoint(a_run, ModelCard())
    path = tmp_path / "m.safetensors"
    assert write_export(path, replace(whole, weights=whole.weights | {"spare": torch.zeros(5_000_000)})) > 16
    assert path.exists()


def wide(scale: float) -> Checkpoint:
    """A made-up checkpoint with one large weight, one norm and one small table."""
    weights = {"large": scale * torch.randn(64, 64), "norm": torch.rand(2048), "table": torch.randn(3, 8)}
    return Checkpoint(KPrismConfig(), weights, Catalogue([]), Preprocessing(), ModelCard())


def test_large_weights_are_kept_in_half_precision_and_others_as_they_are():
    kept = halved(wide(1.0)).weights
    assert {name: value.dtype for name, value in kept.items()} == {
        "large": torch.float16, "norm": torch.float32, "table": torch.float32,
    }  # fmt: skip


def test_a_weight_beyond_half_precision_stays_as_it_is():
    assert halved(wide(1e6)).weights["large"].dtype == torch.float32


def test_a_halved_network_computes_in_single_precision(a_run, tmp_path):
    path = tmp_path / "m.safetensors"
    whole = run_checkpoint(a_run, ModelCard())
    large = {name: value.half() for name, value in whole.weights.items()}
    write_export(path, replace(whole, weights=large))
    network = read_checkpoint(path).build()
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, whole.weights[name], rtol=1e-3, atol=1e-4)


def test_a_folder_without_a_state_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        run_checkpoint(tmp_path, ModelCard())


def test_recalibration_changes_statistics_but_no_weight(a_run, sets):
    before = run_checkpoint(a_run, ModelCard())
    after = recalibrated(before, sets, a_run, batches=2)
    changed = {name for name, value in after.weights.items() if not torch.equal(value, before.weights[name])}
    assert changed
    assert all(name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in changed)


def test_recalibrated_statistics_are_the_mean_over_the_batches(a_run, sets):
    checkpoint = run_checkpoint(a_run, ModelCard())
    one, two = (recalibrated(checkpoint, sets, a_run, batches=count).build() for count in (1, 2))
    norms = [[m for m in net.modules() if isinstance(m, nn.BatchNorm2d)] for net in (one, two)]
    assert any(not torch.equal(a.running_mean, b.running_mean) for a, b in zip(*norms, strict=True))
    assert all(norm.momentum == 0.1 for norm in norms[0])


def test_recalibration_tells_how_many_images_it_saw(a_run, sets):
    facts = recalibrated(run_checkpoint(a_run, ModelCard()), sets, a_run, batches=3).card.training
    assert facts["normalisation_images"] >= 6


def test_recalibration_is_repeatable(a_run, sets):
    checkpoint = run_checkpoint(a_run, ModelCard())
    first, second = (recalibrated(checkpoint, sets, a_run, batches=2).weights for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def moved(checkpoint: Checkpoint, by: float) -> Checkpoint:
    """Another end of the same training: all weights moved, one of them not there yet."""
    weights = {name: value + by for name, value in checkpoint.weights.items() if name != "level_embed.weight"}
    return replace(checkpoint, weights=weights, card=ModelCard(name="earlier"))


def test_mixed_weights_lie_between_the_two(a_run):
    own = run_checkpoint(a_run, ModelCard())
    both = mixed(own, moved(own, 1.0), 0.25)
    for name in ("layers.0.ffn.weight1", "encoder.stem.0.conv1.weight"):
        torch.testing.assert_close(both.weights[name], own.weights[name] + 0.25)
    assert (both.card.training["mixed_with"], both.card.training["mixed_share"]) == ("earlier", 0.25)


def test_weights_that_the_other_lacks_are_not_mixed(a_run):
    own = run_checkpoint(a_run, ModelCard())
    weight = mixed(own, moved(own, 1.0), 0.25).weights["level_embed.weight"]
    assert torch.equal(weight, own.weights["level_embed.weight"])


def test_a_model_with_other_classes_is_not_mixed_in(a_run):
    own = run_checkpoint(a_run, ModelCard())
    with pytest.raises(CheckpointError, match="classes"):
        mixed(own, replace(moved(own, 1.0), catalogue=Catalogue([])), 0.25)


def test_a_model_of_another_shape_is_not_mixed_in(a_run):
    with pytest.raises(CheckpointError, match="no weight"):
        mixed(run_checkpoint(a_run, ModelCard()), wide(1.0), 0.25)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_that_is_none_is_refused(a_run, share):
    own = run_checkpoint(a_run, ModelCard())
    with pytest.raises(InputFileError, match="between 0 and 1"):
        mixed(own, moved(own, 1.0), share)


def test_lines_of_the_model_mixed_in_stand_in_for_missing_ones(a_run):
    own, lines = run_checkpoint(a_run, ModelCard()), {"clicks_1": (-0.5, 1.4)}
    assert mixed(own, replace(moved(own, 1.0), confidence_lines=lines), 0.25).confidence_lines == lines


def test_lines_of_its_own_stay_in_a_mixture(a_run):
    own = replace(run_checkpoint(a_run, ModelCard()), confidence_lines={"clicks_1": (-0.5, 1.4)})
    other = replace(moved(own, 1.0), confidence_lines={"clicks_1": (0.0, 1.0)})
    assert mixed(own, other, 0.25).confidence_lines == own.confidence_lines


def test_a_file_without_confidence_lines_is_told(a_run, tmp_path, capsys):
    export(a_run, tmp_path / "m.safetensors")
    assert "--metrics report.json" in capsys.readouterr().out


def test_a_file_with_confidence_lines_needs_no_remark(a_run, tmp_path, capsys):
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"summary": {"sets": 3}, "confidence_lines": {"class": [0.0, 1.0]}}))
    export(a_run, tmp_path / "m.safetensors", metrics=report)
    assert "--metrics" not in capsys.readouterr().out


def test_the_command_does_not_mix_without_data_to_normalise_by(a_run, tmp_path):
    with pytest.raises(InputFileError, match="--data"):
        export(a_run, tmp_path / "m.safetensors", mix=str(a_run))


@pytest.mark.parametrize("name", ["z.pt", "z.pth", "z"])
def test_a_name_that_no_command_could_open_is_refused(a_run, tmp_path, name):
    with pytest.raises(OutputFileError, match="ending"):
        export(a_run, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_an_existing_file_is_not_replaced(a_run, tmp_path):
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"hours of work")
    with pytest.raises(OutputFileError, match="--overwrite"):
        export(a_run, out)
    assert out.read_bytes() == b"hours of work"


def test_an_existing_file_is_replaced_when_told_to(a_run, tmp_path):
    out = tmp_path / "m.safetensors"
    out.write_bytes(b"older")
    export(a_run, out, overwrite=True)
    assert read_checkpoint(out).card.name == "m"


def test_half_precision_that_makes_a_file_smaller_needs_no_remark(a_run, tmp_path, capsys):
    export(a_run, tmp_path / "half.safetensors", half=True)
    assert "change nothing" not in capsys.readouterr().out


def test_the_command_mixes_and_normalises_anew(a_run, tmp_path):
    write_pack(tmp_path / "data", "discs")
    export(a_run, tmp_path / "m.safetensors", data=tmp_path / "data", batches=1, mix=str(a_run))
    facts = read_metadata(tmp_path / "m.safetensors")["card"]["training"]
    assert facts["mixed_share"] == 0.35
    assert facts["normalisation_images"] > 0


def test_the_command_writes_card_and_report_into_the_file(a_run, tmp_path):
    report, out = tmp_path / "report.json", tmp_path / "m.safetensors"
    report.write_text(json.dumps({"summary": {"sets": 3}}))
    export(a_run, out, CARD, metrics=report)
    card = read_metadata(out)["card"]
    assert card["name"] == "kprism-small"
    assert card["metrics"] == {"sets": 3}


def test_a_report_of_another_kind_is_refused(a_run, tmp_path):
    report = tmp_path / "report.json"
    report.write_text("[]")
    with pytest.raises(InputFileError, match=r"report\.json"):
        export(a_run, tmp_path / "m.safetensors", metrics=report)


def test_an_unknown_field_of_a_card_is_named(tmp_path):
    path = tmp_path / "card.toml"
    path.write_text('nmae = "x"\n')
    with pytest.raises(InputFileError, match="nmae"):
        read_card(path)


def test_the_shipped_model_is_no_larger_than_wanted():
    assert (ROOT / "Resources" / "Models" / "kprism-small.safetensors").stat().st_size < 16e6


def test_the_shipped_card_names_licence_limits_and_every_set():
    card = read_card(CARD)
    assert "Not for clinical use" in card.intended_use
    assert card.licence.startswith("CC BY-SA 4.0")
    assert card.limits
    assert all(entry["licence"] and entry["set"] for entry in card.data)
    assert len(card.data) == 34


def test_sets_under_share_alike_are_named_in_the_licence():
    card = read_card(CARD)
    shared = [entry["set"] for entry in card.data if "BY-SA" in entry["licence"]]
    assert shared
    assert all(name in card.licence for name in shared)


def test_a_card_survives_the_file(a_run, tmp_path):
    path, card = tmp_path / "m.safetensors", read_card(CARD)
    write_export(path, run_checkpoint(a_run, card))
    kept = read_checkpoint(path).card
    assert replace(kept, training={}, metrics={}) == card
