"""Mixture-of-Experts attention and feed-forward layers. Paper section 3.3, spec section 7.

The attention has three ways to the same numbers. `plain` is the obvious one and the oracle of the
tests. Where one side has few tokens, projections of the many pixels are folded into them: the
arithmetic falls to about tokens * heads / width of it, and the result differs by rounding only.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.folding import FoldedKeys, piece_rows, pool_open
from KPrismCore.network.products import on_cpu_without_gradients

# A folded product costs tokens * heads against a width of projections; measured break-even on CPUs
FOLD_LIMIT = 1.0


class MoEAttention(nn.Module):
    """LN(x + sum_e gate_e(x) * MHA_e(placed x, placed memory, memory)), placed = with its position.

    Tokens are (B, L, C). Expert weights are stacked on the first axis.
    """

    def __init__(self, width: int, heads: int, experts: int) -> None:
        super().__init__()
        self.width, self.heads, self.experts, self.depth = width, heads, experts, width // heads
        self.in_weight = nn.Parameter(torch.empty(experts, 3 * width, width))
        self.in_bias = nn.Parameter(torch.zeros(experts, 3 * width))
        self.out_weight = nn.Parameter(torch.empty(experts, width, width))
        self.out_bias = nn.Parameter(torch.zeros(experts, width))
        self.gate = nn.Linear(width, experts)
        self.norm = nn.LayerNorm(width)
        self.use_folding = True
        for expert in range(experts):
            nn.init.xavier_uniform_(self.in_weight[expert])
            nn.init.xavier_uniform_(self.out_weight[expert])
        nn.init.xavier_uniform_(self.gate.weight)

    def forward(
        self,
        x: Tensor,
        position: Tensor,
        memory: Tensor,
        memory_position: Tensor,
        blocked: Tensor | None = None,
        key_bias: Tensor | None = None,
        give_up: bool = False,
    ) -> Tensor:
        """Attend from x (B, Lq, C) to memory (B, Lk, C).

        Args:
            position: (B or 1, Lq, C) added to x for the queries; the gate sees x without it.
            memory_position: (B or 1, Lk, C) added to memory for the keys; the values are without it.
            blocked: (B, Lq, Lk) bool, True where a query may not look; no row may be all True.
            key_bias: (B, Lk) added to the logits: the logarithm of how often a key stands there.
            give_up: whether the result may take the memory of x, which it does without gradients.
        """
        way, in_pieces = self.path(x.shape[1], memory.shape[1]), on_cpu_without_gradients(x)
        if in_pieces and way == self.fold_keys and blocked is None and memory.shape[1] > 1:
            folded = self._folded_keys(memory + memory_position, memory, key_bias)
            return self._to_few(x, position, folded, x if give_up else torch.empty_like(x))
        gates = functional.softmax(self.gate(x), dim=-1)
        if in_pieces and way == self.fold_queries and blocked is not None and key_bias is None:
            attended = self._from_open(x + position, memory, memory_position, gates, blocked)
        else:
            attended = way(x + position, memory + memory_position, memory, gates, blocked, key_bias)
        return functional.layer_norm(x + attended, (self.width,), self.norm.weight, self.norm.bias)

    def _to_few(self, x: Tensor, position: Tensor, folded: FoldedKeys, result: Tensor) -> Tensor:
        """`forward` to few keys, piece by piece, into `result`, which may be x."""
        rows = piece_rows(folded.offset[0].numel() + 2 * self.width)
        placed, norm = x.new_empty(rows, self.width), self.norm
        moments = x.new_empty(2, rows, 1)
        for sample, places in enumerate(position.expand_as(x)):
            keys = folded.relative(sample, self.experts)
            values = (value.split(rows) for value in (x[sample], places, result[sample]))
            for piece, place, out in zip(*values, strict=True):
                count = len(piece)
                # over the first axis, several times as fast as over few numbers side by side
                gates = self.gate(piece).t().softmax(0).t().contiguous()
                attended = keys.attend(piece, torch.add(piece, place, out=placed[:count]), gates)
                # functional.layer_norm has no place for its result
                torch.ops.aten.native_layer_norm.out(
                    attended, (self.width,), norm.weight, norm.bias, norm.eps,
                    out0=out, out1=moments[0, :count], out2=moments[1, :count],
                )  # fmt: skip
        return result

    def _from_open(
        self, queries: Tensor, memory: Tensor, position: Tensor, gates: Tensor, blocked: Tensor
    ) -> Tensor:
        """`fold_queries` piece by piece, to the keys that are not blocked."""
        samples = zip(self._folded_queries(queries), memory, position.expand_as(memory), blocked, strict=True)
        return self._unfolded(torch.stack([pool_open(*sample) for sample in samples]), gates)

    def path(self, length_q: int, length_k: int) -> Callable[..., Tensor]:
        """The cheapest way for these lengths."""
        if self.use_folding and min(length_q, length_k) * self.heads <= FOLD_LIMIT * self.width:
            return self.fold_queries if length_q < length_k else self.fold_keys
        return self.plain

    def plain(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        gates: Tensor,
        blocked: Tensor | None,
        key_bias: Tensor | None,
    ) -> Tensor:
        """Multi-head attention of each expert in turn: (B, Lq, C)."""
        result = torch.zeros_like(queries)
        for expert in range(self.experts):
            parts = zip((queries, keys, values), self._in_weights(), self._in_biases(), strict=True)
            q, k, v = (self._heads(functional.linear(x, w[expert], b[expert])) for x, w, b in parts)
            logits = q @ k.transpose(-1, -2) * self.depth**-0.5
            logits = _masked(logits, blocked, key_bias)
            attended = (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)
            output = functional.linear(attended, self.out_weight[expert], self.out_bias[expert])
            result = result + gates[..., expert, None] * output
        return result

    def fold_queries(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        gates: Tensor,
        blocked: Tensor | None,
        key_bias: Tensor | None,
    ) -> Tensor:
        """Few queries: key projections move into them, value projections after the pooling.

        The key bias of the projection is the same for all keys and leaves the softmax unchanged.
        """
        folded = self._folded_queries(queries)
        logits = torch.matmul(folded.flatten(1, 2), keys.transpose(1, 2))
        weights = _masked(logits.unflatten(1, folded.shape[1:3]), blocked, key_bias).softmax(-1)
        pooled = torch.matmul(weights.flatten(1, 2), values).unflatten(1, folded.shape[1:3])
        return self._unfolded(pooled, gates)

    def _folded_queries(self, queries: Tensor) -> Tensor:
        """Queries (B, n, C) of all experts and heads against unprojected keys: (B, E*H, n, C)."""
        batch, count, _ = queries.shape
        wq, wk = self._in_weights()[:2]
        projected = self._projected(queries, wq, self._in_biases()[0]) * self.depth**-0.5
        folded = _by_expert(projected, self._per_head(wk))
        return folded.view(-1, batch, count, self.width).transpose(0, 1)

    def _unfolded(self, pooled: Tensor, gates: Tensor) -> Tensor:
        """Pooled values (B, E*H, n, C) to the gated sum of the experts, (B, n, C)."""
        batch, _, count, _ = pooled.shape
        wv, bv = self._per_head(self._in_weights()[2]), self._in_biases()[2].reshape(-1, 1, self.depth)
        attended = _by_expert(pooled.transpose(0, 1).flatten(1, 2), wv.transpose(2, 3)) + bv
        attended = attended.unflatten(0, (self.experts, self.heads)).transpose(1, 2).flatten(2)
        outputs = torch.baddbmm(self.out_bias[:, None], attended, self.out_weight.transpose(1, 2))
        return torch.einsum("ebnc,bne->bnc", outputs.view(self.experts, batch, count, self.width), gates)

    def fold_keys(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        gates: Tensor,
        blocked: Tensor | None,
        key_bias: Tensor | None,
    ) -> Tensor:
        """Few keys: query projections move into them, output projections into the values."""
        return self._folded_keys(keys, values, key_bias).attend(queries, gates, blocked)

    def _folded_keys(self, keys: Tensor, values: Tensor, key_bias: Tensor | None) -> FoldedKeys:
        batch, count, _ = keys.shape
        (wq, wk, wv), (bq, bk, bv) = self._in_weights(), self._in_biases()
        k = self._projected(keys, wk, bk) * self.depth**-0.5
        folded = _by_expert(k, self._per_head(wq)).view(-1, batch, count, self.width).transpose(0, 1)
        offset = (k * bq.reshape(-1, 1, self.depth)).sum(-1).view(-1, batch, count).transpose(0, 1)
        if key_bias is not None:
            offset = offset + key_bias[:, None]
        wo = self.out_weight.view(self.experts, self.width, self.heads, self.depth).permute(0, 2, 3, 1)
        outputs = _by_expert(self._projected(values, wv, bv), wo).view(-1, batch, count, self.width)
        # the weights of a head add up to one, so that its keys can bring its share of the bias
        share = (self.out_bias / self.heads).repeat_interleave(self.heads, 0)
        return FoldedKeys(folded, offset, (outputs + share[:, None, None]).transpose(0, 1))

    def _projected(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Tokens (B, n, C) under the weight (E, C, C) and bias (E, C) of every expert: (E*H, B*n, d)."""
        tokens = x.reshape(1, -1, self.width).expand(self.experts, -1, -1)
        return self._heads(torch.baddbmm(bias[:, None], tokens, weight.transpose(1, 2))).flatten(0, 1)

    def _in_weights(self) -> tuple[Tensor, ...]:
        return self.in_weight.chunk(3, dim=1)

    def _in_biases(self) -> tuple[Tensor, ...]:
        return self.in_bias.chunk(3, dim=1)

    def _per_head(self, weight: Tensor) -> Tensor:
        """(E, C, C) -> (E, H, d, C), without a copy."""
        return weight.unflatten(1, (self.heads, self.depth))

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, C) -> (B, H, L, d)."""
        return x.unflatten(-1, (self.heads, self.depth)).transpose(1, 2)


def _by_expert(x: Tensor, weight: Tensor) -> Tensor:
    """(E*H, n, a) times (E, H, a, b), which is a part of a parameter and is not copied: (E*H, n, b)."""
    parts = zip(x.chunk(len(weight)), weight, strict=True)
    return torch.cat([torch.bmm(part, own) for part, own in parts])


def _masked(logits: Tensor, blocked: Tensor | None, key_bias: Tensor | None) -> Tensor:
    """Apply the key bias (B, Lk) and the blocked pairs (B, Lq, Lk) to fresh logits (B, any, Lq, Lk)."""
    if key_bias is not None:
        logits = logits + key_bias[:, None, None]
    if blocked is not None:
        logits = logits.masked_fill_(blocked[:, None], float("-inf"))
    return logits


class SelfAttention(nn.Module):
    """LN(x + MHA(x + position, x + position, x)) among the prompt tokens. Spec section 7c."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.in_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_bias = nn.Parameter(torch.zeros(3 * width))
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        nn.init.xavier_uniform_(self.in_weight)
        nn.init.xavier_uniform_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, position: Tensor, key_bias: Tensor | None = None) -> Tensor:
        placed = x + position
        parts = zip((placed, placed, x), self.in_weight.chunk(3), self.in_bias.chunk(3), strict=True)
        q, k, v = (
            functional.linear(part, w, b).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part, w, b in parts
        )
        logits = _masked(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, None, key_bias)
        attended = (logits.softmax(-1) @ v).transpose(1, 2).flatten(2)
        result: Tensor = self.norm(x + self.out(attended))
        return result


