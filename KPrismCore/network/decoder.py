"""The layers of the decoder, the same for every combination of prompts. Paper section 3.3, spec 7 to 10."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.layers import (
    DepthwiseConv,
    PointwiseConv,
    add_into,
    resize,
    sine_positions,
    to_map,
    to_tokens,
)
from KPrismCore.network.moe import MoEAttention, MoEFeedForward, SelfAttention
from KPrismCore.network.products import on_cpu_without_gradients
from KPrismCore.network.prompt_encoder import Tokens


class PixelBlock(nn.Module):
    """Residual convolutions with channel attention on the pixels. Spec section 7f.

    The depthwise variant spends about a ninth of the arithmetic of the full one.
    """

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.residual = nn.Sequential(*(_full(width) if kind == "full" else _depthwise(width)))
        self.channel_mix = nn.Conv1d(1, 1, 5, padding=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        update = self.residual(x)
        mean = update.mean((2, 3))[:, None]
        weight = self.channel_mix(mean).sigmoid()[:, 0, :, None, None]
        if on_cpu_without_gradients(x):
            return torch.addcmul(x, update, weight, out=update)
        return torch.addcmul(x, update, weight)


def _full(width: int) -> list[nn.Module]:
    return [
        nn.ReLU(),
        nn.Conv2d(width, width, 3, 1, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, 1, 1),
    ]


def _depthwise(width: int) -> list[nn.Module]:
    spread = DepthwiseConv(width, 5)
    return [spread, PointwiseConv(width, 2 * width), Rectifier(), PointwiseConv(2 * width, width)]


class Rectifier(nn.Module):
    """ReLU, in place without gradients only.

    Behind a pointwise convolution it meets a view, and the gradient of a change in a view is taken
    on a copy of everything behind it: a fifth of the time of a training step.
    """

    def forward(self, x: Tensor) -> Tensor:
        return rectified(x)


def rectified(x: Tensor) -> Tensor:
    """ReLU; without gradients in the memory of x, which the caller gives up."""
    return functional.relu(x, inplace=not torch.is_grad_enabled())


class ResidualBlock(nn.Module):
    """ReLU(conv(ReLU(conv(x))) + x) with 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return rectified(add_into(self.conv2(rectified(self.conv1(x))), x))


class MaskHead(nn.Module):
    """Pixels of one level to logits of the same size: (B, width, h, w) -> (B, 1, h, w). Spec section 7h."""

    def __init__(self, width: int, channels: int, blocks: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, channels, 3, 1, 1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.last = nn.Conv2d(channels, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.blocks(rectified(self.first(x))))
        return logits


class FineHead(nn.Module):
    """Logits at stride 2 from finest pixels, encoder and prompt map; ours, for thin structures."""

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        channels, factor = config.fine_head_channels, config.strides[-1] // 2
        self.lift = nn.Sequential(PointwiseConv(config.width, channels * factor**2), nn.PixelShuffle(factor))
        joined = channels + config.encoder_channels[1] + config.prompt_channels[0]
        self.head = MaskHead(joined, channels, config.fine_head_blocks)

    def forward(self, pixels: Tensor, image: Tensor, prompt: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.cat((self.lift(pixels), image, prompt), 1))
        return logits


class DecoderLayer(nn.Module):
    """Tokens read the pixels, talk to each other, and write to the pixels. Spec section 7."""

    def __init__(self, config: KPrismConfig) -> None:
        super().__init__()
        width = config.width
        self.has_tokens = config.queries_1d
        if self.has_tokens:
            attention_experts = config.experts if config.moe_attention else 1
            ffn_experts = config.experts if config.moe_ffn else 1
            self.query_attention = MoEAttention(width, config.heads, attention_experts)
            self.self_attention = SelfAttention(width, config.heads)
            self.ffn = MoEFeedForward(width, config.ffn_width, ffn_experts)
            self.pixel_attention = MoEAttention(width, config.heads, attention_experts)
        self.pixel_block = PixelBlock(width, config.pixel_block)

    def forward(
        self, pixels: Tensor, tokens: Tokens, blocked: Tensor | None, size: int
    ) -> tuple[Tensor, Tensor]:
        """Pixels (B, size^2, width) and tokens to the updated pixels and token contents."""
        content = tokens.content
        if self.has_tokens:
            bias, position = tokens.key_bias(), tokens.position
            places = sine_positions(size, size, pixels.shape[-1], pixels.device, position.dtype)
            content = self.query_attention(content, position, pixels, places, blocked)
            content = self.ffn(self.self_attention(content, position, bias))
            pixels = self.pixel_attention(pixels, places, content, position, key_bias=bias, give_up=True)
        return to_tokens(self.pixel_block(to_map(pixels, size, size))), content


def resampler(before: int, after: int, width: int) -> nn.Module:
    """Learned change of stride between successive layers. Spec section 7a."""
    if before == after:
        return nn.Identity()
    if before > after:
        factor = before // after
        return nn.ConvTranspose2d(width, width, factor, factor)
    factor = after // before
    return nn.Conv2d(width, width, factor, factor)


def blocked_pixels(probability: Tensor, tokens: Tokens) -> Tensor:
    """(B, n, H*W) True where a token may not look; a token with nothing left may look everywhere.

    Foreground tokens look where the probability is at least one half, background tokens where it is
    at most one half (those of a complement: less than one half). Spec section 10.
    """
    flat = probability.flatten(1)
    kinds = torch.stack((flat < 0.5, flat >= 0.5, flat > 0.5), 1)
    kinds &= ~kinds.all(-1, keepdim=True)
    kind = torch.where(tokens.foreground, 0, torch.where(tokens.complement, 1, 2))
    return kinds[torch.arange(len(flat), device=flat.device)[:, None], kind]


def mask_for_layer(logits: Tensor, size: int, binary_first: bool) -> Tensor:
    """Probability (B, 1, size, size) that masks the next layer, from detached logits."""
    logits = logits.detach()
    return resize((logits > 0).to(logits), size) if binary_first else resize(logits, size).sigmoid()
