"""`segment` writes what was asked for on the image's grid; see test_segment_refusals for what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from KPrismCore.checkpoint import read_checkpoint, save_checkpoint
from KPrismCore.commands import segment as command
from KPrismCore.commands.segment_inputs import parse_modality, parse_reference
from KPrismCore.errors import PromptError
from KPrismCore.labelmaps import Segment, write_segmentation
from KPrismCore.modalities import GROUPS, modality_group
from KPrismCore.recognition import Recognition
from KPrismCore.session import AnnotationSession
from KPrismCore.volumes import list_segments, read_segmentation, read_volume
from Testing.Core.segment_fixtures import write_film
from Testing.Core.tiny import random_volume

# results


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nii.gz", ".nrrd", ".mha"])
def test_a_class_gives_a_segmentation_on_the_images_grid(ask, a_place, ending):
    done = ask("--class", "liver", output=f"out{ending}")
    assert done.exit_code == 0, done.output
    _, geometry, name = read_segmentation(a_place / f"out{ending}")
    assert geometry.same_grid(read_volume(a_place / "image.nrrd").geometry)
    assert name == "liver"


def test_several_classes_give_a_segment_each(ask, a_place):
    assert ask("--class", "liver", "--class", "IVC").exit_code == 0
    assert [one.name for one in list_segments(a_place / "out.seg.nrrd")] == [
        "liver",
        "inferior vena cava",
    ]


def test_a_class_named_twice_gives_one_segment(ask, a_place):
    assert ask("--class", "liver", "--class", "hepar").exit_code == 0
    assert len(list_segments(a_place / "out.seg.nrrd")) == 1


def test_a_class_that_references_are_recognised_as_is_told(ask, a_place, a_tiny_model, tmp_path):
    sure = replace(read_checkpoint(a_tiny_model), recognition=Recognition(least=1e-6))
    save_checkpoint(tmp_path / "sure.safetensors", sure)
    arguments = ("--reference", "image.nrrd=image.seg.nrrd:organ", "--slices", "2:4")
    assert "Known by name" in ask(*arguments, "--model", str(tmp_path / "sure.safetensors")).output
    assert "Known by name" not in ask(*arguments, "--overwrite").output


@pytest.fixture
def two_pieces(monkeypatch):
    """What every class gives in place of the network's answer, and the part of it on slices 1 to 3."""
    mask = np.zeros(random_volume().geometry.shape, dtype=bool)
    mask[1:4, 4:8, 4:8] = mask[5, 20:, 15:] = True

    def found(session, _planes, _clicks):
        for identifier in session.segments:
            session.set_mask(mask, segment=identifier)
        return iter(())

    monkeypatch.setattr(command, "_compute", found)
    part = mask.copy()
    part[5] = False
    return mask, part


def test_only_what_is_connected_with_a_slice_is_kept(ask, a_place, two_pieces):
    assert ask("--class", "liver", "--connected-to", "2").exit_code == 0
    assert np.array_equal(read_segmentation(a_place / "out.seg.nrrd")[0] != 0, two_pieces[1])


def test_a_segment_that_the_slice_does_not_show_keeps_all_its_pieces(ask, a_place, two_pieces):
    done = ask("--class", "liver", "--connected-to", "0")
    assert "'liver' is not on slice 0" in done.stderr
    assert np.array_equal(read_segmentation(a_place / "out.seg.nrrd")[0] != 0, two_pieces[0])


def test_a_reference_gives_a_segment_of_its_name(ask, a_place):
    assert ask("--reference", "image.nrrd=image.seg.nrrd:organ").exit_code == 0
    assert list_segments(a_place / "out.seg.nrrd")[0].name == "organ"


def changed_slices(path: Path) -> list[int]:
    mask, _, _ = read_segmentation(path)
    return np.flatnonzero(mask.any(axis=(1, 2))).tolist()


def test_a_time_point_of_a_reference_can_be_chosen(ask, a_place):
    write_film(a_place / "cine.nrrd")
    done = ask("--reference", "cine.nrrd=image.seg.nrrd:organ", "--reference-frame", "1")
    assert done.exit_code == 0, done.output


def test_a_reference_of_known_modality_for_an_image_of_unknown_one_is_noted(ask):
    done = ask("--reference", "ct.nrrd=image.seg.nrrd:organ", modality=None)
    assert "ct.nrrd is CT; tell with --modality" in done.stderr


