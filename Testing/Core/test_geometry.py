"""VolumeGeometry: frames, axes and comparison, as tables over permuted, flipped and rotated grids."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from KPrismCore.errors import GeometryError
from KPrismCore.geometry import (
    VolumeGeometry,
    bounding_box,
    ijk_from_kji,
    kji_from_ijk,
    lps_from_ras,
    ras_from_lps,
)

ORIENTATIONS = [
    (axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)
]  # IJK axis n points along patient axis axes[n] with this sign


def oriented(
    axes: tuple[int, ...], signs: tuple[int, ...], size: tuple[int, int, int] = (4, 5, 6)
) -> VolumeGeometry:
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for column, (row, sign, spacing) in enumerate(zip(axes, signs, (0.5, 1.25, 4.0), strict=True)):
        matrix[row, column] = sign * spacing
    matrix[:3, 3] = (-10.0, 20.5, 300.0)
    return VolumeGeometry(size, matrix)


@pytest.fixture
def a_tilted_image() -> sitk.Image:
    image = sitk.Image((7, 6, 5), sitk.sitkInt16)
    angle = np.deg2rad(20)
    image.SetDirection((1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle)))
    image.SetSpacing((0.7, 0.8, 3.0))
    image.SetOrigin((-12.0, 4.0, 100.0))
    return image


@pytest.fixture
def a_geometry(a_tilted_image: sitk.Image) -> VolumeGeometry:
    return VolumeGeometry.from_image(a_tilted_image)


def test_lps_of_a_voxel_is_what_simpleitk_says(
    a_tilted_image: sitk.Image, a_geometry: VolumeGeometry
) -> None:
    expected = a_tilted_image.TransformIndexToPhysicalPoint((3, 2, 4))
    assert a_geometry.lps_from_ijk((3, 2, 4)) == pytest.approx(expected)


def test_ras_is_lps_with_two_signs_changed(a_geometry: VolumeGeometry) -> None:
    left, posterior, superior = a_geometry.lps_from_ijk((3, 2, 4))
    assert a_geometry.ras_from_ijk((3, 2, 4)) == pytest.approx((-left, -posterior, superior))


def test_ijk_comes_back_from_ras(a_geometry: VolumeGeometry) -> None:
    points = np.random.default_rng(0).uniform(-5, 50, (4, 5, 3))
    assert a_geometry.ijk_from_ras(a_geometry.ras_from_ijk(points)) == pytest.approx(points, abs=1e-9)


def test_ijk_comes_back_from_lps(a_geometry: VolumeGeometry) -> None:
    assert a_geometry.ijk_from_lps(a_geometry.lps_from_ijk((1.5, 2, 3))) == pytest.approx((1.5, 2, 3))


def test_lps_and_ras_are_each_others_inverse() -> None:
    assert ras_from_lps(lps_from_ras((1, 2, 3))).tolist() == [1, 2, 3]


def test_kji_is_ijk_backwards() -> None:
    assert kji_from_ijk([(1, 2, 3)]).tolist() == [[3, 2, 1]]
    assert ijk_from_kji((3, 2, 1)).tolist() == [1, 2, 3]


def test_an_image_gets_back_its_own_geometry(a_tilted_image: sitk.Image, a_geometry: VolumeGeometry) -> None:
    other = sitk.Image(a_tilted_image.GetSize(), sitk.sitkUInt8)
    a_geometry.apply_to(other)
    assert VolumeGeometry.from_image(other).same_grid(a_geometry, tolerance=1e-9)


def test_parts_give_the_same_grid_as_the_image(
    a_tilted_image: sitk.Image, a_geometry: VolumeGeometry
) -> None:
    parts = VolumeGeometry.from_parts(
        a_tilted_image.GetSize(),
        a_tilted_image.GetSpacing(),
        a_tilted_image.GetDirection(),
        a_tilted_image.GetOrigin(),
    )
    assert parts == a_geometry


def test_a_flat_image_becomes_one_slice() -> None:
    flat = VolumeGeometry.from_image(sitk.Image((8, 9), sitk.sitkUInt8))
    assert flat.size == (8, 9, 1)


def test_the_fourth_dimension_is_left_out() -> None:
    series = VolumeGeometry.from_image(sitk.Image((8, 9, 3, 2), sitk.sitkUInt8))
    assert series.size == (8, 9, 3)


def test_the_matrix_is_copied() -> None:
    matrix = np.eye(4)
    geometry = VolumeGeometry((2, 2, 2), matrix)
    matrix[0, 3] = 99
    assert geometry.ijk_to_ras[0, 3] == 0


@pytest.mark.parametrize("name", ["ijk_to_ras", "ras_to_ijk", "spacing", "direction"])
def test_arrays_are_read_only(a_geometry: VolumeGeometry, name: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(a_geometry, name)[0] = 5


def test_the_array_shape_is_the_size_backwards(a_geometry: VolumeGeometry) -> None:
    assert a_geometry.shape == (5, 6, 7)


def test_voxel_volume_is_the_product_of_the_spacing(a_geometry: VolumeGeometry) -> None:
    assert a_geometry.voxel_volume == pytest.approx(0.7 * 0.8 * 3.0)


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_spacing_belongs_to_the_index_axes(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    assert oriented(axes, signs).spacing.tolist() == [0.5, 1.25, 4.0]


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_a_step_along_the_named_axis_moves_towards_the_letter(
    axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    geometry = oriented(axes, signs)
    for patient_axis, (index_axis, sign) in enumerate(geometry.anatomical_axes):
        step = np.eye(3)[index_axis] * sign
        moved = geometry.ras_from_ijk(step) - geometry.ras_from_ijk((0, 0, 0))
        assert moved[patient_axis] == geometry.spacing[index_axis]


@pytest.mark.parametrize(
    ("axes", "signs", "names"),
    [
        ((0, 1, 2), (1, 1, 1), "RAS"),
        ((0, 1, 2), (-1, -1, 1), "LPS"),
        ((2, 0, 1), (-1, 1, -1), "IRP"),
        ((1, 2, 0), (1, -1, -1), "AIL"),
    ],
)
def test_axes_are_named_after_where_they_point(
    axes: tuple[int, ...], signs: tuple[int, ...], names: str
) -> None:
    assert oriented(axes, signs).axis_names == names


def test_three_different_axes_are_found_at_any_rotation() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        matrix = np.eye(4)
        matrix[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        assert {axis for axis, _ in VolumeGeometry((2, 2, 2), matrix).anatomical_axes} == {0, 1, 2}


def test_a_grid_is_the_same_as_itself_with_rounding_errors(a_geometry: VolumeGeometry) -> None:
    noise = np.random.default_rng(2).normal(scale=1e-6, size=(3, 4))
    matrix = a_geometry.ijk_to_ras.copy()
    matrix[:3] += noise
    assert a_geometry.same_grid(VolumeGeometry(a_geometry.size, matrix))


@pytest.mark.parametrize(
    ("row", "column", "change"), [(0, 3, 0.01), (0, 3, 0.001), (2, 2, 0.01), (0, 1, 0.02)]
)
def test_a_moved_grid_is_another_one(
    a_geometry: VolumeGeometry, row: int, column: int, change: float
) -> None:
    matrix = a_geometry.ijk_to_ras.copy()
    matrix[row, column] += change
    assert not a_geometry.same_grid(VolumeGeometry(a_geometry.size, matrix))


def test_another_slice_thickness_of_a_single_slice_is_another_grid() -> None:
    thick = VolumeGeometry((4, 4, 1), np.diag((1.0, 1, 5, 1)))
    assert not thick.same_grid(VolumeGeometry((4, 4, 1), np.diag((1.0, 1, 2, 1))))


def test_another_size_is_another_grid() -> None:
    assert not VolumeGeometry((4, 4, 1), np.eye(4)).same_grid(VolumeGeometry((4, 4, 2), np.eye(4)))


def test_equal_geometries_have_equal_hashes() -> None:
    zero, minus_zero = np.eye(4), np.eye(4)
    minus_zero[0, 1] = -0.0
    assert hash(VolumeGeometry((2, 2, 2), zero)) == hash(VolumeGeometry((2, 2, 2), minus_zero))


@pytest.mark.parametrize(
    ("ijk", "inside"),
    [
        ((0, 0, 0), True),
        ((-0.5, 0, 0), True),
        ((-0.51, 0, 0), False),
        ((6.49, 5, 4), True),
        ((6.5, 0, 0), False),
    ],
)
def test_a_point_is_inside_up_to_the_outer_faces(
    a_geometry: VolumeGeometry, ijk: tuple[float, float, float], inside: bool
) -> None:
    assert bool(a_geometry.contains_ijk(ijk)) is inside


@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((4, 4)),
        np.diag((1.0, 0, 1, 1)),
        np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.diag((1.0, np.nan, 1, 1)),
        np.eye(3),
        np.eye(4)[::-1],
    ],
)
def test_a_singular_matrix_is_refused(matrix: np.ndarray) -> None:
    with pytest.raises(GeometryError):
        VolumeGeometry((2, 2, 2), matrix)


def test_micrometre_voxels_are_not_singular() -> None:
    assert VolumeGeometry((2, 2, 2), np.diag((1e-4, 1e-4, 1e-4, 1))).spacing[0] == 1e-4


@pytest.mark.parametrize("size", [(2, 2), (0, 2, 2), (2, 2.5, 2)])
def test_an_impossible_size_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="size"):
        VolumeGeometry(size, np.eye(4))  # type: ignore[arg-type]


def test_points_need_three_coordinates(a_geometry: VolumeGeometry) -> None:
    with pytest.raises(GeometryError, match="three-dimensional"):
        a_geometry.ras_from_ijk((1, 2))


@pytest.mark.parametrize("box", [np.s_[0:1, 0:1, 0:1], np.s_[1:3, 2:5, 0:6], np.s_[3:4, 4:5, 5:6]])
def test_the_bounding_box_of_a_box_is_that_box(box):
    mask = np.zeros((4, 5, 6), dtype=bool)
    mask[box] = True
    assert bounding_box(mask) == box


def test_an_empty_mask_has_no_bounding_box():
    assert bounding_box(np.zeros((4, 5, 6), dtype=bool)) is None
