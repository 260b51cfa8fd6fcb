"""Where a segment may be changed: as the Segment Editor's masking says, voxel for voxel."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from KPrismCore.oblique import ObliquePlane
from KPrismCore.slices import SlicePlane
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.scene_samples import (
    GRIDS,
    SIZE,
    grid,
    new_editor,
    new_transform,
    new_volume,
    set_layer,
    vtk_matrix,
    whole_box,
)

SHAPE = SIZE[::-1]
KINDS = ("axial", "coronal", "sagittal")
MODES = (
    "EditAllowedInsideAllSegments",
    "EditAllowedInsideVisibleSegments",
    "EditAllowedOutsideAllSegments",
    "EditAllowedOutsideVisibleSegments",
    "EditAllowedInsideSingleSegment",
)


@pytest.fixture(params=["flipped", "rotated", "permuted and flipped"])
def volume(request, scene):
    return new_volume(*GRIDS[request.param])


@pytest.fixture
def segmentation(bridge, volume):
    return bridge.newSegmentation(volume)


@pytest.fixture
def masks():
    """Four overlapping random masks: of the edited segment, a visible, a hidden and a third one."""
    return np.random.default_rng(8).random((4, *SHAPE)) < 0.35


@pytest.fixture
def segments(bridge, volume, segmentation, masks):
    """Ids of the segments with these masks; the third one is hidden."""
    made = [bridge.newSegment(segmentation, name) for name in ("edited", "visible", "hidden", "third")]
    for one, mask in zip(made, masks, strict=True):
        bridge.write(segmentation, one, volume, None, mask, whole_box(SHAPE))
    segmentation.GetDisplayNode().SetSegmentVisibility(made[2], False)
    return made


@pytest.fixture
def editor(segmentation, volume):
    editor = new_editor(segmentation, volume)
    editor.SetOverwriteMode(editor.OverwriteNone)
    return editor


@pytest.fixture
def area(bridge, segmentation, segments, volume):
    """The editable area of the edited segment on a plane."""
    return lambda plane: bridge.editable(segmentation, segments[0], volume, plane)


@pytest.fixture
def planes(bridge, volume):
    """A slice of each kind."""
    geometry = bridge.volumeOf(volume).geometry
    return [SlicePlane(geometry, kind, 3) for kind in KINDS]


@pytest.fixture
def an_oblique_plane(bridge, volume):
    geometry = bridge.volumeOf(volume).geometry
    right, down = geometry.direction[:, 0] + 0.4 * geometry.direction[:, 2], geometry.direction[:, 1]
    corner = geometry.ras_from_ijk((0, 0, 1))
    return ObliquePlane(geometry, corner, right, down, (0.4, 0.4), (24, 24))


def slicers_mask(segmentation, segments, volume, editor):
    """True KJI where Slicer's own edit mask allows editing."""
    image, geometry = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    geometry.SetDimensions(*SIZE)
    matrix = vtk_matrix(np.eye(4))
    volume.GetIJKToRASMatrix(matrix)
    geometry.SetImageToWorldMatrix(matrix)
    mask_segment = editor.GetMaskSegmentID() or ""
    assert segmentation.GenerateEditMask(image, editor.GetMaskMode(), geometry, segments[0], mask_segment)
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(SHAPE) == 0


def test_everything_may_change_without_an_editor(area, planes):
    assert [area(plane) for plane in planes] == [None] * 3


def test_everything_may_change_with_an_editors_defaults(area, planes, editor):
    assert [area(plane) for plane in planes] == [None] * 3


@pytest.mark.parametrize("mode", MODES)
def test_the_editable_area_is_slicers(area, planes, editor, segmentation, segments, volume, masks, mode):
    editor.SetMaskMode(getattr(slicer.vtkMRMLSegmentationNode, mode))
    editor.SetMaskSegmentID(segments[1])
    expected = slicers_mask(segmentation, segments, volume, editor)
    if mode == "EditAllowedInsideSingleSegment":
        # the editor lets the segment's own voxels be erased there too
        expected |= masks[0]
    for plane in planes:
        np.testing.assert_array_equal(area(plane), plane.read_mask(expected))


