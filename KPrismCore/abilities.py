"""What a checkpoint was measured to do: per modality, image set, class and kind of prompt.

The figures are those that `evaluate` makes and `export --metrics` puts on the model card. Cards without them
are read too: what they do not tell was not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from KPrismCore.modalities import modality_key

# mean Dice from which on results are called so
GOOD_DICE = 0.7
USABLE_DICE = 0.5

CLASS, REFERENCE, CLICKS = "class", "reference", "clicks"
# kind of prompt -> its field on the card; clicks are judged after five of them
KINDS = {CLASS: "class", REFERENCE: "reference", CLICKS: "dice_5"}
# what of `ModelCard.metrics` is read here
FIGURE_TABLES = ("classes", "modalities", "sets")
# among them: whether other weights were measured, with which a last training on the measured cases began
EARLIER = "of_earlier_weights"


class Grade(Enum):
    """What a mean Dice means to the reader."""

    GOOD = "good"
    USABLE = "usable with corrections"
    POOR = "poor"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Score:
    """A mean Dice, 0 to 1, or None where it was not measured, and the number of cases behind it."""

    dice: float | None = None
    cases: int = 0

    @property
    def grade(self) -> Grade:
        """The figure in words."""
        if self.dice is None:
            return Grade.NOT_MEASURED
        if self.dice >= GOOD_DICE:
            return Grade.GOOD
        return Grade.USABLE if self.dice >= USABLE_DICE else Grade.POOR

    @property
    def rank(self) -> float:
        """Orders scores from bad to good; what was not measured comes first."""
        return -1.0 if self.dice is None else self.dice


NOT_MEASURED = Score()


@dataclass(frozen=True)
class Ability:
    """What was measured on an image set, or on all sets of a modality.

    Args:
        name: of the set; for a modality the same as `modality`.
        modality: such as CT, MR, ultrasound, as the card says it.
        cases: behind the figures.
        scores: by kind of prompt, all of `KINDS`.
    """

    name: str
    modality: str
    cases: int
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Abilities:
    """All that a card tells; see `read_abilities`.

    Args:
        measured: whether it has any figures, also others than these.
        modalities, sets: worst first, by five clicks.
        classes: by class name: asked for by that name alone; worst first.
        earlier: whether they are of the weights before a last training, which had the measured cases too.
    """

    measured: bool = False
    modalities: tuple[Ability, ...] = ()
    sets: tuple[Ability, ...] = ()
    classes: Mapping[str, Score] = field(default_factory=dict)
    earlier: bool = False

    def on(self, modality: str | None, kind: str) -> tuple[str, Score]:
        """The name that the card has for a modality, and the score of a kind of prompt on it.

        Some names mean two things on the card: DICOM's microscopy may be histology. The worse counts. Where
        nothing was measured, the name is the one given, or empty.

        Args:
            modality: under any of its names (MRI, DICOM's DX); None where unknown.
            kind: one of `KINDS`.
        """
        rows = [row for row in self.modalities if modality and _same(row.modality, modality)]
        scored = [(row.name, row.scores[kind]) for row in rows if row.scores[kind].dice is not None]
        if scored:
            return min(scored, key=lambda pair: pair[1].rank)
        return modality or "", NOT_MEASURED

    def knows(self, modality: str) -> bool:
        """Whether anything was measured on a modality."""
        return any(self.on(modality, kind)[1].dice is not None for kind in KINDS)

    def class_named(self, name: str) -> Score:
        """The score of a class asked for by its name alone."""
        return self.classes.get(name, NOT_MEASURED)

    def ranked(self, kind: str) -> tuple[Ability, ...]:
        """The modalities on which a kind of prompt was measured, best first."""
        measured = [row for row in self.modalities if row.scores[kind].dice is not None]
        return tuple(sorted(measured, key=lambda row: -row.scores[kind].rank))


def read_abilities(metrics: Any) -> Abilities:
    """Read the figures of a model card; what is missing, or no figure, counts as not measured.

    Args:
        metrics: `ModelCard.metrics`: of it {"classes": {name: {"dice", "cases"}}, "modalities" and "sets":
            {name: {"cases", "class", "reference", "dice_5"}}}, sets with "modality" too; and `EARLIER`.
    """
    if not isinstance(metrics, Mapping):
        return Abilities()
    classes = {
        name: Score(_dice(row.get("dice")), _count(row.get("cases")))
        for name, row in _rows(metrics, "classes")
    }
    return Abilities(
        bool(metrics),
        _sorted(_ability(name, name, row) for name, row in _rows(metrics, "modalities")),
        _sorted(_ability(name, str(row.get("modality", "")), row) for name, row in _rows(metrics, "sets")),
        dict(sorted(classes.items(), key=lambda pair: pair[1].rank)),
        earlier=metrics.get(EARLIER) is True,
    )


def _same(one: str, other: str) -> bool:
    return modality_key(one) == modality_key(other)


def _rows(metrics: Mapping[Any, Any], table: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows of a table that are rows; older cards have a number under "sets"."""
    found = metrics.get(table)
    pairs = found.items() if isinstance(found, Mapping) else ()
    return [(str(name), row) for name, row in pairs if isinstance(row, Mapping)]


def _ability(name: str, modality: str, row: Mapping[str, Any]) -> Ability:
    cases = _count(row.get("cases"))
    scores = {kind: Score(_dice(row.get(column)), cases) for kind, column in KINDS.items()}
    return Ability(name, modality, cases, scores)


def _sorted(rows: Iterable[Ability]) -> tuple[Ability, ...]:
    return tuple(sorted(rows, key=lambda row: (row.scores[CLICKS].rank, row.name)))


def _dice(value: Any) -> float | None:
    # the comparison also keeps what is not a number (NaN) out
    is_figure = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if is_figure else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
