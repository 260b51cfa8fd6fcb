"""Planes: what is drawn on one comes back to the same voxels, in every orientation."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from KPrismCore.errors import ClickOutsideError, GeometryError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.oblique import ObliquePlane
from KPrismCore.slices import SlicePlane, number_of_slices

KINDS = ("axial", "sagittal", "coronal", "i", "j", "k")
ORIENTATIONS = [(axes, signs) for axes in permutations(range(3)) for signs in product((1, -1), repeat=3)]
ROTATIONS = [(0, 0, 0), (20, 0, 0), (0, -20, 0), (10, 15, 20)]
# the patient direction (RAS) in which columns and rows grow in each view
HANGING = {
    "axial": ((-1, 0, 0), (0, -1, 0)),
    "coronal": ((-1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, -1, 0), (0, 0, -1)),
}


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    result = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(degrees)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def geometry_of(
    axes: tuple[int, ...] = (0, 1, 2),
    signs: tuple[int, ...] = (1, 1, 1),
    degrees: tuple[float, float, float] = (0, 0, 0),
    size: tuple[int, int, int] = (4, 5, 6),
    spacing: tuple[float, float, float] = (0.5, 1.25, 4.0),
) -> VolumeGeometry:
    columns = np.zeros((3, 3))
    for column, (row, sign) in enumerate(zip(axes, signs, strict=True)):
        columns[row, column] = sign * spacing[column]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(degrees) @ columns
    matrix[:3, 3] = (-10, 20.5, 300)
    return VolumeGeometry(size, matrix)


def numbered(geometry: VolumeGeometry) -> np.ndarray:
    return np.arange(np.prod(geometry.shape)).reshape(geometry.shape)


def mask_on(plane: SlicePlane | ObliquePlane) -> np.ndarray:
    return np.random.default_rng(0).random(plane.shape) < 0.4


def inside_pixels(plane: SlicePlane) -> np.ndarray:
    rows, columns = plane.shape
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x.ravel(), y.ravel()], axis=-1)


every_orientation = pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
every_rotation = pytest.mark.parametrize("degrees", ROTATIONS)


@every_rotation
@every_orientation
def test_a_mask_comes_back_from_the_same_voxels(
    axes: tuple[int, ...], signs: tuple[int, ...], degrees: tuple[float, float, float]
) -> None:
    geometry = geometry_of(axes, signs, degrees)
    for kind in KINDS:
        plane, array = SlicePlane(geometry, kind, 1), np.zeros(geometry.shape, np.uint8)
        plane.write(mask_on(plane), array)
        assert np.array_equal(plane.read_mask(array), mask_on(plane))


@every_rotation
@every_orientation
def test_the_pixel_clicked_is_the_voxel_at_that_place(
    axes: tuple[int, ...], signs: tuple[int, ...], degrees: tuple[float, float, float]
) -> None:
    geometry = geometry_of(axes, signs, degrees)
    array = numbered(geometry)
    for kind in KINDS:
        plane = SlicePlane(geometry, kind, 2)
        pixels = inside_pixels(plane)
        i, j, k = np.rint(geometry.ijk_from_ras(plane.pixel_to_ras(pixels))).astype(int).T
        assert np.array_equal(plane.extract(array)[pixels[:, 1], pixels[:, 0]], array[k, j, i])


@every_rotation
@every_orientation
def test_pixels_come_back_from_ras(
    axes: tuple[int, ...], signs: tuple[int, ...], degrees: tuple[float, float, float]
) -> None:
    geometry = geometry_of(axes, signs, degrees)
    for kind in KINDS:
        plane = SlicePlane(geometry, kind, 0)
        pixels = inside_pixels(plane) + 0.25
        assert plane.ras_to_pixel(plane.pixel_to_ras(pixels)) == pytest.approx(pixels, abs=1e-9)


@every_orientation
def test_rows_and_columns_grow_as_radiologists_hang_images(
    axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    geometry = geometry_of(axes, signs)
    for kind, (column_way, row_way) in HANGING.items():
        plane = SlicePlane(geometry, kind, 0)
        start, right, down = plane.pixel_to_ras([(0, 0), (1, 0), (0, 1)])
        row_mm, column_mm = plane.pixel_spacing
        assert right - start == pytest.approx(np.array(column_way) * column_mm)
        assert down - start == pytest.approx(np.array(row_way) * row_mm)


@every_rotation
@every_orientation
def test_a_rotated_volume_is_cut_along_the_axes_of_the_unrotated_one(
    axes: tuple[int, ...], signs: tuple[int, ...], degrees: tuple[float, float, float]
) -> None:
    straight, rotated = geometry_of(axes, signs), geometry_of(axes, signs, degrees)
    array = numbered(straight)
    for kind in KINDS:
        expected = SlicePlane(straight, kind, 1).extract(array)
        assert np.array_equal(SlicePlane(rotated, kind, 1).extract(array), expected)


@every_orientation
def test_only_the_voxels_of_the_slice_change(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    geometry = geometry_of(axes, signs)
    for kind in KINDS:
        plane = SlicePlane(geometry, kind, 1)
        before = np.random.default_rng(3).integers(2, 9, geometry.shape)
        after = before.copy()
        plane.write(np.ones(plane.shape), after)
        changed = np.argwhere(after != before)[:, 2 - plane.normal_axis]
        assert set(changed.tolist()) == {1}
        assert len(changed) == np.prod(plane.shape)


@every_orientation
def test_voxels_of_a_mask_are_those_that_write_sets(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    geometry = geometry_of(axes, signs)
    for kind in KINDS:
        plane, array = SlicePlane(geometry, kind, 1), np.zeros(geometry.shape, bool)
        plane.write(mask_on(plane), array)
        assert {tuple(v) for v in plane.voxels_of(mask_on(plane))} == {
            tuple(v[::-1]) for v in np.argwhere(array)
        }


@pytest.mark.parametrize("size", [(1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 1)])
def test_volumes_of_one_slice_work_in_all_directions(size: tuple[int, int, int]) -> None:
    geometry = geometry_of((1, 2, 0), (1, -1, 1), size=size)
    for kind in KINDS:
        plane, array = SlicePlane(geometry, kind, 0), np.zeros(size[::-1], bool)
        plane.write(mask_on(plane), array)
        assert np.array_equal(plane.read_mask(array), mask_on(plane))


def test_every_voxel_is_in_one_slice_of_each_kind() -> None:
    geometry = geometry_of((2, 0, 1), (-1, 1, -1))
    array = numbered(geometry)
    for kind in KINDS:
        slices = [
            SlicePlane(geometry, kind, n).extract(array) for n in range(number_of_slices(geometry, kind))
        ]
        assert sorted(np.concatenate([s.ravel() for s in slices])) == list(range(array.size))


def test_colours_stay_with_their_pixel() -> None:
    geometry = geometry_of((2, 0, 1), (-1, 1, -1))
    array = np.stack([numbered(geometry), numbered(geometry) + 1000], axis=-1)
    image = SlicePlane(geometry, "coronal", 1).extract(array)
    assert np.array_equal(image[..., 1] - image[..., 0], np.full(image.shape[:2], 1000))


def test_spacing_is_that_of_rows_and_columns() -> None:
    assert SlicePlane(geometry_of(), "coronal", 0).pixel_spacing == (4.0, 0.5)


def test_an_extracted_image_is_a_copy() -> None:
    geometry = geometry_of()
    array = numbered(geometry)
    SlicePlane(geometry, "axial", 0).extract(array)[:] = -1
    assert array.min() == 0


def test_a_view_writes_through() -> None:
    geometry = geometry_of()
    array = numbered(geometry)
    SlicePlane(geometry, "axial", 3).view(array)[...] = -1
    assert np.all(array[3] == -1)


def test_the_slice_through_a_point_is_the_nearest_one() -> None:
    geometry = geometry_of((2, 0, 1), (-1, 1, -1))
    point = geometry.ras_from_ijk((1.4, 2.6, 4.4))
    assert [SlicePlane.through(geometry, kind, point).index for kind in "ijk"] == [1, 3, 4]


def test_a_point_off_the_volume_has_no_slice() -> None:
    with pytest.raises(ClickOutsideError, match="outside"):
        SlicePlane.through(geometry_of(), "axial", (500, 0, 0))


def test_pixels_half_a_pixel_beyond_the_border_are_outside() -> None:
    plane = SlicePlane(geometry_of(), "axial", 0)  # 5 rows, 4 columns
    assert plane.contains_pixel([(-0.5, 0), (3.4, 4.4), (3.5, 0), (0, 4.5)]).tolist() == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(("kind", "index"), [("axial", 6), ("axial", -1), ("diagonal", 0)])
def test_a_slice_that_is_not_there_is_refused(kind: str, index: int) -> None:
    with pytest.raises(GeometryError):
        SlicePlane(geometry_of(), kind, index)


def test_an_array_of_another_volume_is_refused() -> None:
    with pytest.raises(GeometryError, match="does not fit"):
        SlicePlane(geometry_of(), "axial", 0).extract(np.zeros((4, 5, 6)))


def test_a_mask_of_another_plane_is_refused() -> None:
    geometry = geometry_of()
    with pytest.raises(GeometryError, match="mask"):
        SlicePlane(geometry, "axial", 0).write(np.zeros((4, 5)), np.zeros(geometry.shape))


def oblique(
    geometry: VolumeGeometry, degrees: tuple[float, float, float], spacing: float = 1.0
) -> ObliquePlane:
    """A plane through the middle of the volume, large enough to cover it."""
    turn, side = rotation(degrees), int(60 / spacing)
    centre = geometry.ras_from_ijk((np.array(geometry.size) - 1) / 2)
    x, y = turn @ (-1, 0, 0), turn @ (0, -1, 0)
    origin = centre - (x + y) * spacing * (side - 1) / 2
    return ObliquePlane(geometry, origin, x, y, (spacing, spacing), (side, side))


@pytest.fixture
def a_volume() -> VolumeGeometry:
    return geometry_of((0, 1, 2), (-1, -1, 1), (5, 0, 10), size=(24, 22, 9), spacing=(1.2, 1.3, 3.0))


every_tilt = pytest.mark.parametrize(
    "degrees", [(0, 0, 0), (20, 0, 0), (0, 45, 0), (33, -27, 12), (90, 0, 0)]
)
every_pixel_size = pytest.mark.parametrize("spacing", [0.4, 1.0, 2.5])


@every_pixel_size
@every_tilt
def test_an_oblique_mask_comes_back_to_the_same_voxels(
    a_volume: VolumeGeometry, degrees: tuple[float, float, float], spacing: float
) -> None:
    plane = oblique(a_volume, degrees, spacing)
    first, second = np.zeros(a_volume.shape, bool), np.zeros(a_volume.shape, bool)
    plane.write(mask_on(plane), first)
    plane.write(plane.read_mask(first), second)
    assert first.any()
    assert np.array_equal(first, second)


@every_pixel_size
@every_tilt
def test_a_filled_oblique_mask_has_no_holes_in_its_plane(
    a_volume: VolumeGeometry, degrees: tuple[float, float, float], spacing: float
) -> None:
    plane = oblique(a_volume, degrees, spacing)
    array = np.zeros(a_volume.shape, bool)
    plane.write(np.ones(plane.shape), array)
    rows, columns = plane.shape
    pixels = np.random.default_rng(4).uniform(1, (columns - 2, rows - 2), (5000, 2))
    index = plane.pixel_to_ijk(pixels)
    i, j, k = np.rint(index[a_volume.contains_ijk(index)]).astype(int).T
    assert len(k) > 100
    assert array[k, j, i].all()


@every_tilt
def test_only_voxels_within_the_slab_change(
    a_volume: VolumeGeometry, degrees: tuple[float, float, float]
) -> None:
    plane = oblique(a_volume, degrees)
    array = np.zeros(a_volume.shape, bool)
    plane.write(np.ones(plane.shape), array)
    distance = (a_volume.ras_from_ijk(np.argwhere(array)[:, ::-1]) - plane.origin) @ plane.normal
    assert np.abs(distance).max() <= plane.slab_thickness / 2 + 1e-6


@every_tilt
def test_an_oblique_write_of_nothing_empties_the_slab_only(
    a_volume: VolumeGeometry, degrees: tuple[float, float, float]
) -> None:
    plane = oblique(a_volume, degrees)
    array = np.ones(a_volume.shape, bool)
    plane.write(np.zeros(plane.shape), array)
    slab = plane.voxels_of(np.ones(plane.shape))
    assert (~array).sum() == len(slab)
    assert not array[slab[:, 2], slab[:, 1], slab[:, 0]].any()


@every_tilt
def test_adjacent_slabs_share_no_voxel_and_leave_none_out(
    a_volume: VolumeGeometry, degrees: tuple[float, float, float]
) -> None:
    middle, count = oblique(a_volume, degrees), np.zeros(a_volume.shape, int)
    for step in range(-40, 41):
        origin = middle.origin + step * middle.slab_thickness * middle.normal
        plane = ObliquePlane(a_volume, origin, middle.x_direction, middle.y_direction, (1, 1), (60, 60))
        i, j, k = plane.voxels_of(np.ones(plane.shape)).T
        np.add.at(count, (k, j, i), 1)
    assert np.all(count == 1)


def test_an_oblique_plane_laid_on_a_slice_equals_it(a_volume: VolumeGeometry) -> None:
    flat = SlicePlane(a_volume, "axial", 4)
    start, right, down = flat.pixel_to_ras([(0, 0), (1, 0), (0, 1)])
    plane = ObliquePlane(a_volume, start, right - start, down - start, flat.pixel_spacing, flat.shape)
    array = np.random.default_rng(5).normal(size=a_volume.shape)
    assert plane.extract(array) == pytest.approx(flat.extract(array), abs=1e-5)
    assert sorted(map(tuple, plane.voxels_of(mask_on(plane)))) == sorted(
        map(tuple, flat.voxels_of(mask_on(plane)))
    )


@every_tilt
def test_oblique_extraction_reproduces_a_linear_ramp(
    a_volume: VolumeGeometry, degrees: tuple[float, float, float]
) -> None:
    k, j, i = np.indices(a_volume.shape)
    ramp, plane = 2.0 * i - 3.0 * j + 5.0 * k, oblique(a_volume, degrees)
    rows, columns = plane.shape
    y, x = np.mgrid[:rows, :columns]
    index = plane.pixel_to_ijk(np.stack([x, y], axis=-1))
    between_centres = np.all((index >= 0) & (index <= np.array(a_volume.size) - 1), axis=-1)
    assert between_centres.sum() > 50
    assert plane.extract(ramp)[between_centres] == pytest.approx(
        (index @ (2, -3, 5))[between_centres], abs=1e-4
    )


def test_pixels_off_the_volume_get_the_lowest_value(a_volume: VolumeGeometry) -> None:
    image = oblique(a_volume, (20, 0, 0)).extract(np.full(a_volume.shape, -1000.0))
    assert image[0, 0] == pytest.approx(-1000)


def test_an_oblique_click_is_projected_along_the_normal(a_volume: VolumeGeometry) -> None:
    plane = oblique(a_volume, (33, -27, 12))
    point = plane.pixel_to_ras((20, 30)) + 0.7 * plane.normal
    assert plane.ras_to_pixel(point) == pytest.approx((20, 30))


def test_oblique_colours_are_interpolated_each(a_volume: VolumeGeometry) -> None:
    array = np.stack([np.full(a_volume.shape, value, np.uint8) for value in (10, 20, 30)], axis=-1)
    plane = oblique(a_volume, (20, 0, 0))
    centre = plane.extract(array)[30, 30]
    assert centre == pytest.approx((10, 20, 30))


def test_a_plane_beside_the_volume_is_refused(a_volume: VolumeGeometry) -> None:
    plane = ObliquePlane(a_volume, (900, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1), (5, 5))
    with pytest.raises(GeometryError, match="does not meet"):
        plane.extract(np.zeros(a_volume.shape))


@pytest.mark.parametrize(
    ("x", "y", "spacing"),
    [((1, 0, 0), (1, 1, 0), (1, 1)), ((0, 0, 0), (0, 1, 0), (1, 1)), ((1, 0, 0), (0, 1, 0), (0, 1))],
)
def test_an_impossible_oblique_plane_is_refused(
    a_volume: VolumeGeometry, x: tuple[int, ...], y: tuple[int, ...], spacing: tuple[float, float]
) -> None:
    with pytest.raises(GeometryError):
        ObliquePlane(a_volume, (0, 0, 0), x, y, spacing, (5, 5))
