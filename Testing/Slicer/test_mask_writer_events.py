"""What a write tells the rest of the application, and the surfaces that follow it."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk

from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.bridge_fixtures import HIGH, LOW, SHAPE, cuboid
from Testing.Slicer.scene_samples import new_editor


class TestEvents:
    @pytest.fixture
    def events(self, bridge, put, segmentation, liver, tumour):
        """(event, segment id, whether it is the bridge's own) of everything after a first write."""
        put(liver, LOW)
        heard = []
        source = segmentation.GetSegmentation()
        for name in ("SourceRepresentationModified", "RepresentationModified"):

            @vtk.calldata_type(vtk.VTK_STRING)
            def hear(_caller, _event, segment, name=name):
                heard.append((name, segment, bridge.isOwnWrite))

            source.AddObserver(getattr(source, name), hear)
        return heard

    def test_a_write_tells_which_segment_changed(self, events, put, liver):
        put(liver, HIGH)
        assert ("SourceRepresentationModified", liver, True) in events
        assert ("RepresentationModified", liver, True) in events

    def test_a_write_tells_which_segments_lost_voxels(self, events, put, segmentation, liver, tumour):
        editor = new_editor(segmentation)
        editor.SetOverwriteMode(editor.OverwriteAllSegments)
        put(tumour, HIGH)
        assert ("RepresentationModified", liver, True) in events

    def test_writing_what_is_there_tells_nothing(self, events, put, liver):
        put(liver, LOW)
        assert events == []

    def test_another_tools_edit_is_not_the_bridges_own(self, bridge, put, segmentation, volume, liver):
        put(liver, LOW)
        heard = []
        source = segmentation.GetSegmentation()
        source.AddObserver(source.SourceRepresentationModified, lambda *_: heard.append(bridge.isOwnWrite))
        slicer.util.updateSegmentBinaryLabelmapFromArray(HIGH.astype(np.uint8), segmentation, liver, volume)
        assert heard
        assert not any(heard)

    def test_the_revision_grows_with_a_write(self, bridge, put, segmentation, liver):
        put(liver, LOW)
        before = bridge.revision(segmentation, liver)
        put(liver, HIGH)
        assert bridge.revision(segmentation, liver) > before

    def test_the_segmentation_counts_as_changed_since_it_was_saved(self, put, segmentation, liver, tmp_path):
        put(liver, LOW)
        slicer.util.saveNode(segmentation, str(tmp_path / "saved.seg.nrrd"))
        put(liver, HIGH)
        assert segmentation.GetModifiedSinceRead()


class TestSurfaces:
    NAME = "Closed surface"

    @pytest.fixture
    def surface(self, put, segmentation, liver, tumour):
        """Number of points of a segment's surface, after Show 3D."""
        put(liver, LOW)
        put(tumour, HIGH & ~LOW)
        segmentation.CreateClosedSurfaceRepresentation()
        source = segmentation.GetSegmentation()
        return lambda one: source.GetSegment(one).GetRepresentation(self.NAME).GetNumberOfPoints()

    def test_a_write_makes_the_surface_anew(self, surface, put, liver):
        before = surface(liver)
        put(liver, LOW & ~HIGH)
        put(liver, cuboid((2, 3), (2, 3), (2, 3)))
        assert 0 < surface(liver) < before

    def test_a_write_leaves_other_surfaces_alone(self, surface, put, segmentation, liver, tumour):
        source = segmentation.GetSegmentation().GetSegment(tumour).GetRepresentation(self.NAME)
        before = source.GetMTime()
        put(liver, cuboid((2, 3), (2, 3), (2, 3)))
        assert segmentation.GetSegmentation().GetSegment(tumour).GetRepresentation(self.NAME) is source
        assert source.GetMTime() == before

    def test_clearing_a_segment_empties_its_surface(self, surface, put, liver):
        put(liver, np.zeros(SHAPE, dtype=bool))
        assert surface(liver) == 0

    def test_a_surface_survives_the_growth_of_its_labelmap(self, surface, put, segmentation, volume, tumour):
        put(tumour, np.ones(SHAPE, dtype=bool))
        assert surface(tumour) > 0

    def test_a_deferred_surface_waits(self, bridge, surface, put, liver):
        bridge.deferSurfaces = True
        before = surface(liver)
        put(liver, cuboid((2, 3), (2, 3), (2, 3)))
        assert surface(liver) == before
        bridge.updateSurfaces()
        assert 0 < surface(liver) < before

    def test_a_surface_that_is_up_to_date_is_not_made_again(self, bridge, surface, put, segmentation, liver):
        bridge.deferSurfaces = True
        put(liver, cuboid((2, 3), (2, 3), (2, 3)))
        bridge.updateSurfaces()
        segment = segmentation.GetSegmentation().GetSegment(liver)
        before = segment.GetRepresentation(self.NAME).GetMTime()
        bridge.updateSurfaces()
        assert segment.GetRepresentation(self.NAME).GetMTime() == before

    def test_the_surface_of_a_removed_segment_is_left_out(self, bridge, surface, put, segmentation, liver):
        bridge.deferSurfaces = True
        put(liver, cuboid((2, 3), (2, 3), (2, 3)))
        segmentation.GetSegmentation().RemoveSegment(liver)
        bridge.updateSurfaces()
        assert segmentation.GetSegmentation().GetSegment(liver) is None

    def test_the_voxels_are_exact_with_surfaces_shown(self, surface, put, reading, liver, tumour):
        put(liver, HIGH)
        np.testing.assert_array_equal(reading(liver), HIGH)
        np.testing.assert_array_equal(reading(tumour), HIGH & ~LOW)
