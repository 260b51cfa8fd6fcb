"""Scores and intervals, on masks and values whose results are known."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.evaluation.metrics import (
    bootstrap_interval,
    bootstrap_mean_of_means,
    dice,
    iou,
    number_of_clicks,
)

EMPTY = np.zeros((4, 4), dtype=bool)
LEFT = np.array([[1, 1, 0, 0]] * 4, dtype=bool)
TOP = LEFT.T

SCORES = [
    (LEFT, LEFT, 1.0, 1.0),
    (LEFT, ~LEFT, 0.0, 0.0),
    (LEFT, TOP, 0.5, 1 / 3),
    (LEFT, EMPTY, 0.0, 0.0),
    (EMPTY, EMPTY, 1.0, 1.0),
    (np.ones((4, 4)), LEFT, 2 / 3, 0.5),
]


@pytest.mark.parametrize(("mask", "truth", "expected", "_"), SCORES)
def test_dice_is_known(mask, truth, expected, _):
    assert dice(mask, truth) == pytest.approx(expected)


@pytest.mark.parametrize(("mask", "truth", "_", "expected"), SCORES)
def test_iou_is_known(mask, truth, _, expected):
    assert iou(mask, truth) == pytest.approx(expected)


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="pixels"):
        dice(LEFT, LEFT[:3])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.95], 1),
        ([0.5, 0.9, 0.3], 2),
        ([0.5, 0.899], 10),
        ([0.1] * 10 + [0.99], 10),
        ([], 10),
    ],
)
def test_the_number_of_clicks_counts_failures_as_ten(scores, expected):
    assert number_of_clicks(scores) == expected


def test_an_interval_holds_the_mean():
    values = list(np.random.default_rng(1).normal(0.7, 0.1, 50))
    low, high = bootstrap_interval(values, list(range(50)))
    assert low < np.mean(values) < high


def test_an_interval_has_the_width_that_theory_gives():
    values = list(np.random.default_rng(2).normal(0.0, 1.0, 400))
    low, high = bootstrap_interval(values, list(range(400)))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.12)


def test_repeated_slices_of_a_subject_do_not_narrow_an_interval():
    values, subjects = [0.2, 0.5, 0.9], ["a", "b", "c"]
    once, often = bootstrap_interval(values, subjects), bootstrap_interval(values * 20, subjects * 20)
    assert once == pytest.approx(often)


def test_one_subject_gives_no_width():
    assert bootstrap_interval([0.2, 0.4], ["a", "a"]) == pytest.approx((0.3, 0.3))


def test_an_interval_is_repeatable():
    values = [0.1, 0.7, 0.4, 0.9]
    assert bootstrap_interval(values, "abcd") == bootstrap_interval(values, "abcd")


def test_no_value_is_refused():
    with pytest.raises(ValueError, match="0 values"):
        bootstrap_interval([], [])


def test_the_interval_of_a_mean_of_means_is_around_it():
    groups = [([0.1, 0.3], "ab"), ([0.8, 1.0, 0.9], "cde")]
    low, high = bootstrap_mean_of_means(groups)
    assert low < 0.55 < high


def test_every_group_weighs_the_same():
    groups = [([0.0] * 30, list(range(30))), ([1.0], ["x"])]
    assert bootstrap_mean_of_means(groups) == pytest.approx((0.5, 0.5))