@pytest.mark.parametrize("mode", MODES)
def test_an_oblique_plane_never_touches_a_forbidden_voxel(
    area, an_oblique_plane, editor, segmentation, segments, volume, masks, mode
):
    editor.SetMaskMode(getattr(slicer.vtkMRMLSegmentationNode, mode))
    editor.SetMaskSegmentID(segments[1])
    allowed = slicers_mask(segmentation, segments, volume, editor)
    if mode == "EditAllowedInsideSingleSegment":
        allowed |= masks[0]
    i, j, k = an_oblique_plane.voxels_of(area(an_oblique_plane)).T
    assert allowed[k, j, i].all()


def test_an_oblique_plane_may_change_where_all_voxels_of_a_pixel_may(
    area, an_oblique_plane, editor, segmentation, segments, volume
):
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    allowed = slicers_mask(segmentation, segments, volume, editor)
    voxels = an_oblique_plane.voxels_of(np.ones(an_oblique_plane.shape, dtype=bool))
    expected = np.ones(an_oblique_plane.shape, dtype=bool)
    for i, j, k in voxels:
        x, y = np.floor(an_oblique_plane.ijk_to_pixel([[i, j, k]])[0] + 0.5).astype(int)
        expected[y, x] &= allowed[k, j, i]
    np.testing.assert_array_equal(area(an_oblique_plane), expected)


def test_the_area_on_an_oblique_plane_is_that_of_a_labelmap_as_it_lies(
    area, an_oblique_plane, editor, segmentation, segments, volume, masks
):
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    matrix = vtk_matrix(np.eye(4))
    volume.GetIJKToRASMatrix(matrix)
    matrix = slicer.util.arrayFromVTKMatrix(matrix)
    part = np.zeros(SHAPE, dtype=bool)
    part[2:6, 1:7, 3:8] = masks[1][2:6, 1:7, 3:8]
    set_layer(segmentation, [segments[1]], part, matrix)
    whole = area(an_oblique_plane)
    set_layer(segmentation, [segments[1]], part[2:6, 1:7, 3:8], matrix, first=(3, 1, 2))
    np.testing.assert_array_equal(area(an_oblique_plane), whole)


def test_the_area_is_the_same_under_a_transform(bridge, area, editor, segmentation, segments, volume, masks):
    expected = slicers_mask_outside(masks)
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    transform = new_transform().GetID()
    for node in (volume, segmentation):
        node.SetAndObserveTransformNodeID(transform)
    plane = SlicePlane(bridge.volumeOf(volume).geometry, "k", 2)
    np.testing.assert_array_equal(area(plane), plane.read_mask(expected))


def slicers_mask_outside(masks):
    return ~masks[1:].any(axis=0)


def test_an_area_of_another_voxel_grid_is_taken_by_nearest_neighbour(
    area, planes, editor, segmentation, segments, volume
):
    matrix = vtk_matrix(np.eye(4))
    volume.GetIJKToRASMatrix(matrix)
    half = np.diag([0.5, 0.5, 0.5, 1.0])
    half[:3, 3] = -0.25
    labels = np.repeat(np.repeat(np.repeat(np.eye(7)[:, :, None] > 0, 2, 0), 2, 1), 18, 2)
    set_layer(segmentation, [segments[1]], labels, slicer.util.arrayFromVTKMatrix(matrix) @ half)
    editor.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID(segments[1])
    own = planes[0]
    coarse = np.zeros(SHAPE, dtype=bool)
    coarse[np.arange(7), np.arange(7)] = True
    edited = area(own) & ~own.read_mask(coarse)
    # beyond the other segment only the segment's own voxels
    from KPrismSlicerLib.NodeReading import readSegment

    mine = own.read_mask(readSegment(segmentation, segments[0], volume))
    np.testing.assert_array_equal(area(own), own.read_mask(coarse) | mine)
    assert (edited <= mine).all()


