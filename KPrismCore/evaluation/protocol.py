"""What is measured: how many cases, clicks and references, and which peers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from KPrismCore.evaluation.metrics import MAX_CLICKS

MODEL, PREVIOUS = "K-Prism", "previous checkpoint"
SAME, OWN = "same", "own"
# how a report calls the subjects that a training keeps out, where these are measured
HELD_OUT = "validation part of the training sets."
# and all of them
EVERYONE = "all; the figures count for data that no training has seen."
Record = dict[str, Any]


@dataclass(frozen=True)
class Protocol:
    """What is measured.

    Args:
        limit: most cases per set; None for all.
        clicks: clicks per case without class and references.
        refinements: clicks after a first mask from a class or a reference.
        peer_clicks: "same" (those of the network) and "own", in any combination; empty for no peers.
        shots: numbers of references given together, besides one.
        exemplars: how many single references are tried one by one, to see how much the choice matters.
        noisy: whether an imperfect person's clicks are measured too.
        everyone: whether references are drawn from all subjects, as the cases are, or from the training's.
    """

    limit: int | None = 20
    clicks: int = MAX_CLICKS
    refinements: int = MAX_CLICKS
    peer_clicks: tuple[str, ...] = (SAME, OWN)
    shots: tuple[int, ...] = (3,)
    exemplars: int = 0
    noisy: bool = False
    everyone: bool = False

    def facts(self) -> dict[str, Any]:
        """The protocol in words, for the head of a report."""
        facts = asdict(self)
        del facts["everyone"]  # the report tells the subjects in words
        facts["limit"] = "all cases" if self.limit is None else f"at most {self.limit} cases per set"
        facts["peer_clicks"] = ", ".join(self.peer_clicks) or "no peers"
        facts["shots"] = ", ".join(str(count) for count in (1, *self.shots))
        return facts


FAST = Protocol(limit=5, refinements=1, peer_clicks=(SAME,), shots=())
FULL = Protocol(shots=(3, 5, 9), exemplars=10, noisy=True)
