"""Lungs of chest CTs marked by a rule, on drawn slices with known lungs; and that a run gets them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disc_runs import SETTINGS, disc_set
from numpy.typing import NDArray

from KPrismCore.errors import TrainingDataError
from KPrismCore.evaluation.metrics import dice
from KPrismCore.training.chest_lungs import LABEL, NAME, in_lung_window, lungs_of, with_chest_lungs
from KPrismCore.training.loop import Trainer
from KPrismCore.training.packs import ImageSet, Pixels, Sample
from KPrismCore.training.settings import TrainingSettings

AIR, LUNG, TISSUE, BONE = 2, 28, 110, 220
Bools = NDArray[np.bool_]


def ellipse(size: int, row: float, column: float, height: float, width: float) -> Bools:
    """Centre and half axes as shares of the image's edge."""
    rows, columns = (np.mgrid[:size, :size] + 0.5) / size
    return np.asarray(((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 <= 1)


def chest(size: int = 256, *, shift: float = 0.0, lungs: str = "both") -> tuple[Pixels, Bools]:
    """A slice with two lungs, a heart, a trachea, vessels, a vertebra and a table; and its lungs."""
    rng = np.random.default_rng(0)
    right, left = ellipse(size, 0.48, 0.3 + shift, 0.2, 0.13), ellipse(size, 0.48, 0.7 + shift, 0.2, 0.13)
    body = ellipse(size, 0.5, 0.5 + shift, 0.32, 0.42)
    shown = {"both": right | left, "right": right, "none": np.zeros_like(right)}[lungs]
    heart, trachea = ellipse(size, 0.45, 0.55 + shift, 0.12, 0.1), ellipse(size, 0.4, 0.5 + shift, 0.02, 0.02)
    vessels = ellipse(size, 0.5, 0.3 + shift, 0.012, 0.012) | ellipse(size, 0.42, 0.68 + shift, 0.01, 0.01)
    image = np.where(body, TISSUE, AIR)
    image[shown] = LUNG
    image[vessels & shown] = TISSUE
    image[heart] = TISSUE + 20
    image[trachea] = AIR
    image[ellipse(size, 0.72, 0.5 + shift, 0.05, 0.05)] = BONE
    image[int(0.9 * size) : int(0.92 * size)] = TISSUE
    noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    return noisy, shown & ~heart


def chests(name: str = "chests", *images: Pixels) -> ImageSet:
    empty = np.zeros((256, 256), np.uint8)
    samples = tuple(Sample(image, empty, f"s{n}", str(n), False) for n, image in enumerate(images))
    return ImageSet(name, "CT chest", {1: "aorta"}, samples)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_both_lungs_are_marked_at_any_size(size: int) -> None:
    image, truth = chest(size)
    found = lungs_of(image)
    assert found is not None
    assert dice(found, truth) > 0.96


@pytest.mark.parametrize("shift", [-0.22, 0.22])
def test_a_lung_cut_by_the_side_of_the_image_is_marked(shift: float) -> None:
    image, truth = chest(shift=shift)
    assert (truth[:, 0] | truth[:, -1]).any()
    found = lungs_of(image)
    assert found is not None
    assert dice(found, truth) > 0.94


def test_vessels_inside_belong_to_the_lungs() -> None:
    found = lungs_of(chest()[0])
    assert found is not None
    assert found[ellipse(256, 0.5, 0.3, 0.01, 0.01)].all()


def test_the_trachea_and_the_air_around_do_not() -> None:
    found = lungs_of(chest()[0])
    assert found is not None
    assert not found[ellipse(256, 0.4, 0.5, 0.02, 0.02)].any()
    assert not found[~ellipse(256, 0.5, 0.5, 0.32, 0.42)].any()


@pytest.mark.parametrize("lungs", ["right", "none"])
def test_a_slice_without_two_lungs_is_left_out(lungs: str) -> None:
    assert lungs_of(chest(lungs=lungs)[0]) is None


@pytest.mark.parametrize("grey", [0, 90, 255])
def test_an_image_of_one_grey_has_no_lungs(grey: int) -> None:
    assert lungs_of(np.full((256, 256), grey, np.uint8)) is None


def test_the_lung_window_shows_air_and_tissue_as_a_volume_in_that_window() -> None:
    image, _ = chest()
    shown = in_lung_window(image) / 255
    body = ellipse(256, 0.3, 0.5, 0.05, 0.05)
    # -1000 and 40 HU of the window from -1350 to 150 HU
    assert np.median(shown[:20]) == pytest.approx(350 / 1500, abs=0.02)
    assert np.median(shown[body]) == pytest.approx(1390 / 1500, abs=0.04)


def test_each_slice_with_lungs_comes_as_it_is_and_in_the_lung_window() -> None:
    image, _ = chest()
    added = with_chest_lungs([chests("chests", image, chest(lungs="none")[0])], ["chests"])[-1]
    assert (added.name, added.labels, [sample.subject for sample in added.samples]) == (
        NAME, {1: LABEL}, ["s0", "s0"],
    )  # fmt: skip
    assert np.array_equal(added.samples[0].image, image)
    assert np.array_equal(added.samples[1].image, in_lung_window(image))


def test_sets_that_are_not_named_are_not_looked_at() -> None:
    sets = [chests("chests", chest()[0])]
    assert with_chest_lungs(sets, ["others"]) == sets


def test_colour_images_are_passed_over() -> None:
    colour = np.repeat(chest()[0][..., None], 3, axis=2)
    sets = [chests("chests", colour)]
    assert with_chest_lungs(sets, ["chests"]) == sets


@pytest.fixture
def by_name() -> TrainingSettings:
    return replace(SETTINGS, mode_probabilities=(1.0, 0.0, 0.0, 0.0), synthetic_probability=0.0, steps=1)


def test_a_run_asks_for_lungs_by_name_where_its_recipe_names_the_set(
    tmp_path: Path, by_name: TrainingSettings
) -> None:
    sets = [disc_set(), chests("chests", *[chest()[0]] * 6)]
    recipe = replace(by_name, lungs_from=("chests",))
    drawn = Trainer(recipe, sets, {1: {NAME: [LABEL]}}, tmp_path).stream[0].class_index
    assert drawn is not None
    assert drawn.tolist() == [1, 1]


def test_a_run_has_no_such_lungs_where_its_recipe_names_no_set(
    tmp_path: Path, by_name: TrainingSettings
) -> None:
    sets = [disc_set(), chests("chests", *[chest()[0]] * 6)]
    with pytest.raises(TrainingDataError, match="no image shows a class"):
        Trainer(by_name, sets, {1: {NAME: [LABEL]}}, tmp_path)
