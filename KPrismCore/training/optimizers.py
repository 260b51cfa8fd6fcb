"""The optimisers of a run: AdamW as in the paper (section 4.1), and Muon, which learns from fewer samples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from KPrismCore.network.trunk import Trunk
from KPrismCore.training.settings import TrainingSettings

MATRICES = "matrices"
# of a parameter group: its rate in units of the recipe's
RATE_FACTOR = "rate_factor"
# of the polynomial a*x + b*x^3 + c*x^5, applied so often, which brings singular values near to one
_COEFFICIENTS, _ITERATIONS = (3.4445, -4.7750, 2.0315), 5
# the root mean square of an AdamW step in units of the rate
_STEP_SIZE = 0.2
_SMALLEST_SIDE, _FEW_CHANNELS = 8, 4


class Muon(torch.optim.AdamW):
    """Momentum made orthogonal for the weight matrices, AdamW for everything else.

    A step turns all directions of a matrix alike, where AdamW's is led by the few with large gradients.
    Convolutions are matrices of (channels out) x (channels in * places), expert weights one for each expert.
    Steps are as large as AdamW's, so that rate and weight decay fit both.

    Args:
        groups: parameter groups; in those with "matrices": True every parameter is taken as matrices.
        momentum: share of the past in the mean gradient.

    Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); for the size
    of the steps J. Liu et al., "Muon is scalable for LLM training", arXiv 2502.16982, section 2.2.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(groups, lr=lr, weight_decay=weight_decay)
        self._momentum = momentum

    def __setstate__(self, state: dict[str, Any]) -> None:
        # AdamW's own looks for a step counter in every state
        torch.optim.Optimizer.__setstate__(self, state)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Change the parameters; the gradients of the matrices are used up."""
        alike: dict[tuple[int, ...], list[tuple[Tensor, float, float, Tensor]]] = defaultdict(list)
        for group in self.param_groups:
            for parameter in group["params"] if group.get(MATRICES) else ():
                if parameter.grad is not None:
                    ahead = self._ahead(parameter, parameter.grad)
                    alike[tuple(ahead.shape)].append((parameter, group["lr"], group["weight_decay"], ahead))
                    parameter.grad = None
        for shape, items in alike.items():
            size = _STEP_SIZE * max(shape[1:]) ** 0.5
            steps = orthogonal(torch.cat([ahead for *_, ahead in items])).split(shape[0])
            for (parameter, rate, decay, _), step in zip(items, steps, strict=True):
                parameter.mul_(1 - rate * decay).add_(step.reshape(parameter.shape), alpha=-rate * size)
        return super().step(closure)

    def _ahead(self, parameter: nn.Parameter, gradient: Tensor) -> Tensor:
        """The mean gradient, with Nesterov's look ahead, as matrices (count, rows, columns)."""
        state = self.state[parameter]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(parameter)
        mean = state["mean"].lerp_(gradient, 1 - self._momentum)
        return _as_matrices(torch.lerp(gradient, mean, self._momentum))


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest orthogonal matrices to (count, rows, columns), roughly: singular values of 0.7 to 1.2.

    The polynomial of x is one of its square x x^T times x, and the square of the result is one of the square
    too. So the iterations go over the small square, and the long matrices are multiplied twice in all.
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    squares = x @ x.mT
    size = squares.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None].clamp(min=1e-14)
    squares = squares / size
    change = torch.eye(squares.shape[-1], dtype=x.dtype, device=x.device) / size.sqrt()
    for further in reversed(range(_ITERATIONS)):
        factor = torch.baddbmm(squares, squares, squares, beta=b, alpha=c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        change = factor @ change
        if further:
            squares = factor @ squares @ factor
    x = change @ x
    return x.mT if tall else x


def _as_matrices(value: Tensor) -> Tensor:
    """Stacked weights stay as they are; those of a convolution or linear layer are one matrix."""
    return value if value.ndim == 3 else value.flatten(1)[None]


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The recipe's optimiser of a network; weights decay, biases and norms do not."""
    return _MAKERS[settings.optimizer](model, settings)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(RATE_FACTOR, 1.0)


def _adamw(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    trunk, own = _trunk_and_own(model)
    groups = [*_plain(own), *_slower(trunk, settings)]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _muon(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    trunk, own = _trunk_and_own(model)
    matrices, single = _by(lambda one: id(one) not in tables and _has_matrices(one), own)
    groups = [{"params": matrices, MATRICES: True}, *_plain(single), *_slower(trunk, settings)]
    return Muon(groups, settings.learning_rate, settings.weight_decay)


_MAKERS: Mapping[str, Callable[[nn.Module, TrainingSettings], torch.optim.Optimizer]] = {
    "adamw": _adamw, "muon": _muon,
}  # fmt: skip


def _plain(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    weights, others = _by(lambda parameter: parameter.ndim > 1, parameters)
    return [{"params": weights}, {"params": others, "weight_decay": 0.0}]


def _slower(trunk: list[nn.Parameter], settings: TrainingSettings) -> list[dict[str, Any]]:
    """The groups of a trunk, which has learned before: large steps would lose that."""
    return [{**group, RATE_FACTOR: settings.trunk_rate_factor} for group in _plain(trunk) if trunk]


def _trunk_and_own(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    trunks = [module for module in model.modules() if isinstance(module, Trunk)]
    known = {id(parameter) for trunk in trunks for parameter in trunk.parameters()}
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return _by(lambda parameter: id(parameter) in known, learning)


def _has_matrices(parameter: nn.Parameter) -> bool:
    """Whether directions have a meaning: not in small gates, nor where few channels come in (depthwise)."""
    if parameter.ndim < 2 or (parameter.ndim == 4 and parameter.shape[1] <= _FEW_CHANNELS):
        return False
    return min(_as_matrices(parameter).shape[1:]) >= _SMALLEST_SIDE


def _by(
    holds: Callable[[nn.Parameter], bool], parameters: Iterable[nn.Parameter]
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters of which something holds, and the others."""
    listed = list(parameters)
    return [one for one in listed if holds(one)], [one for one in listed if not holds(one)]
