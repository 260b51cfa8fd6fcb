"""Synthetic tasks from real label maps: repeatable, truly bent, with an object that can be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.training.configuration import from_plain
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.deformed import CONTRAST, DeformedTask, deform_task
from KPrismCore.training.drawings import deformed
from KPrismCore.training.packs import ImageSet, Sample
from KPrismCore.training.settings import TrainingSettings

SIZE = 64


@pytest.fixture
def labels() -> np.ndarray:
    """A ring (1) with a hole, and a block (2) beside it."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(rows - 30, columns - 24)
    mask = ((distance > 6) & (distance < 14)).astype(np.uint8)
    mask[24:40, 46:56] = 2
    return mask


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def a_task(labels: np.ndarray) -> DeformedTask:
    return deform_task(rng(), labels, (1,))


def test_equal_generators_give_equal_drawings(labels):
    drawings = []
    for _ in range(2):
        same = rng(4)
        drawings.append(deform_task(same, labels, (1,)).draw(same))
    np.testing.assert_array_equal(drawings[0][0], drawings[1][0])
    np.testing.assert_array_equal(drawings[0][1], drawings[1][1])


def test_every_drawing_bends_the_shape_anew(a_task, labels):
    masks = [a_task.draw(rng(seed))[1] for seed in range(3)]
    assert all((mask != (labels == 1)).any() for mask in masks)
    assert (masks[0] != masks[1]).any()


def test_a_stronger_bending_keeps_less_of_the_shape(labels):
    def overlap(strength: float) -> float:
        plain = deform_task(rng(), labels, (1,), 0.0)
        bent = deform_task(rng(), labels, (1,), strength)
        pairs = [(plain.draw(rng(seed))[1], bent.draw(rng(seed))[1]) for seed in range(10)]
        return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs]))

    assert overlap(0.3) > overlap(1.5) + 0.1


def test_the_object_differs_from_all_else_in_grey(labels):
    for seed in range(50):
        levels = deform_task(rng(seed), labels, (1,)).levels
        assert np.abs(levels[[0, 2]] - levels[1]).min() >= CONTRAST - 1e-6


def test_parts_of_the_object_look_alike(labels):
    levels = deform_task(rng(), labels, (1, 2)).levels
    assert levels[1] == levels[2]


def test_the_appearance_is_not_that_of_the_image(labels):
    greys = {int(deform_task(rng(seed), labels, (1,)).draw(rng(seed))[0].mean()) for seed in range(8)}
    assert len(greys) > 4


def test_an_object_that_fills_the_image_is_no_task():
    sample = Sample(np.zeros((SIZE, SIZE), np.uint8), np.ones((SIZE, SIZE), np.uint8), "a", "a", False)
    assert deformed(rng(), lambda: (sample, (1,)), 2) is None


def test_the_sampler_draws_them_as_often_as_it_is_told(labels):
    sample = Sample(np.zeros((SIZE, SIZE), np.uint8), labels, "a", "a", augmented=False)
    rings = ImageSet("rings", "CT", {1: "ring"}, (sample,))
    sampler = TaskSampler([rings], {}, TrainingSettings(deformed_share=1.0))
    task = sampler.draw(rng(), "references", 2, synthetic=True, part=False, size=SIZE)
    areas = [int(mask.sum()) for _, mask in (task.query, *task.references)]
    # a warp with a scale of 0.8 to 1.25 leaves about the area of the ring, which random shapes would not
    assert len(areas) == 3
    assert all(0.4 < area / (labels == 1).sum() < 2.2 for area in areas)


def test_an_impossible_share_is_refused():
    with pytest.raises(ValueError, match="deformed_share"):
        from_plain({"deformed_share": 1.5})
