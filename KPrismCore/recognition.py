"""What a reference shows is often a class the network knows: its name then answers beside the reference.

Each class of the modality is tried on the reference's own image. The one whose mask fits the reference's mask
best is what the reference shows, as far as it fits. On another image the answers to that class and to the
references are averaged, each by how sure it is. So are those to a class that is given with references and to
both in one prompt, as far as the class fits them. Ours, not the paper's, where a prompt has one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

# Dice of a class that was not tried on a reference
UNTRIED = -1.0
# so many of several references are enough to tell what they show
TRIED = 2


@dataclass(frozen=True)
class Recognition:
    """From which fit on a class counts, and how much more the surer of two answers says.

    least: Dice of the class's mask with that of a reference, the mean over those it was tried on.
    power: answers weigh as their expected Dice to this power; that of the class times its fit.
    """

    least: float = 0.5
    power: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.least <= 1 or self.power < 0:
            raise ValueError("recognition has a least Dice between 0 and 1, and a power of at least 0")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Recognition | None:
        """Inverse of `to_dict`; None for None.

        Raises:
            TypeError, ValueError: unknown names, or impossible values.
        """
        return None if values is None else cls(**values)

    def best(self, fits: Tensor, only: int | None = None) -> tuple[int, float] | None:
        """The class (its place among those of `fits`) that fits the references best, and how well.

        Args:
            fits: (1, R, classes) Dice on each reference; `UNTRIED` where a class was not tried, as none is on
                the references after the first ones (`TRIED`).
            only: place of the class that was given with the references, if any: no other is asked for.

        Returns:
            None where none fits well enough.
        """
        tried = fits[0][(fits[0] > UNTRIED).any(1)]
        if not tried.numel():
            return None
        means = tried.mean(0)
        place = int(means.argmax()) if only is None else only
        fit = float(means[place])
        return (place, fit) if fit >= self.least else None

    def averaged(
        self, by_class: Tensor, fit: float, by_references: Tensor, sure: tuple[float, float]
    ) -> Tensor:
        """The mean of two answers, each weighed by how sure it is.

        Args:
            by_class: probability of the class.
            fit: of the class, from `best`.
            by_references: probability of the references, of the same shape.
            sure: the expected Dice of either.
        """
        known, shown = (fit * sure[0]) ** self.power, sure[1] ** self.power
        if known + shown == 0:
            return by_references
        return (known * by_class + shown * by_references) / (known + shown)
