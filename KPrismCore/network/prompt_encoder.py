"""Prompts to dense maps (where) and sparse tokens (what). Paper section 3.2, spec sections 4 and 8."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.layers import GroupNorm, PointwiseConv
from KPrismCore.network.prompts import ClickSet

FOREGROUND, BACKGROUND = True, False


@dataclass(frozen=True)
class Tokens:
    """Sparse prompt tokens of a batch.

    content, position: (B, n, width); foreground: (B, n) bool, the side of the mask a token attends to;
    weight: (B, n) how often the token stands there (0 is absent); complement: (n,) bool, background
    tokens that also close pixels exactly on the boundary.
    """

    content: Tensor
    position: Tensor
    foreground: Tensor
    weight: Tensor
    complement: Tensor

    @staticmethod
    def learned(content: Tensor, position: Tensor, foreground: Tensor) -> Tokens:
        """Tokens that stand once for every sample: class and reference tokens."""
        batch, count = content.shape[:2]
        weight = content.new_ones(batch, count)
        complement = torch.zeros(count, dtype=torch.bool, device=content.device)
        return Tokens(content, position, foreground.expand(batch, -1), weight, complement)

    @staticmethod
    def concatenate(parts: list[Tokens]) -> Tokens:
        """Join groups of tokens; the order has no meaning to the decoder."""
        names = ("content", "position", "foreground", "weight")
        joined = {name: torch.cat([getattr(part, name) for part in parts], 1) for name in names}
        return Tokens(**joined, complement=torch.cat([part.complement for part in parts]))

    def key_bias(self) -> Tensor | None:
        """(B, n) logarithm of the weights, or None where every token stands once."""
        return None if bool((self.weight == 1).all()) else self.weight.log()


def click_map(
    clicks: ClickSet | None, previous: Tensor | None, batch: int, like: Tensor, size: int, radius: int
) -> Tensor:
    """(B, 3, S, S): disks of the positive clicks, of the negative clicks, and the previous probability."""
    disks = like.new_zeros(batch, 2, size * size + 1)
    if clicks is not None:
        offsets = [
            (dy, dx)
            for dy in range(-radius, radius + 1)
            for dx in range(-radius, radius + 1)
            if dy * dy + dx * dx <= radius * radius
        ]
        near = clicks.points.round().long()[:, :, None] + torch.tensor(offsets, device=like.device)
        inside = ((near >= 0) & (near < size)).all(-1)
        flat = near[..., 0] * size + near[..., 1]
        for channel, label in enumerate((1, 0)):
            drawn = inside & (clicks.labels == label)[:, :, None]
            target = torch.where(drawn, flat, size * size).flatten(1)
            disks[:, channel].scatter_(1, target, 1.0)
    disks = disks[..., :-1].reshape(batch, 2, size, size)
    mask = like.new_zeros(batch, 1, size, size) if previous is None else previous.to(disks)
    return torch.cat((disks, mask), 1).contiguous(memory_format=torch.channels_last)


class PromptMapEncoder(nn.Module):
    """Strided convolutions of the click map, one map per decoder level; computed once per prompt."""

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        channels = (3, *config.prompt_channels)
        self.stages = nn.ModuleList(
            # the place between the two was that of the ReLU, which checkpoints count
            nn.Sequential(
                nn.Conv2d(before, after, 3, 2, 1),
                nn.Identity(),
                GroupNorm(config.norm_groups, after, rectified=True),
            )
            for before, after in itertools.pairwise(channels)
        )
        self.wanted = [config.stage_of(stride) - 1 for stride in config.strides]
        self.fine = config.fine_head_channels > 0
        self.projections = nn.ModuleList(
            nn.Identity()
            if config.prompt_channels[stage] == config.width
            else PointwiseConv(config.prompt_channels[stage], config.width)
            for stage in self.wanted
        )

    def forward(self, maps: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """(B, 3, S, S) to the maps of the decoder levels, coarse to fine, and the map at stride 2, if used.

        A map that no one asks for is given up here: the decoder then finds memory at hand.
        """
        outputs: list[Tensor] = []
        for stage in self.stages:
            maps = stage(maps)
            outputs.append(maps)
        levels = [
            project(outputs[stage]) for project, stage in zip(self.projections, self.wanted, strict=True)
        ]
        return levels, outputs[0] if self.fine else None


class NoPromptMaps(nn.Module):
    """In place of `PromptMapEncoder` where 2-D prompts are switched off (`fusion_2d`): zeros, no weights."""

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        self.shapes = [(config.width, grid, grid) for grid in config.grids]
        half = config.input_size // 2
        self.fine = (config.prompt_channels[0], half, half) if config.fine_head_channels > 0 else None

    def forward(self, maps: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """(B, 3, S, S) to zeros of the shapes that `PromptMapEncoder` gives."""
        levels = [maps.new_zeros(len(maps), *shape) for shape in self.shapes]
        return levels, None if self.fine is None else maps.new_zeros(len(maps), *self.fine)


class ClickEncoder(nn.Module):
    """Clicks to tokens: a random Fourier position code, and the image feature under the click.

    Each group, positive and negative, ends with one dummy token. In the authors' checkpoints it stands
    for all the dummies that fill the shorter group (equal tokens, so their number becomes a weight).
    """

    gaussian: Tensor

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.register_buffer("gaussian", torch.randn(2, width // 2))
        self.negative = nn.Embedding(1, width)
        self.positive = nn.Embedding(1, width)
        self.dummy = nn.Embedding(1, width)
        self.mlp: nn.Module = nn.Sequential(
            nn.Linear(width, config.click_hidden),
            nn.ReLU(inplace=True),
            nn.Linear(config.click_hidden, width),
        )

    def forward(self, clicks: ClickSet, level_tokens: list[Tensor], level: int) -> Tokens:
        """Tokens of the clicks with content from the pixels of one level, each (B, H*W, width)."""
        content = self.content(clicks, level_tokens[level], level)
        content = torch.cat((content, torch.zeros_like(content[:, :1]).expand(-1, 2, -1)), 1)
        return self._tokens(clicks, self.mlp(content))

    def _tokens(self, clicks: ClickSet, content: Tensor) -> Tokens:
        batch, count = clicks.labels.shape
        dummies = self.dummy.weight.expand(batch, 2, -1)
        sides = torch.tensor([FOREGROUND, BACKGROUND], device=content.device).expand(batch, 2)
        missing = torch.ones_like(sides, dtype=content.dtype)
        if self.config.authors_rules:
            rounds = clicks.round_count()
            missing = torch.stack((rounds - clicks.count(1), rounds - clicks.count(0)), 1).to(content)
        return Tokens(
            content,
            torch.cat((self.position(clicks), dummies), 1),
            torch.cat((clicks.labels == 1, sides), 1),
            torch.cat(((clicks.labels >= 0).to(content), missing), 1),
            torch.ones(count + 2, dtype=torch.bool, device=content.device),
        )

    def position(self, clicks: ClickSet) -> Tensor:
        """(B, N, width) position code with the polarity's embedding."""
        place = (clicks.points.to(self.gaussian) + 0.5) / self.config.input_size
        angle = 2 * math.pi * ((2 * place - 1) @ self.gaussian)
        code = torch.cat((angle.sin(), angle.cos()), -1)
        polarity = torch.where((clicks.labels == 1)[..., None], self.positive.weight, self.negative.weight)
        return code + polarity

    def content(self, clicks: ClickSet, tokens: Tensor, level: int) -> Tensor:
        """(B, N, width): the cell under the click, on finer levels the mean of its 3x3 neighbourhood.

        The authors take that mean on the coarsest level too where the channels of the cell add up to 0.
        """
        grid, factor = self.config.grids[level], self.config.strides[level]
        if self.config.authors_rules:  # rounding can leave the grid; such clicks have no feature
            cell = (clicks.points / factor).round().long()
        else:
            cell = ((clicks.points + 0.5) / factor).floor().long().clamp(0, grid - 1)
        found = ((cell >= 0) & (cell < grid)).all(-1) & (clicks.labels >= 0)
        content = _mean_around(tokens, cell, found, grid, reach=0 if level == 0 else 1)
        if self.config.authors_rules and level == 0:
            empty = found & (content.sum(-1) == 0)
            if empty.any():
                around = _mean_around(tokens, cell, found, grid, reach=1)
                content = torch.where(empty[..., None], around, content)
        return content


def _mean_around(tokens: Tensor, cell: Tensor, found: Tensor, grid: int, reach: int) -> Tensor:
    """(B, N, width): mean of tokens (B, H*W, width) so many cells around each (B, N, 2); 0 if not found."""
    span = torch.arange(-reach, reach + 1, device=tokens.device)
    near = cell[:, :, None] + torch.cartesian_prod(span, span).view(-1, 2)
    valid = ((near >= 0) & (near < grid)).all(-1) & found[..., None]
    index = (near.clamp(0, grid - 1) * torch.tensor([grid, 1], device=tokens.device)).sum(-1)
    rows = torch.arange(tokens.shape[0], device=tokens.device)[:, None, None]
    values = tokens[rows, index] * valid[..., None].to(tokens)
    return values.sum(2) / valid.sum(2, keepdim=True).clamp(min=1).to(tokens)
