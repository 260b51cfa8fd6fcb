"""The normalisation: which values become black and white, and the numbers the network gets."""

from __future__ import annotations

import json

import numpy as np
import pytest

from KPrismCore.errors import CheckpointError, ImageContentError, PromptError
from KPrismCore.preprocess import Preprocessing, intensity_range, normalise, to_unit


@pytest.fixture
def a_ct() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 2000, (4, 20, 30)).astype(np.int16)


@pytest.fixture
def an_mr() -> np.ndarray:
    """Half background of exactly 0, the rest evenly from 100 to 1100, and one hot voxel."""
    array = np.zeros((2, 50, 40), np.float32)
    array[1] = np.linspace(100, 1100, 2000).reshape(50, 40)
    array[1, 0, 0] = 1e6
    return array


@pytest.mark.parametrize(
    ("class_name", "window"),
    [
        (None, (-160, 240)),
        ("Liver Tumor", (-160, 240)),
        ("lung tumour", (-1350, 150)),
        ("lung_upper_lobe_left", (-1350, 150)),
        ("Right femur", (-500, 1300)),
        ("vertebrae_L1", (-500, 1300)),
        ("intracranial haemorrhage", (0, 80)),
        ("hippocampus", (-160, 240)),
    ],
)
def test_ct_is_windowed_for_its_class(
    a_ct: np.ndarray, class_name: str | None, window: tuple[float, float]
) -> None:
    assert intensity_range(a_ct, "CT", class_name=class_name) == window


def test_a_preset_goes_before_the_class(a_ct: np.ndarray) -> None:
    assert intensity_range(a_ct, "CT", class_name="lung", preset="CT-Bone") == (-500, 1300)


def test_a_window_goes_before_everything(a_ct: np.ndarray) -> None:
    assert intensity_range(a_ct, "CT", preset="CT-Bone", window=(1, 2)) == (1.0, 2.0)


def test_a_ct_preset_has_no_effect_on_mr(an_mr: np.ndarray) -> None:
    assert intensity_range(an_mr, "MR", preset="CT-Bone") == intensity_range(an_mr, "MR")


def test_an_unknown_preset_names_the_known_ones(a_ct: np.ndarray) -> None:
    with pytest.raises(PromptError, match="CT-Abdomen"):
        intensity_range(a_ct, "CT", preset="kidney")


def test_a_window_that_does_not_increase_is_refused(a_ct: np.ndarray) -> None:
    with pytest.raises(PromptError, match="increase"):
        intensity_range(a_ct, window=(5, 5))


def test_a_window_without_an_end_is_refused(a_ct: np.ndarray) -> None:
    with pytest.raises(PromptError, match="no end"):
        intensity_range(a_ct, window=(0, np.inf))


@pytest.mark.parametrize("shape", [(30, 20), (1, 30, 20), (30, 20, 3), (4, 30, 20, 3)])
def test_eight_bit_pictures_stay_as_they_are(shape: tuple[int, ...]) -> None:
    assert intensity_range(np.full(shape, 7, np.uint8)) == (0, 255)


def test_an_eight_bit_ct_has_had_its_window() -> None:
    assert intensity_range(np.full((4, 30, 20), 7, np.uint8), "CT") == (0, 255)


def test_percentiles_leave_out_the_background_and_the_hottest_voxels(an_mr: np.ndarray) -> None:
    low, high = intensity_range(an_mr, "MR")
    assert low == pytest.approx(105, abs=2)
    assert high == pytest.approx(1095, abs=2)


def test_a_zero_background_below_negative_values_is_left_out(an_mr: np.ndarray) -> None:
    low, high = intensity_range(np.where(an_mr > 0, an_mr - 2000, 0), "MR")
    assert (low, high) == pytest.approx((-1895, -905), abs=2)


def test_an_image_of_two_values_spans_them() -> None:
    image = np.zeros((50, 50), np.float32)
    image[10:20] = 3
    low, high = intensity_range(image)
    assert low < high == 3


