"""The authors' state dict becomes ours, entry by entry, and nothing is dropped in silence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from KPrismCore.errors import CheckpointError
from KPrismCore.network.authors import IGNORED, from_authors, our_key
from KPrismCore.network.config import AUTHORS
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.recipe import golden_state, read_manifest

MANIFEST = Path(__file__).parents[3] / "shared" / "network" / "state_dict_manifest.json"
SMALL_AUTHORS = replace(
    AUTHORS,
    input_size=128,
    encoder_channels=(4, 4, 8, 8, 8),
    prompt_channels=(16,) * 4,
    norm_groups=4,
    width=16,
    experts=3,
    heads=4,
    ffn_width=16,
    mask_head_channels=4,
    classes=5,
    click_hidden=8,
)

PIXELS, PREDICTOR = "sem_seg_head.pixel_decoder", "sem_seg_head.predictor"
LAYERS = PREDICTOR + ".transformer"
POINTS = PREDICTOR + ".point_embed_encoder"
# ours to theirs, written from the list of their entries
THEIR_NAMES = (
    (r"(mask_)?encoder\.stem\.(\d)", r"\1encoder.inc.\2"),
    (r"^encoder\.stages\.(\d)\.([01])", r"encoder.down<\1>.blocks.\2"),
    (r"^mask_encoder\.stages\.(\d)", r"mask_encoder.down<\1>.conv.1"),
    (r"^encoder", "backbone"),
    (r"attention\.bias_table", "attn.relative_position_encoding.relative_position_bias_table"),
    (r"\.1\.attention\.to", ".1.attn.to"),
    (r"((?:backbone|mask_encoder).*)\.norm(\d)", r"\1.bn\2"),
    (r"shortcut_norm", "shortcut.0"),
    (r"shortcut_conv", "shortcut.2"),
    (r"^projections", PIXELS + ".input_proj"),
    (r"^prompt_maps\.stages\.(\d)", PIXELS + r".mask_downsampler.down<\1>"),
    (r"^click_encoder\.gaussian", POINTS + ".pe_layer.positional_encoding_gaussian_matrix"),
    (r"^click_encoder\.negative", POINTS + ".point_embeddings.0"),
    (r"^click_encoder\.positive", POINTS + ".point_embeddings.1"),
    (r"^click_encoder\.dummy", POINTS + ".not_a_point_embed"),
    (r"^click_encoder\.mlp", "click_mlp"),
    (r"^layers\.(\d)\.self_attention\.in_", LAYERS + r"_self_attention_layers.\1.self_attn.in_proj_"),
    (r"^layers\.(\d)\.self_attention\.out", LAYERS + r"_self_attention_layers.\1.self_attn.out_proj"),
    (r"^layers\.(\d)\.self_attention\.norm", LAYERS + r"_self_attention_layers.\1.norm"),
    (r"^layers\.(\d)\.query_attention", LAYERS + r"_cross_attention_layers.\1"),
    (r"^layers\.(\d)\.pixel_attention", LAYERS + r"_feature_query_cross_attention_layers.\1"),
    (r"^layers\.(\d)\.ffn", LAYERS + r"_ffn_layers.\1"),
    (r"(_layers\.\d)\.gate", r"\1.gating_network"),
    (r"((?:cross_attention|ffn)_layers\.\d)\.norm", r"\1.norm_module"),
    (r"^layers\.(\d)\.pixel_block\.residual\.1", LAYERS + r"_pixel_ffn_layers.\1.conv.conv1"),
    (r"^layers\.(\d)\.pixel_block\.residual\.3", LAYERS + r"_pixel_ffn_layers.\1.conv.conv2"),
    (r"^layers\.(\d)\.pixel_block\.channel_mix", LAYERS + r"_pixel_ffn_layers.\1.conv.conv"),
    (r"^summary_content", PREDICTOR + ".icl_query_feat"),
    (r"^summary_position", PREDICTOR + ".icl_query_embed"),
    (r"^summary_to_content", PREDICTOR + ".summary_to_query_init"),
    (r"^summary_to_position", PREDICTOR + ".summary_to_query_emb"),
    (r"^class_content", PREDICTOR + ".query_feat"),
    (r"^class_position", PREDICTOR + ".query_embed"),
    (r"^level_embed", PREDICTOR + ".level_embed"),
    (r"^mask_heads\.(\d)\.first", PREDICTOR + r".simple_decoders.\1.initial_conv"),
    (r"^mask_heads\.(\d)\.blocks", PREDICTOR + r".simple_decoders.\1.res_blocks"),
    (r"^mask_heads\.(\d)\.last", PREDICTOR + r".simple_decoders.\1.final_conv"),
    (r"^resamplers\.2", PREDICTOR + ".sample_layer_list.2.downsample"),
    (r"^resamplers\.(\d)", PREDICTOR + r".sample_layer_list.\1.upsample"),
    (r"^summarizer\.projections\.(\d)", r"object_summarizer.input_proj.\1.0"),
    (r"^summarizer\.features", "object_summarizer.feature_pred"),
    (r"^summarizer\.weights", "object_summarizer.weights_pred"),
)  # fmt: skip
EXPERT_NAMES = {"in_weight": "in_proj_weight", "in_bias": "in_proj_bias", "out_weight": "out_proj.weight",
                "out_bias": "out_proj.bias", "weight1": "0.weight", "bias1": "0.bias", "weight2": "3.weight",
                "bias2": "3.bias"}  # fmt: skip


def their_name(name: str) -> str:
    for ours, theirs in THEIR_NAMES:
        name = re.sub(ours, theirs, name)
    return re.sub(r"<(\d)>", lambda stage: str(int(stage[1]) + 1), name)


def their_state(network: KPrism) -> dict[str, Tensor]:
    """The authors' state dict of a network: one entry per expert, and entries that no mode uses."""
    state: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        layer, _, last = their_name(name).rpartition(".")
        if last in EXPERT_NAMES and "self_attention" not in layer:
            for expert, part in enumerate(value):
                state[f"{layer}.experts.{expert}.{EXPERT_NAMES[last]}"] = part
        else:
            state[f"{layer}.{last}"] = value
    state[f"{PREDICTOR}.decoder_norm.weight"] = torch.ones(3)
    state[f"{LAYERS}_cross_attention_layers.0.gate_sum"] = torch.zeros(3)
    return state


