"""Letterbox: the image fits the square, everything comes back, and the authors' numbers are met."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from KPrismCore.errors import ImageContentError
from KPrismCore.letterbox import Letterbox, network_input
from KPrismCore.preprocess import Preprocessing, to_unit

GOLDEN = (
    Path(os.environ.get("KPRISM_GOLDEN", Path(__file__).parents[3] / "shared/network/golden")) / "preproc.npz"
)
SIZES = [
    (384, 512),
    (300, 400),
    (511, 333),
    (97, 640),
    (1000, 1000),
    (240, 256),
    (1, 700),
    (700, 1),
    (33, 47),
]

every_size = pytest.mark.parametrize(("height", "width"), SIZES)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    if not GOLDEN.exists():
        pytest.skip("needs ../shared: the golden files of the network")
    with np.load(GOLDEN) as stored:
        return dict(stored)


@pytest.mark.parametrize(
    ("height", "width", "new", "corner"),
    [(384, 512, (384, 512), (64, 0)), (511, 333, (512, 333), (0, 89)), (97, 640, (77, 512), (217, 0))],
)
def test_the_size_is_truncated_and_the_image_centred(
    height: int, width: int, new: tuple[int, int], corner: tuple[int, int]
) -> None:
    box = Letterbox(height, width, 512)
    assert (box.new_height, box.new_width) == new
    assert (box.top, box.left) == corner


def test_the_size_can_be_rounded() -> None:
    assert Letterbox(511, 333, 512, rounding="round").new_width == 334


def test_a_line_keeps_at_least_one_pixel() -> None:
    assert Letterbox(1, 2000, 512).new_height == 1


def test_unequal_spacing_is_made_square() -> None:
    box = Letterbox(26, 320, 256, spacing=(5.5, 0.75))
    assert box.new_width == 256
    assert box.new_height == pytest.approx(256 * 26 * 5.5 / (320 * 0.75), abs=1)


def test_a_circle_in_millimetres_becomes_a_circle() -> None:
    y, x = np.mgrid[:40, :160]
    disc = torch.from_numpy(((y - 19.5) * 4) ** 2 + (x - 79.5) ** 2 < 60**2)
    square = Letterbox(40, 160, 256, spacing=(4.0, 1.0)).mask(disc)
    assert int(square.any(dim=1).sum()) == pytest.approx(int(square.any(dim=0).sum()), abs=7)


@every_size
def test_points_come_back(height: int, width: int) -> None:
    box = Letterbox(height, width, 512, spacing=(1.3, 0.8))
    points = torch.rand(50, 2) * torch.tensor((width - 1, height - 1))
    assert torch.allclose(box.points_from_network(box.points_to_network(points)), points, atol=1e-3)


@every_size
def test_the_outer_corners_fall_on_the_borders_of_the_padding(height: int, width: int) -> None:
    box = Letterbox(height, width, 512)
    corners = box.points_to_network(torch.tensor([(-0.5, -0.5), (width - 0.5, height - 0.5)]))
    low = (box.top - 0.5, box.left - 0.5)
    high = (box.top + box.new_height - 0.5, box.left + box.new_width - 0.5)
    assert torch.allclose(corners, torch.tensor([low, high]), atol=1e-3)


def test_a_point_and_the_image_under_it_move_together() -> None:
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(140.0), indexing="ij")
    box = Letterbox(90, 140, 512, spacing=(2.0, 1.0))
    square = box.image(torch.stack([x, y, x]))
    row, column = box.points_to_network(torch.tensor((100.0, 40.0))).round().long().tolist()
    expected = box.points_from_network(torch.tensor((row, column), dtype=torch.float32))
    assert torch.allclose(square[:2, row, column], expected, atol=1e-3)


@every_size
def test_a_smooth_map_comes_back(height: int, width: int) -> None:
    box = Letterbox(height, width, 512)
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    smooth = (x + y) / 2
    assert torch.allclose(box.restore(box.image(smooth[None]))[0], smooth, atol=0.01)


def test_a_mask_keeps_its_values() -> None:
    mask = (torch.rand(1, 33, 47) > 0.5).to(torch.uint8)
    square = Letterbox(33, 47, 256).mask(mask)
    assert square.dtype == torch.uint8
    assert square.unique().tolist() == [0, 1]


def test_batches_keep_their_leading_dimensions() -> None:
    box = Letterbox(30, 40, 64)
    assert box.image(torch.zeros(2, 5, 3, 30, 40)).shape == (2, 5, 3, 64, 64)
    assert box.restore(torch.zeros(2, 1, 64, 64)).shape == (2, 1, 30, 40)


def test_the_padding_is_zero_before_normalising() -> None:
    box = Letterbox(10, 40, 64)
    square = network_input(np.ones((10, 40, 3), np.float32), box)
    assert float(square[0, 0, 0]) == pytest.approx(-0.26 / 0.30)
    assert float(square[0, 32, 32]) == pytest.approx(0.74 / 0.30)


def test_quantised_grey_levels_stay_whole() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    square = network_input(to_unit(levels, (0, 255)), Letterbox(16, 16, 16), Preprocessing(quantise=True))
    assert torch.equal(((square[0] * 0.30 + 0.26) * 255).round(), torch.from_numpy(levels).float())


def test_quantised_grey_levels_are_cut_and_not_rounded() -> None:
    levels = np.array([[10, 10, 11, 11]] * 4, np.uint8)
    square = network_input(to_unit(levels, (0, 255)), Letterbox(4, 4, 8), Preprocessing(quantise=True))
    assert ((square[0, 0] * 0.30 + 0.26) * 255).round().tolist() == [10, 10, 10, 10, 10, 11, 11, 11]


def test_the_number_of_threads_changes_nothing() -> None:
    image, before = torch.rand(3, 333, 500), torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(Letterbox(333, 500, 512).image(image))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*results)


def test_antialiasing_averages_what_it_leaves_out() -> None:
    stripes = torch.zeros(1, 512, 512)
    stripes[:, :, ::8] = 1.0
    plain, smooth = (Letterbox(512, 512, 64, antialias=flag).image(stripes) for flag in (False, True))
    assert float(plain.max()) == 0.0
    assert float(smooth.mean()) == pytest.approx(1 / 8, abs=0.01)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(ImageContentError):
        Letterbox(0, 5, 512)


def _image(golden: dict[str, np.ndarray], case: int) -> np.ndarray:
    raw = golden[f"s{case}_raw"].transpose(1, 2, 0)
    return np.ascontiguousarray(np.broadcast_to(raw, (*raw.shape[:2], 3)))


def _masks(golden: dict[str, np.ndarray], case: int) -> torch.Tensor:
    height, width = golden[f"s{case}_raw"].shape[1:]
    bits = np.unpackbits(golden[f"s{case}_mask"])[: 3 * height * width]
    return torch.from_numpy(bits.reshape(3, height, width))


def _grey(box: Letterbox, image: np.ndarray) -> torch.Tensor:
    """The network's input as the grey levels 0..255 before normalisation."""
    square = network_input(to_unit(image, (0, 255)), box, Preprocessing(quantise=True))
    return ((square * 0.30 + 0.26) * 255).round()


