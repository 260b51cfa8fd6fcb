"""From a probability to a mask."""

import numpy as np
import pytest

from KPrismCore.confidence import expected_dice
from KPrismCore.decision import HALF, LOWEST_THRESHOLD, decide


def shape_of(*values):
    return np.array([values], dtype=np.float32)


def test_a_sure_object_is_cut_at_one_half():
    probability = shape_of(0.99, 0.98, 0.97, 0.4, 0.02)
    np.testing.assert_array_equal(decide(probability), probability > 0.5)


def test_the_edge_of_an_unsure_object_belongs_to_the_mask():
    probability = shape_of(0.55, 0.4, 0.4, 0.4, 0.4, 0.0)
    np.testing.assert_array_equal(decide(probability), probability > 0.35)


def test_nothing_more_likely_than_not_gives_an_empty_mask():
    assert not decide(np.full((4, 4), 0.49, dtype=np.float32)).any()


def test_pixels_below_the_lowest_threshold_are_never_in_the_mask():
    probability = shape_of(0.51, *[0.14] * 50)
    assert decide(probability).sum() == 1


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_has_a_greater_expected_dice(seed):
    rng = np.random.default_rng(seed)
    probability = (rng.random((16, 16)) ** rng.uniform(0.3, 6)).astype(np.float32)
    chosen = expected_dice(decide(probability), probability)
    assert (
        chosen
        >= max(expected_dice(probability > t, probability) for t in np.linspace(LOWEST_THRESHOLD, HALF, 8))
        - 1e-6
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_mask_holds_whatever_is_more_likely_than_not(seed):
    probability = np.random.default_rng(seed).random((16, 16)).astype(np.float32)
    assert decide(probability)[probability > 0.5].all()


def test_a_lowest_threshold_of_one_half_is_the_plain_rule():
    probability = shape_of(0.55, 0.4, 0.4, 0.4, 0.4, 0.0)
    np.testing.assert_array_equal(decide(probability, HALF), probability > 0.5)
