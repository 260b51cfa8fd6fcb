"""boot(), the names it makes, and a fresh start between tests."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from SlicerHost import dialogs, failures
from SlicerHost.boot import boot


def node_ids():
    nodes = slicer.mrmlScene.GetNodes()
    return {nodes.GetItemAsObject(index).GetID() for index in range(nodes.GetNumberOfItems())}


@pytest.fixture
def volume(scene):
    return slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="CT")


@pytest.fixture
def moved_volume(volume):
    """The volume 50 mm to the right by a linear transform."""
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 50)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    return volume


class TestNames:
    def test_booting_twice_gives_the_same_host(self, host):
        assert boot() is host

    @pytest.mark.parametrize("name", ["arrayFromVolume", "getNode", "loadVolume", "info", "sys"])
    def test_slicer_has_no_names_that_only_slicer_util_has(self, host, name):
        assert not hasattr(slicer, name)

    @pytest.mark.parametrize("name", ["segmentations", "volumes", "terminologies", "markups", "colors"])
    def test_a_modules_logic_has_the_scene(self, host, name):
        assert getattr(slicer.modules, name).logic().GetMRMLScene() is host.scene

    def test_the_terminologies_know_the_general_anatomy(self, host):
        names = vtk.vtkStringArray()
        slicer.modules.terminologies.logic().GetLoadedTerminologyNames(names)
        assert names.GetNumberOfValues() > 0

    def test_the_host_itself_boots_without_a_failure(self, host):
        assert failures.recorded() == ()


class TestReset:
    def test_the_scene_is_as_at_the_start(self, host):
        before = node_ids()
        slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), dtype=np.int16))
        parameters = slicer.vtkMRMLScriptedModuleNode()
        parameters.SetSingletonTag("AModule")
        slicer.mrmlScene.AddNode(parameters)
        host.reset()
        assert node_ids() == before

    def test_a_loaded_scene_leaves_no_folder(self, host, volume, tmp_path):
        slicer.util.saveScene(str(tmp_path / "scene.mrb"))
        slicer.util.loadScene(str(tmp_path / "scene.mrb"))
        host.reset()
        assert slicer.mrmlScene.GetRootDirectory() == slicer.app.temporaryPath

    def test_settings_are_forgotten(self, host):
        slicer.app.settings().setValue("KPrism/folder", "/a")
        host.reset()
        assert slicer.app.settings().value("KPrism/folder") is None

    def test_temporary_files_are_gone(self, host):
        from pathlib import Path

        Path(slicer.app.temporaryPath, "left.txt").write_text("")
        host.reset()
        assert list(Path(slicer.app.temporaryPath).iterdir()) == []


class TestFiles:
    def test_a_scene_comes_back_from_a_bundle(self, host, volume, tmp_path):
        slicer.util.saveScene(str(tmp_path / "scene.mrb"))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(tmp_path / "scene.mrb"))
        voxels = slicer.util.arrayFromVolume(slicer.util.getNode("CT"))
        assert np.array_equal(voxels, np.arange(60).reshape(3, 4, 5))

    def test_a_volume_comes_back_from_a_file(self, host, volume, tmp_path):
        slicer.util.saveNode(volume, str(tmp_path / "a.nrrd"))
        loaded = slicer.util.loadVolume(str(tmp_path / "a.nrrd"))
        assert slicer.util.arrayFromVolume(loaded).sum() == slicer.util.arrayFromVolume(volume).sum()

    def test_a_file_that_is_not_there_is_refused(self, host, tmp_path):
        with pytest.raises(RuntimeError):
            slicer.util.loadVolume(str(tmp_path / "none.nrrd"))

    @pytest.mark.parametrize("extension", [".nrrd", ".nii.gz"])
    def test_a_volume_is_exported_where_it_was_read(self, moved_volume, tmp_path, extension):
        path = str(tmp_path / f"a{extension}")
        slicer.util.exportNode(moved_volume, path, {})
        assert np.allclose(slicer.util.loadVolume(path).GetOrigin(), (0, 0, 0))

    def test_a_volume_is_exported_where_it_is_in_the_world(self, moved_volume, tmp_path):
        slicer.util.exportNode(moved_volume, str(tmp_path / "a.nrrd"), {}, world=True)
        assert np.allclose(slicer.util.loadVolume(str(tmp_path / "a.nrrd")).GetOrigin(), (50, 0, 0))

    def test_exporting_into_the_world_does_not_resample(self, moved_volume, tmp_path):
        slicer.util.exportNode(moved_volume, str(tmp_path / "a.nrrd"), {}, world=True)
        loaded = slicer.util.loadVolume(str(tmp_path / "a.nrrd"))
        assert np.array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(moved_volume))

    def test_exporting_leaves_the_node_without_a_file(self, moved_volume, tmp_path):
        slicer.util.exportNode(moved_volume, str(tmp_path / "a.nrrd"), {})
        assert moved_volume.GetStorageNode() is None

    def test_a_scene_is_saved_into_a_new_folder(self, volume, tmp_path):
        slicer.util.saveScene(str(tmp_path / "case" / "scene"))
        assert (tmp_path / "case" / "scene" / "scene.mrml").is_file()

    def test_a_text_that_the_scene_keeps_is_in_no_file(self, scene, tmp_path):
        text = scene.AddNewNodeByClass("vtkMRMLTextNode")
        text.SetText("short")
        assert not slicer.util.saveNode(text, str(tmp_path / "a.txt"))


class TestMessages:
    def test_an_error_is_shown_without_a_main_window(self, host):
        with dialogs.answer("no such file", "OK") as shown:
            slicer.util.errorDisplay("no such file")
        assert "Slicer error" in str(shown.shown)
