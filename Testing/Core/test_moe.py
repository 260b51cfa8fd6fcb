"""Every way through the mixture of experts gives the same numbers, and gradients, as the plain one."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from KPrismCore.network import folding
from KPrismCore.network.moe import FOLD_LIMIT, MoEAttention, MoEFeedForward, SelfAttention

WAYS = ("plain", "fold_queries", "fold_keys")
FOLDS = WAYS[1:]


@dataclass(frozen=True)
class Inputs:
    """What an attention layer is called with; the positions are leaves too."""

    x: Tensor
    position: Tensor
    memory: Tensor
    memory_position: Tensor
    blocked: Tensor | None
    key_bias: Tensor | None

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        return self.x, self.position, self.memory, self.memory_position


def random_attention(width: int, heads: int, experts: int) -> MoEAttention:
    """All parameters random, the biases too, which start from zero."""
    attention = MoEAttention(width, heads, experts)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return attention


def made_up(seed: int) -> tuple[MoEAttention, Inputs]:
    """A layer and inputs of any shape, with or without a mask and key weights, zero among them."""
    choose = random.Random(seed)
    torch.manual_seed(seed)
    heads, batch = choose.choice((1, 2, 4)), choose.randint(1, 3)
    width = heads * choose.choice((4, 8))
    queries, keys = choose.randint(1, 40), choose.randint(1, 40)
    shapes = [(batch, queries, width)] * 2 + [(batch, keys, width)] * 2
    leaves = [torch.randn(shape).requires_grad_() for shape in shapes]
    blocked, bias = None, None
    if choose.random() < 0.6:
        blocked = torch.rand(batch, queries, keys) < choose.choice((0.3, 0.95))
        blocked &= ~blocked.all(-1, keepdim=True)
    if choose.random() < 0.6:
        weight = torch.randint(0, 4, (batch, keys)).float()
        weight[:, 0] = 2.0
        bias = weight.log()
        if blocked is not None:
            blocked[..., 0] = False  # a key that stands there has to stay in sight
    return random_attention(width, heads, choose.randint(1, 4)), Inputs(*leaves, blocked, bias)


def run(attention: MoEAttention, way: str, inputs: Inputs) -> Tensor:
    """One way, whatever the lengths."""
    chosen: Callable[..., Tensor] = getattr(attention, way)
    attention.path = lambda _queries, _keys: chosen  # type: ignore[method-assign]
    return attention(*inputs.leaves, inputs.blocked, inputs.key_bias)


def gradients(attention: MoEAttention, way: str, inputs: Inputs) -> list[Tensor]:
    """Of all inputs and parameters, for a fixed random direction of the output."""
    output = run(attention, way, inputs)
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(1))
    return list(torch.autograd.grad((output * direction).sum(), [*inputs.leaves, *attention.parameters()]))


@pytest.mark.parametrize("way", FOLDS)
@pytest.mark.parametrize("seed", range(24))
def test_folding_gives_the_result_of_the_plain_way(seed, way):
    attention, inputs = made_up(seed)
    difference = run(attention, way, inputs) - run(attention, "plain", inputs)
    assert difference.abs().max() <= 1e-4


@pytest.mark.parametrize("piece", [1, 100, folding.PIECE])
@pytest.mark.parametrize("way", FOLDS)
@pytest.mark.parametrize("seed", range(24))
def test_folding_piece_by_piece_without_gradients_gives_the_result_of_the_plain_way(
    seed, way, piece, monkeypatch
):
    monkeypatch.setattr(folding, "PIECE", piece)
    attention, inputs = made_up(seed)
    with torch.inference_mode():
        difference = run(attention, way, inputs) - run(attention, "plain", inputs)
    assert difference.abs().max() <= 1e-4


def test_the_result_in_the_memory_of_the_input_is_the_same():
    attention = random_attention(16, 2, 2)
    x, position, memory = torch.randn(2, 300, 16), torch.randn(1, 300, 16), torch.randn(2, 4, 16)
    with torch.inference_mode():
        wanted = attention(x, position, memory, torch.zeros_like(memory))
        found = attention(x, position, memory, torch.zeros_like(memory), give_up=True)
    assert torch.equal(found, wanted)
    assert found.data_ptr() == x.data_ptr()


def test_an_input_that_is_not_given_up_stays():
    attention = random_attention(16, 2, 2)
    x, memory = torch.randn(2, 300, 16), torch.randn(2, 4, 16)
    before = x.clone()
    with torch.inference_mode():
        attention(x, torch.zeros(1, 300, 16), memory, torch.zeros_like(memory))
    assert torch.equal(x, before)


@pytest.mark.parametrize("way", FOLDS)
def test_folding_in_mixed_precision_without_gradients_is_near_the_plain_way(way):
    attention, inputs = made_up(1)
    with torch.inference_mode():
        wanted = run(attention, "plain", inputs)
        with torch.autocast("cpu", torch.bfloat16):
            found = run(attention, way, inputs)
    torch.testing.assert_close(found.float(), wanted, atol=0.1, rtol=0.1)


def test_logits_beyond_the_largest_exponential_give_the_result_of_the_plain_way():
    torch.manual_seed(0)
    attention = random_attention(16, 2, 2)
    x, memory = torch.randn(1, 30, 16), torch.randn(1, 4, 16)
    inputs = Inputs(x, 400 * torch.randn(1, 30, 16), memory, torch.randn(1, 4, 16), None, None)
    with torch.inference_mode():
        found, wanted = (run(attention, way, inputs) for way in ("fold_keys", "plain"))
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=1e-3)  # rounding of logits in the hundreds


def test_logits_beyond_the_exponentials_of_few_open_pixels_give_the_result_of_the_plain_way():
    torch.manual_seed(1)
    attention = random_attention(16, 2, 2)
    x, memory = torch.randn(1, 4, 16), torch.randn(1, 30, 16)
    blocked = torch.ones(1, 4, 30, dtype=torch.bool)
    for row, places in enumerate(([3], [7, 8], [1, 2, 3, 4], range(0, 30, 2))):
        blocked[0, row, list(places)] = False
    inputs = Inputs(x, 400 * torch.randn(1, 4, 16), memory, torch.randn(1, 30, 16), blocked, None)
    with torch.inference_mode():
        found, wanted = (run(attention, way, inputs) for way in ("fold_queries", "plain"))
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("scale", [20.0, 40.0, 60.0, 80.0, 100.0])
def test_large_exponentials_times_large_values_stay_finite(scale):
    torch.manual_seed(2)
    queries, x = torch.randn(4, 3, 16), 1e4 * torch.randn(200, 16)
    queries *= scale / (queries @ x.t()).amax()
    blocked = torch.zeros(3, 200, dtype=torch.bool)
    wanted = (queries @ x.t()).double().softmax(-1) @ x.double()
    found = folding.pool_open(queries, x, torch.zeros_like(x), blocked)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1.0)


@pytest.mark.parametrize("way", FOLDS)
@pytest.mark.parametrize("seed", range(24))
def test_folding_gives_the_gradients_of_the_plain_way(seed, way):
    attention, inputs = made_up(seed)
    found, wanted = (gradients(attention, name, inputs) for name in (way, "plain"))
    largest = max(float(value.abs().max()) for value in wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() <= 1e-3 * other.abs().max() + 1e-6 * largest


def test_made_up_inputs_cover_masks_and_key_weights():
    kinds = {(i.blocked is not None, i.key_bias is not None) for _, i in map(made_up, range(24))}
    assert len(kinds) == 4


def test_made_up_inputs_of_one_sample_have_masks_that_differ_between_queries():
    masks = [inputs.blocked[0] for _, inputs in map(made_up, range(24)) if inputs.blocked is not None
             and inputs.key_bias is None and len(inputs.blocked) == 1]  # fmt: skip
    assert any(len(mask.unique(dim=0)) > 1 for mask in masks)


def test_a_made_up_mask_can_leave_a_row_open_by_the_fallback():
    masks = [inputs.blocked for _, inputs in map(made_up, range(24)) if inputs.blocked is not None]
    assert any((~mask).all(-1).any() and mask.any() for mask in masks)


def multihead(attention: MoEAttention, expert: int) -> nn.MultiheadAttention:
    """Torch's attention with the weights of one expert."""
    module = nn.MultiheadAttention(attention.width, attention.heads, batch_first=True)
    names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
    stacks = (attention.in_weight, attention.in_bias, attention.out_weight, attention.out_bias)
    module.load_state_dict({name: stack[expert] for name, stack in zip(names, stacks, strict=True)})
    return module