class MoEFeedForward(nn.Module):
    """LN(x + sum_e gate_e(x) * FFN_e(x)), FFN = Linear-ReLU-Linear. Spec section 7d."""

    def __init__(self, width: int, hidden: int, experts: int) -> None:
        super().__init__()
        self.weight1 = nn.Parameter(torch.empty(experts, hidden, width))
        self.bias1 = nn.Parameter(torch.empty(experts, hidden))
        self.weight2 = nn.Parameter(torch.empty(experts, width, hidden))
        self.bias2 = nn.Parameter(torch.empty(experts, width))
        self.gate = nn.Linear(width, experts)
        self.norm = nn.LayerNorm(width)
        for expert in range(experts):
            nn.init.xavier_uniform_(self.weight1[expert])
            nn.init.xavier_uniform_(self.weight2[expert])
        nn.init.xavier_uniform_(self.gate.weight)
        nn.init.uniform_(self.bias1, -(width**-0.5), width**-0.5)
        nn.init.uniform_(self.bias2, -(hidden**-0.5), hidden**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        gates = functional.softmax(self.gate(x), dim=-1)
        tokens = x.reshape(1, batch * count, width).expand(self.weight1.shape[0], -1, -1)
        hidden = functional.relu(torch.baddbmm(self.bias1[:, None], tokens, self.weight1.transpose(1, 2)))
        outputs = torch.baddbmm(self.bias2[:, None], hidden, self.weight2.transpose(1, 2))
        mixed = torch.einsum("ebnc,bne->bnc", outputs.view(-1, batch, count, width), gates)
        result: Tensor = self.norm(x + mixed)
        return result
