"""The network as a whole: every combination of prompts, and what must or must not change its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ClickSet, Prompts, ReferenceFeatures
from Testing.Core.tiny import TINY

KINDS = ("class", "class clicks", "clicks", "references", "references clicks", "class references",
         "class references clicks")  # fmt: skip
MODES = [f"{kinds}{more}" for kinds in KINDS for more in ("", " previous")]
SIDE = TINY.input_size


def network_of(config: KPrismConfig, seed: int = 0) -> KPrism:
    torch.manual_seed(seed)
    return KPrism(config).for_inference()


@pytest.fixture(scope="module")
def network() -> KPrism:
    return network_of(TINY)


@pytest.fixture(scope="module")
def authors_network() -> KPrism:
    return network_of(replace(TINY, authors_rules=True))


def made_up(mode: str, batch: int = 1, side: int = SIDE, references: int = 2) -> dict[str, Any]:
    """Inputs of all the kinds in `mode`, beside the image; samples are independent of the batch's size."""
    generators = [torch.Generator().manual_seed(100 + sample) for sample in range(batch)]

    def noise(*shape: int) -> Tensor:
        return torch.stack([torch.rand(shape, generator=generator) for generator in generators])

    everything = {
        "image": noise(3, side, side),
        "class": (1 + noise() * TINY.classes).long(),
        "points": (noise(4, 2) * (side - 1)).round(),
        "labels": torch.tensor([[1, 0, 1, 0], [0, 1, -1, -1], [1, -1, -1, -1]])[:batch],
        "images": noise(references, 3, side, side),
        "masks": (noise(references, 1, side, side) > 0.5).float(),
        "previous": noise(1, side, side),
    }
    names = {"clicks": ("points", "labels"), "references": ("images", "masks")}
    wanted = ["image", *(name for word in mode.split() for name in names.get(word, (word,)))]
    return {name: everything[name] for name in wanted}


def prompts_of(network: KPrism, given: dict[str, Any]) -> Prompts:
    clicks = ClickSet(given["points"], given["labels"], given.get("rounds")) if "points" in given else None
    shown = network.encode_references(given["images"], given["masks"]) if "images" in given else None
    return Prompts(given.get("class"), clicks, shown, given.get("previous"))


def answer(network: KPrism, given: dict[str, Any]) -> list[Tensor]:
    with torch.inference_mode():
        return network.decode(network.encode_image(given["image"]), prompts_of(network, given))