@pytest.mark.parametrize("seed", range(6))
def test_the_plain_way_is_the_gated_sum_of_torch_attentions(seed):
    attention, inputs = made_up(seed)
    gates = attention.gate(inputs.x).softmax(-1)
    mask = torch.zeros(len(inputs.x), inputs.x.shape[1], inputs.memory.shape[1])
    if inputs.blocked is not None:
        mask = mask.masked_fill(inputs.blocked, float("-inf"))
    if inputs.key_bias is not None:
        mask = mask + inputs.key_bias[:, None]
    mask = mask.repeat_interleave(attention.heads, 0)
    total = inputs.x
    for expert in range(attention.experts):
        queries, keys = inputs.x + inputs.position, inputs.memory + inputs.memory_position
        output, _ = multihead(attention, expert)(queries, keys, inputs.memory, attn_mask=mask)
        total = total + gates[..., expert, None] * output
    torch.testing.assert_close(run(attention, "plain", inputs), attention.norm(total), atol=1e-5, rtol=1e-4)


@pytest.fixture
def wide_attention() -> MoEAttention:
    return MoEAttention(width=32, heads=4, experts=2)


LIMIT = int(FOLD_LIMIT * 32 / 4)


@pytest.mark.parametrize(
    ("queries", "keys", "way"),
    [
        (1, 1000, "fold_queries"),
        (LIMIT, 1000, "fold_queries"),
        (LIMIT + 1, 1000, "plain"),
        (1000, 1, "fold_keys"),
        (1000, LIMIT, "fold_keys"),
        (1000, LIMIT + 1, "plain"),
    ],
)
def test_few_tokens_are_folded_and_many_are_not(wide_attention, queries, keys, way):
    assert wide_attention.path(queries, keys) == getattr(wide_attention, way)


