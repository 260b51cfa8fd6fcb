"""Distances between outlines, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.evaluation.surface import surface_scores


def square(top: int, left: int, size: int = 10) -> np.ndarray:
    mask = np.zeros((40, 30), dtype=bool)
    mask[top : top + size, left : left + size] = True
    return mask


EMPTY = np.zeros((40, 30), dtype=bool)
# Shifted by 3 columns, each outline of 36 pixels has 14 at distance 3 from the other (the outer side with its
# corners, and the middle of the inner side), 4 each at 2 and 1, and 14 at 0: 54 in all.
MASK, TRUTH = square(10, 10), square(10, 13)


def test_shifted_squares_are_known():
    scores = surface_scores(MASK, TRUTH)
    assert (scores.hd95, scores.mean, scores.dice) == pytest.approx((3.0, 54 / 36, 22 / 36))


def test_spacing_turns_pixels_into_millimetres():
    scores = surface_scores(MASK, TRUTH, (0.5, 0.5))
    assert (scores.hd95, scores.mean, scores.dice) == pytest.approx((1.5, 27 / 36, 1.0))


def test_spacing_may_differ_between_rows_and_columns():
    rows, columns = (
        surface_scores(square(10, 10), square(12, 10), steps) for steps in ((2.0, 1.0), (1.0, 2.0))
    )
    assert (rows.hd95, columns.hd95) == pytest.approx((4.0, 2.0))


def test_the_tolerance_decides_what_surface_dice_forgives():
    assert surface_scores(MASK, TRUTH, tolerance=3).dice == 1
    assert surface_scores(MASK, TRUTH, tolerance=0.5).dice == pytest.approx(14 / 36)


def test_equal_masks_are_perfect():
    scores = surface_scores(MASK, MASK)
    assert (scores.hd95, scores.mean, scores.dice) == (0, 0, 1)


def test_the_place_in_the_image_does_not_matter():
    assert surface_scores(square(0, 0), square(0, 3)) == surface_scores(MASK, TRUTH)


@pytest.mark.parametrize(("mask", "truth"), [(EMPTY, TRUTH), (MASK, EMPTY)])
def test_an_empty_mask_counts_as_the_diagonal(mask, truth):
    scores = surface_scores(mask, truth)
    assert (scores.hd95, scores.mean, scores.dice) == (50, 50, 0)


def test_two_empty_masks_are_perfect():
    assert surface_scores(EMPTY, EMPTY).dice == 1


def test_masks_of_other_shapes_are_not_compared():
    with pytest.raises(ValueError, match="pixels"):
        surface_scores(MASK, TRUTH[:9])


def test_both_directions_count():
    # to the row of three: 0; back from it: 0, 1, 2, whose 95th percentile is 1.9
    mask, truth = EMPTY.copy(), EMPTY.copy()
    mask[5, 5] = truth[5, 5:8] = True
    for scores in (surface_scores(mask, truth), surface_scores(truth, mask)):
        assert (scores.hd95, scores.mean) == pytest.approx((1.9, 3 / 4))
