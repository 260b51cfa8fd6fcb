"""Attention to or from few tokens, whose projections of the many pixels are folded into the tokens.

On a CPU and without gradients the pixels are taken in pieces: what lies between a piece and its result
stays in the cache, and pixels that no token may look at are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from KPrismCore.network.products import by_rows, times

# numbers of one thread at a time: most of four megabytes stay in the caches, and calls remain few
PIECE = 2**20


@dataclass(frozen=True)
class FoldedKeys:
    """Keys and values of all experts and heads against unprojected queries.

    keys, outputs: (B, E*H, n, C); offset: (B, E*H, n) is added to the logits.
    """

    keys: Tensor
    offset: Tensor
    outputs: Tensor

    def attend(self, queries: Tensor, gates: Tensor, blocked: Tensor | None = None) -> Tensor:
        """Queries (B, L, C) with gates (B, L, E) to the gated sum of the experts, (B, L, C)."""
        offset = self.offset.flatten(1)[..., None]
        logits = torch.baddbmm(offset, self.keys.flatten(1, 2), queries.transpose(1, 2))
        logits = logits.unflatten(1, self.keys.shape[1:3])
        if blocked is not None:
            logits = logits.masked_fill_(blocked.transpose(1, 2)[:, None], float("-inf"))
        weights = logits.softmax(2).unflatten(1, (gates.shape[-1], -1))
        shares = gates.transpose(1, 2)[:, :, None, None]
        weights = weights * shares if torch.is_grad_enabled() else weights.mul_(shares)
        return torch.matmul(weights.flatten(1, 3).transpose(1, 2), self.outputs.flatten(1, 2))

    def relative(self, sample: int, experts: int) -> RelativeKeys:
        """The keys of one sample as differences to the one with the largest offset, which is not absent."""
        parts = (self.keys, self.offset, self.outputs)
        keys, offset, outputs = (part[sample].transpose(0, 1) for part in parts)
        first = int(offset[:, 0].argmax())
        others = torch.tensor([index for index in range(len(offset)) if index != first])
        base = outputs[first]
        return RelativeKeys(
            (keys[others] - keys[first]).flatten(0, 1) * _LOG2_E,
            (offset[others] - offset[first]).flatten() * _LOG2_E,
            (outputs[others] - base).flatten(0, 1).t().contiguous(),
            base.unflatten(0, (experts, -1)).sum(1),
            len(base),
        )


_LOG2_E = math.log2(math.e)
# sums of exponentials between which nothing that counts was lost, and products with values stay finite
_SMALLEST_SUM, _LARGEST_SUM = 2.0**-60, 2.0**60


@dataclass(frozen=True)
class RelativeKeys:
    """Folded keys of one sample, less one key.

    A softmax stays as it is when the logits of one key are taken from all, and its weights add up to one:
    that key needs no column of its own. Logits are to base 2, whose exponential is the fastest.

    keys: (m*G, C) for G = E*H and m = n-1 keys, the groups of one key side by side; offset: (m*G,);
    outputs: (C, m*G); base: (E, C), the sum of what the left out key gives to each expert.
    """

    keys: Tensor
    offset: Tensor
    outputs: Tensor
    base: Tensor
    groups: int

    def attend(self, x: Tensor, placed: Tensor, gates: Tensor) -> Tensor:
        """x + the gated sum of the experts, (L, C), for x and placed (L, C) and gates (L, E)."""
        weights, sums = self._exponentials(placed, shifted=False)
        if not math.isfinite(float(sums.sum())):
            weights, sums = self._exponentials(placed, shifted=True)
        shares = gates[..., None] / sums.unflatten(1, (gates.shape[1], -1))
        weights.mul_(shares.flatten(1)[:, None])
        return by_rows(weights.flatten(1), self.outputs).addmm_(gates, self.base).add_(x)

    def _exponentials(self, placed: Tensor, shifted: bool) -> tuple[Tensor, Tensor]:
        """Exponentials (L, m, G) of the logits, and their sums (L, G) with the left out key."""
        weights = by_rows(placed, self.keys, self.offset).view(len(placed), -1, self.groups)
        if not shifted:
            return weights.exp2_(), weights.sum(1).add_(1)
        largest = weights.amax(1).clamp_(min=0)
        weights.sub_(largest[:, None]).exp2_()
        return weights, weights.sum(1).add_(largest.neg().exp2_())


def pool_open(queries: Tensor, x: Tensor, position: Tensor, blocked: Tensor) -> Tensor:
    """Mean pixels (G, n, C) by the folded queries (G, n, C); pixels x and position (L, C), blocked (n, L).

    Queries with the same row of `blocked` share the pixels that are open to them; the others are left out.
    """
    pooled = torch.empty_like(queries)
    for members, row in _same_rows(blocked):
        seen = (~row).nonzero()[:, 0]
        group = queries.index_select(1, members).flatten(0, 1)
        folded = group.mul(_LOG2_E)
        pieces = []
        for index in seen.split(piece_rows(len(group) + 2 * x.shape[1])):
            values = x.index_select(0, index)
            pieces.append(_pool(folded, position.index_select(0, index).add_(values), values))
        means, sums = zip(*pieces, strict=True)
        mean = (torch.stack(means) * torch.stack(sums).softmax(0)).sum(0)
        pooled.index_copy_(1, members, mean.unflatten(0, (len(queries), -1)))
    return pooled


def _same_rows(table: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Numbers of equal rows, with that row; few kinds of rows are found faster than they are sorted."""
    left = torch.arange(len(table))
    while len(left):
        row = table[left[0]]
        same = (table[left] == row).all(1)
        yield left[same], row
        left = left[~same]


def _pool(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean values (n, C) of one piece of the keys, and the logarithm of its sum of exponentials (n, 1).

    Logits are to base 2, as in `RelativeKeys`, and without a shift as long as the sums allow it.
    """
    weights = by_rows(queries, keys).exp2_()
    sums = weights.sum(1, keepdim=True)
    if float(sums.amin()) > _SMALLEST_SUM and float(sums.amax()) < _LARGEST_SUM:
        return times(weights, values).div_(sums), sums.log()
    logits = by_rows(queries, keys)
    largest = logits.amax(1, keepdim=True)
    weights = logits.sub_(largest).exp2_()
    sums = weights.sum(1, keepdim=True)
    return times(weights, values).div_(sums), sums.log() + largest / _LOG2_E


def piece_rows(columns: int) -> int:
    """How many pixels are worked on at a time, where each has so many numbers: logits and channels.

    No multiple of 512, which would put columns of a row-major matrix on the same lines of the cache.
    """
    rows = max(1, PIECE * torch.get_num_threads() // columns)
    rows -= rows % 64 if rows > 64 else 0
    return rows - 64 if rows % 512 == 0 else rows
