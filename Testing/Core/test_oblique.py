"""Oblique planes: a thickness of their own, pixels of two lengths, and what is no plane."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.errors import GeometryError
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.oblique import ObliquePlane


def plane_of(
    x: tuple[float, ...] = (1, 0, 0),
    y: tuple[float, ...] = (0, 1, 0),
    spacing: tuple[float, float] = (1.0, 1.0),
    thickness: float | None = None,
) -> ObliquePlane:
    """A plane across k of a volume of cubes, through its slice 4, or tilted."""
    geometry = VolumeGeometry((12, 10, 9), np.eye(4))
    return ObliquePlane(geometry, (0, 0, 4), x, y, spacing, (10, 12), thickness)


def written(plane: ObliquePlane) -> list[int]:
    """The slices k that a full mask reaches."""
    return np.unique(plane.voxels_of(np.ones(plane.shape))[:, 2]).tolist()


@pytest.mark.parametrize(("thickness", "slices"), [(None, [4]), (1.0, [4]), (2.9, [3, 4, 5]), (0.2, [4])])
def test_a_plane_reaches_as_far_as_it_is_thick(thickness: float | None, slices: list[int]) -> None:
    assert written(plane_of(thickness=thickness)) == slices


def test_a_thick_plane_shows_its_middle() -> None:
    plane, array = plane_of(thickness=3.0), np.zeros((9, 10, 12), bool)
    array[3] = array[5] = True
    assert not plane.read_mask(array).any()


def test_a_voxel_half_way_between_two_planes_belongs_to_one_of_them() -> None:
    near, far = (
        ObliquePlane(plane_of().geometry, (0, 0, height), (1, 0, 0), (0, 1, 0), (1, 1), (10, 12))
        for height in (3.5, 4.5)
    )
    assert [written(near), written(far)] == [[3], [4]]


def test_directions_of_any_length_give_the_same_plane() -> None:
    long = plane_of(x=(7, 0, 0), y=(0, 0.2, 0))
    assert long.pixel_to_ijk((3, 2)).tolist() == plane_of().pixel_to_ijk((3, 2)).tolist()


def test_columns_and_rows_have_lengths_of_their_own() -> None:
    plane = plane_of(spacing=(2.0, 0.5))
    assert plane.pixel_to_ijk((4, 3)).tolist() == [2, 6, 4]
    assert plane.ijk_to_pixel((2, 6, 4)).tolist() == [4, 3]


@pytest.mark.parametrize("name", ["origin", "x_direction", "y_direction"])
def test_a_plane_cannot_be_changed(name: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(plane_of(), name)[0] = 9


@pytest.mark.parametrize(
    "values",
    [
        {"y": (0.02, 1, 0)},
        {"x": (np.inf, 0, 0)},
        {"thickness": 0.0},
        {"thickness": -1.0},
        {"spacing": (1.0, 0.0)},
    ],
    ids=["skew", "endless", "flat", "inverted", "narrow"],
)
def test_what_is_no_plane_is_refused(values: dict) -> None:
    with pytest.raises(GeometryError):
        plane_of(**values)


@pytest.mark.parametrize("act", ["write", "voxels_of"])
def test_a_mask_of_another_plane_is_refused(act: str) -> None:
    plane = plane_of()
    rest = (np.zeros((9, 10, 12)),) if act == "write" else ()
    with pytest.raises(GeometryError, match="mask"):
        getattr(plane, act)(np.zeros((12, 10)), *rest)


@pytest.mark.parametrize("act", ["extract", "read_mask", "write"])
def test_an_array_of_another_volume_is_refused(act: str) -> None:
    plane = plane_of()
    mask = (np.zeros(plane.shape),) if act == "write" else ()
    with pytest.raises(GeometryError, match="does not fit"):
        getattr(plane, act)(*mask, np.zeros((10, 11, 13)))


def test_the_outermost_values_go_on_to_the_faces_of_a_single_slice() -> None:
    geometry = VolumeGeometry((4, 3, 1), np.eye(4))
    plane = ObliquePlane(geometry, (0, 0, 0.4), (1, 0, 0), (0, 1, 0), (1, 1), (3, 4))
    array = np.arange(12).reshape(1, 3, 4)
    assert plane.extract(array).tolist() == array[0].tolist()
