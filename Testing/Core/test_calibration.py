"""Reliability, on predictors that are known to be honest or boastful."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.evaluation.calibration import binned, pixel_bins, reliability


def error_of(said: np.ndarray, true: np.ndarray) -> float:
    return reliability(np.array(binned(said, true))).error


def test_an_honest_predictor_has_no_error():
    said = np.repeat([0.05, 0.25, 0.55, 0.95], 100)
    true = np.concatenate([np.arange(100) < share for share in (5, 25, 55, 95)])
    assert error_of(said, true) == pytest.approx(0, abs=1e-6)


def test_a_boastful_predictor_is_off_by_what_it_boasts():
    assert error_of(np.full(100, 0.95), np.arange(100) < 50) == pytest.approx(0.45)


def test_cells_weigh_by_what_falls_into_them():
    said = np.array([0.95] * 30 + [0.05] * 70)
    true = np.array([True] * 30 + [False] * 70)
    assert error_of(said, true) == pytest.approx(0.05)


def test_certainty_falls_into_the_last_cell():
    found = reliability(np.array(binned(np.ones(4), np.ones(4))))
    assert found.weight[-1] == 1
    assert found.said[-1] == found.true[-1] == 1


def test_averaged_cases_weigh_the_same_whatever_their_size():
    small, large = binned(np.full(2, 0.95), np.ones(2)), binned(np.full(1000, 0.95), np.zeros(1000))
    assert reliability(np.mean([small, large], axis=0)).true[-1] == pytest.approx(0.5)


def test_pixels_far_from_the_object_do_not_count():
    truth = np.zeros((100, 100), dtype=bool)
    truth[40:50, 40:50] = True
    probability = np.where(truth, 0.95, 0.0)
    weight = np.array(pixel_bins(probability, truth, truth)[0])
    assert weight[-1] == pytest.approx(100 / 18**2, abs=1e-5)


def test_without_any_object_the_whole_image_counts():
    nothing = np.zeros((6, 8), dtype=bool)
    assert pixel_bins(np.full((6, 8), 0.31), nothing, nothing)[0][3] == 1
