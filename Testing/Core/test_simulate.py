"""The robot user clicks where the paper's robot clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from KPrismCore.simulate import next_click, noisy_click

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


def test_the_golden_points_are_met(rng: np.random.Generator) -> None:
    if not GOLDEN.exists():
        pytest.skip("golden files of the official sampler are not available")
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
