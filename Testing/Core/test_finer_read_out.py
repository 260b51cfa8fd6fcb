"""References read out at the second level too: it begins as nothing, learns, and finds what is small."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import TINY

from KPrismCore.errors import CheckpointError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ImageFeatures, Prompts, ReferenceFeatures
from KPrismCore.training.losses import matching_loss

FINER = replace(TINY, finer_read_out=True)


def image(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(4))


def references(network: KPrism, count: int = 2) -> ReferenceFeatures:
    return network.encode_references(image(count)[None], (image(count)[None, :, :1] > 0).float())


def answer(network: KPrism) -> torch.Tensor:
    with torch.no_grad():
        return network.decode(network.encode_image(image()), Prompts(references=references(network)))[-1]


@pytest.fixture
def network() -> KPrism:
    torch.manual_seed(3)
    return KPrism(FINER).for_inference()


def test_a_network_with_it_begins_as_the_one_without(network):
    plain = KPrism(TINY).for_inference()
    network.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(answer(network), answer(plain))


def test_what_it_reads_out_changes_the_answer(network):
    before = answer(network)
    torch.nn.init.normal_(network.finer_read_out.projection.weight)
    assert not torch.allclose(answer(network), before)


def test_the_second_level_is_compared_on_its_own_grid(network):
    with torch.no_grad():
        features, shown = network.encode_image(image()), references(network)
    assert features.finer_query.shape == (1, *shown.finer_keys.shape[2:])
    assert shown.finer_keys.shape[-2:] == features.levels[1].shape[-2:]
    assert shown.finer_values.shape[-2:] == features.levels[1].shape[-2:]


def test_it_begins_with_the_comparison_of_the_coarsest_level(network):
    with torch.no_grad():
        features = network.encode_image(image())
    wanted = torch.nn.functional.interpolate(features.query, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(features.finer_query, wanted)


def test_the_same_image_shown_as_reference_is_read_out_where_it_is(network):
    torch.nn.init.normal_(network.finer_read_out.key_join.weight, std=200.0)
    masks = torch.zeros(1, 1, 1, 64, 64)
    masks[..., 24:32, 40:48] = 1.0
    with torch.no_grad():
        features, shown = network.encode_image(image()), network.encode_references(image()[None], masks)
        target = masks[:, 0]
        found = matching_loss(features.finer_query, shown.finer_keys, masks, target)
        missed = matching_loss(features.finer_query, shown.finer_keys, masks.roll(16, -1), target)
    assert found < 0.5
    assert missed > 4.0


def test_references_encoded_one_by_one_keep_their_second_level(network):
    pictures, masks = image(3)[None], (image(3)[None, :, :1] > 0).float()
    with torch.no_grad():
        together = network.encode_references(pictures, masks)
        parts = [network.encode_references(pictures[:, i : i + 1], masks[:, i : i + 1]) for i in range(3)]
    joined = ReferenceFeatures.concatenate(parts)
    torch.testing.assert_close(joined.finer_keys, together.finer_keys, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(joined.finer_values, together.finer_values, atol=2e-5, rtol=1e-4)


def test_its_projection_learns_from_the_first_step_and_its_keys_from_the_matching_loss():
    model = KPrism(FINER).train()
    features, shown = model.encode_image(image(2)[:1]), references(model)
    masks = (image(2)[None, :, :1] > 0).float()
    loss = model.with_references(features, shown).levels[1].square().sum()
    (loss + matching_loss(features.finer_query, shown.finer_keys, masks, masks[:, 0])).backward()
    for join in (model.finer_read_out.projection, model.finer_read_out.key_join):
        assert join.weight.grad.abs().max() > 0


def test_features_of_a_network_without_it_are_refused(network):
    with torch.no_grad():
        shown, features = references(network), KPrism(TINY).encode_image(image())
    assert isinstance(features, ImageFeatures)
    with pytest.raises(ValueError, match="not of this network"):
        network.with_references(features, shown)


def test_a_network_of_one_level_has_no_second_one_to_read_out():
    with pytest.raises(CheckpointError, match="finer_read_out"):
        KPrismConfig(strides=(16,), finer_read_out=True)