class TestIntensities:
    @pytest.fixture
    def ranged(self, editor):
        editor.SetSourceVolumeIntensityMask(True)
        editor.SetSourceVolumeIntensityMaskRange(50, 150)
        return editor

    def test_the_range_includes_its_ends(self, area, planes, ranged, volume):
        values = slicer.util.arrayFromVolume(volume)
        for plane in planes:
            expected = plane.read_mask((values >= 50) & (values <= 150))
            np.testing.assert_array_equal(area(plane), expected)

    def test_the_image_counts_if_the_editor_has_none(self, area, planes, ranged, volume):
        ranged.SetAndObserveSourceVolumeNode(None)
        values = slicer.util.arrayFromVolume(volume)
        expected = planes[0].read_mask((values >= 50) & (values <= 150))
        np.testing.assert_array_equal(area(planes[0]), expected)

    def test_another_image_of_the_same_grid_counts_instead(self, area, planes, ranged, volume):
        matrix = vtk_matrix(np.eye(4))
        volume.GetIJKToRASMatrix(matrix)
        other = new_volume(SIZE, slicer.util.arrayFromVTKMatrix(matrix), "other", seed=7)
        ranged.SetAndObserveSourceVolumeNode(other)
        values = slicer.util.arrayFromVolume(other)
        expected = planes[0].read_mask((values >= 50) & (values <= 150))
        np.testing.assert_array_equal(area(planes[0]), expected)

    def test_another_grid_is_interpolated(self, area, planes, ranged, volume):
        matrix = vtk_matrix(np.eye(4))
        volume.GetIJKToRASMatrix(matrix)
        half = np.diag([0.5, 0.5, 0.5, 1.0])
        other = new_volume((18, 16, 14), slicer.util.arrayFromVTKMatrix(matrix) @ half, "fine")
        array = slicer.util.arrayFromVolume(other)
        array[...] = np.arange(18) * 10
        slicer.util.arrayFromVolumeModified(other)
        ranged.SetAndObserveSourceVolumeNode(other)
        # voxel i of the image is voxel 2 i of the other one
        expected = np.broadcast_to((np.arange(9) * 20 >= 50) & (np.arange(9) * 20 <= 150), SHAPE)
        # a slice that is not across i has some of the values in each row
        across = next(plane for plane in planes if plane.normal_axis != 0)
        np.testing.assert_array_equal(area(across), across.read_mask(expected))

    def test_an_image_elsewhere_allows_nothing(self, area, planes, ranged):
        other = new_volume(matrix=grid(np.eye(3), origin=(5000, 0, 0)), name="far")
        ranged.SetAndObserveSourceVolumeNode(other)
        assert not area(planes[0]).any()

    def test_it_adds_to_the_area(self, area, planes, ranged, volume, masks):
        ranged.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
        values = slicer.util.arrayFromVolume(volume)
        expected = (values >= 50) & (values <= 150) & ~masks[1:].any(axis=0)
        np.testing.assert_array_equal(area(planes[1]), planes[1].read_mask(expected))

    def test_an_oblique_plane_never_touches_a_voxel_out_of_range(
        self, area, an_oblique_plane, ranged, volume
    ):
        values = slicer.util.arrayFromVolume(volume)
        i, j, k = an_oblique_plane.voxels_of(area(an_oblique_plane)).T
        assert len(i)
        assert ((values[k, j, i] >= 50) & (values[k, j, i] <= 150)).all()


class TestLockedSegments:
    def test_their_voxels_are_kept_where_others_would_be_overwritten(
        self, bridge, area, planes, editor, segmentation, segments, masks
    ):
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        bridge.setLocked(segmentation, segments[2], True)
        for plane in planes:
            np.testing.assert_array_equal(area(plane), plane.read_mask(~masks[2] | masks[0]))

    def test_hidden_ones_are_no_hindrance_where_only_visible_ones_are_overwritten(
        self, bridge, area, planes, editor, segmentation, segments
    ):
        editor.SetOverwriteMode(editor.OverwriteVisibleSegments)
        bridge.setLocked(segmentation, segments[2], True)
        assert area(planes[0]) is None

    def test_they_are_no_hindrance_where_segments_may_overlap(
        self, bridge, area, planes, editor, segmentation, segments
    ):
        bridge.setLocked(segmentation, segments[2], True)
        assert area(planes[0]) is None
