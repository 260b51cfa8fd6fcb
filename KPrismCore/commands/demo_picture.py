"""The picture of the demo: one row per act, with the reference's outline and what the network marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from KPrismCore.atomic import atomic_path
from KPrismCore.preprocess import Range
from KPrismCore.prompts import Click

BoolArray = NDArray[np.bool_]
REFERENCE, MARKED, EXAMPLE = "#ffd92f", "#29a8ff", "#ff7f2a"
INSIDE, OUTSIDE = "#4be34b", "#ff4040"
_INCHES, _DPI = 3.3, 100
_TITLE_INCHES, _LEGEND_INCHES = 0.42, 0.75


@dataclass(frozen=True)
class Panel:
    """One image of a row.

    Args:
        caption: below the image.
        image: (H, W), intensities as stored.
        window: values that become black and white.
        spacing: mm from row to row and from column to column.
        truth: reference mask (H, W) to outline, or None.
        mask: (H, W) to fill, or None.
        clicks: to draw.
        example: whether the mask is that of an example and not a result.
    """

    caption: str
    image: NDArray[Any]
    window: Range
    spacing: tuple[float, float]
    truth: BoolArray | None = None
    mask: BoolArray | None = None
    clicks: tuple[Click, ...] = ()
    example: bool = False


@dataclass(frozen=True)
class Row:
    """One act: a title and its images."""

    title: str
    panels: Sequence[Panel]


def draw(path: Path, heading: str, rows: Sequence[Row]) -> None:
    """Write the picture as PNG; needs no display.

    Raises:
        OutputFileError: the file cannot be written.
    """
    columns = max(len(row.panels) for row in rows)
    row_height = _INCHES + 2 * _TITLE_INCHES
    width, height = columns * _INCHES + 0.3, len(rows) * row_height + _LEGEND_INCHES
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.text(0.15 / width, 1 - 0.3 / height, heading, fontsize=17, weight="bold", va="center")
    _legend(figure, 1 - 0.3 / height)
    for number, row in enumerate(rows):
        top = height - _LEGEND_INCHES - number * row_height
        figure.text(0.15 / width, (top - 0.22) / height, row.title, fontsize=15, weight="bold", va="center")
        for column, panel in enumerate(row.panels):
            left, bottom = 0.15 + column * _INCHES, top - _TITLE_INCHES - _INCHES
            axes = figure.add_axes(
                (left / width, bottom / height, (_INCHES - 0.1) / width, (_INCHES - 0.1) / height)
            )
            _panel(axes, panel)
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")


def _panel(axes: Axes, panel: Panel) -> None:
    low, high = panel.window
    aspect = panel.spacing[0] / panel.spacing[1]
    axes.imshow(panel.image, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="bilinear")
    if panel.mask is not None and panel.mask.any():
        colour = EXAMPLE if panel.example else MARKED
        axes.imshow(_filled(panel.mask, colour), aspect=aspect, interpolation="nearest")
        _outline(axes, panel.mask, colour, 1.8)
    if panel.truth is not None and panel.truth.any():
        _outline(axes, panel.truth, REFERENCE, 1.4)
    for number, click in enumerate(panel.clicks, 1):
        colour = INSIDE if click.positive else OUTSIDE
        axes.plot(
            click.x, click.y, "o", markersize=13, color=colour, markeredgecolor="black", markeredgewidth=1.2
        )
        axes.text(click.x, click.y, str(number), fontsize=9, weight="bold", ha="center", va="center_baseline")
    _focus(axes, panel)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(panel.caption, fontsize=13, labelpad=4)


def _focus(axes: Axes, panel: Panel) -> None:
    """Show a square around the object, twice as wide as it is but no wider than the image."""
    shape = panel.image.shape[:2]
    objects = [mask for mask in (panel.truth, panel.mask if panel.example else None) if mask is not None]
    marked = np.argwhere(np.logical_or.reduce(objects)) if objects else np.zeros((0, 2))
    if not len(marked):
        marked = np.array([(0, 0), (shape[0] - 1, shape[1] - 1)])
    low, high = marked.min(0) * panel.spacing, marked.max(0) * panel.spacing
    limits = np.array(shape) * panel.spacing
    half = min(max(high - low), max(limits) / 2)
    middle = np.clip((low + high) / 2, np.minimum(half, limits / 2), np.maximum(limits - half, limits / 2))
    (top, left), (bottom, right) = (middle - half) / panel.spacing, (middle + half) / panel.spacing
    axes.set_xlim(left - 0.5, right - 0.5)
    axes.set_ylim(bottom - 0.5, top - 0.5)
    axes.set_facecolor("black")


def _filled(mask: BoolArray, colour: str) -> NDArray[np.float32]:
    red, green, blue = (part / 255 for part in bytes.fromhex(colour.lstrip("#")))
    layer = np.zeros((*mask.shape, 4), dtype=np.float32)
    layer[mask] = (red, green, blue, 0.35)
    return layer


def _outline(axes: Axes, mask: BoolArray, colour: str, width: float) -> None:
    # a margin closes the outline of what touches the border
    rows, columns = mask.shape
    y, x = np.arange(-1, rows + 1), np.arange(-1, columns + 1)
    axes.contour(x, y, np.pad(mask, 1).astype(float), levels=[0.5], colors=[colour], linewidths=width)


def _legend(figure: Figure, middle: float) -> None:
    dot = {"marker": "o", "linestyle": "", "markersize": 11, "markeredgecolor": "black"}
    handles = [
        Line2D([], [], color=REFERENCE, linewidth=2.5, label="reference"),
        Patch(facecolor=MARKED, alpha=0.6, label="marked by the network"),
        Patch(facecolor=EXAMPLE, alpha=0.6, label="example given to it"),
        Line2D([], [], color=INSIDE, label="click inside", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=OUTSIDE, label="click outside", **dot),  # type: ignore[arg-type]
    ]
    figure.legend(
        handles=handles,
        loc="center right",
        bbox_to_anchor=(1, middle),
        ncol=len(handles),
        fontsize=13,
        frameon=False,
    )
