"""Tables of figures as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from KPrismCore.evaluation.document import Grid
from KPrismCore.evaluation.figures import MEAN, Figure, Table, format_figure
from KPrismCore.evaluation.measures import Measure
from KPrismCore.evaluation.protocol import MODEL


def grid_of_methods(
    head: str, rows: Mapping[str, Mapping[Measure, Figure | None]], measures: Sequence[Measure]
) -> Grid:
    """Means with their intervals; what no row has is left out."""
    shown = [measure for measure in measures if any(figures.get(measure) for figures in rows.values())]
    lines = [
        [name, *(format_figure(figures[measure], measure.digits, interval=True) for measure in shown)]
        for name, figures in rows.items()
        if any(figures.values())
    ]
    return Grid((head, *(measure.name for measure in shown)), lines, frozenset({MODEL}))


def grid_of_table(table: Table, method: str, measures: Sequence[Measure], *, interval: bool = False) -> Grid:
    """A row per group of a method's figures, with the number of cases."""
    lines = []
    for group, columns in table.items():
        figures = [columns.get((method, measure.name)) for measure in measures]
        cases = max((figure.cases for figure in figures if figure), default=0)
        if cases:
            cells = [
                format_figure(figure, measure.digits, interval=interval)
                for figure, measure in zip(figures, measures, strict=True)
            ]
            lines.append([group, str(cases), *cells])
    return Grid(("", "cases", *(measure.name for measure in measures)), lines, frozenset({MEAN}))
