"""Samples cut or reduced to the network's size."""

import numpy as np
import pytest

from KPrismCore.training.augment import MIN_MASK_PIXELS, fit


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (64, 64), dtype=np.uint8)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def square():
    mask = np.zeros((64, 64), dtype=bool)
    mask[40:56, 8:24] = True
    return mask


def test_a_sample_of_the_networks_size_stays_as_it_is(image, square, rng):
    fitted, mask = fit(image, square, 64, rng, crop=True)
    assert fitted is image
    assert mask is square


def test_reducing_averages_areas(image, square, rng):
    fitted, _ = fit(image, square, 32, rng, crop=False)
    means = image.reshape(32, 2, 32, 2).mean((1, 3))
    np.testing.assert_allclose(fitted, means, atol=1)


def test_reducing_keeps_the_target_in_its_place(image, square, rng):
    _, mask = fit(image, square, 32, rng, crop=False)
    np.testing.assert_array_equal(mask, square[::2, ::2])


@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_cut_out_is_a_window_of_image_and_mask(square, rng, colours):
    image = np.broadcast_to(
        np.arange(64, dtype=np.uint8).reshape(64, 1, *(1 for _ in colours)), (64, 64, *colours)
    )
    fitted, mask = fit(image, square, 32, rng, crop=True)
    assert fitted.shape == (32, 32, *colours)
    rows = fitted.reshape(32, 32, -1)[:, 0, 0].astype(int)
    assert square[rows].any(1)[mask.any(1)].all()


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_out_shows_the_target(image, square, seed):
    assert fit(image, square, 32, np.random.default_rng(seed), crop=True)[1].any()


def test_a_target_that_reducing_would_erase_is_cut_out(image, rng):
    tiny = np.zeros((64, 64), dtype=bool)
    tiny[5:8, 60:64] = True
    _, mask = fit(image, tiny, 32, rng, crop=False)
    assert mask.sum() == tiny.sum() == MIN_MASK_PIXELS


def test_a_cut_out_may_be_enlarged(rng):
    image = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None], (64, 64))
    fitted, _ = fit(image, np.ones((64, 64), dtype=bool), 64, rng, crop=True, sides=(0.25, 0.25))
    steps = np.diff(fitted[2:-2, 0].astype(float))
    assert 0.2 < steps.mean() < 0.3


@pytest.mark.parametrize("seed", range(20))
def test_an_enlarged_cut_out_has_its_target_where_the_image_has_it(square, seed):
    fitted, mask = fit(
        square.astype(np.uint8) * 255, square, 64, np.random.default_rng(seed), crop=True, sides=(0.3, 0.9)
    )
    np.testing.assert_array_equal(mask, fitted >= 128)


def test_a_cut_out_of_varying_size_never_loses_a_small_target(image):
    tiny = np.zeros((64, 64), dtype=bool)
    tiny[5:9, 60:63] = True
    for seed in range(20):
        fitted, mask = fit(image, tiny, 16, np.random.default_rng(seed), crop=True, sides=(0.5, 1.0))
        assert fitted.shape == mask.shape == (16, 16)
        assert mask.any()
