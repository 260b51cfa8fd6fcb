"""Scenes of 3D Slicer (.mrb) as training data, written here by hand; unsafe and broken ones are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from data_samples import a_volume, write_slicer_case

from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.training.datasets.opening import open_data
from KPrismCore.training.datasets.scene import SceneCase

SCENE = """<?xml version="1.0" encoding="UTF-8"?>
{head}<MRML version="5.10">
<Volume id="v1" name="CT" references="storage:s1;{moved}"/>
<Volume id="v2" name="other" references="storage:s3;"/>
<VolumeArchetypeStorage id="s1" fileName="{volume}"/>
<VolumeArchetypeStorage id="s3" fileName="Data/other.nrrd"/>
<Segmentation id="g1" name="Segmentation" references="{reference}storage:s2;"/>
<SegmentationStorage id="s2" fileName="Data/Segmentation.seg.nrrd"/>
</MRML>
"""


def quiet(_text: str) -> None:
    """Where reports of the tests go."""


def write_scene(path: Path, seed: int = 0, **changes: str) -> Path:
    """A bundle with one volume, another one that is named and not there, and one segmentation."""
    values = {
        "head": "", "moved": "", "volume": "Data/My%20CT.nrrd", "reference": "referenceImageGeometryRef:v1;",
    } | changes  # fmt: skip
    folder = write_slicer_case(path.parent / f"{path.stem} files", "case", seed)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("scene/scene.mrml", SCENE.format(**values))
        archive.write(folder / "case.nrrd", "scene/Data/My CT.nrrd")
        archive.write(folder / "case.seg.nrrd", "scene/Data/Segmentation.seg.nrrd")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return path


def test_a_scene_gives_its_segments_on_their_volume(tmp_path):
    (content,) = SceneCase("a", "a", write_scene(tmp_path / "a.mrb")).read()
    (layer,) = content.layers
    truth = a_volume(0)[1]
    assert [label.name for label in layer.labels] == ["Liver", "Tumour"]
    assert (layer.array == truth).all()


def test_scenes_of_a_folder_are_patients(tmp_path):
    for number in range(3):
        write_scene(tmp_path / f"case{number}.mrb", number)
    (image_set,) = open_data(tmp_path, 64, report=quiet)
    assert {sample.subject for sample in image_set.samples} == {"case0", "case1", "case2"}


@pytest.mark.parametrize("name", ["../../outside.nrrd", "/etc/hostname", "..%2Foutside.nrrd"])
def test_a_file_outside_the_archive_is_not_read(tmp_path, name):
    (tmp_path / "outside.nrrd").write_bytes(b"secret")
    with pytest.raises(TrainingDataError, match="does not hold the file of 'CT'"):
        SceneCase("a", "a", write_scene(tmp_path / "a.mrb", volume=name)).read()


def test_an_archive_cannot_write_beside_itself(tmp_path):
    (tmp_path / "in").mkdir()
    path = write_scene(tmp_path / "in" / "a.mrb", volume="../../evil.nrrd")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("scene/../../evil.nrrd", b"NRRD0004\n")
    with pytest.raises((InputFileError, TrainingDataError)):
        SceneCase("a", "a", path).read()
    assert [file.name for file in tmp_path.rglob("*")] == ["in", "a.mrb"]


def test_a_scene_with_entities_is_refused(tmp_path):
    head = '<!DOCTYPE MRML [<!ENTITY a "aaaa">]>'
    with pytest.raises(InputFileError, match="declares entities"):
        SceneCase("a", "a", write_scene(tmp_path / "a.mrb", head=head)).read()


def test_a_damaged_bundle_is_named(tmp_path):
    path = write_scene(tmp_path / "a.mrb")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(InputFileError, match=r"a\.mrb is damaged"):
        SceneCase("a", "a", path).read()


def test_a_segmentation_of_unknown_volume_is_named(tmp_path):
    path = write_scene(tmp_path / "a.mrb", reference="")
    with pytest.raises(TrainingDataError, match="on which of 2 volumes 'Segmentation' was made"):
        SceneCase("a", "a", path).read()


def test_a_volume_that_is_moved_alone_is_named(tmp_path):
    path = write_scene(tmp_path / "a.mrb", moved="transform:t1;")
    with pytest.raises(TrainingDataError, match="transform moves 'Segmentation'"):
        SceneCase("a", "a", path).read()
