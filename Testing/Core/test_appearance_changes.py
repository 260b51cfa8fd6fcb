"""Random changes of how a training image looks leave the mask alone, and do what they are named for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from KPrismCore.training.augment import Augmenter, Style
from KPrismCore.training.changes import Changes

SIZE = 64
NONE = replace(Changes(), **dict.fromkeys(Changes().probabilities, 0.0))
MASK = np.pad(np.ones((20, 20), bool), 22)
# three colours, each a ramp of its own over the image
_ROWS, _COLUMNS = np.mgrid[:SIZE, :SIZE]
RAMPS = np.stack([40 + 2 * _ROWS, 60 + _COLUMNS, 80 + _ROWS + _COLUMNS], axis=-1).astype(np.uint8)
GREY = RAMPS[..., 0]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def changed(
    image: NDArray[np.uint8], changes: Changes, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    picture, mask = Augmenter(SIZE, changes)(image, MASK, Style(), rng)
    return picture.numpy(), mask.numpy()


@pytest.mark.parametrize("name", ["tint", "curve", "field", "coarse"])
@pytest.mark.parametrize("image", [GREY * 5, RAMPS * 5], ids=["grey", "colour"])  # past 255 from 0 again
def test_appearance_changes_the_image_and_not_the_mask(name, image, rng):
    picture, mask = changed(image, replace(NONE, **{name: 1.0}), rng)
    plain, target = changed(image, NONE, rng)
    assert np.abs(picture - plain).max() > 0.01
    np.testing.assert_array_equal(mask, target)


@pytest.mark.parametrize("name", ["tint", "curve", "field", "coarse"])
def test_appearance_is_the_same_for_the_same_randomness(name):
    changes = replace(NONE, **{name: 0.7})
    first, second = (changed(RAMPS, changes, np.random.default_rng(4))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_tint_moves_the_colours_apart(rng):
    grey = np.repeat(GREY[..., None], 3, axis=-1)
    picture, _ = changed(grey, replace(NONE, tint=1.0), rng)
    assert np.abs(picture[0] - picture[1]).max() > 0.01


def test_a_grey_image_stays_grey(rng):
    everything = replace(NONE, tint=1.0, curve=1.0, field=1.0, coarse=1.0)
    picture, _ = changed(GREY, everything, rng)
    np.testing.assert_array_equal(picture[0], picture[1])
    np.testing.assert_array_equal(picture[0], picture[2])


def test_a_curve_keeps_the_order_of_intensities(rng):
    for _ in range(10):
        picture, _ = changed(GREY, replace(NONE, curve=1.0), rng)
        assert (np.diff(picture[0, :, 0]) >= -1e-6).all()


def test_a_curve_keeps_the_darkest_and_the_brightest(rng):
    picture, _ = changed(GREY, replace(NONE, curve=1.0), rng)
    np.testing.assert_allclose(
        [picture.min(), picture.max()], [GREY.min() / 255, GREY.max() / 255], atol=1e-5
    )


def test_a_field_is_smooth(rng):
    flat = np.full((SIZE, SIZE), 100, np.uint8)
    picture, _ = changed(flat, replace(NONE, field=1.0), rng)
    assert 0 < np.abs(np.diff(picture[0], axis=0)).max() < 0.05


def test_a_coarse_image_loses_its_fine_pattern(rng):
    checks = ((_ROWS + _COLUMNS) % 2 * 200).astype(np.uint8)
    picture, _ = changed(checks, replace(NONE, coarse=1.0, coarse_range=(0.5, 0.5)), rng)
    np.testing.assert_allclose(picture, 100 / 255, atol=1e-3)


def test_the_defaults_do_without_them():
    plain = Changes()
    assert (plain.tint, plain.curve, plain.field, plain.coarse) == (0, 0, 0, 0)


@pytest.mark.filterwarnings("error")
def test_an_image_of_one_grey_survives_every_change(rng):
    flat = np.full((SIZE, SIZE), 90, np.uint8)
    everything = replace(NONE, tint=1.0, curve=1.0, field=1.0, coarse=1.0)
    assert np.isfinite(changed(flat, everything, rng)[0]).all()