def test_slices_that_clicks_have_no_use_for_are_noted(ask):
    assert "--slices is for a class" in ask("--click", "9,12,2,+", "--slices", "3:4").stderr


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_a_two_dimensional_image_gets_a_labelmap_of_two_dimensions(ask, a_place, ending):
    sitk.WriteImage(sitk.GetImageFromArray(random_volume().array[2]), str(a_place / "flat.nrrd"))
    assert ask("--class", "liver", image="flat.nrrd", output=f"flat-out{ending}").exit_code == 0
    sizes = [sitk.ReadImage(str(a_place / name)).GetSize() for name in ("flat.nrrd", f"flat-out{ending}")]
    assert sizes[0] == sizes[1]


def test_clicks_change_their_own_slices_only(ask, a_place):
    done = ask("--click", "9,12,2,+", "--click", "2,2,2,-", "--click", "9,12,4")
    assert done.exit_code == 0, done.output
    assert set(changed_slices(a_place / "out.seg.nrrd")) <= {2, 4}


def test_only_the_slices_asked_for_are_segmented(ask, a_place):
    assert ask("--class", "liver", "--slices", "1:2").exit_code == 0
    assert set(changed_slices(a_place / "out.seg.nrrd")) <= {1, 2}


def test_clicks_refine_what_the_class_gave(ask, a_place, monkeypatch):
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
    assert ask("--class", "liver", "--click", "9,12,2,+").exit_code == 0
    assert asked[0][0] == "liver"
    assert asked[0][1]


def test_the_plane_can_be_chosen(ask):
    done = ask("--class", "liver", "--plane", "sagittal", "--slices", "3:4")
    assert "of 2 sagittal slices" in done.output


def test_what_was_done_is_said(ask):
    done = ask("--class", "liver")
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
def test_the_volume_of_a_small_object_is_told_in_a_small_unit(ask, monkeypatch, volume, text):
    monkeypatch.setattr(AnnotationSession, "millilitres", lambda *_: volume)
    assert text in ask("--class", "liver", "--slices", "2").stdout


def test_a_picture_has_pixels_and_no_volume(ask, a_place):
    sitk.WriteImage(sitk.GetImageFromArray(random_volume().array[2]), str(a_place / "flat.nrrd"))
    done = ask("--class", "liver", image="flat.nrrd")
    assert re.search(r"^liver: \d+ pixels?$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("frame", [(), ("--frame", "1")])
def test_a_film_has_pixels_and_no_volume(ask, monkeypatch, frame):
    film = replace(random_volume(modality="US"), frames=6)
    film = (
        replace(film, array=film.array[1:2], geometry=random_volume(size=(20, 24, 1)).geometry)
        if frame
        else film
    )
    monkeypatch.setattr(command, "read_volume", lambda *_: film)
    done = ask("--click", "9,12,0,+", *frame, modality="US")
    assert re.search(r"^Segment 1: \d+ pixels?, found on", done.stdout, re.MULTILINE), done.output


def test_one_slice_is_told_in_the_singular(ask):
    done = ask("--class", "liver", "--slices", "2")
    assert "of 1 axial slice\n" in done.stdout
    assert "at the lowest" not in done.stdout


def test_references_to_segments_of_different_names_are_noted(ask, a_place):
    mask, geometry, _ = read_segmentation(a_place / "image.seg.nrrd", "organ")
    write_segmentation(a_place / "other.seg.nrrd", [Segment("tumour", mask)], geometry)
    done = ask("--reference", "image.nrrd=image.seg.nrrd:organ", "--reference", "image.nrrd=other.seg.nrrd")
    assert "examples of one object: organ, tumour" in done.stderr


def test_doubts_are_said_on_standard_error(ask):
    assert "'liver' was trained on CT and not on MR" in ask("--class", "liver").stderr


def test_the_result_is_replaced_where_that_is_wanted(ask, a_place):
    (a_place / "out.seg.nrrd").write_text("old")
    assert ask("--class", "liver", "--overwrite").exit_code == 0
    assert list_segments(a_place / "out.seg.nrrd")


def test_a_time_point_can_be_chosen(ask, a_place):
    frames = [sitk.GetImageFromArray(random_volume(seed=seed).array) for seed in (0, 1)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(a_place / "cine.nrrd"))
    assert ask("--class", "liver", "--frame", "1", image="cine.nrrd").exit_code == 0


def test_threads_are_set(ask, monkeypatch):
    counts = []
    monkeypatch.setattr("torch.set_num_threads", counts.append)
    ask("--class", "liver", "--threads", "1", "--slices", "1")
    assert counts[-1] == 1


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
