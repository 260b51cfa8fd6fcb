"""A network trained on photographs beside the image encoder: EfficientNet-Lite0 without its classifier.

What it learned of edges, textures and parts of things helps where medical images are few. It is ours, not
the paper's: `KPrismConfig.trunk` switches it on.

Source of the architecture and its figures: M. Tan and Q. Le, "EfficientNet: rethinking model scaling for
convolutional neural networks", ICML 2019, table 1, without squeeze-and-excitation, with ReLU6 in place of
swish and with an unscaled stem, as its authors describe the Lite models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.layers import DepthwiseConv, PointwiseConv, SilentConv, resize

TRUNKS = ("", "efficientnet-lite0")
_STEM = 32
# repeats, kernel, stride of the first, expansion, channels
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
CHANNELS = (16, 24, 40, 112, 320)
_EPSILON = 1e-3
# names in the published file of weights, and ours
_NAMES = (
    ("_conv_stem.", "stem."), ("_blocks.", "blocks."), ("_expand_conv.", "expand."),
    ("_depthwise_conv.", "depthwise."), ("_project_conv.", "project."),
)  # fmt: skip
_UNUSED = ("_conv_head.", "_bn1.", "_fc.")


class Trunk(nn.Module):
    """EfficientNet-Lite0's features.

    `forward` takes normalised images (B, 3, S, S) and returns five maps, of the strides 2, 4, 8, 16 and 32
    and with the channels `CHANNELS`. `normalised_with` tells it how they were normalised.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        self.normalised_with(0.0, 1.0)
        self.stem = _SameConv(3, _STEM, 3, 2)
        self.stem_norm = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        blocks = list(_blocks())
        self.blocks, self._strides = nn.ModuleList(blocks), [block.stride for block in blocks]

    def normalised_with(self, mean: float, deviation: float) -> None:
        """Take images that were (x - mean) / deviation of grey levels x from 0 to 1.

        The published weights are for (255 x - 127) / 128.
        """
        self.scale.fill_(255 / 128 * deviation)
        self.shift.fill_((255 * mean - 127) / 128)

    def forward(self, image: Tensor) -> list[Tensor]:
        x = functional.relu6(self.stem_norm(self.stem(self.scale * image + self.shift)))
        maps: list[Tensor] = []
        for block, stride in zip(self.blocks, self._strides, strict=True):
            if stride > 1:
                maps.append(x)
            x = block(x)
        return [*maps, x]


class _Block(nn.Module):
    """Inverted bottleneck: widened by a factor, filtered channel by channel, and narrowed."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        self.stride, self.residual = stride, stride == 1 and channels == out
        self.widens = expansion > 1
        if self.widens:
            self.expand = PointwiseConv(channels, wide, bias=False)
            self.expand_norm = nn.BatchNorm2d(wide, eps=_EPSILON)
        self.depthwise = _SameDepthwise(wide, kernel, stride)
        self.depthwise_norm = nn.BatchNorm2d(wide, eps=_EPSILON)
        self.project = PointwiseConv(wide, out, bias=False)
        self.project_norm = nn.BatchNorm2d(out, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.relu6(self.expand_norm(self.expand(x))) if self.widens else x
        wide = functional.relu6(self.depthwise_norm(self.depthwise(wide)))
        narrow: Tensor = self.project_norm(self.project(wide))
        return narrow + x if self.residual else narrow


class _SameConv(nn.Conv2d):
    """A convolution whose padding is laid out as TensorFlow's "same", which the weights were trained with."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_padded(x, self.kernel_size[0], self.stride[0]))


class _SameDepthwise(DepthwiseConv):
    """The same for every channel on its own."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, kernel, bias=False)
        self.stride, self.padding = (stride, stride), (0, 0) if stride > 1 else self.padding

    def forward(self, x: Tensor) -> Tensor:
        stride = self.stride[0]
        return super().forward(_padded(x, self.kernel_size[0], stride) if stride > 1 else x)


def _padded(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Zeros around x, the odd one behind it."""
    height, width = (max((math.ceil(side / stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
    return functional.pad(x, (width // 2, width - width // 2, height // 2, height - height // 2))


def _blocks() -> Iterator[_Block]:
    channels = _STEM
    for repeats, kernel, stride, expansion, out in _STAGES:
        for number in range(repeats):
            yield _Block(channels, out, kernel, stride if number == 0 else 1, expansion)
            channels = out


class TrunkJoins(nn.Module):
    """What the maps of a trunk add to the stages of the image encoder; nothing at first.

    Args:
        channels: of the encoder's stages, from stride 2 on. The coarsest stage also gets what the trunk
            sees beyond it, at twice its stride.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        pairs = [*zip(CHANNELS, channels, strict=False), (CHANNELS[len(channels)], channels[-1])]
        self.projections = nn.ModuleList(SilentConv(before, after) for before, after in pairs)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The trunk's maps to one addition per stage."""
        added = [projection(x) for projection, x in zip(self.projections, maps, strict=False)]
        beyond = added.pop()
        return [*added[:-1], added[-1] + resize(beyond, added[-1].shape[-1])]


def trunk_weights(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the published file of EfficientNet-Lite0 for PyTorch, by the names of `Trunk`.

    Raises:
        KeyError: a weight is missing.
        ValueError: one has another shape.
    """
    found = {_own_name(name): value for name, value in published.items() if not name.startswith(_UNUSED)}
    with torch.device("meta"):
        wanted = Trunk().state_dict()
    own = ("scale", "shift")
    wanted = {name: value for name, value in wanted.items() if name not in own}
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            raise ValueError(f"{name} has the shape {tuple(found[name].shape)}, not {tuple(value.shape)}")
    return {name: found[name] for name in wanted}


def _own_name(name: str) -> str:
    for theirs, ours in _NAMES:
        name = name.replace(theirs, ours)
    if not name.startswith("blocks."):
        return name.replace("_bn0.", "stem_norm.")
    block, number, rest = name.split(".", 2)
    # the first block does not widen, and has one norm less; the names keep their meaning
    for theirs, ours in (("_bn0.", "expand_norm."), ("_bn1.", "depthwise_norm."), ("_bn2.", "project_norm.")):
        rest = rest.replace(theirs, ours)
    return f"{block}.{number}.{rest}"
