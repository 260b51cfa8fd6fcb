"""The network's blocks against their formulas: norms, convolutions, position codes, click maps and masks."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.decoder import blocked_pixels, mask_for_layer
from KPrismCore.network.layers import (
    DepthwiseConv,
    GroupNorm,
    PointwiseConv,
    relative_position_index,
    sine_positions,
)
from KPrismCore.network.prompt_encoder import ClickEncoder, Tokens, click_map
from KPrismCore.network.prompts import ClickSet
from KPrismCore.network.reference_encoder import ObjectSummarizer, read_out
from Testing.Core.tiny import TINY


@pytest.fixture
def norm() -> GroupNorm:
    torch.manual_seed(0)
    module = GroupNorm(4, 16)
    torch.nn.init.normal_(module.weight)
    torch.nn.init.normal_(module.bias)
    return module


def exact(norm: GroupNorm, x: Tensor) -> Tensor:
    weight, bias = norm.weight.detach().double(), norm.bias.detach().double()
    return functional.group_norm(x.double(), norm.num_groups, weight, bias, norm.eps).float()


# deviation around one, and the difference that rounding alone makes to planar memory too
MAPS = [(1.0, 1e-5), (0.1, 1e-5), (1e-2, 5e-5), (1e-3, 3e-4), (0.0, 3e-4)]


@pytest.mark.parametrize(("deviation", "allowed"), MAPS)
def test_group_norm_is_exact_on_channels_last_memory(norm, deviation, allowed):
    x = (1 + deviation * torch.randn(2, 16, 96, 64)).contiguous(memory_format=torch.channels_last)
    wanted = exact(norm, x)
    with torch.no_grad():
        found = norm(x)  # overwrites x
    assert (found - wanted).abs().max() <= allowed


def test_a_beginning_unlike_the_rest_does_not_spoil_the_variance(norm):
    x = 50 + 0.1 * torch.randn(1, 16, 256, 512)
    x[:, :, :16] -= 50
    x = x.contiguous(memory_format=torch.channels_last)
    wanted = exact(norm, x)
    with torch.no_grad():
        found = norm(x)  # overwrites x
    assert (found - wanted).abs().max() <= 1e-5


def test_group_norm_with_gradients_is_that_of_torch(norm):
    x = torch.randn(2, 16, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.equal(norm(x), functional.group_norm(x.contiguous(), 4, norm.weight, norm.bias))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("gradients", [False, True])
def test_group_norm_keeps_the_memory_format(norm, layout, gradients):
    x = torch.randn(2, 16, 6, 8).contiguous(memory_format=layout)
    with torch.set_grad_enabled(gradients):
        assert norm(x).is_contiguous(memory_format=layout)


def test_group_norm_keeps_its_precision_in_half_precision(norm):
    x = (3 + torch.randn(2, 16, 32, 32)).bfloat16().contiguous(memory_format=torch.channels_last)
    wanted = exact(norm, x)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = norm(x)
    torch.testing.assert_close(found.float(), wanted, rtol=2**-8, atol=1e-3)  # one rounding


@pytest.mark.parametrize("bias", [True, False])
def test_a_pointwise_convolution_is_a_1x1_convolution(bias):
    module, x = PointwiseConv(5, 7, bias), torch.randn(2, 5, 6, 4)
    wanted = functional.conv2d(x, module.weight, module.bias)
    torch.testing.assert_close(module(x), wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@torch.inference_mode()
def test_a_large_pointwise_convolution_is_one_too(layout):
    module, x = PointwiseConv(70, 65), torch.randn(2, 70, 31, 33).contiguous(memory_format=layout)
    wanted = functional.conv2d(x.double(), module.weight.double(), module.bias.double())
    torch.testing.assert_close(module(x).double(), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("autocast", [False, True])
def test_a_depthwise_convolution_keeps_single_precision_on_the_processor(autocast):
    module, x = DepthwiseConv(6, 5), torch.randn(2, 6, 9, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = module(x)
    expected = torch.stack(
        [functional.conv2d(x[:, n : n + 1], module.weight[n : n + 1], padding=2)[:, 0] for n in range(6)], 1
    )
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected + module.bias[:, None, None])


def test_relative_positions_index_the_bias_table_by_row_and_column_distance():
    grid, index = 3, relative_position_index(3)
    for one in range(grid**2):
        for other in range(grid**2):
            (y1, x1), (y2, x2) = divmod(one, grid), divmod(other, grid)
            assert index[one, other] == (y1 - y2 + 2) * 5 + (x1 - x2 + 2)


@pytest.mark.parametrize(
    ("row", "column", "channel"), [(0, 0, 0), (2, 4, 1), (1, 3, 6), (2, 0, 9), (0, 4, 15)]
)
def test_sine_positions_follow_the_formula(row, column, channel):
    height, width, channels = 3, 5, 16
    place, length = (row, height) if channel < channels // 2 else (column, width)
    i = channel % (channels // 2)
    angle = (place + 1) / (length + 1e-6) * 2 * math.pi / 10000 ** (2 * (i // 2) / (channels // 2))
    wanted = math.sin(angle) if i % 2 == 0 else math.cos(angle)
    found = sine_positions(height, width, channels, torch.device("cpu"))[0, row * width + column, channel]
    assert float(found) == pytest.approx(wanted, abs=1e-5)


def clicks(*places: tuple[float, float, int]) -> ClickSet:
    return ClickSet(torch.tensor([[(r, c) for r, c, _ in places]]), torch.tensor([[s for _, _, s in places]]))


def drawn(*places: tuple[float, float, int], radius: int = 1, previous: Tensor | None = None) -> Tensor:
    return click_map(clicks(*places) if places else None, previous, 1, torch.zeros(1), 16, radius)[0]


def marked(plane: Tensor) -> set[tuple[int, int]]:
    return {(row, column) for row, column in plane.nonzero().tolist()}


@pytest.mark.parametrize(
    ("row", "column", "pixels"),
    [
        (5, 9, {(5, 9), (4, 9), (6, 9), (5, 8), (5, 10)}),
        (0, 0, {(0, 0), (1, 0), (0, 1)}),
        (15, 15, {(15, 15), (14, 15), (15, 14)}),
        (0, 15, {(0, 15), (1, 15), (0, 14)}),
    ],
)
def test_a_click_of_radius_one_is_a_plus_cut_at_the_border(row, column, pixels):
    assert marked(drawn((row, column, 1))[0]) == pixels


def test_a_click_of_radius_two_has_13_pixels():
    assert len(marked(drawn((8, 8, 1), radius=2)[0])) == 13


def test_positive_and_negative_clicks_have_their_own_channels():
    maps = drawn((2, 2, 1), (12, 12, 0), radius=0)
    assert [marked(plane) for plane in maps[:2]] == [{(2, 2)}, {(12, 12)}]


def test_an_absent_click_is_not_drawn():
    assert not drawn((2, 2, -1)).any()


def test_the_previous_mask_is_the_third_channel():
    previous = torch.rand(1, 1, 16, 16)
    assert torch.equal(drawn(previous=previous)[2], previous[0, 0])


def tokens(*sides: bool, complement: bool = False) -> Tokens:
    empty = torch.zeros(1, len(sides), 4)
    flags = torch.full((len(sides),), complement)
    return Tokens(empty, empty, torch.tensor([sides]), torch.ones(1, len(sides)), flags)


PROBABILITY = torch.tensor([[[[0.2, 0.5], [0.6, 0.9]]]])


@pytest.mark.parametrize(
    ("foreground", "complement", "blocked"),
    [
        (True, False, [True, False, False, False]),
        (False, False, [False, False, True, True]),
        (False, True, [False, True, True, True]),
    ],
)
def test_a_token_looks_at_its_side_of_the_mask(foreground, complement, blocked):
    found = blocked_pixels(PROBABILITY, tokens(foreground, complement=complement))
    assert found[0, 0].tolist() == blocked


@pytest.mark.parametrize(("token", "probability"), [(0, 0.1), (1, 0.9)])
def test_a_token_with_nothing_left_looks_everywhere(token, probability):
    found = blocked_pixels(torch.full((1, 1, 2, 2), probability), tokens(True, False))
    assert not found[0, token].any()


def test_masks_of_clicks_alone_are_binary_before_they_are_resized():
    logits = torch.tensor([[[[-9.0, 1.0], [1.0, 1.0]]]])
    assert float(mask_for_layer(logits, 1, binary_first=True)) == 0.75
    assert float(mask_for_layer(logits, 1, binary_first=False)) == pytest.approx(1 / (1 + math.exp(1.5)))


@pytest.fixture
def level_tokens() -> list[Tensor]:
    """Row-major cell numbers of grids of 4, 8 and 16 cells a side."""
    return [torch.arange(1.0, side**2 + 1)[None, :, None] for side in TINY.grids]


def content(place: tuple[float, float], tokens: Tensor, level: int, config: KPrismConfig = TINY) -> float:
    encoder = ClickEncoder(config)
    return float(encoder.content(clicks((*place, 1)), tokens, level))


def test_on_the_coarsest_level_a_click_takes_its_cell(level_tokens):
    assert content((17.0, 33.0), level_tokens[0], 0) == 4 * 1 + 2 + 1


def test_on_finer_levels_a_click_takes_the_mean_around_its_cell(level_tokens):
    assert content((17.0, 33.0), level_tokens[1], 1) == 8 * 2 + 4 + 1


def test_at_the_border_only_cells_inside_count(level_tokens):
    assert content((0.0, 0.0), level_tokens[1], 1) == pytest.approx((1 + 2 + 9 + 10) / 4)


def test_the_last_pixel_has_the_last_cell(level_tokens):
    assert content((63.0, 63.0), level_tokens[0], 0) == 16


def test_by_the_rules_of_the_authors_the_last_pixel_rounds_out_of_the_grid(level_tokens):
    assert content((63.0, 63.0), level_tokens[0], 0, replace(TINY, authors_rules=True)) == 0


@pytest.mark.parametrize(("authors", "expected"), [(True, 88 / 9), (False, 0)])
def test_by_the_authors_rules_a_cell_that_adds_up_to_0_takes_the_mean_around_it(
    level_tokens, authors, expected
):
    level_tokens[0][0, 10] = 0  # what is left around it adds up to 88
    found = content((32.0, 32.0), level_tokens[0], 0, replace(TINY, authors_rules=authors))
    assert found == pytest.approx(expected)


def test_the_read_out_is_the_softmax_of_squared_distances():
    torch.manual_seed(0)
    query, keys, values = torch.randn(1, 6, 2, 3), torch.randn(1, 2, 6, 2, 3), torch.randn(1, 2, 5, 2, 3)
    k, v = (x[0].permute(0, 2, 3, 1).flatten(0, 2) for x in (keys, values))
    q = query[0].flatten(1).T
    # the query's own length is the same for every key
    weights = (-(q[:, None] - k).square().sum(-1) / math.sqrt(6)).softmax(-1)
    found = read_out(query, keys, values)[0].flatten(1).T
    torch.testing.assert_close(found, weights @ v, atol=1e-5, rtol=1e-4)


def test_an_empty_reference_has_zero_foreground_summaries():
    maps = [torch.randn(1, channels, side, side) for channels, side in ((16, 4), (16, 8), (8, 16))]
    found = ObjectSummarizer(TINY)(maps, torch.zeros(1, 1, 64, 64))
    assert not found[:, :, :3].any()
    assert found[:, :, 3:].any(-1).all()