def test_folding_can_be_switched_off(wide_attention):
    wide_attention.use_folding = False
    assert wide_attention.path(1, 1000) == wide_attention.plain


def test_a_call_takes_the_path_of_its_lengths(wide_attention):
    taken = []
    for way in WAYS:
        kept = getattr(wide_attention, way)
        setattr(wide_attention, way, lambda *a, kept=kept, way=way: taken.append(way) or kept(*a))
    few, many = torch.randn(1, 2, 32), torch.randn(1, 50, 32)
    wide_attention(few, few, many, many)
    wide_attention(many, many, few, few)
    wide_attention(many, many, many, many)
    assert taken == ["fold_queries", "fold_keys", "plain"]


COPIES = 3


@pytest.mark.parametrize("way", WAYS)
def test_a_weighted_key_stands_for_its_copies(way):
    torch.manual_seed(0)
    attention = random_attention(16, 2, 2)
    x, memory = torch.randn(2, 7, 16), torch.randn(2, 4, 16)
    copied = torch.cat((memory, *[memory[:, -1:]] * (COPIES - 1)), 1)
    bias = torch.tensor([1.0, 1.0, 1.0, COPIES]).log().expand(2, -1)
    weighted = run(attention, way, Inputs(x, x, memory, memory, None, bias))
    repeated = run(attention, way, Inputs(x, x, copied, copied, None, None))
    torch.testing.assert_close(weighted, repeated, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_key_of_weight_zero_is_absent(way):
    torch.manual_seed(0)
    attention = random_attention(16, 2, 2)
    x, memory = torch.randn(2, 7, 16), torch.randn(2, 4, 16)
    bias = torch.tensor([1.0, 1.0, 1.0, 0.0]).log().expand(2, -1)
    absent = run(attention, way, Inputs(x, x, memory, memory, None, bias))
    shorter = run(attention, way, Inputs(x, x, memory[:, :-1], memory[:, :-1], None, None))
    torch.testing.assert_close(absent, shorter, atol=1e-5, rtol=1e-5)


@pytest.fixture
def self_attention() -> SelfAttention:
    torch.manual_seed(0)
    module = SelfAttention(16, 2)
    nn.init.normal_(module.in_bias)
    nn.init.normal_(module.out.bias)
    return module


def test_a_weighted_token_stands_for_its_copies_in_self_attention(self_attention):
    x, position = torch.randn(2, 4, 16), torch.randn(2, 4, 16)
    copied = [torch.cat((value, *[value[:, -1:]] * (COPIES - 1)), 1) for value in (x, position)]
    bias = torch.tensor([1.0, 1.0, 1.0, COPIES]).log().expand(2, -1)
    repeated = self_attention(*copied)[:, :4]
    torch.testing.assert_close(self_attention(x, position, bias), repeated, atol=1e-5, rtol=1e-5)


def test_self_attention_is_torch_attention_with_positions_in_queries_and_keys(self_attention):
    module = nn.MultiheadAttention(16, 2, batch_first=True)
    weights = (self_attention.in_weight, self_attention.in_bias)
    weights += (self_attention.out.weight, self_attention.out.bias)
    module.load_state_dict(dict(zip(module.state_dict(), weights, strict=True)))
    x, position = torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    attended, _ = module(x + position, x + position, x)
    wanted = self_attention.norm(x + attended)
    torch.testing.assert_close(self_attention(x, position), wanted, atol=1e-5, rtol=1e-5)


def test_the_feed_forward_layer_is_the_gated_sum_of_its_experts():
    torch.manual_seed(0)
    layer, x = MoEFeedForward(8, 12, 3), torch.randn(2, 5, 8)
    total, gates = x, layer.gate(x).softmax(-1)
    for expert in range(3):
        hidden = (x @ layer.weight1[expert].T + layer.bias1[expert]).relu()
        total = total + gates[..., expert, None] * (hidden @ layer.weight2[expert].T + layer.bias2[expert])
    torch.testing.assert_close(layer(x), layer.norm(total), atol=1e-5, rtol=1e-5)
