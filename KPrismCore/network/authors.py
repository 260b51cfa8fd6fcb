"""The authors' state dict and ours: a key map, and the entries that take no part. Spec section 12."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from KPrismCore.errors import CheckpointError
from KPrismCore.network.config import KPrismConfig

CLICK_MLP_SEED = 20260101

_PIXELS, _PREDICTOR = r"sem_seg_head\.pixel_decoder\.", r"sem_seg_head\.predictor\."
_BLOCK = (
    ("bn1", "norm1"),
    ("bn2", "norm2"),
    ("shortcut.0", "shortcut_norm"),
    ("shortcut.2", "shortcut_conv"),
)
_LAYER = _PREDICTOR + r"transformer_%s_layers\.(\d+)\."

# in the order of the authors' state dict; the first pattern that matches the whole key counts
RULES: tuple[tuple[str, str], ...] = (
    (r"backbone\.inc\.(\d)\.(.*)", r"encoder.stem.\1.\2"),
    (r"backbone\.down(\d)\.blocks\.0\.(.*)", r"encoder.stages.<\1>.0.\2"),
    (
        r"backbone\.down(\d)\.blocks\.1\.attn\.relative_position_encoding\.relative_position_bias_table",
        r"encoder.stages.<\1>.1.attention.bias_table",
    ),
    (r"backbone\.down(\d)\.blocks\.1\.attn\.(to_.*)", r"encoder.stages.<\1>.1.attention.\2"),
    (r"backbone\.down(\d)\.blocks\.1\.(.*)", r"encoder.stages.<\1>.1.\2"),
    (r"mask_encoder\.inc\.(\d)\.(.*)", r"mask_encoder.stem.\1.\2"),
    (r"mask_encoder\.down(\d)\.conv\.1\.(.*)", r"mask_encoder.stages.<\1>.\2"),
    (_PIXELS + r"input_proj\.(\d\.[01]\.\w+)", r"projections.\1"),
    (_PIXELS + r"mask_downsampler\.down(\d)\.(.*)", r"prompt_maps.stages.<\1>.\2"),
    (
        _PREDICTOR + r"point_embed_encoder\.pe_layer\.positional_encoding_gaussian_matrix",
        r"click_encoder.gaussian",
    ),
    (_PREDICTOR + r"point_embed_encoder\.point_embeddings\.0\.weight", r"click_encoder.negative.weight"),
    (_PREDICTOR + r"point_embed_encoder\.point_embeddings\.1\.weight", r"click_encoder.positive.weight"),
    (_PREDICTOR + r"point_embed_encoder\.not_a_point_embed\.weight", r"click_encoder.dummy.weight"),
    (r"click_mlp\.(.*)", r"click_encoder.mlp.\1"),
    (_LAYER % "self_attention" + r"self_attn\.in_proj_(\w+)", r"layers.\1.self_attention.in_\2"),
    (_LAYER % "self_attention" + r"self_attn\.out_proj\.(\w+)", r"layers.\1.self_attention.out.\2"),
    (_LAYER % "self_attention" + r"norm\.(\w+)", r"layers.\1.self_attention.norm.\2"),
    (_LAYER % "cross_attention" + r"(.*)", r"layers.\1.query_attention.\2"),
    (_LAYER % "feature_query_cross_attention" + r"(.*)", r"layers.\1.pixel_attention.\2"),
    (_LAYER % "ffn" + r"(.*)", r"layers.\1.ffn.\2"),
    (_LAYER % "pixel_ffn" + r"conv\.conv1\.(\w+)", r"layers.\1.pixel_block.residual.1.\2"),
    (_LAYER % "pixel_ffn" + r"conv\.conv2\.(\w+)", r"layers.\1.pixel_block.residual.3.\2"),
    (_LAYER % "pixel_ffn" + r"conv\.conv\.weight", r"layers.\1.pixel_block.channel_mix.weight"),
    (_PREDICTOR + r"icl_query_feat\.weight", r"summary_content.weight"),
    (_PREDICTOR + r"icl_query_embed\.weight", r"summary_position.weight"),
    (_PREDICTOR + r"summary_to_query_init\.(\w+)", r"summary_to_content.\1"),
    (_PREDICTOR + r"summary_to_query_emb\.(\w+)", r"summary_to_position.\1"),
    (_PREDICTOR + r"query_feat\.weight", r"class_content.weight"),
    (_PREDICTOR + r"query_embed\.weight", r"class_position.weight"),
    (_PREDICTOR + r"level_embed\.weight", r"level_embed.weight"),
    (_PREDICTOR + r"simple_decoders\.(\d)\.initial_conv\.(\w+)", r"mask_heads.\1.first.\2"),
    (_PREDICTOR + r"simple_decoders\.(\d)\.res_blocks\.(.*)", r"mask_heads.\1.blocks.\2"),
    (_PREDICTOR + r"simple_decoders\.(\d)\.final_conv\.(\w+)", r"mask_heads.\1.last.\2"),
    (_PREDICTOR + r"sample_layer_list\.(\d)\.(?:up|down)sample\.(\w+)", r"resamplers.\1.\2"),
    (r"object_summarizer\.input_proj\.(\d)\.0\.(\w+)", r"summarizer.projections.\1.\2"),
    (r"object_summarizer\.input_proj\.(\d)\.(weight|bias)", r"summarizer.projections.\1.\2"),
    (r"object_summarizer\.feature_pred\.(.*)", r"summarizer.features.\1"),
    (r"object_summarizer\.weights_pred\.(.*)", r"summarizer.weights.\1"),
)

# stacked parameters: ours from those of the experts, in expert order
STACKS: tuple[tuple[str, str], ...] = (
    (r"experts\.(\d+)\.in_proj_weight", "in_weight"),
    (r"experts\.(\d+)\.in_proj_bias", "in_bias"),
    (r"experts\.(\d+)\.out_proj\.weight", "out_weight"),
    (r"experts\.(\d+)\.out_proj\.bias", "out_bias"),
    (r"experts\.(\d+)\.0\.weight", "weight1"),
    (r"experts\.(\d+)\.0\.bias", "bias1"),
    (r"experts\.(\d+)\.3\.weight", "weight2"),
    (r"experts\.(\d+)\.3\.bias", "bias2"),
)

# entries of an official checkpoint that no mode uses, and buffers that are computed here
IGNORED = re.compile(
    _PREDICTOR + r"(point_encoder|res_query_layer_list|mask_embed|decoder_norm)\..*"
    r"|.*\.gate_(sum|count)|.*\.relative_position_index|object_summarizer\.pos_enc\.inv_freq"
)


@dataclass
class KeyMapReport:
    """What became of the entries of an official state dict."""

    ignored: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    click_mlp_filled: bool = False


def our_key(key: str) -> str | None:
    """Our name of one of the authors' keys, with `experts.N` left in place; None where there is none."""
    for pattern, replacement in RULES:
        match = re.fullmatch(pattern, key)
        if match:
            name = re.sub(r"<(\d)>", lambda stage: str(int(stage[1]) - 1), match.expand(replacement))
            for theirs, ours in _BLOCK:
                name = name.replace(f".{theirs}.", f".{ours}.")
            return name.replace(".gating_network.", ".gate.").replace(".norm_module.", ".norm.")
    return None


