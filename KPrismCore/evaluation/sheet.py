"""A contact sheet: the best, the median and the worst case of each mode, truth and prediction outlined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from KPrismCore.atomic import atomic_path
from KPrismCore.evaluation.benchmark import MODEL, Benchmark, Record
from KPrismCore.evaluation.cases import Case, EvaluationSet

# row title, mode of `Benchmark.mask`, clicks, field of the record, place in it
ROWS = (
    ("Mode 1: class", "class", 0, "class", 0),
    ("Mode 2: one reference", "reference", 0, "reference", 0),
    ("Mode 3: 1 click", "clicks", 1, "clicks", 0),
    ("Mode 3: 5 clicks", "clicks", 5, "clicks", 4),
)
COLUMNS = ("best", "median", "worst")


def choose(records: Iterable[Record], field: str, place: int) -> list[Record]:
    """The records with the best, the median and the worst score; fewer if there are fewer."""
    scored = [
        record for record in records if record["method"] == MODEL and len(record.get(field, ())) > place
    ]
    ranked = sorted(scored, key=lambda record: (-record[field][place], record["identity"]))
    places = sorted({0, len(ranked) // 2, len(ranked) - 1}) if ranked else []
    return [ranked[number] for number in places]


def write_sheet(
    path: Path,
    benchmark: Benchmark,
    sets: Mapping[str, EvaluationSet],
    records: Sequence[Record],
) -> None:
    """Draw the sheet (PNG): truth green, prediction magenta. The masks are computed again.

    Raises:
        OutputFileError: the file cannot be written.
    """
    figure = Canvas(figsize=(10, 3.2 * len(ROWS)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(ROWS), len(COLUMNS), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for line, (title, mode, clicks, field, place) in zip(axes, ROWS, strict=True):
        for ax, column, record in zip(line, COLUMNS, choose(records, field, place), strict=False):
            case = Case(**{name: record[name] for name in Case.__dataclass_fields__})
            image_set = sets[case.set_name]
            image, truth = image_set.pixels(case)
            _draw(ax, image, truth, benchmark.mask(image_set, case, mode, clicks))
            score = f"{title}, {column}: Dice {record[field][place]:.2f}"
            ax.set_title(f"{score}\n{case.set_name}: {case.label_name}", fontsize=7)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")


def _draw(ax: Any, image: NDArray[Any], truth: NDArray[np.bool_], mask: NDArray[np.bool_] | None) -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    for pixels, colour in ((truth, "lime"), (mask, "magenta")):
        if pixels is not None and pixels.any() and not pixels.all():
            ax.contour(pixels.astype(float), [0.5], colors=[colour], linewidths=0.9)
