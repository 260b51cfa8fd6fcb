"""Writing into segments: exactly the voxels meant, whatever the grid, the layers and the other segments."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from KPrismCore.errors import ProtectedError
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.bridge_fixtures import HIGH, LOW, SHAPE, protect, write_at_random
from Testing.Slicer.scene_samples import (
    GRIDS,
    grid,
    layer_of,
    new_transform,
    new_volume,
    set_layer,
    slicers_reading,
)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("is_transformed", [False, True], ids=["plain", "under a transform"])
def test_random_writes_equal_a_numpy_mirror(bridge, name, is_transformed):
    volume = new_volume(*GRIDS[name])
    if is_transformed:
        volume.SetAndObserveTransformNodeID(new_transform().GetID())
    segmentation = bridge.newSegmentation(volume)
    segments = [bridge.newSegment(segmentation, one) for one in "abc"]
    mirror = write_at_random(bridge, segmentation, segments, volume, 24)
    for one in segments:
        np.testing.assert_array_equal(slicers_reading(segmentation, one, volume), mirror[one])


@pytest.mark.parametrize("name", GRIDS)
def test_what_was_written_is_read_back(bridge, name):
    volume = new_volume(*GRIDS[name])
    segmentation = bridge.newSegmentation(volume)
    segments = [bridge.newSegment(segmentation, one) for one in "ab"]
    mirror = write_at_random(bridge, segmentation, segments, volume, 10)
    for one in segments:
        np.testing.assert_array_equal(bridge.readSegment(segmentation, one, volume), mirror[one])


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (1, 0, 2)])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_a_labelmap_with_swapped_and_flipped_axes_is_written_exactly(bridge, axes, signs):
    volume = new_volume(*GRIDS["rotated"])
    segmentation = bridge.newSegmentation(volume)
    segments = [bridge.newSegment(segmentation, one) for one in "ab"]
    turn = np.eye(4)
    turn[:3, :3] = np.eye(3)[:, axes] * np.array(signs)
    turn[:3, 3] = (2, -3, 11)
    matrix = GRIDS["rotated"][1] @ turn
    set_layer(segmentation, segments, np.zeros((2, 3, 4)), matrix, first=(-1, 2, -5))
    mirror = write_at_random(bridge, segmentation, segments, volume, 16)
    for one in segments:
        np.testing.assert_array_equal(slicers_reading(segmentation, one, volume), mirror[one])


@pytest.mark.parametrize("name", ["flipped", "permuted and flipped"])
def test_labelmaps_that_grow_bit_by_bit_equal_a_numpy_mirror(bridge, name):
    # so large that a labelmap with its margin is a part of the image only
    size = (52, 47, 44)
    volume = new_volume(size, GRIDS[name][1])
    segmentation = bridge.newSegmentation(volume)
    segments = [bridge.newSegment(segmentation, one) for one in "ab"]
    mirror = {one: np.zeros(size[::-1], dtype=bool) for one in segments}
    rng = np.random.default_rng(4)
    for turn in range(14):
        one, corner = segments[turn % 2], [int(rng.integers(length - 4)) for length in size[::-1]]
        box = tuple(slice(first, first + 4) for first in corner)
        mirror[one][box] = rng.random((4, 4, 4)) < 0.7
        bridge.write(segmentation, one, volume, None, mirror[one][box], box)
    for one in segments:
        np.testing.assert_array_equal(slicers_reading(segmentation, one, volume), mirror[one])


def test_a_labelmap_does_not_grow_beyond_the_image(put, segmentation, liver):
    put(liver, LOW)
    assert layer_of(segmentation, liver).GetDimensions() == SHAPE[::-1]


def test_voxels_of_a_labelmap_beyond_the_image_stay(bridge, volume, segmentation, liver, put):
    labels = np.ones((2, 2, 2))
    set_layer(segmentation, [liver], labels, grid(np.eye(3)), first=(-4, -4, -4))
    put(liver, LOW)
    array = vtk.util.numpy_support.vtk_to_numpy(layer_of(segmentation, liver).GetPointData().GetScalars())
    assert array.sum() == 8 + LOW.sum()


def test_a_slice_leaves_all_other_slices_alone(put, reading, liver):
    put(liver, LOW)
    put(liver, np.ones((1, 8, 9), dtype=bool), (slice(2, 3), slice(0, 8), slice(0, 9)))
    expected = LOW.copy()
    expected[2] = True
    np.testing.assert_array_equal(reading(liver), expected)


def test_clearing_everything_leaves_nothing(put, reading, liver):
    put(liver, LOW)
    put(liver, np.zeros(SHAPE, dtype=bool))
    assert not reading(liver).any()


def test_segments_that_do_not_overlap_share_a_labelmap(put, segmentation, liver, tumour):
    put(liver, LOW)
    put(tumour, HIGH & ~LOW)
    assert layer_of(segmentation, liver) is layer_of(segmentation, tumour)


def test_an_overlapping_segment_gets_a_labelmap_of_its_own(put, segmentation, liver, tumour):
    put(liver, LOW)
    put(tumour, HIGH)
    assert layer_of(segmentation, liver) is not layer_of(segmentation, tumour)


def test_an_overlapping_segment_takes_nothing_from_its_layer(put, reading, liver, tumour):
    put(liver, LOW)
    put(tumour, HIGH & ~LOW)
    put(tumour, HIGH)
    np.testing.assert_array_equal(reading(liver), LOW)
    np.testing.assert_array_equal(reading(tumour), HIGH)


def test_a_segment_that_changes_within_its_own_voxels_stays_in_the_shared_labelmap(
    put, segmentation, liver, tumour
):
    put(liver, LOW)
    put(tumour, HIGH & ~LOW)
    put(tumour, HIGH & ~LOW & (np.arange(9) > 3))
    assert layer_of(segmentation, liver) is layer_of(segmentation, tumour)


def test_a_layer_keeps_nothing_of_a_segment_that_left_it(put, segmentation, liver, tumour):
    put(liver, LOW)
    put(tumour, HIGH & ~LOW)
    put(tumour, HIGH)
    labels = vtk.util.numpy_support.vtk_to_numpy(layer_of(segmentation, liver).GetPointData().GetScalars())
    own = segmentation.GetSegmentation().GetSegment(liver).GetLabelValue()
    assert set(np.unique(labels)) == {0, own}


def test_a_layer_of_many_segments_keeps_them_all(bridge, volume, segmentation, put, reading):
    voxels = [tuple(index) for index in np.ndindex(SHAPE)][:260]
    segments = [bridge.newSegment(segmentation, f"s{n}") for n in range(260)]
    for one, voxel in zip(segments, voxels, strict=True):
        put(one, np.ones((1, 1, 1), dtype=bool), tuple(slice(n, n + 1) for n in voxel))
    found = [
        tuple(np.argwhere(bridge.readSegment(segmentation, one, volume))[0].tolist()) for one in segments
    ]
    assert found == voxels
    assert segmentation.GetSegmentation().GetNumberOfLayers() == 1


@pytest.mark.parametrize("label", [255, 256, 65536])
def test_a_label_value_too_large_for_its_labelmap_is_written_exactly(
    put, reading, segmentation, liver, tumour, label
):
    set_layer(segmentation, [liver, tumour], LOW, grid(np.eye(3)))
    segmentation.GetSegmentation().GetSegment(tumour).SetLabelValue(label)
    put(tumour, HIGH & ~LOW)
    np.testing.assert_array_equal(reading(liver), LOW)
    np.testing.assert_array_equal(reading(tumour), HIGH & ~LOW)


@pytest.mark.parametrize("how", ["locked", "completed"])
def test_a_protected_segment_is_not_written(bridge, put, reading, segmentation, liver, how):
    put(liver, LOW)
    protect(bridge, segmentation, liver, how)
    with pytest.raises(ProtectedError, match=how):
        put(liver, HIGH)
    np.testing.assert_array_equal(reading(liver), LOW)


def test_a_segment_can_be_unlocked(bridge, put, reading, segmentation, liver):
    bridge.setLocked(segmentation, liver, True)
    bridge.setLocked(segmentation, liver, False)
    put(liver, LOW)
    np.testing.assert_array_equal(reading(liver), LOW)


def test_writing_marks_the_segment_in_progress(put, segmentation, liver):
    put(liver, LOW)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.GetSegmentStatus(segmentation.GetSegmentation().GetSegment(liver)) == logic.InProgress


def test_a_flagged_segment_stays_flagged(put, segmentation, liver):
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentation.GetSegmentation().GetSegment(liver)
    logic.SetSegmentStatus(segment, logic.Flagged)
    put(liver, LOW)
    assert logic.GetSegmentStatus(segment) == logic.Flagged


def test_slicers_undo_restores_what_was_there_before_a_write(put, reading, segmentation, liver):
    put(liver, LOW)
    history = slicer.vtkSegmentationHistory()
    history.SetSegmentation(segmentation.GetSegmentation())
    history.SaveState()
    put(liver, HIGH)
    history.SaveState()
    put(liver, LOW & HIGH)
    history.RestorePreviousState()
    np.testing.assert_array_equal(reading(liver), HIGH)
    history.RestorePreviousState()
    np.testing.assert_array_equal(reading(liver), LOW)


def test_a_labelmap_that_was_imported_keeps_its_own_voxels(bridge, put, volume, segmentation):
    labelmap = slicer.modules.volumes.logic().CreateAndAddLabelVolume(volume, "labels")
    slicer.util.updateVolumeFromArray(labelmap, LOW.astype(np.int16))
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmap, segmentation)
    imported = segmentation.GetSegmentation().GetNthSegmentID(0)
    put(imported, HIGH)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(labelmap), LOW)


def test_slicers_own_tools_go_on_after_a_write(put, reading, segmentation, volume, liver):
    put(liver, LOW)
    slicer.util.updateSegmentBinaryLabelmapFromArray(HIGH.astype(np.uint8), segmentation, liver, volume)
    put(liver, np.ones((1, 8, 9), dtype=bool), (slice(0, 1), slice(0, 8), slice(0, 9)))
    expected = HIGH.copy()
    expected[0] = True
    np.testing.assert_array_equal(reading(liver), expected)
