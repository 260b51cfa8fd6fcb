"""What a prompt costs: the fast path, the plain path, the authors' way, and the convolutions alone.

All ways are timed in turn within one run, so that their ratios hold on a busy machine too.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from KPrismCore.network.golden import use_folding
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ClickSet, ImageFeatures, Prompts

CLICKS = (1, 5, 10)


@dataclass(frozen=True)
class ClickCost:
    """Median milliseconds of one more prompt with so many clicks in all (0: a class only)."""

    clicks: int
    fast: float
    plain: float
    authors: float
    convolutions: float


@dataclass(frozen=True)
class SpeedReport:
    """Milliseconds of one network on one device; `prompts` starts with the class prompt."""

    encoder: float
    reference: float
    prompts: tuple[ClickCost, ...]


def measure_speed(network: KPrism, device: torch.device, repeats: int = 5) -> SpeedReport:
    """Time encoder, one reference, a class prompt, and further clicks with 1, 5 and 10 clicks."""
    size = network.config.input_size
    with torch.inference_mode():
        image = torch.randn(1, 3, size, size, device=device)
        mask = (torch.rand(1, 1, 1, size, size, device=device) > 0.5).float()
        once = _medians(
            {
                "encoder": lambda: network.encode_image(image),
                "reference": lambda: network.encode_references(image[:, None], mask),
            },
            device, max(2, repeats // 2),
        )  # fmt: skip
        features = network.encode_image(image)
        first = _cost(
            network, features, Prompts(class_index=torch.ones(1, dtype=torch.long, device=device)), repeats
        )
        further = [_cost(network, features, _click_prompts(count, size, device), repeats) for count in CLICKS]
    return SpeedReport(once["encoder"], once["reference"], (first, *further))


def _click_prompts(count: int, size: int, device: torch.device) -> Prompts:
    points = torch.rand(1, count, 2, device=device).mul(size - 1).round()
    labels = (torch.arange(count, device=device) % 2 == 0).long()[None]
    return Prompts(clicks=ClickSet(points, labels), previous=torch.rand(1, 1, size, size, device=device))


def _cost(network: KPrism, features: ImageFeatures, prompts: Prompts, repeats: int) -> ClickCost:
    calls = _convolution_calls(network, features, prompts)
    click_map = torch.rand(1, 3, *[network.config.input_size] * 2, device=features.query.device)

    def decode(folding: bool, encodings: int) -> None:
        use_folding(network, folding)
        for _ in range(encodings - 1):
            network.prompt_maps(click_map)
        network.decode(features, prompts)

    def convolve() -> None:
        for module, value in calls:
            module(value)

    ways: dict[str, Callable[[], object]] = {
        "fast": lambda: decode(True, 1),
        "convolutions": convolve,
        "plain": lambda: decode(False, 1),
        "authors": lambda: decode(False, 3),  # their code encodes the prompt once for every level
    }
    medians = _medians(ways, features.query.device, repeats)
    use_folding(network, True)
    count = 0 if prompts.clicks is None else prompts.clicks.labels.shape[1]
    return ClickCost(count, **medians)


def _convolution_calls(
    network: KPrism, features: ImageFeatures, prompts: Prompts
) -> list[tuple[nn.Module, Tensor]]:
    """Every convolution of one prompt with its input, as the decoder calls it."""
    calls: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        calls.append((module, inputs[0].clone()))

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    modules = [module for module in network.modules() if isinstance(module, kinds)]
    hooks = [module.register_forward_pre_hook(note) for module in modules]
    try:
        network.decode(features, prompts)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _medians(
    ways: Mapping[str, Callable[[], object]], device: torch.device, repeats: int
) -> dict[str, float]:
    """Median milliseconds of each way; the ways take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            _wait(device)
            begin = time.perf_counter()
            way()
            _wait(device)
            if turn > 0:  # the first turn warms up
                seconds[name].append(time.perf_counter() - begin)
    return {name: 1000 * statistics.median(values) for name, values in seconds.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
