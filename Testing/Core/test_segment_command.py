"""`segment` writes what was asked for on the image's grid, or says what is wrong and writes nothing."""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import typer
from typer.testing import CliRunner

from KPrismCore.checkpoint import read_checkpoint, save_checkpoint
from KPrismCore.commands import segment as command
from KPrismCore.commands.segment_inputs import parse_modality, parse_reference
from KPrismCore.errors import PromptError
from KPrismCore.labelmaps import Segment, write_segmentation
from KPrismCore.modalities import GROUPS, modality_group
from KPrismCore.recognition import Recognition
from KPrismCore.session import AnnotationSession
from KPrismCore.volumes import list_segments, read_segmentation, read_volume
from Testing.Core.tiny import random_volume, tiny_checkpoint

APP = typer.Typer()
APP.command()(command.segment)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an MR volume, a CT volume, and segmentations of both."""
    for name, modality in (("image", "MR"), ("ct", "CT")):
        write_volume(tmp_path / f"{name}.nrrd", modality)
    volume = random_volume()
    mask = np.zeros(volume.geometry.shape, dtype=bool)
    mask[1:5, 6:18, 5:15] = True
    nothing = np.zeros_like(mask)
    segments = [Segment("organ", mask), Segment("nothing", nothing)]
    write_segmentation(tmp_path / "image.seg.nrrd", segments, volume.geometry)
    return tmp_path


def write_volume(path: Path, modality: str = "MR", array: np.ndarray | None = None) -> None:
    volume = random_volume()
    values = volume.array if array is None else array
    # below -500 only CT numbers are common, from which the modality is guessed
    image = sitk.GetImageFromArray(values - (1000 if modality == "CT" else 0))
    volume.geometry.apply_to(image)
    sitk.WriteImage(image, str(path))


@pytest.fixture
def run(folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)

    def invoke(
        *arguments: str,
        image: str = "image.nrrd",
        output: str = "out.seg.nrrd",
        modality: str | None = "MR",
    ) -> Any:
        options = ["--model", str(model), "--device", "cpu"]
        told = modality is not None and "--modality" not in arguments
        kept = [*options, "--modality", modality] if told else options
        return CliRunner().invoke(APP, [image, "-o", output, *kept, *arguments])

    return invoke


# results


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz", ".nrrd", ".mha"])
def test_a_class_gives_a_segmentation_on_the_images_grid(run, folder, ending):
    done = run("--class", "liver", output=f"out{ending}")
    assert done.exit_code == 0, done.output
    _, geometry, name = read_segmentation(folder / f"out{ending}")
    assert geometry.same_grid(read_volume(folder / "image.nrrd").geometry)
    assert name == "liver"


def test_several_classes_give_a_segment_each(run, folder):
    assert run("--class", "liver", "--class", "IVC").exit_code == 0
    assert [one.name for one in list_segments(folder / "out.seg.nrrd")] == ["liver", "inferior vena cava"]


def test_a_class_named_twice_gives_one_segment(run, folder):
    assert run("--class", "liver", "--class", "hepar").exit_code == 0
    assert len(list_segments(folder / "out.seg.nrrd")) == 1


def test_a_class_that_references_are_recognised_as_is_told(run, folder, model, tmp_path):
    sure = replace(read_checkpoint(model), recognition=Recognition(least=1e-6))
    save_checkpoint(tmp_path / "sure.safetensors", sure)
    arguments = ("--reference", "image.nrrd=image.seg.nrrd:organ", "--slices", "2:4")
    assert "Known by name" in run(*arguments, "--model", str(tmp_path / "sure.safetensors")).output
    assert "Known by name" not in run(*arguments, "--overwrite").output


def test_a_reference_gives_a_segment_of_its_name(run, folder):
    assert run("--reference", "image.nrrd=image.seg.nrrd:organ").exit_code == 0
    assert list_segments(folder / "out.seg.nrrd")[0].name == "organ"


def changed_slices(path: Path) -> list[int]:
    mask, _, _ = read_segmentation(path)
    return np.flatnonzero(mask.any(axis=(1, 2))).tolist()


def test_a_time_point_of_a_reference_can_be_chosen(run, folder):
    write_film(folder / "cine.nrrd")
    done = run("--reference", "cine.nrrd=image.seg.nrrd:organ", "--reference-frame", "1")
    assert done.exit_code == 0, done.output


def test_a_reference_of_known_modality_for_an_image_of_unknown_one_is_noted(run):
    done = run("--reference", "ct.nrrd=image.seg.nrrd:organ", modality=None)
    assert "ct.nrrd is CT; tell with --modality" in done.stderr


def test_slices_that_clicks_have_no_use_for_are_noted(run):
    assert "--slices is for a class" in run("--click", "9,12,2,+", "--slices", "3:4").stderr


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_two_dimensional_image_gets_a_labelmap_of_two_dimensions(run, folder, ending):
    sitk.WriteImage(sitk.GetImageFromArray(random_volume().array[2]), str(folder / "flat.nrrd"))
    assert run("--class", "liver", image="flat.nrrd", output=f"flat-out{ending}").exit_code == 0
    sizes = [sitk.ReadImage(str(folder / name)).GetSize() for name in ("flat.nrrd", f"flat-out{ending}")]
    assert sizes[0] == sizes[1]


def test_clicks_change_their_own_slices_only(run, folder):
    done = run("--click", "9,12,2,+", "--click", "2,2,2,-", "--click", "9,12,4")
    assert done.exit_code == 0, done.output
    assert set(changed_slices(folder / "out.seg.nrrd")) <= {2, 4}


def test_only_the_slices_asked_for_are_segmented(run, folder):
    assert run("--class", "liver", "--slices", "1:2").exit_code == 0
    assert set(changed_slices(folder / "out.seg.nrrd")) <= {1, 2}


def test_clicks_refine_what_the_class_gave(run, folder, monkeypatch):
    asked = []
    original = AnnotationSession.add_click

    def add_click(self, plane, click, segment=None):
        asked.append(
            (
                self.current.state.class_name,
                self.slice_mask(plane).any() or self.current.state.at(plane).recall,
            )
        )
        return original(self, plane, click, segment)

    monkeypatch.setattr(AnnotationSession, "add_click", add_click)
    assert run("--class", "liver", "--click", "9,12,2,+").exit_code == 0
    assert asked[0][0] == "liver"
    assert asked[0][1]


def test_the_plane_can_be_chosen(run):
    done = run("--class", "liver", "--plane", "sagittal", "--slices", "3:4")
    assert "of 2 sagittal slices" in done.output


def test_what_was_done_is_said(run):
    done = run("--class", "liver")
    assert "ml, found on" in done.stdout
    assert "Wrote out.seg.nrrd" in done.stdout


@pytest.mark.parametrize(
    ("volume", "text"),
    [
        (12.34, "liver: 12.3 ml,"),
        (0.9999, "liver: 1.0 ml,"),
        (0.0375, "liver: 37.5 mm3,"),
        (0, "liver: 0 mm3,"),
    ],
)
def test_the_volume_of_a_small_object_is_told_in_a_small_unit(run, monkeypatch, volume, text):
    monkeypatch.setattr(AnnotationSession, "millilitres", lambda *_: volume)
    assert text in run("--class", "liver", "--slices", "2").stdout


def test_a_picture_has_pixels_and_no_volume(run, folder):
    sitk.WriteImage(sitk.GetImageFromArray(random_volume().array[2]), str(folder / "flat.nrrd"))
    done = run("--class", "liver", image="flat.nrrd")
    assert re.search(r"^liver: \d+ pixels?$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("frame", [(), ("--frame", "1")])
def test_a_film_has_pixels_and_no_volume(run, monkeypatch, frame):
    film = replace(random_volume(modality="US"), frames=6)
    film = (
        replace(film, array=film.array[1:2], geometry=random_volume(size=(20, 24, 1)).geometry)
        if frame
        else film
    )
    monkeypatch.setattr(command, "read_volume", lambda *_: film)
    done = run("--click", "9,12,0,+", *frame, modality="US")
    assert re.search(r"^Segment 1: \d+ pixels?, found on", done.stdout, re.MULTILINE), done.output


def test_one_slice_is_told_in_the_singular(run):
    done = run("--class", "liver", "--slices", "2")
    assert "of 1 axial slice\n" in done.stdout
    assert "at the lowest" not in done.stdout


def test_references_to_segments_of_different_names_are_noted(run, folder):
    mask, geometry, _ = read_segmentation(folder / "image.seg.nrrd", "organ")
    write_segmentation(folder / "other.seg.nrrd", [Segment("tumour", mask)], geometry)
    done = run("--reference", "image.nrrd=image.seg.nrrd:organ", "--reference", "image.nrrd=other.seg.nrrd")
    assert "examples of one object: organ, tumour" in done.stderr


def test_doubts_are_said_on_standard_error(run):
    assert "'liver' was trained on CT and not on MR" in run("--class", "liver").stderr


def test_the_result_is_replaced_where_that_is_wanted(run, folder):
    (folder / "out.seg.nrrd").write_text("old")
    assert run("--class", "liver", "--overwrite").exit_code == 0
    assert list_segments(folder / "out.seg.nrrd")


def test_a_time_point_can_be_chosen(run, folder):
    frames = [sitk.GetImageFromArray(random_volume(seed=seed).array) for seed in (0, 1)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(folder / "cine.nrrd"))
    assert run("--class", "liver", "--frame", "1", image="cine.nrrd").exit_code == 0


def test_threads_are_set(run, monkeypatch):
    counts = []
    monkeypatch.setattr("torch.set_num_threads", counts.append)
    run("--class", "liver", "--threads", "1", "--slices", "1")
    assert counts[-1] == 1


# errors


def bad_volume(folder: Path, kind: str) -> None:
    array = random_volume().array.astype(np.float32)
    if kind == "nan":
        array[2, 3, 4] = np.nan
    write_volume(folder / "bad.nrrd", array=array if kind == "nan" else np.full_like(array, 7))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "nothing to go by"),
        (("--class", "livr"), "liver"),
        (("--class", "liver", "--class", "aorta", "--click", "9,9,2,+"), "one object"),
        (("--click", "9,12,6,+"), "outside the volume"),
        (("--click", "9,12,x,+"), "is not a click"),
        (("--click", "9,12,2,*"), "is not a click"),
        (("--class", "liver", "--slices", "4:9"), "0:5"),
        (("--class", "liver", "--slices", "5:4"), "0:5"),
        (("--class", "liver", "--slices", "a"), "0:5"),
        (("--class", "liver", "--plane", "front"), "not a kind of slice"),
        (("--class", "liver", "--window", "5,5"), "not a window"),
        (("--class", "liver", "--window", "a"), "not a window"),
        (("--class", "liver", "--window=-inf,inf"), "not a window"),
        (("--class", "liver", "--window=-1e308,1e308"), "not a window"),
        (("--class", "liver", "--modality", "smell"), "not a modality"),
        (("--class", "liver", "--frame", "3"), "no frame 3"),
        (("--class", "liver", "--device", "abacus"), "abacus"),
        (("--class", "liver", "--model", "absent.safetensors"), "absent.safetensors"),
        (("--reference", "image.nrrd"), "not a reference"),
        (("--reference", "absent.nrrd=image.seg.nrrd:organ"), "absent.nrrd does not exist"),
        (("--reference", "image.nrrd=absent.seg.nrrd:organ"), "absent.seg.nrrd:organ does not exist"),
        (("--reference", "image.nrrd=image.seg.nrrd:organs"), "organ"),
        (("--reference", "image.nrrd=image.seg.nrrd"), "2 segments"),
        (("--reference", "image.nrrd=image.seg.nrrd:nothing"), "empty"),
        (("--reference", "ct.nrrd=image.seg.nrrd:organ"), "is CT, the image is MR"),
    ],
)
def test_a_wrong_request_is_explained_and_writes_nothing(run, folder, arguments, text):
    before = sorted(os.listdir(folder))
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("Error: ")
    assert "\nWhat to do: " in done.stderr
    assert text in done.stderr
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("kind", ["nan", "constant"])
def test_an_image_without_usable_voxels_is_explained(run, folder, kind):
    bad_volume(folder, kind)
    done = run("--class", "liver", image="bad.nrrd")
    assert (done.exit_code, (folder / "out.seg.nrrd").exists()) == (2, False)


def test_a_missing_image_is_explained(run):
    assert "absent.nrrd does not exist" in run("--class", "liver", image="absent.nrrd").stderr


def test_a_truncated_image_is_explained(run, folder):
    image = sitk.GetImageFromArray(random_volume().array)
    sitk.WriteImage(image, str(folder / "whole.nii.gz"))
    data = gzip.decompress((folder / "whole.nii.gz").read_bytes())
    (folder / "cut.nii.gz").write_bytes(gzip.compress(data[: len(data) // 2]))
    done = run("--class", "liver", image="cut.nii.gz")
    assert done.exit_code == 2
    assert "truncated" in done.stderr


def test_an_image_of_five_dimensions_is_explained(run, folder):
    header = "NRRD0004\ntype: uchar\ndimension: 5\nsizes: 2 2 2 2 2\nencoding: raw\n\n"
    (folder / "five.nrrd").write_bytes(header.encode() + bytes(range(32)))
    done = run("--class", "liver", image="five.nrrd")
    assert done.exit_code == 2
    assert "five.nrrd has 5 dimensions" in done.stderr


def write_film(path: Path) -> None:
    frames = [sitk.GetImageFromArray(random_volume(seed=seed).array) for seed in (0, 1)]
    for frame in frames:
        random_volume().geometry.apply_to(frame)
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))


def test_a_film_needs_a_time_point(run, folder):
    write_film(folder / "cine.nrrd")
    assert "2 time points" in run("--class", "liver", image="cine.nrrd").stderr


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("out.png", "endings"),
        ("out", "endings"),
        (".nii.gz", "endings"),
        ("image.nrrd", "already exists"),
        ("image.nrrd/out.nii.gz", "cannot be written to"),
    ],
)
def test_an_output_that_cannot_be_written_is_explained_before_reading(run, folder, output, text, monkeypatch):
    monkeypatch.setattr(command, "read_volume", lambda *_: pytest.fail("it was read"))
    before = (folder / "image.nrrd").read_bytes()
    done = run("--class", "liver", output=output)
    assert done.exit_code == 2, done.output
    assert text in done.stderr
    assert (folder / "image.nrrd").read_bytes() == before


def test_an_existing_colour_table_is_not_replaced(run, folder):
    (folder / "out.ctbl").write_text("mine")
    assert run("--class", "liver", output="out.nii.gz").exit_code == 2
    assert (folder / "out.ctbl").read_text() == "mine"


@pytest.mark.parametrize("name", ["image.nrrd", "image.seg.nrrd"])
def test_an_input_is_never_replaced(run, folder, name):
    before = (folder / name).read_bytes()
    done = run("--reference", "image.nrrd=image.seg.nrrd:organ", "--overwrite", output=name)
    assert done.exit_code == 2
    assert (folder / name).read_bytes() == before


def test_ctrl_c_leaves_no_file_and_ends_with_130(run, folder, monkeypatch):
    original = AnnotationSession.predict_slice

    def interrupted(self, plane, *args, **options):
        if plane.index == 2:
            raise KeyboardInterrupt
        return original(self, plane, *args, **options)

    monkeypatch.setattr(AnnotationSession, "predict_slice", interrupted)
    before = sorted(os.listdir(folder))
    assert run("--class", "liver").exit_code == 130
    assert sorted(os.listdir(folder)) == before


def test_ctrl_c_while_writing_keeps_the_old_result(run, folder, monkeypatch):
    (folder / "out.seg.nrrd").write_text("old")

    def interrupted(path, *_):
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("KPrismCore.labelmaps.write_nrrd", interrupted)
    before = sorted(os.listdir(folder))
    assert run("--class", "liver", "--overwrite").exit_code == 130
    assert (folder / "out.seg.nrrd").read_text() == "old"
    assert sorted(os.listdir(folder)) == before


def test_a_name_too_long_for_the_system_is_explained(run):
    done = run("--class", "liver", output=f"{'long' * 100}.nrrd")
    assert done.exit_code == 2
    assert "too long" in done.output


@pytest.mark.filterwarnings("error")
def test_a_window_of_no_width_to_speak_of_is_no_occasion_for_warnings(run):
    assert run("--class", "liver", "--window", "0,1e-300").exit_code == 0


def test_a_full_memory_is_explained(run, monkeypatch):
    def full(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(command, "read_volume", full)
    assert run("--class", "liver").exit_code == 2


# values


@pytest.mark.parametrize(
    ("text", "name"), [("mri", "MR"), ("ct", "CT"), ("DX", "XR"), ("X-ray", "XR"), ("Endoscopy", "endoscopy")]
)
def test_everyday_names_of_modalities_are_known(text, name):
    assert parse_modality(text) == name


@pytest.mark.parametrize("name", [*GROUPS, "OCTA", "XA"])
def test_every_modality_that_info_names_can_be_told(name):
    assert modality_group(parse_modality(name) or "") == modality_group(name)


def test_paths_of_references_may_hold_equals_signs_and_colons(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a=b.nrrd", "c:d=e.seg.nrrd"):
        (tmp_path / name).touch()
    found = parse_reference("a=b.nrrd=c:d=e.seg.nrrd:left: lower")
    assert (found.volume.name, found.segmentation.name, found.segment) == (
        "a=b.nrrd", "c:d=e.seg.nrrd", "left: lower",
    )  # fmt: skip


def test_a_reference_without_an_equals_sign_is_refused():
    with pytest.raises(PromptError, match="VOLUME=SEGMENTATION"):
        parse_reference("image.nrrd")
