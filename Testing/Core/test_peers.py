"""The classical methods follow the clicks."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.evaluation.metrics import dice
from KPrismCore.evaluation.peer_growcut import GrowCut
from KPrismCore.evaluation.peer_pixels import OBJECT, places_on, seeds_on
from KPrismCore.evaluation.peer_walker import RandomWalker
from KPrismCore.evaluation.peers import PEERS
from KPrismCore.prompts import Click

ROWS, COLUMNS = np.mgrid[:90, :120]
LEFT = np.hypot(ROWS - 45, COLUMNS - 30) < 16
RIGHT = np.hypot(ROWS - 45, COLUMNS - 90) < 16
CLICK_LEFT, CLICK_RIGHT = Click(30, 45), Click(90, 45)


@pytest.fixture
def grey() -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 12, LEFT.shape)
    return (50 + 120 * (LEFT | RIGHT) + noise).astype(np.uint8)


@pytest.fixture
def colour(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey, grey // 2, 255 - grey], axis=2)


@pytest.fixture(params=PEERS.values(), ids=PEERS.keys())
def peer(request: pytest.FixtureRequest):
    return request.param


def test_one_click_finds_the_disc_it_is_on(peer, grey):
    assert dice(peer.segment(grey, [CLICK_LEFT]), LEFT) > 0.9


def test_one_click_finds_the_disc_in_colour(peer, colour):
    assert dice(peer.segment(colour, [CLICK_RIGHT]), RIGHT) > 0.9


def test_two_clicks_find_two_discs(peer, grey):
    assert dice(peer.segment(grey, [CLICK_LEFT, CLICK_RIGHT]), LEFT | RIGHT) > 0.9


def test_a_negative_click_keeps_its_surroundings_out(peer):
    flat = np.full(LEFT.shape, 120, dtype=np.uint8)
    mask = peer.segment(flat, [CLICK_LEFT, Click(90, 45, positive=False)])
    assert mask[45, 30]
    assert not mask[40:50, 70:].any()


def test_the_mask_has_the_size_of_the_image(peer):
    image = np.random.default_rng(1).integers(0, 255, (300, 411), dtype=np.uint8)
    assert peer.segment(image, [Click(400, 2)]).shape == (300, 411)


def test_a_tiny_image_is_no_problem(peer):
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert peer.segment(image, [Click(1, 1)]).shape == (3, 4)


def test_a_constant_image_is_no_problem(peer):
    assert peer.segment(np.full((40, 40), 7, dtype=np.uint8), [Click(20, 20)])[20, 20]


def test_the_walker_keeps_a_click_next_to_one_of_the_other_kind(grey):
    mask = RandomWalker().segment(grey, [CLICK_LEFT, Click(31, 45, positive=False)])
    assert mask[45, 30] != mask[45, 31]


def test_the_walker_marks_nothing_without_a_positive_click(grey):
    assert not RandomWalker().segment(grey, [Click(30, 45, positive=False)]).any()


def test_the_walker_reaches_an_object_at_the_border():
    image = np.full((64, 64), 40, dtype=np.uint8)
    image[:20] = 200
    mask = RandomWalker().segment(image, [Click(32, 3)])
    assert mask[0, 32]


def automaton(image: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Grow-cut as it was published: every pixel is attacked by its neighbours until nothing changes."""
    labels, strength = seeds.copy(), (seeds > 0).astype(float)
    height, width = image.shape
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    pairs = [
        ((row, column), (row + down, column + right))
        for row in range(height) for column in range(width) for down, right in steps
        if 0 <= row + down < height and 0 <= column + right < width
    ]  # fmt: skip
    greatest = max(abs(image[one] - image[other]) for one, other in pairs)
    changed = True
    while changed:
        changed = False
        for one, other in pairs:
            attack = strength[other] * (1 - abs(image[one] - image[other]) / greatest)
            if attack > strength[one] + 1e-12:
                labels[one], strength[one], changed = labels[other], attack, True
    return labels == OBJECT


def test_grow_cut_ends_where_the_automaton_ends():
    image = np.random.default_rng(3).integers(0, 255, (14, 17)).astype(np.uint8)
    clicks = [Click(5, 6), Click(12, 4, positive=False)]
    seeds = seeds_on(image.shape, places_on(clicks, image.shape, image.shape), 1)
    peer = GrowCut(sigma=0, radius=1, step=1e-9)
    assert np.array_equal(peer.segment(image, clicks), automaton(image / 255, seeds))
