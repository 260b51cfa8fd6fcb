"""The two convolutional encoders: of the image, and of a reference image with its mask."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.layers import BasicBlock, TransBlock
from KPrismCore.network.trunk import Trunk, TrunkJoins


class ImageEncoder(nn.Module):
    """Convolutions with attention to a reduced grid. Spec section 2.

    `forward` takes (B, 3, S, S) and returns one map per stage, from stride 1 to the coarsest. A trunk, which
    is ours, adds to each stage behind its first block, so that the blocks after it work on both.
    """

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        channels = config.encoder_channels
        self.stem = stem(3, config)
        stages: list[nn.Module] = []
        for index, attention in enumerate(config.encoder_attention):
            blocks: list[nn.Module] = [BasicBlock(channels[index], channels[index + 1], 2)]
            if attention:
                blocks.append(TransBlock(channels[index + 1], config.encoder_heads, config.attention_grid))
            more = config.encoder_blocks[index] - 1
            blocks += [BasicBlock(channels[index + 1], channels[index + 1]) for _ in range(more)]
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.trunk = Trunk() if config.trunk else None
        self.trunk_joins = TrunkJoins(channels[1:]) if config.trunk else None

    def forward(self, image: Tensor) -> list[Tensor]:
        maps, added = [self.stem(image)], self._from_trunk(image)
        for stage, more in zip(self.stages, added, strict=True):
            first, *others = stage.children()
            x = first(maps[-1]) if more is None else first(maps[-1]) + more
            for block in others:
                x = block(x)
            maps.append(x)
        return maps

    def _from_trunk(self, image: Tensor) -> list[Tensor] | list[None]:
        if self.trunk is None or self.trunk_joins is None:
            return [None] * len(self.stages)
        added: list[Tensor] = self.trunk_joins(self.trunk(image))
        return added


class MaskEncoder(nn.Module):
    """Encoder of a reference: image and binary mask (B, 4, S, S) to one map per stage. Spec section 3.

    The blocks in `more` are ours, and follow those of the specification, which has one per stage.
    """

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        channels = config.encoder_channels
        self.stem = stem(4, config)
        pairs = itertools.pairwise(channels)
        self.stages = nn.ModuleList([BasicBlock(before, after) for before, after in pairs])
        self.more = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width) for _ in range(count - 1)))
            for width, count in zip(channels[1:], config.mask_encoder_blocks, strict=True)
        )

    def forward(self, image_and_mask: Tensor) -> list[Tensor]:
        maps = [self.stem(image_and_mask)]
        for stage, more in zip(self.stages, self.more, strict=True):
            maps.append(more(stage(functional.max_pool2d(maps[-1], 2))))
        return maps


def stem(channels_in: int, config: KPrismConfig) -> nn.Sequential:
    """Blocks at full resolution."""
    channels = config.encoder_channels[0]
    inputs = (channels_in, *[channels] * (config.stem_blocks - 1))
    return nn.Sequential(*(BasicBlock(before, channels) for before in inputs))
