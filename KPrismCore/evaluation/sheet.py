"""A contact sheet: the best, the median and the worst case of each mode, truth and prediction outlined."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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
# inches; and the height of a caption in widths of a picture
WIDTH, CAPTION = 10.0, 0.15
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
    rows = [(row, [_Shown.of(sets, record) for record in found]) for row, found in chosen if found]
    heights = [min(1.0, max(one.height for one in found)) + CAPTION for _, found in rows] or [1.0]
    canvas = Canvas(figsize=(WIDTH, WIDTH / len(COLUMNS) * sum(heights)), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(len(heights), len(COLUMNS), squeeze=False, gridspec_kw={"height_ratios": heights})
    for ax in axes.flat:
        ax.axis("off")
    for line, ((title, prompt, clicks, field, place), found) in zip(axes, rows, strict=False):
        for ax, column, one in zip(line, COLUMNS, found, strict=False):
            _draw(ax, one, mask_of(sets[one.case.set_name], one.case, prompt, clicks))
            score = f"{title}, {column}: Dice {one.record[field][place]:.2f}"
            ax.set_title(f"{score}\n{one.case.set_name}: {one.case.label_name}", fontsize=8)
    stream = io.BytesIO()
    canvas.savefig(stream, dpi=100, format="png")
    return stream.getvalue()


@dataclass(frozen=True, eq=False)
class _Shown:
    """A case on the sheet; `stretch` is the height of a pixel in widths."""

    record: Record
    case: Case
    image: NDArray[Any]
    truth: NDArray[np.bool_]
    stretch: float

    @classmethod
    def of(cls, sets: Mapping[str, EvaluationSet], record: Record) -> _Shown:
        case = Case(**{name: record[name] for name in Case.__dataclass_fields__})
        down, right = sets[case.set_name].aspect(case)
        return cls(record, case, *sets[case.set_name].pixels(case), down / right)

    @property
    def height(self) -> float:
        """Of the picture, in widths."""
        return self.stretch * self.truth.shape[0] / self.truth.shape[1]


def _draw(ax: Any, shown: _Shown, mask: NDArray[np.bool_] | None) -> None:
    # pixels of unequal spacing would squeeze the anatomy
    ax.imshow(shown.image, cmap="gray", vmin=0, vmax=255, aspect=shown.stretch)
    for pixels, colour in ((shown.truth, "lime"), (mask, "magenta")):
        if pixels is not None and pixels.any() and not pixels.all():
            ax.contour(pixels.astype(float), [0.5], colors=[colour], linewidths=0.9)
