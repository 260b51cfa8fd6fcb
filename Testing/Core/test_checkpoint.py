"""Checkpoint files: bit for bit, complete or not there, and never able to run code."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from rich.console import Console
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from KPrismCore.catalogue import load_catalogue
from KPrismCore.checkpoint import (
    FORMAT_VERSION,
    Checkpoint,
    ModelCard,
    compare,
    read_checkpoint,
    read_metadata,
    save_checkpoint,
)
from KPrismCore.commands import checkpoints
from KPrismCore.errors import CheckpointError, KPrismError, OutputFileError
from KPrismCore.network.kprism import KPrism
from KPrismCore.preprocess import Preprocessing
from KPrismCore.zoom import Zoom
from Testing.Core.tiny import CLASSES, TINY

CARD = ModelCard(
    name="small", description="A test.", limits="Não é clínico.", modalities=("CT", "MR"), licence="MIT",
    data=({"set": "made up", "licence": "CC0"},), training={"steps": 3}, metrics={"dice": 0.5},
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    weights = KPrism(TINY).state_dict()
    settings = Preprocessing(mean=0.3, percentiles=(1.0, 99.0), quantise=True)
    return Checkpoint(TINY, weights, load_catalogue(CLASSES), settings, CARD, ("a note",))


@pytest.fixture
def file(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, checkpoint)
    return path


def test_weights_come_back_bit_for_bit(checkpoint, file):
    found = read_checkpoint(file).weights
    assert found.keys() == checkpoint.weights.keys()
    assert all(torch.equal(value, checkpoint.weights[name]) for name, value in found.items())
    assert all(value.dtype == checkpoint.weights[name].dtype for name, value in found.items())


@pytest.mark.parametrize("part", ["config", "catalogue", "preprocessing", "card", "notes"])
def test_the_description_comes_back(checkpoint, file, part):
    assert getattr(read_checkpoint(file), part) == getattr(checkpoint, part)


def test_the_description_can_be_read_without_the_weights(file):
    assert read_metadata(file)["card"]["name"] == "small"


def test_a_built_network_answers_as_the_one_that_was_saved(checkpoint, file):
    network = KPrism(TINY).eval()
    network.load_state_dict(checkpoint.weights)
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        wanted = network.encode_image(image).levels
        found = read_checkpoint(file).build().encode_image(image).levels
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failed_write_keeps_the_old_file(checkpoint, file, monkeypatch, error):
    def fail(_weights: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half a file")
        raise error

    before = file.read_bytes()
    monkeypatch.setattr("KPrismCore.checkpoint.save_file", fail)
    with pytest.raises((OutputFileError, KeyboardInterrupt)):
        save_checkpoint(file, checkpoint)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_disk_that_becomes_full_keeps_the_old_file_and_is_told(checkpoint, file, no_large_files):
    before = file.read_bytes()
    with pytest.raises(OutputFileError, match="cannot be written"):
        save_checkpoint(file, checkpoint)
    assert (file.read_bytes(), list(file.parent.iterdir())) == (before, [file])


def with_weights(checkpoint: Checkpoint, **changes: torch.Tensor | None) -> Checkpoint:
    weights = {**checkpoint.weights, **changes}
    kept = {name: value for name, value in weights.items() if value is not None}
    return replace(checkpoint, weights=kept)


NAME = "level_embed.weight"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({NAME: None}, f"missing (1): {NAME}"),
        ({"extra": torch.zeros(1)}, "unexpected (1): extra"),
        ({NAME: torch.zeros(3, 2)}, f"wrong shape (1): {NAME} is (3, 2), not (3, 16)"),
    ],
)
def test_weights_that_do_not_fit_are_named(checkpoint, changes, line):
    with pytest.raises(CheckpointError) as caught:
        with_weights(checkpoint, **changes).build()
    assert line in str(caught.value)


def test_a_long_list_of_entries_is_cut():
    expected = {f"entry{number}": torch.zeros(1) for number in range(20)}
    assert compare(expected, {}, most=2) == "  missing (20): entry0, entry1 and 18 more"


def test_weights_that_fit_give_no_report(checkpoint):
    assert compare(KPrism(TINY).state_dict(), checkpoint.weights) == ""


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def text(file: Path) -> None:
    file.write_text("This is no checkpoint.")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def foreign(file: Path) -> None:
    save_file({"weight": torch.zeros(3)}, file)


def missing(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("read", [read_checkpoint, read_metadata])
@pytest.mark.parametrize("damage", [truncated, text, empty, foreign, missing])
def test_a_file_that_is_no_checkpoint_is_refused(file, damage, read):
    damage(file)
    with pytest.raises(CheckpointError, match=re_name(file)):
        read(file)


def re_name(file: Path) -> str:
    return file.name.replace(".", r"\.")


def redescribed(file: Path, **changes: Any) -> None:
    """Write the file again with other descriptions; text is taken as it is, else it becomes JSON."""
    described = {name: json.dumps(value) for name, value in read_metadata(file).items()}
    described |= {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in changes.items()
    }
    save_file(load_file(file), file, metadata={f"kprism.{name}": value for name, value in described.items()})


def test_a_newer_format_is_refused(file):
    redescribed(file, format_version=FORMAT_VERSION + 1)
    with pytest.raises(CheckpointError, match="newer"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"card": "{no JSON"},
        {"format_version": "[]"},
        {"config": "7"},
        {"config": {"depth": 3}},
        {"config": {"width": "wide"}},
        {"catalogue": [{"index": "1"}]},
        {"catalogue": "7"},
        {"preprocessing": {"mean": 0.2, "unknown": 1}},
        {"preprocessing": "[1]"},
        {"card": "[1]"},
        {"notes": "7"},
        {"lowest_threshold": 5},
        {"lowest_threshold": "NaN"},
    ],
)
def test_a_damaged_description_is_refused(file, changes):
    redescribed(file, **changes)
    with pytest.raises(CheckpointError):
        read_checkpoint(file)


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def pickled(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


@pytest.mark.parametrize("save", [torch.save, pickled])
@pytest.mark.parametrize("key", ["model", "optimizer"])
def test_a_file_that_could_run_code_is_refused_and_runs_nothing(tmp_path, save, key):
    marker, path = tmp_path / "marker", tmp_path / "official.pth"
    save({"model": {"a": torch.zeros(1)}, key: Malicious(marker)}, path)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not marker.exists()


def test_the_malicious_file_would_make_its_marker(tmp_path):
    pickle.loads(pickle.dumps(Malicious(tmp_path / "marker")))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize("protocol", [None, 0, 1, 2, 5])
def test_a_file_that_could_run_code_is_refused_with_that_reason(tmp_path, protocol):
    """`protocol` of a bare pickle; None for a file of torch.save."""
    path, value = tmp_path / "official.pth", {"model": Malicious(tmp_path / "marker")}
    torch.save(value, path) if protocol is None else path.write_bytes(pickle.dumps(value, protocol))
    with pytest.raises(CheckpointError, match="could run code"):
        read_checkpoint(path)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("damage", [text, empty, truncated])
def test_a_damaged_official_file_is_refused(tmp_path, damage):
    path = tmp_path / "official.pth"
    torch.save({"a": torch.zeros(3)}, path)
    damage(path)
    with pytest.raises(CheckpointError, match="not a readable"):
        read_checkpoint(path)


@pytest.mark.parametrize("value", [[1, 2], {"a": 3}, {3: torch.zeros(1)}, torch.zeros(3), {"model": [1]}])
def test_an_official_file_without_a_state_dict_is_refused(tmp_path, value):
    torch.save(value, tmp_path / "official.pth")
    with pytest.raises(CheckpointError, match="state dict"):
        read_checkpoint(tmp_path / "official.pth")


@pytest.mark.parametrize("changes", [{"width": 16.5}, {"width": 2**40, "norm_groups": 8}])
def test_a_configuration_that_no_network_can_have_is_refused(file, changes):
    redescribed(file, config=read_metadata(file)["config"] | changes)
    with pytest.raises(CheckpointError):
        read_checkpoint(file).build()


def test_a_dictionary_that_holds_itself_is_no_state_dict(tmp_path):
    endless: dict[str, Any] = {}
    endless["model"] = endless
    torch.save(endless, tmp_path / "official.pth")
    with pytest.raises(CheckpointError, match="state dict"):
        read_checkpoint(tmp_path / "official.pth")


@pytest.mark.parametrize("keys", [(), ("model",), ("state_dict",), ("model", "state_dict")])
def test_unknown_entries_of_an_official_file_are_named(tmp_path, keys):
    state: dict[str, Any] = {"module.backbone.strange": torch.zeros(1)}
    for key in keys:
        state = {key: state, "epoch": 3}
    torch.save(state, tmp_path / "official.pth")
    with pytest.raises(CheckpointError, match=r"module\.backbone\.strange"):
        read_checkpoint(tmp_path / "official.pth")


def test_what_is_missing_is_told_beside_unknown_entries(tmp_path):
    torch.save({"backbone.strange": torch.zeros(1)}, tmp_path / "official.pth")
    with pytest.raises(CheckpointError, match=r"missing \(\d+\)"):
        read_checkpoint(tmp_path / "official.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(checkpoint, value):
    damaged = with_weights(checkpoint, **{NAME: torch.full_like(checkpoint.weights[NAME], value)})
    with pytest.raises(CheckpointError, match=f"NaN or infinite, such as {NAME}"):
        damaged.build()


@pytest.mark.filterwarnings("error")
def test_a_refused_file_is_no_occasion_for_warnings(tmp_path):
    pickled({"model": Malicious(tmp_path / "marker")}, tmp_path / "official.pth")
    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "official.pth")


def run(command: Any, *arguments: Any) -> Any:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("source", ["text", "incomplete", "missing"])
def test_a_failed_conversion_writes_nothing(checkpoint, tmp_path, source):
    target, path = tmp_path / "new.safetensors", tmp_path / "old.safetensors"
    if source == "text":
        path.write_text("no checkpoint")
    if source == "incomplete":
        save_checkpoint(path, with_weights(checkpoint, **{NAME: None}))
    assert isinstance(run(checkpoints.convert, path, target).exception, CheckpointError)
    assert not target.exists()


def test_a_conversion_does_not_overwrite(file, tmp_path):
    target = tmp_path / "there.safetensors"
    target.write_text("kept")
    assert isinstance(run(checkpoints.convert, file, target).exception, OutputFileError)
    assert target.read_text() == "kept"


def test_a_conversion_overwrites_when_told_to(checkpoint, file, tmp_path):
    target = tmp_path / "there.safetensors"
    target.write_text("old")
    assert run(checkpoints.convert, file, target, "--overwrite").exception is None
    assert read_checkpoint(target).card == checkpoint.card


def test_a_conversion_to_another_kind_of_file_is_refused(file, tmp_path):
    error = run(checkpoints.convert, file, tmp_path / "new.pth").exception
    assert isinstance(error, KPrismError)
    assert not (tmp_path / "new.pth").exists()


@pytest.mark.parametrize(
    "words", ["liver", "small", "a note", "MIT", "made up", "quantise", "dice", "By modality: not measured"]
)
def test_info_tells(file, words, monkeypatch):
    monkeypatch.setattr(checkpoints, "Console", lambda: Console(width=200))
    assert words in run(checkpoints.info, file).output


def test_info_takes_the_name_of_a_shipped_model():
    assert "kprism-small" in run(checkpoints.info, "kprism-small").output


@pytest.mark.parametrize("zoom", [None, Zoom(margin=1.75)])
def test_info_tells_how_far_clicks_zoom(checkpoint, tmp_path, zoom):
    save_checkpoint(tmp_path / "m.safetensors", replace(checkpoint, zoom=zoom))
    assert ("1.75" in run(checkpoints.info, tmp_path / "m.safetensors").output) == (zoom is not None)
