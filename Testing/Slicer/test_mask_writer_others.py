"""Writing and restoring where other segments are: what they give up, and what they keep."""

from __future__ import annotations

import numpy as np
import pytest

from KPrismCore.errors import ProtectedError
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.bridge_fixtures import HIGH, LOW, SHAPE, protect, random_box
from Testing.Slicer.scene_samples import grid, layer_of, new_editor, set_layer, slicers_reading, whole_box


class TestOverwriting:
    @pytest.fixture
    def editor(self, segmentation):
        return new_editor(segmentation)

    def test_nothing_is_taken_where_the_editor_was_never_used(self, put, reading, liver, tumour):
        put(liver, LOW)
        assert put(tumour, HIGH) == {}
        np.testing.assert_array_equal(reading(liver), LOW)

    def test_all_others_give_up_what_is_gained(self, put, reading, liver, tumour, editor):
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(liver, LOW)
        put(tumour, HIGH)
        np.testing.assert_array_equal(reading(liver), LOW & ~HIGH)
        np.testing.assert_array_equal(reading(tumour), HIGH)

    def test_what_was_taken_is_said_with_its_box(self, put, liver, tumour, editor):
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(liver, LOW)
        ((one, (box, before, after)),) = put(tumour, HIGH).items()
        assert one == liver
        assert box == (slice(3, 4), slice(3, 6), slice(2, 7))
        np.testing.assert_array_equal(before, LOW[box])
        np.testing.assert_array_equal(after, (LOW & ~HIGH)[box])

    def test_segments_in_other_labelmaps_give_up_too(self, put, reading, liver, tumour, editor):
        editor.SetOverwriteMode(editor.OverwriteNone)
        put(liver, LOW)
        put(tumour, HIGH)
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(tumour, np.ones(SHAPE, dtype=bool))
        # what both had before stays with both
        np.testing.assert_array_equal(reading(liver), LOW & HIGH)

    def test_hidden_segments_keep_theirs_if_only_visible_ones_give_up(
        self, put, reading, segmentation, liver, tumour, editor
    ):
        editor.SetOverwriteMode(editor.OverwriteVisibleSegments)
        put(liver, LOW)
        segmentation.GetDisplayNode().SetSegmentVisibility(liver, False)
        put(tumour, HIGH)
        np.testing.assert_array_equal(reading(liver), LOW)

    def test_visible_segments_give_up_if_only_visible_ones_do(self, put, reading, liver, tumour, editor):
        editor.SetOverwriteMode(editor.OverwriteVisibleSegments)
        put(liver, LOW)
        put(tumour, HIGH)
        np.testing.assert_array_equal(reading(liver), LOW & ~HIGH)

    @pytest.mark.parametrize("how", ["locked", "completed"])
    def test_protected_segments_give_up_nothing(
        self, bridge, put, reading, segmentation, liver, tumour, editor, how
    ):
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(liver, LOW)
        protect(bridge, segmentation, liver, how)
        assert put(tumour, HIGH) == {}
        np.testing.assert_array_equal(reading(liver), LOW)
        np.testing.assert_array_equal(reading(tumour), HIGH)

    def test_settings_for_another_segmentation_do_not_count(
        self, bridge, put, reading, volume, liver, tumour, editor
    ):
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        editor.SetAndObserveSegmentationNode(bridge.newSegmentation(volume))
        put(liver, LOW)
        put(tumour, HIGH)
        np.testing.assert_array_equal(reading(liver), LOW)

    def test_a_segment_on_another_voxel_grid_keeps_its_voxels(
        self, put, reading, segmentation, liver, tumour, editor
    ):
        fine = grid(np.eye(3), (0.5, 0.5, 0.5), origin=(-100.375, 33.05, 1 / 3 - 0.25))
        set_layer(segmentation, [liver], np.ones((14, 16, 18)), fine)
        before = reading(liver)
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        assert put(tumour, HIGH) == {}
        np.testing.assert_array_equal(reading(liver), before)
        np.testing.assert_array_equal(reading(tumour), HIGH)

    def test_random_writes_equal_a_numpy_mirror(self, bridge, volume, segmentation, editor):
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        segments = [bridge.newSegment(segmentation, one) for one in "abcd"]
        mirror = {one: np.zeros(SHAPE, dtype=bool) for one in segments}
        rng = np.random.default_rng(3)
        for turn in range(60):
            one, box = segments[turn % 4], random_box(rng, SHAPE)
            mask = rng.random(mirror[one][box].shape) < 0.4
            gained = mask & ~mirror[one][box]
            bridge.write(segmentation, one, volume, None, mask, box)
            for other in segments:
                mirror[other][box] &= ~gained
            mirror[one][box] = mask
        for one in segments:
            np.testing.assert_array_equal(slicers_reading(segmentation, one, volume), mirror[one])


class TestRestoring:
    def test_it_sets_what_it_is_told(self, bridge, put, reading, segmentation, volume, liver):
        put(liver, HIGH)
        bridge.restore(segmentation, liver, volume, LOW, whole_box(SHAPE))
        np.testing.assert_array_equal(reading(liver), LOW)

    def test_it_takes_the_box_out_of_the_whole(self, bridge, put, reading, segmentation, volume, liver):
        box = (slice(2, 3), slice(0, 8), slice(0, 9))
        bridge.restore(segmentation, liver, volume, LOW, box)
        expected = np.zeros(SHAPE, dtype=bool)
        expected[2] = LOW[2]
        np.testing.assert_array_equal(reading(liver), expected)

    def test_it_takes_nothing_from_others(self, bridge, put, reading, segmentation, volume, liver, tumour):
        editor = new_editor(segmentation)
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(liver, LOW)
        bridge.restore(segmentation, tumour, volume, HIGH, whole_box(SHAPE))
        np.testing.assert_array_equal(reading(liver), LOW)

    def test_voxels_go_back_to_the_segment_they_were_taken_from(
        self, bridge, put, reading, segmentation, volume, liver, tumour
    ):
        editor = new_editor(segmentation)
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(liver, LOW)
        ((one, (box, before, _after)),) = put(tumour, HIGH).items()
        nothing = np.zeros(SHAPE, dtype=bool)
        bridge.restoreAll(segmentation, volume, [(one, before, box), (tumour, nothing, whole_box(SHAPE))])
        np.testing.assert_array_equal(reading(liver), LOW)
        assert not reading(tumour).any()
        assert layer_of(segmentation, liver) is layer_of(segmentation, tumour)

    def test_it_changes_nothing_if_one_of_them_is_locked(
        self, bridge, put, reading, segmentation, volume, liver, tumour
    ):
        put(liver, LOW)
        put(tumour, HIGH & ~LOW)
        bridge.setLocked(segmentation, tumour, True)
        nothing, box = np.zeros(SHAPE, dtype=bool), whole_box(SHAPE)
        with pytest.raises(ProtectedError):
            bridge.restoreAll(segmentation, volume, [(liver, nothing, box), (tumour, nothing, box)])
        np.testing.assert_array_equal(reading(liver), LOW)
