"""What a checkpoint can and cannot do, as tables in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from KPrismCore.abilities import (
    CLASS,
    CLICKS,
    GOOD_DICE,
    REFERENCE,
    USABLE_DICE,
    Abilities,
    Ability,
    Grade,
    Score,
)
from KPrismCore.doubts import best_and_worst

_COLUMNS = {CLASS: "class name", REFERENCE: "one example", CLICKS: "five clicks"}
# short enough for a row of three
_WORDS = {grade: grade.value for grade in Grade} | {Grade.USABLE: "usable"}
_LEGEND = f"Good: {GOOD_DICE:g} or more; usable with corrections: {USABLE_DICE:g} or more; poor: less."


def print_abilities(console: Console, abilities: Abilities) -> None:
    """Print how a checkpoint did, worst first: by modality and by image set.

    Args:
        console: to print on.
        abilities: of the checkpoint's card.
    """
    summary = " ".join(phrase.text() for phrase in best_and_worst(abilities))
    console.print(f"[bold]By modality:[/] {summary or Grade.NOT_MEASURED.value}")
    if abilities.modalities:
        table = Table("modality", "cases", *_COLUMNS.values(), title="By modality, worst first")
        for row in abilities.modalities:
            table.add_row(row.name, str(row.cases), *_cells(row))
        console.print(table)
    if abilities.sets:
        # as narrow as it gets, and rather broken than cut
        columns: list[Column | str] = [
            Column("set", overflow="fold"),
            "modality",
            "cases",
            *_COLUMNS.values(),
        ]
        table = Table(*columns, title="By image set, worst first", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for row in abilities.sets:
            table.add_row(escape(row.name), escape(row.modality), str(row.cases), *_cells(row))
        console.print(table)
    if abilities.modalities or abilities.sets or abilities.classes:
        kept_out = "kept out of the training" + (" before the last" if abilities.earlier else "")
        console.print(f"Mean Dice on cases {kept_out}. {_LEGEND}")


def in_words(score: Score) -> str:
    """A score as 'good 0.87', or 'not measured'."""
    word = _WORDS[score.grade]
    return word if score.dice is None else f"{word} {score.dice:.2f}"


def _cells(row: Ability) -> list[str]:
    return [in_words(row.scores[kind]) for kind in _COLUMNS]