every_case = pytest.mark.parametrize("case", range(9))


@every_case
def test_queries_are_those_of_the_authors(golden: dict[str, np.ndarray], case: int) -> None:
    image = _image(golden, case)
    grey = _grey(Letterbox(*image.shape[:2], 512), image)
    assert np.array_equal(grey[:, 1::4, 2::4], golden[f"s{case}_query_u8_s4"])
    assert int(grey.double().sum()) == int(golden[f"s{case}_query_sum"])


@every_case
def test_references_are_those_of_the_authors_but_for_one_grey_level(
    golden: dict[str, np.ndarray], case: int
) -> None:
    image = _image(golden, case)
    grey = _grey(Letterbox(*image.shape[:2], 512, rounding="round"), image)
    difference = np.abs(grey[:, 1::4, 2::4].numpy() - golden[f"s{case}_ref_u8_s4"])
    assert difference.max() <= 1
    assert float(grey.double().sum()) == pytest.approx(int(golden[f"s{case}_ref_sum"]), rel=2e-3)


@every_case
@pytest.mark.parametrize(("path", "rounding"), [("query", "truncate"), ("ref", "round")])
def test_masks_are_those_of_the_authors(
    golden: dict[str, np.ndarray], case: int, path: str, rounding: str
) -> None:
    masks = _masks(golden, case)
    square = Letterbox(*masks.shape[1:], 512, rounding=rounding).mask(masks)
    assert square.sum((1, 2)).tolist() == golden[f"s{case}_{path}_mask_sum"].tolist()


@every_case
def test_maps_come_back_as_with_the_authors(golden: dict[str, np.ndarray], case: int) -> None:
    image = _image(golden, case)
    box = Letterbox(*image.shape[:2], 512)
    restored = box.restore(_grey(box, image)[:1] / 255)[0]
    assert restored[::8, ::8].numpy() == pytest.approx(golden[f"s{case}_restore_s8"], abs=1e-6)


@pytest.mark.parametrize("side", [49, 98, 128, 253, 392, 512])
def test_a_square_image_fills_the_square_whatever_its_side(side):
    box = Letterbox(side, side, 256)
    assert (box.new_height, box.new_width, box.top, box.left) == (256, 256, 0, 0)


@pytest.mark.parametrize("spacing", [3.04687595, 0.9765625, 0.7, 1 / 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_spacing_that_differs_in_its_last_digit_changes_nothing(spacing, axis):
    noisy = [spacing, spacing]
    noisy[axis] = float(np.nextafter(spacing, 10))
    box = Letterbox(128, 128, 256, tuple(noisy))
    assert (box.new_height, box.new_width) == (256, 256)
