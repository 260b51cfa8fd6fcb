"""The report: its order, and all files of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

from KPrismCore.evaluation.document import Grid, Picture, Section, write_document, write_text
from KPrismCore.evaluation.report_checks import (
    calibration_sections,
    experts_sections,
    previous_sections,
    throughput_sections,
)
from KPrismCore.evaluation.report_scores import (
    closely_section,
    convergence_section,
    means_section,
    modalities_section,
    noisy_sections,
    peers_section,
    references_sections,
    sets_section,
)
from KPrismCore.evaluation.results import Results
from KPrismCore.evaluation.summary import document, write_tables

TITLE = "Evaluation"
# the names of `Protocol`, for people
WORDS = {
    "limit": "cases",
    "refinements": "clicks after a first mask",
    "peer_clicks": "clicks for the peers",
    "shots": "references given together",
    "exemplars": "single references tried one by one",
    "noisy": "an imperfect person's clicks too",
}
HOW = (
    "A case is one label on one image, at the image's own size; Dice and IoU from 0 to 1, 1 is perfect. "
    "Dice(k): after k clicks of the robot user, who clicks on the centre of the largest error. NoC90, "
    "NoC95: clicks until Dice 0.9 or 0.95, failures counted as 10. Mode 1: from the class name alone, "
    "where the network knows the class. Mode 2: from one reference of another subject of the same set. "
    "Mode 3: from clicks alone.",
    "In brackets: 95 % bootstrap interval over subjects, the sets taken as fixed; sets with one subject "
    "do not widen it, and where no set has more there is none. Each set weighs the same in a mean, also one "
    "with very few cases.",
)


def write_report(folder: Path, results: Results, sheet: bytes | None = None) -> None:
    """Write report.html, report.md with plots, report.json and tables (CSV) into a folder.

    Args:
        folder: made if missing.
        results: of one checkpoint.
        sheet: the contact sheet (PNG).

    Raises:
        OutputFileError: a file cannot be written.
    """
    text = json.dumps(document(results), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "report.json", text + "\n")
    write_tables(folder, results)
    write_document(folder, TITLE, sections(results, sheet))


def sections(results: Results, sheet: bytes | None = None) -> list[Section]:
    """The report; what was not measured is left out."""
    facts = Grid(("", ""), [(WORDS.get(name, name), _said(value)) for name, value in results.facts.items()])
    found = [
        Section("What was measured", HOW, [facts]),
        means_section(results),
        sets_section(results),
        modalities_section(results),
        closely_section(results),
        convergence_section(results),
        *references_sections(results),
        *noisy_sections(results),
        *previous_sections(results),
        peers_section(results),
        *calibration_sections(results),
        *experts_sections(results),
        *throughput_sections(results),
    ]
    if sheet is not None:
        text = "Best, median and worst case of each mode; truth green, prediction magenta."
        found.append(Section("Pictures", [text], pictures=[Picture("sheet.png", text, sheet)]))
    return [section for section in found if section.grids or section.pictures]


def _said(value: object) -> str:
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"
