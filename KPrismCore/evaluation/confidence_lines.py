"""From the records of an evaluation to the lines that correct a checkpoint's confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from KPrismCore.confidence import KINDS, Line, prompt_kind
from KPrismCore.evaluation.protocol import MODEL, Record

# a kind with fewer answers keeps its own expectation
FEWEST = 20
# set, kind of prompt, expected Dice, Dice that came true
Answer = tuple[str, str, float, float]


def fitted_lines(records: Iterable[Record]) -> dict[str, Line]:
    """The line of each kind of prompt that was measured, by least squares in which every set weighs the same.

    Lines do not fall: where more expectation went with less Dice, the line is the mean Dice. Answers with an
    empty mask are left out.
    """
    answers = [answer for record in records if record["method"] == MODEL for answer in _answers(record)]
    found = {}
    for kind in KINDS:
        chosen = [answer for answer in answers if answer[1] == kind]
        if len(chosen) >= FEWEST:
            found[kind] = _line(chosen)
    return found


def _answers(record: Record) -> Iterator[Answer]:
    name = record["set_name"]
    for kind in ("class", "reference"):
        close = record.get("details", {}).get(kind)
        if close is not None and close.get("expected") is not None:
            yield name, kind, close["expected"], close["dice"]
    expected = record.get("expected", ())
    for number, (said, true) in enumerate(zip(expected, record.get("clicks", ()), strict=False), start=1):
        if said is not None:
            yield name, prompt_kind(number, references=False), said, true


def _line(answers: Sequence[Answer]) -> Line:
    sizes = Counter(answer[0] for answer in answers)
    weight = np.array([1 / sizes[answer[0]] for answer in answers])
    weight /= weight.sum()
    said, true = (np.array([answer[column] for answer in answers]) for column in (2, 3))
    centre, level = float(weight @ said), float(weight @ true)
    spread = float(weight @ (said - centre) ** 2)
    together = float(weight @ ((said - centre) * (true - level)))
    slope = max(0.0, together / spread) if spread > 0 else 0.0
    return round(level - slope * centre, 4), round(slope, 4)
