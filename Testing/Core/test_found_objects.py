"""Unmarked objects of real images as tasks: distinct, whole, repeatable, only where they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from KPrismCore.training.configuration import from_plain
from KPrismCore.training.data import TaskSampler
from KPrismCore.training.drawings import found
from KPrismCore.training.found import SIZES, find_object
from KPrismCore.training.packs import ImageSet, Sample
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.tasks import Task

SIZE = 96


@pytest.fixture
def image() -> np.ndarray:
    """A bright disc and a dark block on grey tissue with noise, in the black around a scan."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    grey = np.where(np.hypot(rows - 48, columns - 48) < 44, 90.0, 0.0)
    grey[np.hypot(rows - 36, columns - 40) < 12] = 190
    grey[56:72, 50:70] = 30
    noise = 4 * np.random.default_rng(1).standard_normal(grey.shape) * (grey > 0)
    return np.clip(grey + noise, 0, 255).astype(np.uint8)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def objects(image: np.ndarray, count: int = 60) -> list[np.ndarray]:
    return [mask for mask in (find_object(rng(seed), image) for seed in range(count)) if mask is not None]


def test_a_structure_that_edges_close_around_is_found_with_its_outline(image):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    disc = np.hypot(rows - 36, columns - 40) < 12
    best = max(2 * (mask & disc).sum() / (mask.sum() + disc.sum()) for mask in objects(image))
    assert best > 0.9


def test_different_structures_of_an_image_are_found(image):
    middles = {tuple(int(place.mean()) // 16 for place in np.nonzero(mask)) for mask in objects(image)}
    assert {(2, 2), (3, 3)} <= middles


def test_the_black_around_a_scan_is_no_object(image):
    assert all(image[mask].mean() >= 10 for mask in objects(image))


def test_an_object_is_one_piece_without_holes(image):
    for mask in objects(image):
        assert ndimage.label(mask)[1] == 1
        assert not (ndimage.binary_fill_holes(mask) & ~mask).any()


def test_an_object_is_neither_a_speck_nor_most_of_the_image(image):
    assert all(mask.sum() <= SIZES[1] * mask.size and mask.sum() >= 30 for mask in objects(image))


def test_equal_generators_find_the_same_object(image):
    np.testing.assert_array_equal(find_object(rng(3), image), find_object(rng(3), image))


@pytest.mark.parametrize("grey", [0, 128])
def test_an_image_of_one_grey_has_no_object(grey):
    assert find_object(rng(), np.full((SIZE, SIZE), grey, np.uint8)) is None


def test_noise_alone_has_hardly_any_object():
    noise = (128 + 20 * rng(5).standard_normal((SIZE, SIZE))).clip(0, 255).astype(np.uint8)
    assert len(objects(noise, 40)) <= 10


def test_colours_are_looked_at_as_grey(image):
    coloured = np.repeat(image[..., np.newaxis], 3, axis=2)
    assert any(mask.sum() > 200 for mask in objects(coloured, 20))


def test_the_first_drawing_is_the_image_itself_and_references_are_bent(image):
    sample = Sample(image, np.zeros_like(image), "a", "a", False)
    drawings = found(rng(2), lambda: sample, 3)
    np.testing.assert_array_equal(drawings[0][0], image)
    assert all((mask != drawings[0][1]).any() for _, mask in drawings[1:])


def test_a_reference_shows_the_same_structure(image):
    sample = Sample(image, np.zeros_like(image), "a", "a", False)
    (one, mask), (other, bent) = found(rng(2), lambda: sample, 2)
    assert abs(float(one[mask].mean()) - float(other[bent].mean())) < 15


def test_images_without_any_object_give_no_drawings():
    blank = Sample(np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8), "a", "a", False)
    assert found(rng(), lambda: blank, 2) is None


def drawn(image: np.ndarray, share: float) -> Task:
    mask = np.zeros_like(image)
    mask[:24, :24] = 1
    samples = tuple(Sample(image, mask, subject, subject, False) for subject in "ab")
    sampler = TaskSampler(
        [ImageSet("set", "MR", {1: "corner"}, samples)], {}, TrainingSettings(found_share=share)
    )
    return sampler.draw(rng(7), "clicks", 0, synthetic=True, part=False, size=SIZE)


def test_a_found_task_is_of_the_set_s_images_and_modality(image):
    task = drawn(image, share=1.0)
    assert task.modality == "MR"
    np.testing.assert_array_equal(task.query[0], image)


def test_without_a_found_share_synthetic_tasks_are_made_up(image):
    assert drawn(image, share=0.0).modality == "synthetic"


def test_a_share_beyond_one_is_refused():
    with pytest.raises(ValueError, match="found_share"):
        from_plain({"found_share": 1.5})
