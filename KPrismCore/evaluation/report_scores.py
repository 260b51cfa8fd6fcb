"""Sections of the report about how good the masks are."""

from __future__ import annotations

from collections.abc import Iterable

from KPrismCore.evaluation.document import Grid, Picture, Section
from KPrismCore.evaluation.figures import MEAN, format_figure, methods, modalities_of
from KPrismCore.evaluation.measures import (
    CLICK_MEASURES,
    CLOSE,
    EXEMPLARS,
    FURTHER,
    HEADLINE,
    NOISY,
    NOISY_REFINED,
    OUTLINES,
    OVERLAP,
    REFINED,
    SHOTS,
)
from KPrismCore.evaluation.plots import curves_plot, dots_plot
from KPrismCore.evaluation.protocol import MODEL
from KPrismCore.evaluation.report_grids import grid_of_methods, grid_of_table
from KPrismCore.evaluation.results import Results
from KPrismCore.evaluation.surface import TOLERANCE

PEERS = (
    "The headline for the peers is 'same clicks': those made on the network's masks, which favours the "
    "network; 'own clicks' are made by the same robot on the peer's own masks.",
)


def means_section(results: Results) -> Section:
    means = results.table.get(MEAN, {})
    names = methods({MEAN: means})
    grids = [
        grid_of_methods(
            "method", {name: {m: means.get((name, m.name)) for m in HEADLINE} for name in names}, HEADLINE
        ),
        *(
            grid_of_methods("method", {MODEL: {m: means.get((MODEL, m.name)) for m in part}}, part)
            for part in (REFINED[:4], REFINED[4:], FURTHER, OVERLAP)
        ),
    ]
    note = "'worse after 5': share of cases whose Dice(5) is more than 0.02 below Dice(1)."
    return Section("Means over the sets", [note], [grid for grid in grids if grid.rows])


def sets_section(results: Results) -> Section:
    groups = modalities_of(results.records)
    rows = {
        f"{name} ({groups[name]})" if name in groups else name: columns
        for name, columns in results.table.items()
    }
    grid = grid_of_table(rows, MODEL, HEADLINE)
    shown = {
        name: {m.name: columns[MODEL, m.name] for m in HEADLINE[:4] if (MODEL, m.name) in columns}
        for name, columns in rows.items()
    }
    picture = Picture("sets.png", "Dice of every set, with intervals", dots_plot(shown, "Dice"))
    return Section("Every set", (), [grid], [picture])


def modalities_section(results: Results) -> Section:
    text = "Each set weighs the same within its group."
    return Section(
        "Groups of modalities", [text], [grid_of_table(results.modalities, MODEL, HEADLINE, interval=True)]
    )


def closely_section(results: Results) -> Section:
    """Outlines by mode."""
    means = results.table.get(MEAN, {})
    header = ("mode", "HD95 [pixels]", "ASD [pixels]", "HD95 [mm]", "ASD [mm]", "surface Dice", "cases")
    rows = []
    for mode, measures in OUTLINES.items():
        figures = [means.get((MODEL, measure.name)) for measure in measures]
        if any(figures):
            cells = [
                format_figure(figure, measure.digits, interval=True)
                for figure, measure in zip(figures, measures, strict=True)
            ]
            rows.append([CLOSE[mode], *cells, str(figures[-1].cases if figures[-1] else 0)])
    text = (
        "HD95: 95th percentile of the distances between the outlines, both ways; ASD: their average; "
        f"surface Dice: share of the outlines within {TOLERANCE:g} of each other. In mm for the sets "
        "whose files tell the spacing, in pixels for the others; distances in the two are never averaged "
        "together, surface Dice, a share, is. An empty mask counts as the image's diagonal.",
    )
    return Section("Outlines", text, [Grid(header, rows)] if rows else [])


def convergence_section(results: Results) -> Section:
    counts = range(max((len(curve) for curve in results.curves.values()), default=0))
    rows = [
        [name, *(f"{curve[count].mean:.3f}" if count < len(curve) else "-" for count in counts)]
        for name, curve in results.curves.items()
    ]
    text = (
        "Mean Dice over the sets against the number of clicks (paper figure 5); bands are 95 % "
        "intervals. Modes 1 and 2 begin with the mask of the class or reference; Mode 1 has the sets "
        "with a class only, so that its curve is not of the same cases. The peers get the network's "
        "clicks.",
    )
    grids = [Grid(("clicks", *(str(count) for count in counts)), rows)] if rows else []
    others = [name for name in results.curves if not name.startswith("Mode")]
    picture = Picture("convergence.png", "Mean Dice against clicks", curves_plot(results.curves, others))
    return Section("Convergence", text, grids, [picture] if rows else [])


def references_sections(results: Results) -> Iterable[Section]:
    """Several references, and how much the choice of one matters."""
    measures = (HEADLINE[1], *SHOTS)
    if any((MODEL, measure.name) in results.table.get(MEAN, {}) for measure in SHOTS):
        text = "Several references count for the cases only that have so many."
        yield Section(
            "Several references", [text], [grid_of_table(results.table, MODEL, measures, interval=True)]
        )
    rows = {name: columns for name, columns in results.table.items() if (MODEL, EXEMPLARS[0].name) in columns}
    if rows:
        text = (
            "Each case with different single references one after another (10 where the set has them): "
            "mean, standard deviation, worst and best Dice of a case, averaged over the cases of a set."
        )
        shown = {
            name: {
                m.name.removeprefix("exemplar "): columns[MODEL, m.name]
                for m in EXEMPLARS
                if "std" not in m.name
            }
            for name, columns in rows.items()
        }
        picture = Picture(
            "exemplars.png", "Worst, mean and best reference of every set", dots_plot(shown, "Dice")
        )
        yield Section("Which reference", [text], [grid_of_table(rows, MODEL, EXEMPLARS)], [picture])


def noisy_sections(results: Results) -> Iterable[Section]:
    rows = {name: columns for name, columns in results.table.items() if (MODEL, NOISY[0].name) in columns}
    if rows:
        text = (
            "Clicks of an imperfect person: an error anywhere, large ones more often; small ones are "
            "overlooked every other time, which costs a round; off the centre, and in one of seven on "
            "the border of the error."
        )
        grid = grid_of_table(rows, MODEL, (*CLICK_MEASURES, *NOISY))
        grids = [grid, grid_of_table(rows, MODEL, NOISY_REFINED)]
        yield Section("An imperfect person's clicks", [text], grids)


def peers_section(results: Results) -> Section:
    """Every method on every set: one table per measure."""
    names = methods(results.table)
    grids = []
    for measure in CLICK_MEASURES[:3]:
        rows = [
            [group, *(format_figure(columns.get((name, measure.name)), measure.digits) for name in names)]
            for group, columns in results.table.items()
        ]
        grids.append(Grid((measure.name, *names), rows, frozenset({MEAN})))
    return Section("Other methods, every set", PEERS, grids if len(names) > 1 else [])
