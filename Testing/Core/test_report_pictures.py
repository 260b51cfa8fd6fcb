"""Pictures of a report: kinds of prompts keep their colour, anatomy its proportions."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from KPrismCore.evaluation.calibration import BINS, Reliability
from KPrismCore.evaluation.cases import Case
from KPrismCore.evaluation.figures import Figure
from KPrismCore.evaluation.plots import curves_plot, dots_plot, reliability_plot
from KPrismCore.evaluation.protocol import MODEL
from KPrismCore.evaluation.sheet import draw_sheet

CASE = Case("discs", 0, 0, 1, "disc", "anna", "discs/0.0:1")
# how matplotlib draws the second of the colours that colour-blind people tell apart
ORANGE = (0xD5, 0x5E, 0x00)


class Slices:
    """A set with one slice of 40 x 80 pixels, each `stretch` times as high as wide."""

    def __init__(self, stretch: float) -> None:
        self._stretch = stretch

    def pixels(self, case: Case) -> tuple[np.ndarray, np.ndarray]:
        truth = np.zeros((40, 80), dtype=bool)
        truth[10:30, 20:60] = True
        return np.full((40, 80), 90, np.uint8), truth

    def aspect(self, case: Case) -> tuple[float, float]:
        return self._stretch, 1.0


def sheet(stretch: float) -> np.ndarray:
    record = {"method": MODEL, "clicks": [0.8] * 5, **vars(CASE)}
    drawn = draw_sheet(lambda *_: None, {"discs": Slices(stretch)}, [record])
    return np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"))


@pytest.mark.parametrize("stretch", [0.5, 1.0, 2.0])
def test_a_slice_is_shown_with_the_proportions_of_the_body(stretch):
    picture = sheet(stretch)
    # two rows of pictures; the outline of the truth is 20 pixels high and 40 wide
    green = (picture[: len(picture) // 2] == (0, 255, 0)).all(axis=-1)
    height, width = (np.ptp(np.flatnonzero(green.any(axis))) for axis in (1, 0))
    assert height / width == pytest.approx(stretch / 2, rel=0.1)


def test_flat_slices_leave_no_empty_paper():
    assert len(sheet(0.25)) < 0.5 * len(sheet(2.0))


@pytest.mark.parametrize("before", [(), ("Mode 3: clicks",), ("Mode 3: clicks", "Mode 1 refine: class")])
def test_a_kind_of_prompt_has_the_same_colour_in_every_plot(before):
    figures = [Figure(0.2, 0.2, 0.2, 1), Figure(0.8, 0.8, 0.8, 1)]
    drawn = curves_plot(dict.fromkeys((*before, "Mode 2 refine: reference"), figures))
    assert shows(drawn, ORANGE)


def shows(drawn: bytes, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB")) == colour).all(axis=-1).any())


def test_the_legend_of_reliability_hides_no_point():
    line = Reliability(*(np.full(BINS, value) for value in (1 / BINS, 0.02, 0.98)))
    drawn = reliability_plot({"Mode 2: one reference": line}, {"Mode 2: one reference": line}, [])
    picture = np.asarray(Image.open(io.BytesIO(drawn)).convert("RGB"))
    # both points lie in the upper left corners, where a legend would be on top of them
    orange = (picture[: len(picture) // 4] == ORANGE).all(axis=-1)
    assert orange[:, : picture.shape[1] // 4].any()
    assert orange[:, picture.shape[1] // 2 : picture.shape[1] * 3 // 4].any()


def test_marks_at_the_ends_of_the_axis_are_whole():
    inside, ends = (
        coloured(dots_plot({"discs": {"Mode 2": Figure(mean, mean, mean, 1)}}, "Dice")) for mean in (0.5, 1.0)
    )
    assert ends >= inside


def coloured(picture: bytes) -> int:
    """The number of orange pixels."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=int)
    return int(np.count_nonzero(np.abs(pixels - ORANGE).sum(-1) < 30))
