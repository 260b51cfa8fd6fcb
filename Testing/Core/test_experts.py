"""Gathering the experts' weights changes nothing and finds them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from measured import TINY

from KPrismCore.evaluation.experts import MIXTURES, watched_gates
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ClickSet, Prompts

PROMPTS = Prompts(clicks=ClickSet(torch.tensor([[[30.0, 30.0]]]), torch.ones(1, 1, dtype=torch.long)))


def made(**changes) -> KPrism:
    torch.manual_seed(0)
    return KPrism(replace(TINY, **changes)).for_inference()


def asked(network: KPrism) -> torch.Tensor:
    with torch.inference_mode():
        image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        return network.decode(network.encode_image(image), PROMPTS)[-1]


def test_predictions_stay_the_same():
    network = made()
    before = asked(network)
    with watched_gates(network):
        during = asked(network)
    assert torch.equal(before, during)


def test_the_weights_of_every_mixture_add_up_to_one():
    with watched_gates(network := made()) as gates:
        asked(network)
    weights = np.asarray(gates.means())
    assert weights.shape == (TINY.layers, len(MIXTURES), TINY.experts)
    assert weights.sum(-1) == pytest.approx(1, abs=1e-3)


def test_a_gate_with_a_strong_bias_is_seen():
    network = made()
    network.layers[1].ffn.gate.bias.data = torch.tensor([9.0, -9.0])
    with watched_gates(network) as gates:
        asked(network)
    assert gates.means()[1][list(MIXTURES).index("ffn")] == pytest.approx([1, 0], abs=1e-3)


def test_tokens_that_stand_for_no_click_do_not_count():
    network = made()
    seen = []
    network.layers[1].ffn.gate.register_forward_hook(lambda *call: seen.append(call[2].softmax(-1)[0]))
    with watched_gates(network) as gates:
        asked(network)
    # the click's own token comes first, then one for each kind of click
    assert len(seen[0]) == 3
    found = gates.means()[1][list(MIXTURES).index("ffn")]
    assert found == pytest.approx(seen[0][0].tolist(), abs=1e-3)


def test_all_tokens_of_a_class_count_after_a_click():
    network = made()
    with watched_gates(network) as gates:
        asked(network)
    assert gates.stand_ins == 0


def test_nothing_is_gathered_behind_the_block():
    with watched_gates(network := made()) as gates:
        asked(network)
    before = gates.means()
    network.layers[0].ffn.gate.bias.data += torch.tensor([9.0, -9.0])
    asked(network)
    assert gates.means() == before


def test_a_network_without_experts_has_no_weights():
    with watched_gates(network := made(moe_attention=False, moe_ffn=False)) as gates:
        asked(network)
    assert gates.means() is None
