"""How sure the network may claim to be of a mask.

Its own probabilities say which Dice to expect, and promise too much. A checkpoint therefore has a line for
each kind of prompt, from that expectation to the Dice that came true on subjects training did not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# offset and slope of the Dice that comes true over the Dice that is expected
Line = tuple[float, float]
# kinds of prompts with clicks: from how many on
CLICKS = {"clicks_4": 4, "clicks_2": 2, "clicks_1": 1}
KINDS = ("class", "reference", *reversed(CLICKS))


def prompt_kind(clicks: int, references: bool) -> str:
    """The kind of a prompt: how many clicks there are, else whether there are references.

    Args:
        clicks: their number.
        references: whether there are any; without them and clicks it is a class.
    """
    by_clicks = [kind for kind, least in CLICKS.items() if clicks >= least]
    return by_clicks[0] if by_clicks else "reference" if references else "class"


def expected_dice(mask: NDArray[np.bool_], probability: NDArray[np.float32]) -> float:
    """Dice of a mask (H, W) with its probabilities; for an empty mask, one minus the largest probability."""
    if not mask.any():
        return float(1 - probability.max())
    return float(2 * probability[mask].sum() / (probability.sum() + mask.sum()))


def confidence(expected: float, kind: str, lines: Mapping[str, Line]) -> float:
    """What is told to people, 0 to 1: the expected Dice on the line of its kind, if there is one."""
    offset, slope = lines.get(kind, (0.0, 1.0))
    return min(1.0, max(0.0, offset + slope * expected))


def read_lines(values: Mapping[str, Any]) -> dict[str, Line]:
    """Lines from plain values, as JSON has them.

    Raises:
        TypeError, ValueError: a line is not two numbers.
    """
    return {str(kind): (float(offset), float(slope)) for kind, (offset, slope) in values.items()}
