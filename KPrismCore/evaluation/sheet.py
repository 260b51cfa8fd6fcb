"""A contact sheet: the best, the median and the worst case of each mode, truth and prediction outlined."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from KPrismCore.evaluation.cases import Case, EvaluationSet
from KPrismCore.evaluation.protocol import MODEL, Record

# row title, prompt of `Benchmark.mask`, clicks, field of the record, place in it
ROWS = (
    ("Mode 1: class", "class", 0, "class", 0),
    ("Mode 1 and 1 click", "class", 1, "class", 1),
    ("Mode 2: one reference", "reference", 0, "reference", 0),
    ("Mode 2 and 1 click", "reference", 1, "reference", 1),
    ("Mode 3: 1 click", "clicks", 1, "clicks", 0),
    ("Mode 3: 5 clicks", "clicks", 5, "clicks", 4),
)
COLUMNS = ("best", "median", "worst")
MaskOf = Callable[[EvaluationSet, Case, str, int], NDArray[np.bool_] | None]


def choose(records: Iterable[Record], field: str, place: int) -> list[Record]:
    """The records with the best, the median and the worst score; fewer if there are fewer."""
    scored = [
        record for record in records if record["method"] == MODEL and len(record.get(field, ())) > place
    ]
    ranked = sorted(scored, key=lambda record: (-record[field][place], record["identity"]))
    places = sorted({0, len(ranked) // 2, len(ranked) - 1}) if ranked else []
    return [ranked[number] for number in places]


def draw_sheet(mask_of: MaskOf, sets: Mapping[str, EvaluationSet], records: Sequence[Record]) -> bytes:
    """Draw the sheet (PNG): truth green, prediction magenta. Modes that no case has are left out.

    Args:
        mask_of: computes a mask again, as `Benchmark.mask` does.
        sets: by name.
        records: of the network, and any others, which are passed over.
    """
    chosen = [(row, choose(records, *row[3:])) for row in ROWS]
    rows = [(row, found) for row, found in chosen if found]
    canvas = Canvas(figsize=(10, 3.3 * max(1, len(rows))), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(max(1, len(rows)), len(COLUMNS), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for line, ((title, prompt, clicks, field, place), found) in zip(axes, rows, strict=False):
        for ax, column, record in zip(line, COLUMNS, found, strict=False):
            case = Case(**{name: record[name] for name in Case.__dataclass_fields__})
            image, truth = sets[case.set_name].pixels(case)
            _draw(ax, image, truth, mask_of(sets[case.set_name], case, prompt, clicks))
            score = f"{title}, {column}: Dice {record[field][place]:.2f}"
            ax.set_title(f"{score}\n{case.set_name}: {case.label_name}", fontsize=8)
    stream = io.BytesIO()
    canvas.savefig(stream, dpi=100, format="png")
    return stream.getvalue()


def _draw(ax: Any, image: NDArray[Any], truth: NDArray[np.bool_], mask: NDArray[np.bool_] | None) -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    for pixels, colour in ((truth, "lime"), (mask, "magenta")):
        if pixels is not None and pixels.any() and not pixels.all():
            ax.contour(pixels.astype(float), [0.5], colors=[colour], linewidths=0.9)