def from_authors(state: Mapping[str, Tensor], config: KPrismConfig) -> tuple[dict[str, Tensor], KeyMapReport]:
    """The authors' state dict in our names, experts stacked; the click MLP filled where it is missing.

    The authors' code draws a new random click MLP at every call (spec section 20.1). A checkpoint of
    theirs therefore has none, and ours is filled with the same default initial values from a fixed seed.

    Raises:
        CheckpointError: an expert is missing or has another shape than the others.
    """
    result: dict[str, Tensor] = {}
    experts: dict[str, dict[int, Tensor]] = {}
    report = KeyMapReport()
    for original, value in state.items():
        key = original.removeprefix("module.")
        name = None if IGNORED.fullmatch(key) else our_key(key)
        if name is None:
            (report.ignored if IGNORED.fullmatch(key) else report.unexpected).append(original)
            continue
        stacked = _stacked_name(name)
        if stacked is None:
            result[name] = value
        else:
            experts.setdefault(stacked[0], {})[stacked[1]] = value
    for name, parts in experts.items():
        result[name] = _stack(name, parts)
    if "click_encoder.mlp.0.weight" not in result:
        result.update(_default_click_mlp(config))
        report.click_mlp_filled = True
    return result, report


def _stack(name: str, parts: Mapping[int, Tensor]) -> Tensor:
    shapes = {tuple(part.shape) for part in parts.values()}
    if len(shapes) > 1 or sorted(parts) != list(range(len(parts))):
        raise CheckpointError(
            f"The experts of {name} are not all there, or not all of one shape.", "Use another checkpoint."
        )
    return torch.stack([parts[index] for index in range(len(parts))])


def _stacked_name(name: str) -> tuple[str, int] | None:
    for pattern, ours in STACKS:
        match = re.fullmatch(r"(.*\.)" + pattern, name)
        if match:
            return match[1] + ours, int(match[2])
    return None


def _default_click_mlp(config: KPrismConfig) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(CLICK_MLP_SEED)
        layers = nn.Linear(config.width, config.click_hidden), nn.Linear(config.click_hidden, config.width)
    named = zip((0, 2), layers, strict=True)
    return {
        f"click_encoder.mlp.{index}.{name}": value.detach()
        for index, layer in named
        for name, value in layer.state_dict().items()
    }
