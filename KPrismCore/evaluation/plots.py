"""The plots of a report, each as the bytes of a PNG."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from KPrismCore.evaluation.calibration import Reliability
from KPrismCore.evaluation.experts import MIXTURES
from KPrismCore.evaluation.figures import Figure

DPI = 110
# colours that colour-blind people tell apart (Okabe and Ito), and marks for prints in grey
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_MARKS = "osD^vP*X"
# an axis from 0 to 1 with room for the marks at its ends
_WHOLE = (-0.02, 1.02)
# how the names of kinds of prompts begin, and their place in both: the same in every plot of every report
_PLACES = {
    "Mode 1": 0, "Mode 2": 1, "Mode 3: 5": 3, "Mode 3,": 3, "Mode 3": 2, "Dice(1)": 2, "Dice(5)": 3,
}  # fmt: skip


def curves_plot(curves: Mapping[str, Sequence[Figure]], others: Collection[str] = ()) -> bytes:
    """Mean Dice against the number of clicks, with bands for the intervals.

    Args:
        curves: by name, figures after 0, 1, 2, ... clicks.
        others: those that are not the network's; dashed, with hollow marks and fainter bands.
    """
    canvas, ax = _canvas(9.5, 5.5)
    numbers = {False: 0, True: 0}
    for name, figures in curves.items():
        other = name in others
        colour, mark = _style(name, numbers[other])
        numbers[other] += 1
        clicks = list(range(len(figures)))
        ax.plot(
            clicks, [figure.mean for figure in figures], color=colour, marker=mark, markersize=5, label=name,
            linestyle="--" if other else "-", linewidth=1.1 if other else 1.8,
            markerfacecolor="white" if other else colour,
        )  # fmt: skip
        ends = [figure.low for figure in figures], [figure.high for figure in figures]
        ax.fill_between(clicks, *ends, color=colour, alpha=0.05 if other else 0.14, linewidth=0)
    last = max((len(figures) - 1 for figures in curves.values()), default=1)
    ax.set(xlabel="clicks", ylabel="mean Dice over sets", ylim=_WHOLE, xlim=(-0.2, last + 0.2))
    ax.set_xticks(range(last + 1))
    ax.grid(alpha=0.3)
    if curves:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return _png(canvas)


def experts_plot(weights: Mapping[str, Any]) -> bytes:
    """Mean gates as tables of colour: a column per kind of prompt, a row per mixture of the decoder layers.

    Args:
        weights: by kind of prompt, mean gates by layer, mixture and expert.
    """
    arrays = {name: np.asarray(values) for name, values in weights.items()}
    layers, _, experts = next(iter(arrays.values())).shape
    width, height = 1.5 + (0.9 + 0.5 * experts) * len(arrays), 1 + len(MIXTURES) * (0.7 + 0.3 * layers)
    canvas = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(canvas)
    grid = canvas.subplots(len(MIXTURES), len(arrays), squeeze=False)
    shown, highest = None, max(float(array.max()) for array in arrays.values())
    for part, mixture in enumerate(MIXTURES.values()):
        for column, (name, array) in enumerate(arrays.items()):
            ax, cells = grid[part][column], array[:, part]
            shown = ax.imshow(cells, cmap="viridis", vmin=0, vmax=highest, aspect="auto")
            for (row, expert), value in np.ndenumerate(cells):
                colour = "black" if value > 0.6 * highest else "white"
                ax.text(expert, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)
            ax.set_xticks(range(experts), [str(expert + 1) for expert in range(experts)])
            ax.set_yticks(range(layers), [str(layer + 1) for layer in range(layers)])
            ax.set_title(f"{name}\n{mixture}" if part == 0 else mixture, fontsize=9)
            if column == 0:
                ax.set_ylabel("layer")
            if part == len(MIXTURES) - 1:
                ax.set_xlabel("expert")
    if shown is not None:
        canvas.colorbar(shown, ax=grid, label="mean gate", shrink=0.6)
    return _png(canvas)


def reliability_plot(
    pixels: Mapping[str, Reliability], masks: Mapping[str, Reliability], cases: Sequence[tuple[float, float]]
) -> bytes:
    """What the model says against what is true: pixels on the left, whole masks on the right.

    Args:
        pixels: by mode, of pixel probabilities.
        masks: by mode, of the confidence of whole masks.
        cases: (confidence, Dice) of single masks, drawn as points.
    """
    canvas = Canvas(figsize=(10.5, 5.8), layout="constrained")
    FigureCanvasAgg(canvas)
    left, right = canvas.subplots(1, 2)
    if cases:
        said, true = zip(*cases, strict=True)
        right.scatter(said, true, s=14, color="#999999", alpha=0.5, linewidths=0, label="single masks")
    sides = (left, pixels, "probability", "share of the object"), (right, masks, "confidence", "mean Dice")
    for ax, lines, said_name, true_name in sides:
        ax.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":", label="perfect")
        for number, (name, line) in enumerate(lines.items()):
            filled = line.weight > 0
            colour, mark = _style(name, number)
            ax.plot(line.said[filled], line.true[filled], color=colour, marker=mark, markersize=5, label=name)
        ax.set(xlabel=said_name, ylabel=true_name, xlim=_WHOLE, ylim=_WHOLE, aspect="equal")
        ax.grid(alpha=0.3)
    left.set_title("Pixels near the object", fontsize=10)
    right.set_title("Whole masks", fontsize=10)
    # beside the points, of which none may be hidden; the errors stand in the report's table
    canvas.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return _png(canvas)


def dots_plot(rows: Mapping[str, Mapping[str, Figure]], label: str, *, zero: bool = False) -> bytes:
    """Figures with their intervals, a line per row, a colour per series.

    Args:
        rows: by name of the row, by name of the series.
        label: of the axis.
        zero: whether the axis shows differences, with a line at 0, or values from 0 to 1.
    """
    series = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    canvas, ax = _canvas(8.5, 1.2 + max(0.14 * len(series), 0.22) * len(rows))
    for number, name in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * 0.7 / max(1, len(series))
        places = [(place, figures[name]) for place, figures in enumerate(rows.values()) if name in figures]
        means = [figure.mean for _, figure in places]
        below = [max(0.0, figure.mean - figure.low) for _, figure in places]
        above = [max(0.0, figure.high - figure.mean) for _, figure in places]
        colour, mark = _style(name, number)
        ax.errorbar(
            means, [place + shift for place, _ in places], xerr=(below, above), linestyle="none",
            marker=mark, markersize=4, linewidth=1, color=colour, label=name,
        )  # fmt: skip
    for place in range(0, len(rows), 2):
        ax.axhspan(place - 0.5, place + 0.5, color="#000000", alpha=0.05, linewidth=0)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=8)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(label)
    ax.grid(axis="x", alpha=0.3)
    if zero:
        ax.axvline(0, color="black", linewidth=0.8)
    else:
        ax.set_xlim(_WHOLE)
    if len(series) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return _png(canvas)


def _style(name: str, number: int) -> tuple[str, str]:
    """Colour and mark of a series: those of its kind of prompt, else those of its number."""
    place = next((found for start, found in _PLACES.items() if name.startswith(start)), number)
    return _COLOURS[place % len(_COLOURS)], _MARKS[place % len(_MARKS)]


def _canvas(width: float, height: float) -> tuple[Canvas, Any]:
    canvas = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(canvas)
    return canvas, canvas.subplots()


def _png(canvas: Canvas) -> bytes:
    stream = io.BytesIO()
    canvas.savefig(stream, dpi=DPI, format="png")
    return stream.getvalue()
