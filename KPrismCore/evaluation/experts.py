"""Which experts a prompt calls: mean gate of every expert in every decoder layer. Paper figure 4."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompt_encoder import Tokens

# the three mixtures of a decoder layer, in its own order (spec section 7 b, d, e)
MIXTURES = {
    "query_attention": "prompt to pixel", "ffn": "feed-forward", "pixel_attention": "pixel to prompt",
}  # fmt: skip
# places of those whose gates belong to prompt tokens; the third one's belong to pixels
_OF_TOKENS = (0, 1)
Weights = list[list[list[float]]]


@dataclass
class Gates:
    """Sums of gates over tokens and calls, by (layer, mixture).

    `stand_ins` are the last tokens of the layer at work, which stand for no click.
    """

    stand_ins: int = 0
    _sums: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _counts: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, place: tuple[int, int], logits: Tensor) -> None:
        """Take the gate's logits (B, L, experts) of one call."""
        kept = logits.shape[-2] - (self.stand_ins if place[1] in _OF_TOKENS else 0)
        gates = logits[..., :kept, :].detach().float().softmax(-1).flatten(0, -2)
        self._sums[place] = self._sums.get(place, 0) + gates.sum(0)
        self._counts[place] = self._counts.get(place, 0) + len(gates)

    def means(self) -> Weights | None:
        """Mean gates by layer, mixture (in the order of `MIXTURES`) and expert; None where none was seen."""
        if not self._sums:
            return None
        layers = 1 + max(layer for layer, _ in self._sums)
        places = [[(layer, part) for part in range(len(MIXTURES))] for layer in range(layers)]
        if any(place not in self._sums for row in places for place in row):
            return None
        return [[self._mean(place) for place in row] for row in places]

    def _mean(self, place: tuple[int, int]) -> list[float]:
        return [round(value, 4) for value in (self._sums[place] / self._counts[place]).tolist()]


@contextmanager
def watched_gates(network: KPrism) -> Iterator[Gates]:
    """Gather the gates of all predictions inside the block; results stay the same.

    Gates of pixels count per pixel, gates of prompt tokens per token, but for the tokens that stand for no
    click. Networks with a single expert, which have nothing to choose, and without tokens give none.
    """
    gates = Gates()

    def clicked(_module: nn.Module, inputs: Any, tokens: Tokens) -> None:
        gates.stand_ins = tokens.content.shape[1] - inputs[0].labels.shape[1]

    def done(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        gates.stand_ins = 0

    hooks = [network.click_encoder.register_forward_hook(clicked)]
    hooks += [module.register_forward_hook(done) for module in network.layers]
    for layer, module in enumerate(network.layers):
        for part, name in enumerate(MIXTURES):
            gate = getattr(getattr(module, name, None), "gate", None)
            if isinstance(gate, nn.Linear) and gate.out_features > 1:
                hooks.append(gate.register_forward_hook(_noting(gates, (layer, part))))
    try:
        yield gates
    finally:
        for hook in hooks:
            hook.remove()


def _noting(gates: Gates, place: tuple[int, int]) -> Callable[[nn.Module, Any, Tensor], None]:
    def note(_module: nn.Module, _inputs: Any, logits: Tensor) -> None:
        gates.add(place, logits)

    return note