def test_a_constant_image_still_has_a_range() -> None:
    assert intensity_range(np.full((5, 5), 3.0)) == (3.0, 4.0)


def test_a_large_volume_has_nearly_the_range_of_all_its_voxels() -> None:
    volume = np.random.default_rng(1).normal(100, 20, (60, 250, 250)).astype(np.float32)
    assert intensity_range(volume, "MR") == pytest.approx(np.percentile(volume, (0.5, 99.5)), abs=0.5)


def test_nan_has_no_range() -> None:
    with pytest.raises(ImageContentError, match="NaN"):
        intensity_range(np.array([[1.0, np.nan]]))


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (6, 5, 3), (6, 5, 4)])
def test_every_image_gets_three_channels(shape: tuple[int, ...]) -> None:
    assert to_unit(np.zeros(shape, np.uint8), (0, 255)).shape == (6, 5, 3)


@pytest.mark.parametrize("shape", [(6,), (6, 5, 2), (2, 6, 5, 3)])
def test_other_shapes_are_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageContentError, match="shape"):
        to_unit(np.zeros(shape), (0, 1))


def test_unit_values_are_cut_at_the_range() -> None:
    unit = to_unit(np.array([[-500, -160, 40, 240, 3000]], np.int16), (-160, 240))
    assert unit[0, :, 0] == pytest.approx((0, 0, 0.5, 1, 1))


def test_unit_values_are_float32() -> None:
    assert to_unit(np.zeros((2, 2), np.float64), (0, 1)).dtype == np.float32


def test_wide_integers_keep_their_differences() -> None:
    image = np.array([[2**30, 2**30 + 1]], np.int64)
    assert to_unit(image, (2**30, 2**30 + 2))[0, :, 0].tolist() == [0, 0.5]


def test_alpha_is_dropped() -> None:
    image = np.array([[[51, 102, 153, 255]]], np.uint8)
    assert to_unit(image, (0, 255))[0, 0] == pytest.approx((0.2, 0.4, 0.6))


def test_normalising_gives_the_papers_black() -> None:
    assert normalise(np.zeros((2, 2, 3), np.float32)).ravel() == pytest.approx(-0.8667, abs=1e-4)


def test_normalising_puts_channels_first() -> None:
    unit = np.zeros((4, 5, 3), np.float32)
    unit[..., 2] = 1
    assert normalise(unit)[:, 3, 4] == pytest.approx((-0.26 / 0.3, -0.26 / 0.3, 0.74 / 0.3))


def test_settings_survive_json() -> None:
    settings = Preprocessing(
        mean=0.5, ct_windows={"CT-Abdomen": (-1, 2), "A": (3, 4)}, class_words={"A": "x"}
    )
    assert Preprocessing.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_settings_of_a_newer_version_are_refused() -> None:
    with pytest.raises(CheckpointError, match="gamma"):
        Preprocessing.from_dict({"gamma": 2})


@pytest.mark.parametrize(
    "values", [{"std": 0}, {"std": "wide"}, {"ct_windows": [1]}, {"percentiles": (99, 1)}]
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="preprocessing"):
        Preprocessing.from_dict(values)


def test_settings_decide_the_numbers() -> None:
    unit = np.ones((1, 1, 3), np.float32)
    assert normalise(unit, Preprocessing(mean=0.0, std=0.5)).ravel().tolist() == [2, 2, 2]


def test_eight_bit_volumes_stay_as_they_are_for_the_authors_checkpoints() -> None:
    volume = np.arange(200, dtype=np.uint8).reshape(2, 10, 10)
    assert intensity_range(volume, "MR", settings=Preprocessing(quantise=True)) == (0, 255)


def test_a_range_of_almost_no_width_gives_black_and_white() -> None:
    image = np.array([[-1, 0, 1]], dtype=np.int16)
    assert to_unit(image, (0.0, 1e-300))[0, :, 0].tolist() == [0, 0, 1]
