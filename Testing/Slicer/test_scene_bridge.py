"""Images and segments between the scene and the core: grids, names, codes, and reasons for refusals."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from KPrismCore.catalogue import ClassEntry, load_catalogue
from KPrismCore.errors import GeometryError, ImageContentError, PromptError, ProtectedError
from KPrismCore.slices import SlicePlane
from KPrismCore.terminology import Code, Terminology
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.scene_samples import (
    GRIDS,
    SIZE,
    add_surface,
    grid,
    item_of,
    new_bending_transform,
    new_transform,
    new_volume,
    set_layer,
    slicers_reading,
    whole_box,
)

SHAPE = SIZE[::-1]
LIVER = ClassEntry(
    index=1,
    name="liver",
    synonyms=(),
    region=("abdomen",),
    modality=("CT",),
    plane=("axial",),
    terminology=Terminology(
        Code("123037004", "Anatomical Structure"), Code("10200004", "Liver"), Code("7771000", "Left")
    ),
    colour="#dd8265",
)


@pytest.fixture
def segment(bridge, segmentation):
    return bridge.newSegment(segmentation, "liver")


@pytest.fixture
def a_mask():
    return np.random.default_rng(5).random(SHAPE) < 0.4


class TestNewSegmentations:
    def test_the_name_comes_from_the_image(self, segmentation):
        assert segmentation.GetName() == "CT segmentation"

    def test_a_second_one_has_another_name(self, bridge, volume, segmentation):
        assert bridge.newSegmentation(volume).GetName() != segmentation.GetName()

    def test_the_image_is_its_source_geometry(self, volume, segmentation):
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        assert segmentation.GetNodeReference(role) is volume

    def test_it_can_be_seen(self, segmentation):
        assert segmentation.GetDisplayNode().GetVisibility()

    def test_it_lies_under_the_study_of_the_image(self, bridge, volume, hierarchy):
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
        hierarchy.SetItemParent(item_of(volume), study)
        item = hierarchy.GetItemByDataNode(bridge.newSegmentation(volume))
        assert hierarchy.GetItemParent(item) == study

    def test_it_is_under_the_images_transform(self, bridge, volume):
        volume.SetAndObserveTransformNodeID(new_transform().GetID())
        assert bridge.newSegmentation(volume).GetTransformNodeID() == volume.GetTransformNodeID()

    def test_none_is_made_for_an_image_without_voxels(self, bridge, scene):
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
        with pytest.raises(ImageContentError):
            bridge.newSegmentation(node)
        assert scene.GetFirstNodeByClass("vtkMRMLSegmentationNode") is None


class TestNewSegments:
    def found(self, segmentation, identifier):
        return segmentation.GetSegmentation().GetSegment(identifier)

    def test_name_and_colour_are_those_asked_for(self, bridge, segmentation):
        made = self.found(segmentation, bridge.newSegment(segmentation, "cyst", "#ff8000"))
        assert made.GetName() == "cyst"
        assert np.allclose(made.GetColor(), (1, 128 / 255, 0))

    def test_a_class_gives_name_colour_and_codes(self, bridge, segmentation):
        made = self.found(segmentation, bridge.newSegment(segmentation, entry=LIVER))
        assert made.GetName() == "liver"
        assert np.allclose(made.GetColor(), np.array((0xDD, 0x82, 0x65)) / 255)
        assert made.GetTerminology() == LIVER.terminology.entry_string()

    def test_slicer_understands_the_codes(self, bridge, segmentation):
        made = self.found(segmentation, bridge.newSegment(segmentation, entry=LIVER))
        entry = slicer.vtkSlicerTerminologyEntry()
        logic = slicer.modules.terminologies.logic()
        assert logic.DeserializeTerminologyEntry(made.GetTerminology(), entry)
        assert entry.GetTypeObject().GetCodeValue() == "10200004"
        assert entry.GetTypeModifierObject().GetCodeMeaning() == "Left"

    def test_an_own_name_goes_before_the_classs(self, bridge, segmentation):
        made = self.found(segmentation, bridge.newSegment(segmentation, "lobe", entry=LIVER))
        assert made.GetName() == "lobe"

    def test_without_name_and_colour_slicer_chooses(self, bridge, segmentation):
        one, other = (self.found(segmentation, bridge.newSegment(segmentation)) for _ in range(2))
        assert one.GetName() != other.GetName()
        assert one.GetColor() != other.GetColor()

    def test_ids_differ_for_equal_names(self, bridge, segmentation):
        assert bridge.newSegment(segmentation, "a") != bridge.newSegment(segmentation, "a")

    def test_a_segment_can_be_described_later(self, bridge, segmentation, segment):
        bridge.describeSegment(segmentation, segment, LIVER)
        assert self.found(segmentation, segment).GetTerminology() == LIVER.terminology.entry_string()

    @pytest.mark.parametrize("table", ["kprism-small.csv", "kprism-paper.csv"])
    def test_every_class_of_the_table_makes_a_segment(self, bridge, segmentation, table):
        from KPrismSlicerLib.Paths import resourcePath

        catalogue = load_catalogue(resourcePath("Classes", table))
        logic, entry = slicer.modules.terminologies.logic(), slicer.vtkSlicerTerminologyEntry()
        for one in catalogue.trained:
            made = self.found(segmentation, bridge.newSegment(segmentation, entry=one))
            assert logic.DeserializeTerminologyEntry(made.GetTerminology(), entry), one.name
            assert entry.GetTypeObject().GetCodeValue() == one.terminology.type.value


class TestReading:
    @pytest.mark.parametrize("name", GRIDS)
    def test_it_equals_slicers_reading(self, bridge, name):
        volume = new_volume(*GRIDS[name])
        segmentation = bridge.newSegmentation(volume)
        segment = bridge.newSegment(segmentation, "a")
        mask = np.random.default_rng(0).random(GRIDS[name][0][::-1]) < 0.5
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), segmentation, segment, volume)
        np.testing.assert_array_equal(bridge.readSegment(segmentation, segment, volume), mask)

    def test_an_empty_segment_is_empty(self, bridge, volume, segmentation, segment):
        found = bridge.readSegment(segmentation, segment, volume)
        assert found.shape == SHAPE
        assert not found.any()

    def test_a_missing_segment_is_an_error(self, bridge, volume, segmentation):
        with pytest.raises(PromptError, match="not there"):
            bridge.readSegment(segmentation, "gone", volume)

    def test_a_segment_of_another_grid_is_resampled(self, bridge, volume, segmentation, segment):
        # voxels of half the size
        labels = np.zeros((14, 16, 18))
        labels[4:8, 4:8, 4:8] = 1
        fine = grid(np.eye(3), (0.5, 0.5, 0.5), origin=(-100.375, 33.05, 1 / 3 - 0.25))
        set_layer(segmentation, [segment], labels, fine)
        expected = np.zeros(SHAPE, dtype=bool)
        expected[2:4, 2:4, 2:4] = True
        np.testing.assert_array_equal(bridge.readSegment(segmentation, segment, volume), expected)

    def test_a_small_labelmap_of_another_grid_is_resampled_where_it_lies(
        self, bridge, volume, segmentation, segment
    ):
        fine = grid(np.eye(3), (0.5, 0.5, 0.5), origin=(-100.375, 33.05, 1 / 3 - 0.25))
        set_layer(segmentation, [segment], np.ones((4, 4, 4)), fine, first=(6, 4, 2))
        expected = np.zeros(SHAPE, dtype=bool)
        expected[1:3, 2:4, 3:5] = True
        np.testing.assert_array_equal(bridge.readSegment(segmentation, segment, volume), expected)

    def test_a_surface_is_turned_into_voxels(self, bridge, volume, scene):
        surfaces = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        surfaces.SetSourceRepresentationToClosedSurface()
        centre = grid(np.eye(3)) @ [4, 4, 3, 1]
        ball = add_surface(surfaces, "ball", centre[:3], 2.2)
        found = bridge.readSegment(surfaces, ball, volume)
        assert found[3, 4, 4]
        assert not found[0, 0, 0]
        assert 15 < found.sum() < 60
        assert surfaces.GetSegmentation().GetSourceRepresentationName() == "Closed surface"

    def test_a_label_of_a_labelmap_is_read(self, bridge, volume, a_mask):
        labelmap = slicer.modules.volumes.logic().CreateAndAddLabelVolume(volume, "labels")
        slicer.util.updateVolumeFromArray(labelmap, a_mask.astype(np.int16) * 3)
        np.testing.assert_array_equal(bridge.readSegment(labelmap, "3", volume), a_mask)

    @pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (-1, -1, -1)])
    def test_a_labelmap_with_flipped_axes_is_read_exactly(self, bridge, volume, a_mask, signs):
        flipped = grid(np.diag(signs))
        ends = np.where(np.array(signs) < 0, np.array(SIZE) - 1, 0)
        flipped[:3, 3] = (grid(np.eye(3)) @ [*ends, 1])[:3]
        order = tuple(slice(None, None, sign) for sign in signs[::-1])
        labelmap = slicer.util.addVolumeFromArray(
            np.ascontiguousarray(a_mask[order]).astype(np.int16),
            flipped,
            "flipped",
            "vtkMRMLLabelMapVolumeNode",
        )
        np.testing.assert_array_equal(bridge.readSegment(labelmap, "1", volume), a_mask)

    def test_a_part_of_the_image_is_read_from_a_small_labelmap(self, bridge, volume, a_mask):
        matrix = grid(np.eye(3))
        matrix[:3, 3] = (matrix @ [2, -1, 3, 1])[:3]
        part = np.ones((6, 5, 4), dtype=np.int16)
        labelmap = slicer.util.addVolumeFromArray(part, matrix, "part", "vtkMRMLLabelMapVolumeNode")
        expected = np.zeros(SHAPE, dtype=bool)
        expected[3:7, 0:4, 2:6] = True
        np.testing.assert_array_equal(bridge.readSegment(labelmap, "1", volume), expected)


class TestRefusals:
    def write(self, bridge, volume, segmentation, segment):
        bridge.write(segmentation, segment, volume, None, np.ones(SHAPE, dtype=bool), whole_box(SHAPE))

    def test_a_segmentation_of_another_image_is_refused(self, bridge, segmentation, segment):
        other = new_volume(matrix=grid(np.eye(3), (0.9, 1.0, 1.0)), name="MR")
        with pytest.raises(GeometryError, match=r"CT segmentation.*MR"):
            bridge.checkWritable(segmentation, segment, other)

    def test_a_segmentation_made_on_another_image_is_refused_whatever_the_segments_grid(
        self, bridge, segmentation, segment
    ):
        matrix = grid(np.eye(3), (0.9, 1.0, 1.0))
        set_layer(segmentation, [segment], np.ones(SHAPE), matrix)
        with pytest.raises(GeometryError, match="another voxel grid"):
            bridge.checkWritable(segmentation, segment, new_volume(matrix=matrix, name="MR"))

    def test_half_a_voxel_of_shift_is_refused(self, bridge, segmentation, segment):
        other = new_volume(matrix=grid(np.eye(3), origin=(-99.625, 33.3, 1 / 3)), name="MR")
        with pytest.raises(GeometryError):
            self.write(bridge, other, segmentation, segment)

    def test_a_shift_by_whole_voxels_is_written_where_it_belongs(self, bridge, volume, segmentation, segment):
        other = new_volume(matrix=grid(np.eye(3), origin=(-98.125, 33.3, 1 / 3)), name="part")
        self.write(bridge, other, segmentation, segment)
        expected = np.zeros(SHAPE, dtype=bool)
        expected[:, :, 2:] = True
        np.testing.assert_array_equal(bridge.readSegment(segmentation, segment, volume), expected)

    def test_a_slice_of_other_thickness_is_refused(self, bridge, scene):
        one = new_volume((9, 8, 1), grid(np.eye(3), (1, 1, 5)), "one")
        segmentation = bridge.newSegmentation(one)
        segment = bridge.newSegment(segmentation, "a")
        other = new_volume((9, 8, 1), grid(np.eye(3), (1, 1, 6)), "other")
        with pytest.raises(GeometryError):
            bridge.checkWritable(segmentation, segment, other)

    def test_a_segmentation_that_was_moved_away_is_refused(self, bridge, volume, segmentation, segment):
        segmentation.SetAndObserveTransformNodeID(new_transform().GetID())
        with pytest.raises(GeometryError):
            bridge.checkWritable(segmentation, segment, volume)

    def test_other_transforms_with_the_same_effect_are_fine(self, bridge, volume, segmentation, segment):
        for node in (volume, segmentation):
            node.SetAndObserveTransformNodeID(new_transform().GetID())
        self.write(bridge, volume, segmentation, segment)
        assert bridge.readSegment(segmentation, segment, volume).all()

    def test_a_transform_put_on_both_later_is_fine(self, bridge, volume, segmentation, segment, a_mask):
        transform = new_transform().GetID()
        bridge.write(segmentation, segment, volume, None, a_mask, whole_box(SHAPE))
        for node in (volume, segmentation):
            node.SetAndObserveTransformNodeID(transform)
        np.testing.assert_array_equal(bridge.readSegment(segmentation, segment, volume), a_mask)
        np.testing.assert_array_equal(slicers_reading(segmentation, segment, volume), a_mask)

    def test_a_bending_transform_is_refused(self, bridge, volume, segmentation, segment):
        segmentation.SetAndObserveTransformNodeID(new_bending_transform().GetID())
        with pytest.raises(GeometryError, match="not linear"):
            bridge.checkWritable(segmentation, segment, volume)

    def test_a_missing_segment_is_refused(self, bridge, volume, segmentation):
        with pytest.raises(PromptError, match="not there"):
            bridge.checkWritable(segmentation, "gone", volume)

    def test_a_locked_segment_is_refused(self, bridge, volume, segmentation, segment):
        bridge.setLocked(segmentation, segment, True)
        with pytest.raises(ProtectedError, match=r"liver.*locked"):
            bridge.checkWritable(segmentation, segment, volume)

    def test_an_open_segment_is_not_refused(self, bridge, volume, segmentation, segment):
        bridge.checkWritable(segmentation, segment, volume)

    def test_a_segmentation_without_source_geometry_gets_the_images(self, bridge, volume, scene):
        bare = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "bare")
        bare.CreateDefaultDisplayNodes()
        segment = bridge.newSegment(bare, "a")
        self.write(bridge, volume, bare, segment)
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        assert bare.GetNodeReference(role) is volume
        assert slicers_reading(bare, segment, volume).all()


def test_a_lock_comes_back_from_a_file(bridge, segmentation, segment, tmp_path):
    bridge.setLocked(segmentation, segment, True)
    slicer.util.saveNode(segmentation, str(tmp_path / "locked.seg.nrrd"))
    loaded = slicer.util.loadSegmentation(str(tmp_path / "locked.seg.nrrd"))
    assert bridge.isLocked(loaded, loaded.GetSegmentation().GetNthSegmentID(0))


class TestSurfaces:
    @pytest.fixture
    def surfaces(self, scene, volume):
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
        node.CreateDefaultDisplayNodes()
        node.SetSourceRepresentationToClosedSurface()
        return node

    @pytest.fixture
    def ball(self, surfaces):
        return add_surface(surfaces, "ball", (grid(np.eye(3)) @ [4, 4, 3, 1])[:3], 2.2)

    def test_they_are_refused(self, bridge, volume, surfaces, ball):
        with pytest.raises(ProtectedError, match="closed surfaces"):
            bridge.checkWritable(surfaces, ball, volume)

    def test_they_can_be_written_after_conversion(self, bridge, volume, surfaces, ball):
        expected = bridge.readSegment(surfaces, ball, volume)
        bridge.convertToLabelmaps(surfaces, volume)
        np.testing.assert_array_equal(bridge.readSegment(surfaces, ball, volume), expected)
        expected[0, 0, 0] = True
        bridge.write(surfaces, ball, volume, None, expected, whole_box(SHAPE))
        np.testing.assert_array_equal(slicers_reading(surfaces, ball, volume), expected)

    def test_an_empty_one_is_simply_painted(self, bridge, volume, surfaces):
        segment = bridge.newSegment(surfaces, "new")
        mask = np.ones(SHAPE, dtype=bool)
        bridge.write(surfaces, segment, volume, None, mask, whole_box(SHAPE))
        np.testing.assert_array_equal(slicers_reading(surfaces, segment, volume), mask)


def test_a_click_on_a_displayed_voxel_changes_that_voxel_only(bridge, scene):
    for size, matrix in GRIDS.values():
        volume = new_volume(size, matrix)
        volume.SetAndObserveTransformNodeID(new_transform().GetID())
        segmentation = bridge.newSegmentation(volume)
        segment = bridge.newSegment(segmentation, "a")
        geometry = bridge.volumeOf(volume).geometry
        voxel = [n // 2 for n in size]
        ras = geometry.ras_from_ijk(voxel)
        plane = SlicePlane.through(geometry, "coronal", ras)
        column, row = np.rint(plane.ras_to_pixel(ras)).astype(int)
        mask = np.zeros(plane.shape, dtype=bool)
        mask[row, column] = True
        voxels = np.zeros(geometry.shape, dtype=bool)
        plane.write(mask, voxels)
        bridge.write(segmentation, segment, volume, None, voxels, whole_box(geometry.shape))
        found = np.argwhere(slicers_reading(segmentation, segment, volume)).tolist()
        assert found == [voxel[::-1]]
