"""References to a read-out map (where) and object summaries (what). Paper section 3.2, spec section 6."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.layers import SilentConv, resize, to_tokens
from KPrismCore.network.prompts import ImageFeatures, ReferenceFeatures


def read_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Values (B, R, D, h, w) of the reference pixels that resemble each query pixel, as (B, D, h, w).

    Query (B, C, h, w) and keys (B, R, C, h, w) are features of the image and of the references. Affinity of
    reference pixel n and query pixel j: (2 K_n Q_j - |K_n|^2) / sqrt(C), softmax over n.
    """
    # a difference of large sums: half precision would lose it
    wide = torch.promote_types(query.dtype, torch.float32)
    with torch.autocast(query.device.type, enabled=False):
        return _read_out(query.to(wide), keys.to(wide), values.to(wide))


def _read_out(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    batch, channels, height, width = query.shape
    keys = keys.permute(0, 1, 3, 4, 2).reshape(batch, -1, channels)
    values = values.permute(0, 1, 3, 4, 2).reshape(batch, -1, values.shape[2])
    logits = torch.baddbmm(
        keys.square().sum(-1)[:, None], to_tokens(query), keys.transpose(1, 2), beta=-1, alpha=2
    )
    weights = (logits * channels**-0.5).softmax(-1)
    return (weights @ values).transpose(1, 2).reshape(batch, -1, height, width)


class FinerReadOut(nn.Module):
    """What references add to the second level, at twice the resolution of the first; nothing at first. Ours.

    An object of a few pixels is a small share of a cell of the coarsest level, and cannot be found there.
    """

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        coarse, fine = (config.encoder_channels[config.stage_of(stride)] for stride in config.strides[:2])
        self.key_join = SilentConv(fine, coarse)
        self.projection = SilentConv(fine, config.width)

    def keys(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Maps of the two levels to (B, C, 2h, 2w): what the coarse one is compared by, and what is new."""
        joined: Tensor = self.key_join(fine)
        return joined + resize(coarse, fine.shape[-1])

    def forward(self, features: ImageFeatures, references: ReferenceFeatures) -> Tensor:
        """(B, width, 2h, 2w), to be added to the image's second level.

        Raises:
            ValueError: image or references come from a network without this part.
        """
        query, keys, values = features.finer_query, references.finer_keys, references.finer_values
        if query is None or keys is None or values is None:
            raise ValueError("image and references are not of this network")
        added: Tensor = self.projection(read_out(query, keys, values).to(self.projection.weight))
        return added


class ObjectSummarizer(nn.Module):
    """Weighted means of the reference's features inside and outside its mask, one set per level."""

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        width, levels = config.width, len(config.strides)
        self.summaries, self.width = config.summaries, width
        sources = [config.encoder_channels[config.stage_of(stride)] for stride in config.strides]
        self.projections = nn.ModuleList(nn.Linear(channels, width) for channels in sources)
        self.features = nn.ModuleList(_two_layers(width, width) for _ in range(levels))
        self.weights = nn.ModuleList(_two_layers(width, config.summaries) for _ in range(levels))

    def forward(self, maps: list[Tensor], mask: Tensor) -> Tensor:
        """Maps (N, C, h, w) per level, mask (N, 1, S, S) -> (N, levels, summaries, width)."""
        return torch.stack([self._level(level, values, mask) for level, values in enumerate(maps)], 1)

    def _level(self, level: int, values: Tensor, mask: Tensor) -> Tensor:
        height, width = values.shape[-2:]
        inside = functional.interpolate(mask, (height, width), mode="area").flatten(2).transpose(1, 2)
        pixels = self.projections[level](to_tokens(values)) + self._positions(height, width, values)
        half = self.summaries // 2
        side = torch.cat((inside.expand(-1, -1, half), (1 - inside).expand(-1, -1, half)), -1)
        weights = self.weights[level](pixels).sigmoid() * side
        total = weights.sum(1)[..., None] + 1e-4  # an empty side gives a zero summary
        result: Tensor = weights.transpose(1, 2) @ self.features[level](pixels) / total
        return result

    def _positions(self, height: int, width: int, like: Tensor) -> Tensor:
        """(H*W, width): interleaved sine and cosine, columns in the first half of the channels."""
        quarter = self.width // 4
        exponent = torch.arange(quarter, dtype=like.dtype, device=like.device) * 2 / (self.width // 2)
        frequency = 1 / (self.width // 2) ** exponent

        def encode(length: int) -> Tensor:
            place = torch.arange(length, dtype=like.dtype, device=like.device) / (length - 1 + 1e-6) * 32
            angle = place[:, None] * frequency
            return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)

        columns = encode(width)[None].expand(height, -1, -1)
        rows = encode(height)[:, None].expand(-1, width, -1)
        return torch.cat((columns, rows), -1).flatten(0, 1)


def _two_layers(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, out))
