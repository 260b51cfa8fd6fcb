"""Which plane of an image a slice view shows, on grids in all orientations."""

from __future__ import annotations

import numpy as np
import pytest
from KPrismSlicerLib.SlicePlanes import isSame, planeOf, stackOf

from KPrismCore.errors import ClickOutsideError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.oblique import ObliquePlane
from KPrismCore.session_state import plane_key
from KPrismCore.slices import SlicePlane
from Testing.Core.labelmap_samples import GEOMETRIES


@pytest.fixture(params=GEOMETRIES.values(), ids=GEOMETRIES.keys())
def geometry(request):
    """In all orientations; large enough for a tilt to show."""
    small = request.param
    return VolumeGeometry(tuple(4 * length for length in small.size), small.ijk_to_ras)


def view(geometry, axis: int, place, tilt: float = 0.0, pan=(0.0, 0.0)) -> np.ndarray:
    """A view's matrix across an IJK axis, through a voxel, tilted about its right, panned by mm."""
    normal, right = geometry.direction[:, axis], geometry.direction[:, (axis + 1) % 3]
    up = np.cross(normal, right)
    turn = np.deg2rad(tilt)
    up, normal = np.cos(turn) * up + np.sin(turn) * normal, np.cos(turn) * normal - np.sin(turn) * up
    matrix = np.eye(4)
    point = geometry.ras_from_ijk(place) + pan[0] * right + pan[1] * up
    matrix[:3] = np.stack([right, up, normal, point], axis=-1)
    return matrix


def middle(geometry) -> np.ndarray:
    return (np.array(geometry.size) - 1) // 2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_aligned_view_shows_the_slice_of_its_voxel(geometry, axis):
    for index in range(geometry.size[axis]):
        place = middle(geometry)
        place[axis] = index
        plane = planeOf(geometry, view(geometry, axis, place))
        assert isinstance(plane, SlicePlane)
        assert (plane.normal_axis, plane.index) == (axis, index)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_view_seen_from_behind_shows_the_same_slice(geometry, axis):
    matrix = view(geometry, axis, middle(geometry))
    matrix[:3, [0, 2]] *= -1
    assert planeOf(geometry, matrix).index == middle(geometry)[axis]


def test_a_view_tilted_by_less_than_the_voxels_show_is_aligned(geometry):
    assert isinstance(planeOf(geometry, view(geometry, 2, middle(geometry), tilt=0.01)), SlicePlane)


def test_a_tilted_view_is_oblique_and_goes_through_its_point(geometry):
    plane = planeOf(geometry, view(geometry, 2, middle(geometry), tilt=30))
    assert isinstance(plane, ObliquePlane)
    point = geometry.ras_from_ijk(middle(geometry))
    assert np.allclose(plane.pixel_to_ras(plane.ras_to_pixel(point)), point, atol=1e-3)


def test_an_oblique_plane_has_its_rows_downwards_in_the_view(geometry):
    matrix = view(geometry, 2, middle(geometry), tilt=30)
    plane = planeOf(geometry, matrix)
    assert plane.x_direction @ matrix[:3, 0] == pytest.approx(1)
    assert plane.y_direction @ matrix[:3, 1] == pytest.approx(-1)


def test_an_oblique_plane_covers_every_voxel_that_it_cuts(geometry):
    plane = planeOf(geometry, view(geometry, 2, middle(geometry), tilt=30))
    centres = geometry.ras_from_ijk(np.stack(np.meshgrid(*map(range, geometry.size), indexing="ij"), -1))
    cut = np.abs((centres - plane.origin) @ plane.normal) < 0.499 * plane.slab_thickness
    written = np.zeros(geometry.shape, dtype=bool)
    plane.write(np.ones(plane.shape, dtype=bool), written)
    assert written.T[cut].all()


@pytest.mark.parametrize("pan", [(13.7, -5.1), (200.0, 90.0)])
def test_panning_does_not_make_another_plane(geometry, pan):
    still = planeOf(geometry, view(geometry, 1, middle(geometry), tilt=30))
    panned = planeOf(geometry, view(geometry, 1, middle(geometry), tilt=30, pan=pan))
    assert plane_key(still) == plane_key(panned)


def test_a_view_beside_the_image_shows_nothing(geometry):
    for tilt in (0, 30):
        with pytest.raises(ClickOutsideError):
            planeOf(geometry, view(geometry, 2, np.array(geometry.size) * 5, tilt=tilt))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_stack_of_a_slice_is_all_slices_across_its_axis(geometry, axis):
    stack = stackOf(planeOf(geometry, view(geometry, axis, middle(geometry))))
    assert stack.count == geometry.size[axis]
    assert [stack.at(n).index for n in range(stack.count)] == list(range(stack.count))


def test_oblique_slices_of_a_stack_share_no_voxel(geometry):
    stack = stackOf(planeOf(geometry, view(geometry, 2, middle(geometry), tilt=30)))
    seen = np.zeros(geometry.shape, dtype=int)
    for number in range(stack.count):
        plane = stack.at(number)
        np.add.at(seen, tuple(plane.voxels_of(np.ones(plane.shape, dtype=bool)).T[::-1]), 1)
    assert seen.max() == 1


def test_oblique_slices_of_a_stack_cover_the_image(geometry):
    stack = stackOf(planeOf(geometry, view(geometry, 2, middle(geometry), tilt=30)))
    seen = np.zeros(geometry.shape, dtype=bool)
    for number in range(stack.count):
        plane = stack.at(number)
        plane.write(np.ones(plane.shape, dtype=bool), seen)
    # all but a few at the corners
    assert seen.mean() > 0.99


def test_the_shown_slice_is_one_of_its_stack(geometry):
    plane = planeOf(geometry, view(geometry, 2, middle(geometry), tilt=30))
    stack = stackOf(plane)
    assert stack.at(stack.index) is plane


def test_a_view_that_differs_by_a_files_rounding_shows_the_same_plane(geometry):
    matrix = view(geometry, 2, middle(geometry), tilt=30)
    rounded = np.vectorize(lambda number: float(f"{number:.6g}"))(matrix)
    assert isSame(planeOf(geometry, rounded), planeOf(geometry, matrix))


@pytest.mark.parametrize("tilt", [29.0, 31.0])
def test_a_view_at_another_angle_shows_another_plane(geometry, tilt):
    one, other = (planeOf(geometry, view(geometry, 2, middle(geometry), tilt=angle)) for angle in (30, tilt))
    assert not isSame(one, other)


def test_the_next_slice_of_a_stack_is_another_plane(geometry):
    stack = stackOf(planeOf(geometry, view(geometry, 2, middle(geometry), tilt=30)))
    assert not isSame(stack.at(stack.index + 1), stack.plane)


def test_a_tenth_of_a_voxel_further_is_another_plane(geometry):
    matrix = view(geometry, 2, middle(geometry), tilt=30)
    plane = planeOf(geometry, matrix)
    matrix[:3, 3] += 0.1 * plane.slab_thickness * plane.normal
    assert not isSame(planeOf(geometry, matrix), plane)
