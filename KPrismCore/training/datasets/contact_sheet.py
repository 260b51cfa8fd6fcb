"""A contact sheet of image sets: some images of each, with the outlines of what is marked on them."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from KPrismCore.training.packs import ImageSet, Sample

COLUMNS = 6
# characters that fit above an image
TITLE = 40
_GOLDEN = 0.618034


def draw_contact_sheet(sets: Sequence[ImageSet]) -> bytes:
    """Draw a row per set (PNG): up to six images, of different labels and patients first, labels in colours.

    Args:
        sets: with at least one image each.
    """
    canvas = Figure(figsize=(2 * COLUMNS, 2.3 * len(sets)), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(len(sets), COLUMNS, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for line, image_set in zip(axes, sets, strict=True):
        for ax, sample in zip(line, chosen(image_set), strict=False):
            _draw(ax, sample)
            names = ", ".join(image_set.labels[number] for number in sample.labels())
            title = f"{image_set.name}: {sample.subject}"[:TITLE]
            ax.set_title(f"{title}\n{names[:TITLE]}", fontsize=6)
    stream = io.BytesIO()
    canvas.savefig(stream, dpi=100, format="png")
    return stream.getvalue()


def chosen(image_set: ImageSet, count: int = COLUMNS) -> list[Sample]:
    """Up to so many samples: labels in turn, each of a patient not yet shown where there is one."""
    found: list[Sample] = []
    subjects: set[str] = set()
    for number in _turns(image_set, count):
        taken = {id(one) for one in found}
        fitting = [one for one in image_set.samples if number in one.labels() and id(one) not in taken]
        fresh = [one for one in fitting if one.subject not in subjects] or fitting
        if fresh:
            # the middle one: the first slices of a volume show little
            sample = fresh[len(fresh) // 2]
            found.append(sample)
            subjects.add(sample.subject)
    return found


def _turns(image_set: ImageSet, count: int) -> Iterator[int]:
    numbers = list(image_set.labels)
    return (numbers[turn % len(numbers)] for turn in range(count if numbers else 0))


def _draw(ax: Any, sample: Sample) -> None:
    ax.imshow(sample.image, cmap="gray", vmin=0, vmax=255)
    for number in sample.labels():
        mask = sample.mask == number
        if not mask.all():
            colour = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.9, 1.0)
            ax.contour(np.asarray(mask, dtype=float), [0.5], colors=[colour], linewidths=0.9)
