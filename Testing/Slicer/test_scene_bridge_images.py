"""Images out of the scene: voxels, grids in world coordinates, colours and modality."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

from KPrismCore.errors import GeometryError, ImageContentError
from Testing.Slicer.bridge_fixtures import *  # noqa: F403
from Testing.Slicer.scene_samples import (
    GRIDS,
    grid,
    item_of,
    new_bending_transform,
    new_transform,
    new_volume,
    rotation,
)


class TestImages:
    @pytest.mark.parametrize("name", GRIDS)
    def test_voxels_are_the_nodes(self, bridge, name):
        volume = new_volume(*GRIDS[name])
        np.testing.assert_array_equal(bridge.volumeOf(volume).array, slicer.util.arrayFromVolume(volume))

    @pytest.mark.parametrize("name", GRIDS)
    def test_the_grid_is_the_nodes(self, bridge, name):
        size, matrix = GRIDS[name]
        geometry = bridge.volumeOf(new_volume(size, matrix)).geometry
        assert geometry.size == size
        np.testing.assert_allclose(geometry.ijk_to_ras, matrix, atol=1e-9)

    def test_the_grid_is_in_world_coordinates(self, bridge, volume):
        turn = grid(rotation(0, 0, 30), origin=(10, 20, 30))
        volume.SetAndObserveTransformNodeID(new_transform(turn).GetID())
        np.testing.assert_allclose(
            bridge.volumeOf(volume).geometry.ijk_to_ras, turn @ grid(np.eye(3)), atol=1e-9
        )

    def test_nested_transforms_are_all_applied(self, bridge, volume):
        inner, outer = new_transform(), new_transform(grid(rotation(40, 0, 0), origin=(1, 2, 3)))
        inner.SetAndObserveTransformNodeID(outer.GetID())
        volume.SetAndObserveTransformNodeID(inner.GetID())
        expected = grid(rotation(40, 0, 0), origin=(1, 2, 3)) @ grid(rotation(5, 10, 30), origin=(50, -20, 7))
        np.testing.assert_allclose(
            bridge.volumeOf(volume).geometry.ijk_to_ras, expected @ grid(np.eye(3)), atol=1e-9
        )

    def test_a_bending_transform_is_refused(self, bridge, volume):
        volume.SetAndObserveTransformNodeID(new_bending_transform().GetID())
        with pytest.raises(GeometryError, match="bending"):
            bridge.volumeOf(volume)

    def test_the_voxels_cannot_be_changed_by_accident(self, bridge, volume):
        assert not bridge.volumeOf(volume).array.flags.writeable

    def test_the_node_itself_can_still_be_changed(self, bridge, volume):
        bridge.volumeOf(volume)
        slicer.util.arrayFromVolume(volume)[0, 0, 0] = 77
        assert bridge.volumeOf(volume).array[0, 0, 0] == 77

    def test_the_name_is_the_nodes(self, bridge, volume):
        assert bridge.volumeOf(volume).name == "CT"

    @pytest.mark.parametrize(
        ("components", "is_rgb", "shape"),
        [(3, True, (1, 5, 6, 3)), (4, True, (1, 5, 6, 3)), (2, False, (1, 5, 6))],
    )
    def test_colours_are_kept(self, bridge, components, is_rgb, shape):
        voxels = np.arange(30 * components, dtype=np.uint8).reshape(1, 5, 6, components)
        node = slicer.util.addVolumeFromArray(voxels, nodeClassName="vtkMRMLVectorVolumeNode")
        volume = bridge.volumeOf(node)
        assert volume.is_rgb is is_rgb
        np.testing.assert_array_equal(
            volume.array, voxels.reshape(1, 5, 6, -1)[..., : 3 if is_rgb else 1].reshape(shape)
        )

    def test_many_components_are_refused(self, bridge, scene):
        voxels = np.zeros((2, 5, 6, 7), dtype=np.uint8)
        node = slicer.util.addVolumeFromArray(voxels, nodeClassName="vtkMRMLVectorVolumeNode")
        with pytest.raises(ImageContentError, match="7 values"):
            bridge.volumeOf(node)

    def test_an_image_without_voxels_is_refused(self, bridge, scene):
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
        with pytest.raises(ImageContentError, match="hollow"):
            bridge.volumeOf(node)

    def test_a_labelmap_is_refused(self, bridge, volume):
        labelmap = slicer.modules.volumes.logic().CreateAndAddLabelVolume(volume, "labels")
        with pytest.raises(ImageContentError, match="labelmap"):
            bridge.volumeOf(labelmap)


class TestModality:
    @pytest.mark.parametrize(("code", "name"), [("MR", "MR"), ("CT", "CT"), ("OT", None)])
    def test_it_is_that_of_the_data_tree(self, bridge, volume, hierarchy, code, name):
        hierarchy.SetItemAttribute(item_of(volume), "DICOM.Modality", code)
        assert bridge.volumeOf(volume).modality == name

    def test_it_is_unknown_without_a_sign(self, bridge, volume):
        assert bridge.volumeOf(volume).modality is None

    def test_very_low_values_are_ct(self, bridge, volume):
        slicer.util.arrayFromVolume(volume)[0, 0, 0] = -1000
        slicer.util.arrayFromVolumeModified(volume)
        assert bridge.volumeOf(volume).modality == "CT"

    def test_hounsfield_units_are_ct(self, bridge, volume):
        units = slicer.vtkCodedEntry()
        units.SetValueSchemeMeaning("hnsfU", "UCUM", "Hounsfield unit")
        volume.SetVoxelValueUnits(units)
        assert bridge.volumeOf(volume).modality == "CT"

    def test_colours_of_unknown_origin_are_rgb(self, bridge, scene):
        voxels = np.zeros((1, 5, 6, 3), dtype=np.uint8)
        node = slicer.util.addVolumeFromArray(voxels, nodeClassName="vtkMRMLVectorVolumeNode")
        assert bridge.volumeOf(node).modality == "rgb"

    def test_an_image_that_was_removed_is_read_without_a_complaint(self, bridge, volume):
        volume.SetAttribute("DICOM.Modality", "MR")
        slicer.mrmlScene.RemoveNode(volume)
        assert bridge.volumeOf(volume).modality == "MR"
