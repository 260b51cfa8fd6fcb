"""Muon: what is orthogonal, how far a step goes, and what AdamW still trains."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from disc_runs import NETWORK, SETTINGS
from torch import Tensor, nn

from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.training.optimizers import MATRICES, make_optimizer, orthogonal

MUON = replace(SETTINGS, optimizer="muon", learning_rate=0.01, weight_decay=0.0)


class Mixed(nn.Module):
    """Parameters of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 16, 3)
        self.depthwise = nn.Conv2d(16, 16, 3, groups=16)
        self.first = nn.Conv2d(3, 16, 3)
        self.linear = nn.Linear(24, 12)
        self.gate = nn.Linear(24, 3)
        self.table = nn.Embedding(10, 24)
        self.experts = nn.Parameter(torch.randn(3, 12, 20))


@pytest.fixture
def mixed() -> Mixed:
    torch.manual_seed(0)
    return Mixed()


def stepped(module: nn.Module, gradients: dict[str, Tensor], optimizer: str) -> dict[str, Tensor]:
    """What one step takes from every parameter."""
    changed = copy.deepcopy(module)
    made = make_optimizer(changed, replace(MUON, optimizer=optimizer))
    for name, parameter in changed.named_parameters():
        parameter.grad = gradients[name].clone()
    made.step()
    before = dict(module.named_parameters())
    return {name: (before[name] - after).detach() for name, after in changed.named_parameters()}


@pytest.fixture
def gradients(mixed: Mixed) -> dict[str, Tensor]:
    return {name: torch.randn_like(value) for name, value in mixed.named_parameters()}


@pytest.mark.parametrize("shape", [(1, 16, 48), (2, 12, 96), (3, 96, 12)])
def test_all_singular_values_of_a_step_are_near_one(shape):
    torch.manual_seed(1)
    scales = torch.logspace(-0.5, 0.5, shape[-1])
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape) * scales))
    assert values.min() > 0.3
    assert values.max() < 1.3


@pytest.mark.parametrize("shape", [(2, 24, 24), (1, 16, 144), (3, 96, 12)])
@pytest.mark.parametrize("decades", [0, 5])
def test_a_step_is_the_polynomial_of_the_whole_matrix(shape, decades):
    torch.manual_seed(2)
    left, _, right = torch.linalg.svd(torch.randn(shape, dtype=torch.float64), full_matrices=False)
    values = torch.logspace(0, -decades, left.shape[-1], dtype=torch.float64)
    matrices = (left * values) @ right
    relative = values / values.norm()
    for _ in range(5):
        relative = 3.4445 * relative - 4.7750 * relative**3 + 2.0315 * relative**5
    expected = (left * relative) @ right
    torch.testing.assert_close(orthogonal(matrices), expected, atol=1e-9, rtol=0)
    torch.testing.assert_close(orthogonal(matrices.float()).double(), expected, atol=2e-3, rtol=0)


def test_a_gradient_of_zeros_gives_a_step_of_zeros():
    assert not orthogonal(torch.zeros(2, 12, 20)).any()


@pytest.mark.parametrize("name", ["conv.weight", "linear.weight", "experts"])
def test_a_matrix_goes_as_far_as_adamw_would(mixed, gradients, name):
    step = stepped(mixed, gradients, "muon")[name]
    assert 0.1 < float(step.square().mean().sqrt()) / MUON.learning_rate < 0.3


def test_each_expert_is_a_matrix_of_its_own(mixed, gradients):
    step = stepped(mixed, gradients, "muon")["experts"]
    gradients["experts"][0] *= 100
    assert torch.allclose(stepped(mixed, gradients, "muon")["experts"], step, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["conv.bias", "depthwise.weight", "first.weight", "gate.weight", "gate.bias", "table.weight"],
)
def test_what_is_no_matrix_is_trained_by_adamw(mixed, gradients, name):
    muon, adamw = (stepped(mixed, gradients, optimizer)[name] for optimizer in ("muon", "adamw"))
    assert torch.equal(muon, adamw)


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_biases_do_not_decay_and_weights_do(mixed, gradients, optimizer):
    settings = replace(MUON, optimizer=optimizer, weight_decay=0.1)
    made = make_optimizer(mixed, settings)
    decay = {id(one): group["weight_decay"] for group in made.param_groups for one in group["params"]}
    assert {name: decay[id(one)] for name, one in mixed.named_parameters()} == {
        name: 0.0 if name.endswith("bias") else 0.1 for name in gradients
    }


def test_most_weights_of_the_network_are_matrices():
    network = KPrism(KPrismConfig.from_dict(NETWORK))
    groups = make_optimizer(network, MUON).param_groups
    matrices = sum(one.numel() for group in groups if group.get(MATRICES) for one in group["params"])
    assert matrices > 0.7 * sum(one.numel() for one in network.parameters())
