"""Large weights can be kept as 8-bit numbers: small files, and hardly another network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import CLASSES, TINY

from KPrismCore.catalogue import load_catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard, read_checkpoint, read_metadata, save_checkpoint
from KPrismCore.errors import CheckpointError
from KPrismCore.network.kprism import KPrism
from KPrismCore.preprocess import Preprocessing
from KPrismCore.storage import SCALE_ENDING, packed, unpacked

SHAPES = {"convolution": (64, 48, 3, 3), "matrix": (96, 128), "experts": (3, 64, 96)}


def weights(kind: str) -> torch.Tensor:
    """Weights whose rows are of very different sizes."""
    values = torch.randn(SHAPES[kind], generator=torch.Generator().manual_seed(0))
    sizes = torch.logspace(-3, 1, SHAPES[kind][-1] if kind == "matrix" else SHAPES[kind][0])
    return values * (sizes if kind == "matrix" else sizes.view(-1, *[1] * (values.ndim - 1)))


@pytest.mark.parametrize("kind", SHAPES)
def test_no_weight_moves_by_more_than_half_a_level_of_its_row(kind):
    value = weights(kind)
    error = (unpacked(packed({"w": value}))["w"] - value).abs()
    row = value.flatten(2 if value.ndim == 3 else 1).abs().amax(-1) / 127
    assert (error <= 0.5001 * row.view(*row.shape, *[1] * (value.ndim - row.ndim))).all()


def test_packing_again_gives_the_same_numbers():
    once = packed({name: weights(name) for name in SHAPES})
    again = packed(unpacked(once))
    assert once.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in once.items())


def test_a_row_of_zeros_stays_zero():
    value = weights("matrix")
    value[3] = 0
    assert not unpacked(packed({"w": value}))["w"][3].any()


@pytest.mark.parametrize(
    "value",
    [
        torch.rand(20000),
        torch.rand(8, 8),
        torch.arange(20000).view(100, 200),
        torch.full((100, 200), torch.inf),
    ],
    ids=["a vector", "a small matrix", "whole numbers", "not finite"],
)
def test_what_does_not_suit_stays_as_it_is(value):
    kept = packed({"w": value})
    assert list(kept) == ["w"]
    assert torch.equal(kept["w"], value)


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    config = replace(TINY, encoder_channels=(8, 16, 32, 48, 64))
    values = KPrism(config).state_dict()
    return Checkpoint(
        config, values, load_catalogue(CLASSES), Preprocessing(), ModelCard(name="tiny"), eight_bit=True
    )


def test_a_file_of_8_bit_weights_builds_nearly_the_same_network(checkpoint, tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", checkpoint)
    found = read_checkpoint(tmp_path / "m.safetensors")
    assert {value.dtype for value in found.weights.values()} <= {torch.float32, torch.int64}
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = (one.build().encode_image(image).levels[0] for one in (found, checkpoint))
    assert not torch.equal(ours, theirs)
    assert (ours - theirs).square().mean() < 1e-3 * theirs.square().mean()


def test_a_checkpoint_read_and_written_again_keeps_its_numbers(checkpoint, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_checkpoint(one, checkpoint)
    save_checkpoint(two, read_checkpoint(one))
    first, second = load_file(one), load_file(two)
    assert any(value.dtype == torch.int8 for value in first.values())
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_only_files_with_8_bit_weights_ask_for_a_newer_version(checkpoint, tmp_path):
    versions = []
    for eight_bit in (False, True):
        save_checkpoint(tmp_path / "m.safetensors", replace(checkpoint, eight_bit=eight_bit))
        versions.append(read_metadata(tmp_path / "m.safetensors")["format_version"])
    assert versions == [1, 2]


def test_queries_of_classes_stay_as_they_are_however_many_there_are():
    queries = {"class_content.weight": torch.randn(200, 96)}
    assert torch.equal(packed(queries)["class_content.weight"], queries["class_content.weight"])


@pytest.mark.parametrize("damage", ["no scale", "no weight", "a short scale"])
def test_scales_that_do_not_fit_are_an_error(checkpoint, tmp_path, damage):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, checkpoint)
    found = load_file(path)
    scale = next(name for name in found if name.endswith(SCALE_ENDING))
    if damage == "no scale":
        del found[scale]
    elif damage == "no weight":
        del found[scale.removesuffix(SCALE_ENDING)]
    else:
        found[scale] = found[scale][:-1].clone()
    described = {f"kprism.{k}": v for k, v in _texts(path).items()}
    save_file(found, path, metadata=described)
    with pytest.raises(CheckpointError, match="scales"):
        read_checkpoint(path)


def _texts(path: Path) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in read_metadata(path).items()}
