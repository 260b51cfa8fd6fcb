"""`segment` says what is wrong, and then writes nothing and keeps what is there."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KPrismCore.commands import segment as command
from KPrismCore.session import AnnotationSession
from Testing.Core.segment_fixtures import write_film, write_volume
from Testing.Core.tiny import random_volume


def bad_volume(a_place: Path, kind: str) -> None:
    array = random_volume().array.astype(np.float32)
    if kind == "nan":
        array[2, 3, 4] = np.nan
    write_volume(a_place / "bad.nrrd", array=array if kind == "nan" else np.full_like(array, 7))


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
        (("--class", "liver", "--connected-to", "6"), "Choose 0 to 5"),
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
def test_a_wrong_request_is_explained_and_writes_nothing(ask, a_place, arguments, text):
    before = sorted(os.listdir(a_place))
    done = ask(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("Error: ")
    assert "\nWhat to do: " in done.stderr
    assert text in done.stderr
    assert sorted(os.listdir(a_place)) == before


@pytest.mark.parametrize("kind", ["nan", "constant"])
def test_an_image_without_usable_voxels_is_explained(ask, a_place, kind):
    bad_volume(a_place, kind)
    done = ask("--class", "liver", image="bad.nrrd")
    assert (done.exit_code, (a_place / "out.seg.nrrd").exists()) == (2, False)


def test_a_missing_image_is_explained(ask):
    assert "absent.nrrd does not exist" in ask("--class", "liver", image="absent.nrrd").stderr


def test_a_truncated_image_is_explained(ask, a_place):
    image = sitk.GetImageFromArray(random_volume().array)
    sitk.WriteImage(image, str(a_place / "whole.nii.gz"))
    data = gzip.decompress((a_place / "whole.nii.gz").read_bytes())
    (a_place / "cut.nii.gz").write_bytes(gzip.compress(data[: len(data) // 2]))
    done = ask("--class", "liver", image="cut.nii.gz")
    assert done.exit_code == 2
    assert "truncated" in done.stderr


def test_an_image_of_five_dimensions_is_explained(ask, a_place):
    header = "NRRD0004\ntype: uchar\ndimension: 5\nsizes: 2 2 2 2 2\nencoding: raw\n\n"
    (a_place / "five.nrrd").write_bytes(header.encode() + bytes(range(32)))
    done = ask("--class", "liver", image="five.nrrd")
    assert done.exit_code == 2
    assert "five.nrrd has 5 dimensions" in done.stderr


def test_a_film_needs_a_time_point(ask, a_place):
    write_film(a_place / "cine.nrrd")
    assert "2 time points" in ask("--class", "liver", image="cine.nrrd").stderr


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
def test_an_output_that_cannot_be_written_is_explained_before_reading(
    ask, a_place, output, text, monkeypatch
):
    monkeypatch.setattr(command, "read_volume", lambda *_: pytest.fail("it was read"))
    before = (a_place / "image.nrrd").read_bytes()
    done = ask("--class", "liver", output=output)
    assert done.exit_code == 2, done.output
    assert text in done.stderr
    assert (a_place / "image.nrrd").read_bytes() == before


def test_an_existing_colour_table_is_not_replaced(ask, a_place):
    (a_place / "out.ctbl").write_text("mine")
    assert ask("--class", "liver", output="out.nii.gz").exit_code == 2
    assert (a_place / "out.ctbl").read_text() == "mine"


@pytest.mark.parametrize("name", ["image.nrrd", "image.seg.nrrd"])
def test_an_input_is_never_replaced(ask, a_place, name):
    before = (a_place / name).read_bytes()
    done = ask("--reference", "image.nrrd=image.seg.nrrd:organ", "--overwrite", output=name)
    assert done.exit_code == 2
    assert (a_place / name).read_bytes() == before


def test_ctrl_c_leaves_no_file_and_ends_with_130(ask, a_place, monkeypatch):
    original = AnnotationSession.predict_slice

    def interrupted(self, plane, *args, **options):
        if plane.index == 2:
            raise KeyboardInterrupt
        return original(self, plane, *args, **options)

    monkeypatch.setattr(AnnotationSession, "predict_slice", interrupted)
    before = sorted(os.listdir(a_place))
    assert ask("--class", "liver").exit_code == 130
    assert sorted(os.listdir(a_place)) == before


def test_ctrl_c_while_writing_keeps_the_old_result(ask, a_place, monkeypatch):
    (a_place / "out.seg.nrrd").write_text("old")

    def interrupted(path, *_):
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("KPrismCore.labelmaps.write_nrrd", interrupted)
    before = sorted(os.listdir(a_place))
    assert ask("--class", "liver", "--overwrite").exit_code == 130
    assert (a_place / "out.seg.nrrd").read_text() == "old"
    assert sorted(os.listdir(a_place)) == before


def test_a_name_too_long_for_the_system_is_explained(ask):
    done = ask("--class", "liver", output=f"{'long' * 100}.nrrd")
    assert done.exit_code == 2
    assert "too long" in done.output


@pytest.mark.filterwarnings("error")
def test_a_window_of_no_width_to_speak_of_is_no_occasion_for_warnings(ask):
    assert ask("--class", "liver", "--window", "0,1e-300").exit_code == 0


def test_a_full_memory_is_explained(ask, monkeypatch):
    def full(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(command, "read_volume", full)
    assert ask("--class", "liver").exit_code == 2