@pytest.fixture(scope="module")
def network() -> KPrism:
    torch.manual_seed(0)
    network = KPrism(SMALL_AUTHORS)
    for value in network.state_dict().values():  # zeros and ones would hide a mix-up
        value.copy_(torch.randn(value.shape) * 3)
    return network


@pytest.fixture
def official(network: KPrism) -> dict[str, Tensor]:
    return their_state(network)


@pytest.fixture(scope="module")
def manifest() -> dict:
    if not MANIFEST.is_file():
        pytest.skip("needs ../shared: the list of the authors' state dict")
    return read_manifest(MANIFEST)[0]


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_every_value_arrives_under_our_name(network, official):
    weights, _ = from_authors(official, SMALL_AUTHORS)
    assert same(weights, network.state_dict())


def test_the_prefix_of_distributed_training_is_accepted(network, official):
    weights, report = from_authors({f"module.{k}": v for k, v in official.items()}, SMALL_AUTHORS)
    assert same(weights, network.state_dict())
    assert report.unexpected == []


def test_experts_are_stacked_by_their_number_whatever_their_order(network, official):
    weights, _ = from_authors(dict(reversed(official.items())), SMALL_AUTHORS)
    assert same(weights, dict(network.state_dict()))


def test_entries_that_no_mode_uses_are_left_out_and_listed(official):
    _, report = from_authors(official, SMALL_AUTHORS)
    assert report.ignored == [
        f"{PREDICTOR}.decoder_norm.weight", f"{LAYERS}_cross_attention_layers.0.gate_sum"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["backbone.head.weight", "backbone.inc.0.extra.conv", "optimizer"])
def test_an_unknown_entry_is_not_lost(official, name):
    weights, report = from_authors({**official, f"module.{name}": torch.zeros(1)}, SMALL_AUTHORS)
    found = set(report.unexpected) | (weights.keys() - KPrism(SMALL_AUTHORS).state_dict().keys())
    assert len(found) == 1


def test_a_missing_expert_is_an_error(official):
    del official[f"{LAYERS}_ffn_layers.0.experts.1.0.weight"]
    with pytest.raises(CheckpointError, match="experts"):
        from_authors(official, SMALL_AUTHORS)


def test_experts_of_different_shapes_are_an_error(official):
    official[f"{LAYERS}_ffn_layers.0.experts.1.0.weight"] = torch.zeros(2, 2)
    with pytest.raises(CheckpointError, match="shape"):
        from_authors(official, SMALL_AUTHORS)


@pytest.fixture
def without_click_mlp(official: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in official.items() if not name.startswith("click_mlp")}


def test_a_click_mlp_in_the_file_is_kept(official):
    assert not from_authors(official, SMALL_AUTHORS)[1].click_mlp_filled


def test_a_missing_click_mlp_is_filled_and_reported(network, without_click_mlp):
    weights, report = from_authors(without_click_mlp, SMALL_AUTHORS)
    assert report.click_mlp_filled
    network.load_state_dict(weights, strict=True)


def test_the_click_mlp_is_filled_the_same_each_time(without_click_mlp):
    torch.manual_seed(1)
    one, _ = from_authors(without_click_mlp, SMALL_AUTHORS)
    torch.manual_seed(2)
    other, _ = from_authors(without_click_mlp, SMALL_AUTHORS)
    assert same(one, other)


def test_filling_the_click_mlp_leaves_the_random_numbers_alone(without_click_mlp):
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    from_authors(without_click_mlp, SMALL_AUTHORS)
    assert torch.equal(torch.rand(3), wanted)


def test_the_names_of_these_tests_are_those_of_the_authors(manifest):
    with torch.device("meta"):
        names = set(their_state(KPrism(AUTHORS)))
    listed = {entry["key"] for entry in (*manifest["keys"], *manifest["extra_keys"])}
    assert {name for name in listed if not IGNORED.fullmatch(name)} <= names
    assert names <= listed


def test_exactly_the_parameters_without_a_mode_are_left_out(manifest):
    parameters = [entry for entry in manifest["keys"] if entry["kind"] == "parameter"]
    unused = {entry["key"] for entry in parameters if not entry["modes"]}
    assert unused
    assert {entry["key"] for entry in parameters if IGNORED.fullmatch(entry["key"])} == unused


def test_every_entry_of_the_authors_has_a_place_or_is_left_out(manifest):
    names = [entry["key"] for entry in manifest["keys"]]
    assert [name for name in names if not IGNORED.fullmatch(name) and our_key(name) is None] == []


def test_golden_weights_depend_on_the_seed_and_the_name_only(manifest):
    first = {**manifest, "keys": manifest["keys"][:3], "extra_keys": []}
    alone = {**manifest, "keys": manifest["keys"][2:3], "extra_keys": []}
    name = manifest["keys"][2]["key"]
    assert torch.equal(golden_state(first, 5)[name], golden_state(alone, 5)[name])
    assert not torch.equal(golden_state(first, 5)[name], golden_state(first, 6)[name])
