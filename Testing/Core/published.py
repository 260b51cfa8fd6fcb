"""Random weights with the names and shapes of the published file of EfficientNet-Lite0."""

from __future__ import annotations

import torch

# kernel, expansion, channels in and out of the published blocks, in their order
BLOCKS = (
    (3, 1, 32, 16), (3, 6, 16, 24), (3, 6, 24, 24), (5, 6, 24, 40), (5, 6, 40, 40), (3, 6, 40, 80),
    (3, 6, 80, 80), (3, 6, 80, 80), (5, 6, 80, 112), (5, 6, 112, 112), (5, 6, 112, 112), (5, 6, 112, 192),
    (5, 6, 192, 192), (5, 6, 192, 192), (5, 6, 192, 192), (3, 6, 192, 320),
)  # fmt: skip


def norm(name: str, channels: int) -> dict[str, torch.Tensor]:
    ones = {f"{name}.{part}": torch.rand(channels) + 0.5 for part in ("weight", "running_var")}
    zeros = {f"{name}.{part}": torch.randn(channels) for part in ("bias", "running_mean")}
    return {**ones, **zeros, f"{name}.num_batches_tracked": torch.tensor(1)}


def published() -> dict[str, torch.Tensor]:
    """Weights of the names and shapes of the published file, with random values."""
    torch.manual_seed(3)
    found = {"_conv_stem.weight": torch.randn(32, 3, 3, 3) * 0.2, **norm("_bn0", 32)}
    for index, (kernel, expansion, before, after) in enumerate(BLOCKS):
        block, wide = f"_blocks.{index}", before * expansion
        if expansion > 1:
            found[f"{block}._expand_conv.weight"] = torch.randn(wide, before, 1, 1) * before**-0.5
            found |= norm(f"{block}._bn0", wide)
        found[f"{block}._depthwise_conv.weight"] = torch.randn(wide, 1, kernel, kernel) / kernel
        found |= norm(f"{block}._bn1", wide)
        found[f"{block}._project_conv.weight"] = torch.randn(after, wide, 1, 1) * wide**-0.5
        found |= norm(f"{block}._bn2", after)
    head = {"_conv_head.weight": torch.zeros(1280, 320, 1, 1), **norm("_bn1", 1280)}
    return {**found, **head, "_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}
