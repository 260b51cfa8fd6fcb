"""The network's configuration: what is refused, what the ablation switches remove, what learns."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from KPrismCore.errors import CheckpointError
from KPrismCore.network.config import AUTHORS, FULL, SMALL, KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.moe import MoEAttention
from KPrismCore.network.prompts import ClickSet, Prompts
from Testing.Core.tiny import TINY

SWITCHES = ("moe_attention", "moe_ffn", "fusion_2d", "queries_1d")
KINDS = ("class", "clicks", "references", "class clicks", "references clicks", "class references clicks")


def network_of(config: KPrismConfig) -> KPrism:
    torch.manual_seed(0)
    return KPrism(config).for_inference()


def without(switch: str, *more: str) -> KPrism:
    return network_of(replace(TINY, **dict.fromkeys((switch, *more), False)))


def clicks(*places: tuple[float, float, int]) -> ClickSet:
    return ClickSet(torch.tensor([[p[:2] for p in places]]), torch.tensor([[int(p[2]) for p in places]]))


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def outputs(network: KPrism, image: Tensor, kinds: str) -> list[Tensor]:
    references = None
    if "references" in kinds:
        references = network.encode_references(image[:, None], (image[:, None, :1] > 0.5).float())
    prompts = Prompts(
        torch.tensor([2]) if "class" in kinds else None,
        clicks((10, 20, 1), (40, 50, 0)) if "clicks" in kinds else None,
        references,
        image[:, :1],
    )
    return network.decode(network.encode_image(image), prompts)


def answer(network: KPrism, image: Tensor, prompts: Prompts) -> Tensor:
    with torch.inference_mode():
        return network.decode(network.encode_image(image), prompts)[-1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"heads": 3}, "width and heads"),
        ({"width": 18, "norm_groups": 2, "prompt_channels": (8, 8, 8, 8)}, "width and heads"),
        ({"heads": 0}, "below one"),
        ({"classes": 0}, "below one"),
        ({"attention_grid": 0}, "below one"),
        ({"strides": ()}, "below one"),
        ({"encoder_attention": (True,)}, "encoder_attention"),
        ({"encoder_blocks": (1, 1, 0, 1)}, "^.*: encoder_blocks"),
        ({"mask_encoder_blocks": (1, 1, 1)}, "mask_encoder_blocks"),
        ({"encoder_heads": 3}, "encoder_heads"),
        ({"prompt_channels": (8, 8)}, "prompt_channels"),
        ({"norm_groups": 3}, "norm_groups"),
        ({"strides": (32, 8)}, "strides of the encoder"),
        ({"strides": (12, 8)}, "strides of the encoder"),
        ({"strides": (4, 8)}, "coarse to fine"),
        ({"input_size": 100}, "multiple"),
        ({"pixel_block": "other"}, "pixel_block"),
        ({"summaries": 5}, "summaries"),
        ({"layers": 4}, "fine head"),
    ],
)
def test_an_unusable_configuration_is_refused(changes, words):
    with pytest.raises(CheckpointError, match=words):
        replace(TINY, **changes)


@pytest.mark.parametrize(
    "values", [{"depth": 3}, {"width": "wide"}, {"strides": 8}, {"prompt_channels": [None]}]
)
def test_a_stored_configuration_with_a_wrong_field_is_refused(values):
    with pytest.raises(CheckpointError):
        KPrismConfig.from_dict({**TINY.to_dict(), **values})


@pytest.mark.parametrize("config", [FULL, AUTHORS, SMALL, TINY])
def test_a_configuration_survives_being_stored(config):
    assert KPrismConfig.from_dict(config.to_dict()) == config


def test_the_full_network_has_the_parameters_of_the_paper():
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in KPrism(FULL).parameters())
    # those that take part (spec section 12), and the click MLP
    assert count == 40_395_033 + 2 * 256 * 128 + 128 + 256


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("switch", SWITCHES)
def test_a_network_without_one_part_runs(switch, kinds, image):
    assert all(bool(x.isfinite().all()) for x in outputs(without(switch), image, kinds))


@pytest.mark.parametrize(
    ("switch", "attention", "ffn"), [("moe_attention", 1, TINY.experts), ("moe_ffn", TINY.experts, 1)]
)
def test_without_a_mixture_there_is_one_expert(switch, attention, ffn):
    layer = without(switch).layers[0]
    assert (layer.query_attention.experts, layer.ffn.weight1.shape[0]) == (attention, ffn)


def test_without_queries_the_decoder_has_no_attention_parameters():
    names = [name for name, _ in without("queries_1d").layers.named_parameters()]
    assert names
    assert not [name for name in names if "attention" in name or "ffn" in name]


def test_without_queries_the_class_has_no_effect(image):
    network = without("queries_1d")
    one, other = (answer(network, image, Prompts(class_index=torch.tensor([n]))) for n in (1, 2))
    assert torch.equal(one, other)


def test_without_queries_a_click_still_has_an_effect(image):
    network = without("queries_1d")
    one, other = (
        answer(network, image, Prompts(clicks=clicks(place))) for place in ((10, 10, 1), (50, 50, 1))
    )
    assert not torch.equal(one, other)


def test_with_fusion_the_click_map_has_an_effect(image):
    network = network_of(TINY)
    prompts = Prompts(clicks=clicks((10, 10, 1)))
    before = answer(network, image, prompts)
    torch.nn.init.normal_(network.prompt_maps.stages[0][0].weight)
    assert not torch.equal(before, answer(network, image, prompts))


def test_without_fusion_there_is_no_encoder_of_click_maps():
    assert not list(without("fusion_2d").prompt_maps.parameters())


def test_without_fusion_and_queries_a_click_has_no_effect(image):
    network = without("fusion_2d", "queries_1d")
    one, other = (
        answer(network, image, Prompts(clicks=clicks(place))) for place in ((10, 10, 1), (50, 50, 1))
    )
    assert torch.equal(one, other)


def test_without_queries_references_still_have_an_effect_by_the_read_out(image):
    network = without("queries_1d")
    with torch.inference_mode():
        masks = (image[:, None, :1] > 0.5).float()
        shown = [network.encode_references(image[:, None], mask) for mask in (masks, 1 - masks)]
    one, other = (answer(network, image, Prompts(references=references)) for references in shown)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("authors_rules", "kinds", "has_effect"),
    [(False, "class", True), (False, "class clicks", True), (False, "clicks", True), (True, "class", False),
     (True, "clicks", False)],
)  # fmt: skip
def test_without_fusion_the_previous_mask_acts_by_the_first_attention_mask(
    authors_rules, kinds, has_effect, image
):
    network = network_of(replace(TINY, fusion_2d=False, authors_rules=authors_rules))
    prompts = Prompts(
        torch.tensor([2]) if "class" in kinds else None, clicks((10, 20, 1)) if "clicks" in kinds else None
    )
    one, other = (
        answer(network, image, replace(prompts, previous=mask)) for mask in (image[:, :1], 1 - image[:, :1])
    )
    assert torch.equal(one, other) is not has_effect


def test_the_authors_take_the_sigmoid_of_the_previous_mask_next_to_a_class(image):
    network = network_of(replace(TINY, authors_rules=True))
    prompts = Prompts(torch.tensor([1]), clicks((10, 20, 1)), previous=torch.full((1, 1, 64, 64), 0.2))
    found = network._first_probability(prompts, network.encode_image(image))
    torch.testing.assert_close(found, torch.full((1, 1, 4, 4), 0.2).sigmoid())


def test_the_click_mlp_is_in_the_state_dict():
    names = {name for name in KPrism(TINY).state_dict() if name.startswith("click_encoder.mlp")}
    assert names == {f"click_encoder.mlp.{layer}.{kind}" for layer in (0, 2) for kind in ("weight", "bias")}


CLASS, CLICKS = {"class_content", "class_position"}, {"click_encoder"}
REFERENCES = {"mask_encoder", "summarizer", "summary_content", "summary_position",
              "summary_to_content", "summary_to_position"}  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "unused"),
    [
        ("class", CLICKS | REFERENCES),
        ("clicks", CLASS | REFERENCES),
        ("references", CLASS | CLICKS),
        ("class clicks", REFERENCES),
        ("references clicks", CLASS),
        ("class references clicks", set()),
    ],
)
def test_every_parameter_of_the_parts_used_gets_a_gradient(kinds, unused, image):
    network = network_of(TINY).train()
    sum(x.square().sum() for x in outputs(network, image, kinds)).backward()
    idle = {
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    expected = {name for name, _ in network.named_parameters() if name.split(".")[0] in unused}
    assert idle == expected


def test_small_networks_fold_the_attention_of_a_few_clicks():
    attention = KPrism(SMALL).layers[0].query_attention
    assert isinstance(attention, MoEAttention)
    assert attention.path(10 + 2, 32**2) == attention.fold_queries


def test_further_blocks_of_references_change_what_a_reference_says(image):
    masks = (image[:, None, :1] > 0.5).float()
    few, more = (
        network_of(replace(TINY, mask_encoder_blocks=blocks)) for blocks in ((1, 1, 1, 1), (1, 1, 2, 3))
    )
    more.load_state_dict(few.state_dict(), strict=False)
    with torch.inference_mode():
        first, second = (net.encode_references(image[:, None], masks) for net in (few, more))
    assert (first.values - second.values).abs().max() > 1e-3
    assert torch.equal(first.keys, second.keys)
