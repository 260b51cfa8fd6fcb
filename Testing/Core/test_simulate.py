"""The robot user clicks where the paper's robot clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from KPrismCore.simulate import human_click, next_click, noisy_click

GOLDEN = Path(__file__).parents[3] / "shared" / "network" / "golden" / "sampler.npz"
EMPTY = np.zeros((40, 40), dtype=bool)


def square(top: int, left: int, size: int) -> NDArray[np.bool_]:
    mask = EMPTY.copy()
    mask[top : top + size, left : left + size] = True
    return mask


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_missed_square_is_clicked_at_its_centre(rng: np.random.Generator) -> None:
    assert next_click(EMPTY, square(10, 20, 9), rng) == (14, 24, True)


@pytest.mark.parametrize("top", [10, 11, 12])
def test_of_two_middle_pixels_the_even_one_of_the_image_is_clicked(
    top: int, rng: np.random.Generator
) -> None:
    assert next_click(EMPTY, square(top, 20, 8), rng) == (round(top + 3.5), 24, True)


def test_a_surplus_square_is_clicked_negatively(rng: np.random.Generator) -> None:
    assert next_click(square(10, 20, 9), EMPTY, rng) == (14, 24, False)


def test_nothing_is_clicked_where_nothing_is_wrong(rng: np.random.Generator) -> None:
    assert next_click(square(3, 3, 5), square(3, 3, 5), rng) is None


def test_the_larger_error_is_clicked(rng: np.random.Generator) -> None:
    assert next_click(square(0, 0, 5), square(20, 20, 7), rng) == (23, 23, True)


def test_equal_errors_give_a_negative_click(rng: np.random.Generator) -> None:
    assert next_click(square(0, 0, 5), square(20, 20, 5), rng) == (2, 2, False)


def test_of_equal_components_the_first_is_clicked(rng: np.random.Generator) -> None:
    assert next_click(EMPTY, square(2, 30, 5) | square(20, 2, 5), rng) == (4, 32, True)


def test_diagonal_neighbours_are_two_components(rng: np.random.Generator) -> None:
    assert next_click(EMPTY, square(0, 0, 3) | square(3, 3, 5), rng) == (5, 5, True)


def test_the_image_border_counts_as_outside(rng: np.random.Generator) -> None:
    assert next_click(EMPTY, square(0, 0, 9), rng) == (4, 4, True)


def test_a_ring_is_clicked_on_the_ring(rng: np.random.Generator) -> None:
    ring = square(5, 5, 21) & ~square(9, 9, 13)
    click = next_click(EMPTY, ring, rng)
    assert click is not None
    assert ring[click[:2]]


def test_noisy_clicks_stay_in_the_error_and_vary(rng: np.random.Generator) -> None:
    target = square(10, 10, 15)
    clicks = [noisy_click(EMPTY, target, rng) for _ in range(20)]
    assert all(click is not None and target[click[:2]] and click[2] for click in clicks)
    assert len(set(clicks)) > 5


def blobs(rng: np.random.Generator) -> NDArray[np.bool_]:
    field = ndimage.gaussian_filter(rng.normal(size=(48, 52)), rng.uniform(1, 5))
    return np.asarray(field > np.quantile(field, rng.uniform(0.5, 0.95)))


def test_a_persons_click_always_answers_an_error(rng: np.random.Generator) -> None:
    clicked = 0
    for _ in range(300):
        prediction, target = blobs(rng), blobs(rng)
        click = human_click(prediction, target, rng)
        if click is not None:
            row, column, positive = click
            clicked += 1
            assert target[row, column] == positive
            assert prediction[row, column] != positive
    assert clicked > 200


def test_a_person_is_repeatable_with_a_seed() -> None:
    once, again = (
        [human_click(EMPTY, square(5, 5, 20), np.random.default_rng(seed)) for seed in range(9)] for _ in "ab"
    )
    assert once == again
    assert len(set(once)) > 5


def test_a_person_clicks_nothing_where_nothing_is_wrong(rng: np.random.Generator) -> None:
    assert human_click(square(3, 3, 5), square(3, 3, 5), rng) is None


def test_a_person_mostly_clicks_near_the_centre_and_sometimes_near_the_border(
    rng: np.random.Generator,
) -> None:
    clicks = [human_click(EMPTY, square(10, 10, 21), rng) for _ in range(400)]
    depths = np.array([min(abs(click[0] - end) for end in (10, 30)) for click in clicks if click is not None])
    sides = np.array([min(abs(click[1] - end) for end in (10, 30)) for click in clicks if click is not None])
    border = (np.minimum(depths, sides) == 0).mean()
    assert 0.1 < border < 0.25
    assert (np.minimum(depths, sides) > 4).mean() > 0.5


def test_a_person_overlooks_every_other_small_error(rng: np.random.Generator) -> None:
    target = square(2, 2, 30)
    prediction = target.copy()
    prediction[15:18, 15:18] = False
    seen = [human_click(prediction, target, rng) is not None for _ in range(400)]
    assert 0.4 < np.mean(seen) < 0.6


def test_a_person_never_overlooks_the_first_of_many_small_objects(rng: np.random.Generator) -> None:
    target = np.zeros((40, 40), dtype=bool)
    target[::4, ::4] = True
    assert all(human_click(EMPTY, target, rng) is not None for _ in range(50))


def test_a_person_takes_large_errors_more_often(rng: np.random.Generator) -> None:
    clicks = [human_click(EMPTY, square(0, 0, 10) | square(20, 20, 20), rng) for _ in range(300)]
    assert 0.1 < np.mean([click is not None and click[0] < 15 for click in clicks]) < 0.3


def test_the_golden_points_are_met(rng: np.random.Generator) -> None:
    if not GOLDEN.exists():
        pytest.skip("needs ../shared: golden files of the official sampler")
    golden = np.load(GOLDEN)
    shape = tuple(golden["shape"])
    distances = []
    for index, (point, label) in enumerate(zip(golden["point"], golden["label"], strict=True)):
        target, prediction = (
            np.unpackbits(golden[key][index])[: shape[0] * shape[1]].reshape(shape).astype(bool)
            for key in ("gt_bits", "pred_bits")
        )
        click = next_click(prediction, target, rng)
        if label < 0:
            assert click is None
            continue
        assert click is not None
        assert click[2] == bool(label)
        if golden["is_random"][index]:
            assert (target != prediction)[click[:2]]
        else:
            distances.append(float(np.abs(np.subtract(click[:2], point)).max()))
    assert max(distances) <= 1
    assert sum(distance > 0 for distance in distances) <= 1