def largest_difference(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_any_prompts_give_finite_logits_of_every_layer(network, mode, batch):
    outputs = answer(network, made_up(mode, batch))
    assert [tuple(x.shape) for x in outputs] == [(batch, 1, side, side) for side in (4, 8, 16, 32)]
    assert all(bool(x.isfinite().all()) for x in outputs)


@pytest.mark.parametrize("count", range(1, 10))
def test_one_to_nine_references_give_finite_logits(network, count):
    outputs = answer(network, made_up("references", references=count))
    assert all(bool(x.isfinite().all()) for x in outputs)


CHANGES = {
    "the image": ("image", lambda x: x.flip(-1)),
    "the class": ("class", lambda x: x % TINY.classes + 1),
    "a click's place": ("points", lambda x: torch.cat(((x[:, :1] + 24) % SIDE, x[:, 1:]), 1)),
    "a click's polarity": ("labels", lambda x: torch.cat((1 - x[:, :1], x[:, 1:]), 1)),
    "a reference's mask": ("masks", lambda x: torch.cat((1 - x[:, :1], x[:, 1:]), 1)),
    "a reference's image": ("images", lambda x: torch.cat((4 * x[:, :1], x[:, 1:]), 1)),
    "the previous mask": ("previous", lambda x: 1 - x),
}


@pytest.mark.parametrize(
    ("change", "mode"),
    [(change, mode) for change, (name, _) in CHANGES.items() for mode in MODES if name in made_up(mode)],
)
def test_the_answer_depends_on(network, change, mode):
    name, changed = CHANGES[change]
    given = made_up(mode)
    other = {**given, name: changed(given[name])}
    assert float((answer(network, given)[-1] - answer(network, other)[-1]).abs().max()) > 1e-4


@pytest.mark.parametrize("rules", ["network", "authors_network"])
@pytest.mark.parametrize("mode", MODES)
def test_a_batch_is_its_samples_one_by_one(request, rules, mode):
    network = request.getfixturevalue(rules)
    given = made_up(mode, batch=3)
    together = answer(network, given)
    for sample in range(3):
        alone = answer(network, {name: value[sample : sample + 1] for name, value in given.items()})
        assert largest_difference([x[sample : sample + 1] for x in together], alone) <= 2e-5


@pytest.mark.parametrize("rules", ["network", "authors_network"])
@pytest.mark.parametrize("mode", [mode for mode in MODES if "clicks" in mode])
def test_absent_clicks_change_nothing(request, rules, mode):
    network = request.getfixturevalue(rules)
    given = {**made_up(mode), "rounds": torch.tensor([4])}
    padded = {
        **given,
        "points": torch.cat((torch.full((1, 2, 2), 30.0), given["points"], torch.zeros(1, 1, 2)), 1),
        "labels": torch.nn.functional.pad(given["labels"], (2, 1), value=-1),
    }
    assert largest_difference(answer(network, given), answer(network, padded)) <= 2e-5


@pytest.mark.parametrize("mode", [mode for mode in MODES if "clicks" in mode])
def test_the_order_of_clicks_does_not_matter(network, mode):
    given = made_up(mode)
    turned = {**given, "points": given["points"].flip(1), "labels": given["labels"].flip(1)}
    assert largest_difference(answer(network, given), answer(network, turned)) <= 2e-5


@pytest.mark.parametrize("mode", [mode for mode in MODES if "references" in mode])
def test_the_order_of_references_does_not_matter(network, mode):
    given = made_up(mode, references=3)
    turned = {**given, "images": given["images"].flip(1), "masks": given["masks"].flip(1)}
    assert largest_difference(answer(network, given), answer(network, turned)) <= 2e-5


def test_references_encoded_one_by_one_are_those_encoded_together(network):
    given = made_up("references", references=3)
    with torch.inference_mode():
        together = network.encode_references(given["images"], given["masks"])
        parts = [
            network.encode_references(given["images"][:, i : i + 1], given["masks"][:, i : i + 1])
            for i in range(3)
        ]
    joined = ReferenceFeatures.concatenate(parts)
    assert largest_difference([joined.keys, joined.values], [together.keys, together.values]) <= 2e-5
    assert largest_difference([joined.summaries], [together.summaries]) <= 2e-5


def test_features_read_out_beforehand_give_the_same_answer(network):
    given = made_up("references clicks")
    with torch.inference_mode():
        prompts, features = prompts_of(network, given), network.encode_image(given["image"])
        matched = network.with_references(features, prompts.references)
        early = network.decode(matched, replace(prompts, references=None))
    assert largest_difference(early, answer(network, given)) == 0


def test_decoding_does_not_change_the_features(network):
    given = made_up("clicks previous")
    with torch.inference_mode():
        features = network.encode_image(given["image"])
        first = network.decode(features, prompts_of(network, given))
        second = network.decode(features, prompts_of(network, given))
    assert largest_difference(first, second) == 0


def test_a_prediction_leaves_the_weights_alone(authors_network):
    before = {name: value.clone() for name, value in authors_network.state_dict().items()}
    answer(authors_network, made_up("class references clicks previous"))
    assert all(torch.equal(value, before[name]) for name, value in authors_network.state_dict().items())


FINE_STRIDES = {"strides": (8, 4, 2), "layers": 6}


@pytest.mark.parametrize(
    ("changes", "sides"),
    [
        ({"input_size": 128}, [8, 16, 32, 64]),
        ({"input_size": 192}, [12, 24, 48, 96]),
        ({**FINE_STRIDES}, [8, 16, 32, 8, 16, 32, 32]),
        ({**FINE_STRIDES, "fine_head_channels": 0, "input_size": 96}, [12, 24, 48, 12, 24, 48]),
        ({"strides": (16, 4), "layers": 2}, [4, 16, 32]),
        ({"strides": (8,), "layers": 2}, [8, 8, 32]),
    ],
)
def test_other_sizes_and_strides_work(changes, sides):
    config = replace(TINY, **changes)
    outputs = answer(network_of(config), made_up("class references clicks previous", side=config.input_size))
    assert [x.shape[-1] for x in outputs] == sides
    assert all(bool(x.isfinite().all()) for x in outputs)


@pytest.mark.parametrize("folding", [True, False])
def test_training_and_evaluation_agree_without_dropout_and_batch_statistics(folding):
    network, given = network_of(TINY), made_up("class clicks previous")
    for layer in network.layers:
        layer.query_attention.use_folding = layer.pixel_attention.use_folding = folding
    wanted = answer(network, given)
    with_gradient = network.decode(network.encode_image(given["image"]), prompts_of(network, given))
    assert largest_difference([x.detach() for x in with_gradient], wanted) <= 1e-4


# the map of an empty prompt is almost constant, so that normalisation makes much of its rounding
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 0.05), (torch.float16, 0.05), (torch.bfloat16, 0.2)]
)
@pytest.mark.parametrize("mode", ["class", "references", "class references clicks previous"])
def test_other_kinds_of_numbers_give_the_answer_of_float32(dtype, tolerance, mode):
    config = replace(TINY, reference_joins=True, finer_read_out=True)
    wanted = answer(network_of(config), made_up(mode))
    found = answer(network_of(config).to(dtype), made_up(mode))
    assert {x.dtype for x in found} == {dtype}
    # behind the first layer, masks that random weights leave at one half turn with any rounding
    assert largest_difference([found[0].float()], wanted[:1]) <= tolerance
