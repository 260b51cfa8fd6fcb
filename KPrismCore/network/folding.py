"""Attention to or from few tokens, whose projections of the many pixels are folded into the tokens.

On a CPU and without gradients the pixels are taken in pieces: what lies between a piece and its result
stays in the cache, and pixels that no token may look at are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from KPrismCore.network.positions import Places

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

    def relative(self, sample: int, gate: nn.Linear, places: Places) -> RelativeKeys:
        """The keys of one sample as differences to the one with the largest offset, which is not absent."""
        keys, offset, outputs = (value[sample] for value in (self.keys, self.offset, self.outputs))
        first = int(offset[0].argmax())
        others = torch.tensor([index for index in range(offset.shape[1]) if index != first])
        base = outputs[:, first]
        sums = base.unflatten(0, (len(gate.weight), -1)).sum(1)
        relative = (keys[:, others] - keys[:, first, None]).flatten(0, 1) * _LOG2_E
        shift = (offset[:, others] - offset[:, first, None]).flatten() * _LOG2_E
        rows, columns = (codes[sample % len(codes)] for codes in (places.rows, places.columns))
        along_rows, along_columns = (
            # the gates see the pixels without their places
            torch.cat((part @ codes.t(), codes.new_zeros(len(sums), len(codes))))
            for part, codes in zip(
                relative.split((rows.shape[1], columns.shape[1]), 1), (rows, columns), strict=True
            )
        )
        return RelativeKeys(
            torch.cat((relative, gate.weight)).t().contiguous(),
            along_rows + torch.cat((shift, gate.bias))[:, None],
            along_columns,
            torch.cat(((outputs[:, others] - base[:, None]).flatten(0, 1), sums)).t().contiguous(),
            len(keys),
            len(sums),
        )


_LOG2_E = math.log2(math.e)
# sums of exponentials between which nothing that counts was lost, and products with values stay finite
_SMALLEST_SUM, _LARGEST_SUM = 2.0**-60, 2.0**60


@dataclass(frozen=True)
class RelativeKeys:
    """Folded keys of one sample, less one key, and the gates.

    A softmax stays as it is when the logits of one key are taken from all, and its weights add up to one:
    that key needs no column of its own. Logits are to base 2, whose exponential is the fastest; those of the
    E gates stand behind them, to base e.

    keys: (C, G*m + E) for G = E*H and m = n-1 keys; along_rows (G*m + E, H) and along_columns (G*m + E, W):
    what a pixel's place adds to its logits; outputs: (C, G*m + E), at the end the sum of what the left out
    key gives to each expert.
    """

    keys: Tensor
    along_rows: Tensor
    along_columns: Tensor
    outputs: Tensor
    groups: int
    experts: int

    def attend(self, x: Tensor, first: int) -> Tensor:
        """Add the gated sum of the experts to x (L, C), in place; x are whole rows from row `first` on."""
        columns = self._logits(x, first)
        weights, gates = columns.tensor_split((len(columns) - self.experts,))
        torch.softmax(gates, 0, out=gates)
        weights = weights.view(self.groups, -1, len(x)).exp2_()
        sums = weights.sum(1).add_(1)
        if not math.isfinite(float(sums.sum())):
            weights.copy_(self._logits(x, first)[: -self.experts].view_as(weights))
            largest = weights.amax(1).clamp_(min=0)
            weights.sub_(largest[:, None]).exp2_()
            sums = weights.sum(1).add_(largest.neg().exp2_())
        shares = gates[:, None] / sums.unflatten(0, (self.experts, -1))
        weights.mul_(shares.flatten(0, 1)[:, None])
        return x.addmm_(columns.t(), self.outputs.t())

    def _logits(self, x: Tensor, first: int) -> Tensor:
        """(G*m + E, L)."""
        width = self.along_columns.shape[1]
        rows = self.along_rows[:, first : first + len(x) // width]
        logits = torch.add(rows[:, :, None], self.along_columns[:, None]).flatten(1)
        return logits.addmm_(self.keys.t(), x.t())


def pool_open(queries: Tensor, x: Tensor, position: Tensor, blocked: Tensor) -> Tensor:
    """Mean pixels (G, n, C) by the folded queries (G, n, C); pixels x and position (L, C), blocked (n, L).

    Queries with the same row of `blocked` share the pixels that are open to them; the others are left out.
    """
    pooled = torch.empty_like(queries)
    for members, row in _same_rows(blocked):
        seen = (~row).nonzero()[:, 0]
        group = queries.index_select(1, members).flatten(0, 1)
        folded = group.t().mul(_LOG2_E)
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
    weights = torch.mm(queries.t(), keys.t()).exp2_()
    sums = weights.sum(1, keepdim=True)
    if float(sums.amin()) > _SMALLEST_SUM and float(sums.amax()) < _LARGEST_SUM:
        return torch.mm(weights, values).div_(sums), sums.log()
    logits = torch.mm(queries.t(), keys.t(), out=weights)
    largest = logits.amax(1, keepdim=True)
    weights = logits.sub_(largest).exp2_()
    sums = weights.sum(1, keepdim=True)
    return torch.mm(weights, values).div_(sums), sums.log() + largest / _LOG2_E


def piece_rows(columns: int, line: int = 1) -> int:
    """How many pixels are worked on at a time, where each has so many numbers: logits and channels.

    Whole lines of pixels; and no multiple of 512, which would put columns of a row-major matrix on the
    same lines of the cache.
    """
    rows = max(1, PIECE * torch.get_num_threads() // columns)
    step = 64 if line == 1 and rows > 64 else line
    rows = max(step, rows - rows % step)
    return rows - step if rows > step and rows % 512 == 0 else rows
