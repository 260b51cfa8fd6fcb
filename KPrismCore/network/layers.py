"""Blocks shared by the encoders and the decoder."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.products import by_rows

# values per piece when moments are taken: half a megabyte stays in the cache
_PIECE = 2**17


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution taken as one matrix product over the pixels (`products.by_rows`).

    Faster than the convolution as torch takes it on a single thread, and it avoids a strided 1x1 backward
    pass that damages the heap with channels-last tensors in the CPU build of torch 2.13.
    """

    def __init__(self, channels_in: int, channels_out: int, bias: bool = True) -> None:
        super().__init__(channels_in, channels_out, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        pixels = by_rows(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return pixels.permute(0, 3, 1, 2)


class SilentConv(PointwiseConv):
    """A change of a map that begins with zeros: what is added later then leaves a network as it was."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, bias=False)
        nn.init.zeros_(self.weight)


class DepthwiseConv(nn.Conv2d):
    """A convolution of every channel on its own, the size of the map unchanged.

    On the processor it is taken in float32 even where autocast says bfloat16: the gradient of its weights
    takes several times as long in that with torch 2.13.
    """

    def __init__(self, channels: int, kernel: int, bias: bool = True) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class GroupNorm(nn.GroupNorm):
    """Group normalisation that is exact on channels-last tensors.

    For these torch takes the variance as E[x^2] - E[x]^2 over long sums on the CPU, which loses the almost
    constant maps of an empty prompt: differences of 1e-2 behind it. Without gradients the variance is taken
    here around the mean, in short pieces, and the input is overwritten; with gradients, on other devices
    and in other precisions torch does it, on planar memory. On the processor the result has the input's
    memory format: sums of tensors of unlike formats take several times as long.

    Args:
        rectified: normalise ReLU(x); the input is overwritten then in every case.
    """

    def __init__(self, groups: int, channels: int, rectified: bool = False) -> None:
        super().__init__(groups, channels)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        here, last = x.device.type == "cpu", x.is_contiguous(memory_format=torch.channels_last)
        if not (here and last) or x.dtype != torch.float32 or torch.is_grad_enabled():
            normed = super().forward((x.relu_() if self.rectified else x).contiguous())
            return normed.contiguous(memory_format=torch.channels_last) if here and last else normed
        batch, channels = x.shape[:2]
        moments = _channel_moments(x, self.rectified)
        mean, spread = (value.view(batch, self.num_groups, -1) for value in moments)
        group_mean = mean.mean(2, keepdim=True)
        variance = (spread + (mean - group_mean).square()).mean(2, keepdim=True)
        weight, bias = (value.view(1, self.num_groups, -1) for value in (self.weight, self.bias))
        scale = weight * (variance + self.eps).rsqrt()
        shift = bias - group_mean * scale
        shape = (batch, channels, 1, 1)
        return torch.addcmul(shift.view(shape), x, scale.view(shape), out=x)


def _channel_moments(x: Tensor, rectified: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel of (B, C, H, W), each (B, C); rectifies x first if asked to.

    Each number is read from memory once: differences to the mean of the first piece are summed, and their
    squares. A piece is a part of the whole, so the variance is at least about (that mean - the mean)^2 times
    the piece's share, and the subtraction at the end loses few digits.
    """
    pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
    rows = max(1, _PIECE // x.shape[1])
    buffer = x.new_empty(min(rows, pixels.shape[1]), x.shape[1])
    moments = [_moments_of_one(image.split(rows), buffer, rectified) for image in pixels]
    mean, variance = zip(*moments, strict=True)
    return torch.stack(mean), torch.stack(variance)


def _moments_of_one(pieces: tuple[Tensor, ...], buffer: Tensor, rectified: bool) -> tuple[Tensor, Tensor]:
    sums, squares, count = [], [], 0
    centre = buffer.new_zeros(buffer.shape[1])
    for piece in pieces:
        if rectified:
            piece.relu_()
        if count == 0:
            centre = piece.mean(0)
        difference = torch.sub(piece, centre, out=buffer[: len(piece)])
        sums.append(difference.sum(0))
        squares.append(difference.square_().sum(0))
        count += len(piece)
    offset = torch.stack(sums).sum(0) / count
    return centre + offset, (torch.stack(squares).sum(0) / count - offset.square()).clamp_(min=0)


class BasicBlock(nn.Module):
    """Pre-activation residual block: (B, cin, H, W) -> (B, cout, H/stride, W/stride). Spec section 2."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.stride = stride
        self.has_shortcut = stride != 1 or channels_in != channels_out
        if self.has_shortcut:
            self.shortcut_norm = nn.BatchNorm2d(channels_in)
            self.shortcut_conv = PointwiseConv(channels_in, channels_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.conv1(functional.relu(self.norm1(x)))
        residual = self.conv2(functional.relu(self.norm2(residual)))
        return residual + (self._shortcut(x) if self.has_shortcut else x)

    def _shortcut(self, x: Tensor) -> Tensor:
        thinned = self.shortcut_norm(x)[:, :, :: self.stride, :: self.stride]
        result: Tensor = self.shortcut_conv(functional.relu(thinned))
        return result


class SeparableConv(nn.Module):
    """Depthwise 3x3 followed by a pointwise convolution, without biases."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.depthwise = DepthwiseConv(channels_in, 3, bias=False)
        self.pointwise = PointwiseConv(channels_in, channels_out, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.pointwise(self.depthwise(x))
        return result


class GridAttention(nn.Module):
    """Attention of every pixel to a reduced grid of keys, with a relative position bias. Spec section 2.

    The bias joins the product of queries and keys before both are scaled, as in the authors' code.
    """

    index: Tensor

    def __init__(self, channels: int, heads: int, grid: int) -> None:
        super().__init__()
        self.heads, self.grid = heads, grid
        self.to_qkv = SeparableConv(channels, 3 * channels)
        self.to_out = SeparableConv(channels, channels)
        self.dropout = nn.Dropout(0.1)
        self.bias_table = nn.Parameter(torch.randn((2 * grid - 1) ** 2, heads) * 0.02)
        self.register_buffer("index", relative_position_index(grid), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        query, key, value = self.to_qkv(x).chunk(3, dim=1)
        size = (self.grid, self.grid)
        key = functional.interpolate(key, size, mode="bilinear", align_corners=True)
        value = functional.interpolate(value, size, mode="bilinear", align_corners=True)
        query, key, value = (self._split(part) for part in (query, key, value))
        depth = channels // self.heads
        attended = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=self._bias(height, width) * depth**-0.5,
            dropout_p=self.dropout.p if self.training else 0.0,
        )
        # channel index = depth * heads + head: the head is the fast index
        attended = attended.permute(0, 3, 1, 2).reshape(batch, channels, height, width)
        result: Tensor = self.dropout(self.to_out(attended))
        return result

    def _split(self, x: Tensor) -> Tensor:
        """(B, d*heads, H, W) -> (B, heads, H*W, d)."""
        batch, channels, height, width = x.shape
        parts = x.reshape(batch, channels // self.heads, self.heads, height * width)
        return parts.permute(0, 2, 3, 1).contiguous()

    def _bias(self, height: int, width: int) -> Tensor:
        """(heads, H*W, grid*grid): the row of the key cell under each query pixel."""
        cells = self.grid * self.grid
        table = self.bias_table[self.index.flatten()].view(self.grid, self.grid, cells * self.heads)
        rows = torch.arange(height, device=table.device) * self.grid // height
        columns = torch.arange(width, device=table.device) * self.grid // width
        bias = table[rows][:, columns].view(height * width, cells, self.heads)
        return bias.permute(2, 0, 1).contiguous()


class TransBlock(nn.Module):
    """Grid attention and a pointwise layer, both residual. Spec section 2."""

    def __init__(self, channels: int, heads: int, grid: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.attention = GridAttention(channels, heads, grid)
        self.norm2 = nn.BatchNorm2d(channels)
        self.mlp = PointwiseConv(channels, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(functional.relu(self.norm2(x)))


def relative_position_index(grid: int) -> Tensor:
    """(grid^2, grid^2) int64 rows of the bias table for each pair of cells (row-major)."""
    rows, columns = torch.arange(grid).repeat_interleave(grid), torch.arange(grid).repeat(grid)
    return (rows[:, None] - rows + grid - 1) * (2 * grid - 1) + (columns[:, None] - columns + grid - 1)


@lru_cache(maxsize=32)
def _sine_positions(height: int, width: int, channels: int, device: str) -> Tensor:
    half = channels // 2
    exponent = 2 * torch.div(torch.arange(half, dtype=torch.float32), 2, rounding_mode="floor") / half
    frequency = 10000.0**exponent

    def encode(length: int) -> Tensor:
        position = torch.arange(1, length + 1, dtype=torch.float32) / (length + 1e-6) * (2 * math.pi)
        angle = position[:, None] / frequency
        return torch.stack((angle[:, 0::2].sin(), angle[:, 1::2].cos()), dim=2).flatten(1)

    rows = encode(height)[:, None].expand(height, width, half)
    columns = encode(width)[None].expand(height, width, half)
    return torch.cat((rows, columns), dim=2).reshape(1, height * width, channels).to(device)


def sine_positions(
    height: int, width: int, channels: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """(1, H*W, C) sine position code, rows in the first half of the channels. Spec section 5."""
    with torch.inference_mode(False):
        return _sine_positions(height, width, channels, str(device)).to(dtype)


def to_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H*W, C); free of copies where x is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, x.shape[1])


def to_map(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, H*W, C) -> (B, C, H, W) in channels-last memory, without a copy."""
    return tokens.view(tokens.shape[0], height, width, -1).permute(0, 3, 1, 2)


def add_into(x: Tensor, other: Tensor) -> Tensor:
    """x + other; without gradients in the memory of x, which the caller gives up."""
    return x + other if torch.is_grad_enabled() or x.dtype != other.dtype else x.add_(other)


def resize(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear resampling with pixel areas aligned (align_corners=False), as everywhere in the network."""
    target = (size, size) if isinstance(size, int) else size
    return (
        x
        if x.shape[-2:] == target
        else functional.interpolate(x, target, mode="bilinear", align_corners=False)
    )
