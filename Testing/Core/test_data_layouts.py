"""Data folders of every layout: what is recognised, and that images, labels and patients come out right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from data_samples import (
    SHAPE,
    a_volume,
    picture_pair,
    write_nnunet,
    write_picture,
    write_slicer_case,
    write_volume,
)
from made_up_packs import write_pack
from PIL import Image

from KPrismCore.errors import TrainingDataError
from KPrismCore.terminology import Code, Terminology
from KPrismCore.training.class_tables import found_classes
from KPrismCore.training.datasets.entries import Entries
from KPrismCore.training.datasets.naming import subject_of
from KPrismCore.training.datasets.opening import find_sets, open_data, open_entries
from KPrismCore.training.packs import ImageSet

SIZE = 64


def quiet(_text: str) -> None:
    """Where reports of the tests go."""


def opened(folder: Path) -> ImageSet:
    (image_set,) = open_data(folder, SIZE, report=quiet)
    return image_set


def at_own_size(folder: Path) -> Entries:
    (entries,) = open_entries(folder, report=quiet).values()
    return entries


def subjects(image_set: ImageSet) -> set[str]:
    return {sample.subject for sample in image_set.samples}


@pytest.fixture
def nnunet(tmp_path: Path) -> Path:
    return write_nnunet(tmp_path / "Dataset007_Liver")


def test_nnunet_names_labels_and_modality(nnunet):
    image_set = opened(nnunet)
    assert (image_set.name, image_set.modality) == ("Dataset007_Liver", "CT")
    assert image_set.labels == {1: "liver", 2: "liver tumour"}
    assert subjects(image_set) == {"case_000", "case_001", "case_002"}


def test_a_region_of_nnunet_is_the_union_of_its_labels(tmp_path):
    labels = {"background": 0, "whole": [1, 2], "core": [2]}
    entries = at_own_size(write_nnunet(tmp_path / "d", 1, labels))
    numbers = {name: number for number, name in entries.labels.items()}
    truth = a_volume(0)[1]
    sizes = {
        name: max(int((mask == number).sum()) for _, mask in entries.slices(0))
        for name, number in numbers.items()
    }
    assert sizes == {"whole": int((truth[3] > 0).sum()), "core": int((truth[3] == 2).sum())}


def test_every_channel_of_nnunet_is_an_image_of_the_same_patient(tmp_path):
    folder = write_nnunet(tmp_path / "d", 1)
    described = json.loads((folder / "dataset.json").read_text())
    described["channel_names"] = {"0": "T1", "1": "FLAIR"}
    (folder / "dataset.json").write_text(json.dumps(described))
    write_volume(folder / "imagesTr" / "case_000_0001.nii.gz", a_volume(0)[0][::-1])
    image_set = opened(folder)
    assert len(image_set.samples) == 8
    assert subjects(image_set) == {"case_000"}


def test_the_eleventh_channel_of_nnunet_has_its_own_name(tmp_path):
    folder = write_nnunet(tmp_path / "d", 1)
    described = json.loads((folder / "dataset.json").read_text())
    described["channel_names"] = {str(number): f"echo {number}" for number in range(11)}
    (folder / "dataset.json").write_text(json.dumps(described))
    write_volume(folder / "imagesTr" / "case_000_0010.nii.gz", a_volume(0)[0])
    (found,) = find_sets(folder).sets.values()
    assert [case.modality for case in found._files.cases] == ["echo 0", "echo 10"]


def test_names_of_colours_in_nnunet_are_no_modality(tmp_path):
    folder = write_nnunet(tmp_path / "d", 1)
    described = json.loads((folder / "dataset.json").read_text())
    described["channel_names"] = {"0": "R", "1": "G", "2": "B"}
    (folder / "dataset.json").write_text(json.dumps(described))
    assert opened(folder).modality == "CT"  # what its values look like


def test_the_label_that_nnunet_ignores_is_told(tmp_path):
    folder = write_nnunet(tmp_path / "d", 1, {"background": 0, "liver": 1, "ignore": 2})
    (found,) = find_sets(folder).sets.values()
    assert found.notes == ("what is marked 'ignore' counts as background",)


def test_the_decathlon_keeps_channels_in_the_fourth_dimension(tmp_path):
    folder = write_nnunet(tmp_path / "Task01", 1)
    array, _ = a_volume(0)
    described = {"modality": {"0": "FLAIR", "1": "T1w"}, "labels": {"0": "background", "1": "edema"}}
    (folder / "dataset.json").write_text(json.dumps(described))
    (folder / "imagesTr" / "case_000_0000.nii.gz").unlink()
    channels = [sitk.GetImageFromArray(one) for one in (array, array)]
    for channel in channels:
        channel.SetSpacing((1.0, 1.0, 4.0))
    sitk.WriteImage(sitk.JoinSeries(channels), str(folder / "imagesTr" / "case_000.nii.gz"))
    assert len(opened(folder).samples) == 8


def test_masks_of_nnunet_without_an_image_are_counted(nnunet):
    (nnunet / "imagesTr" / "case_001_0000.nii.gz").unlink()
    assert find_sets(nnunet).sets["Dataset007_Liver"].notes == ("1 masks have no image",)


def test_the_mask_of_a_slice_lies_on_its_image(nnunet):
    entries = at_own_size(nnunet)
    image, mask = entries.slices(0)[1]
    assert image[mask == 1].min() > image[mask == 0].max()
    assert image.shape == SHAPE[1:]


def test_ct_values_are_taken_in_the_window_that_prediction_takes(nnunet):
    image, mask = at_own_size(nnunet).slices(0)[1]
    # 80 HU in the abdominal window of -160 to 240 HU
    assert set(image[mask == 1]) == {round(255 * 240 / 400)}


def test_volumes_are_cut_across_their_thick_side(nnunet):
    assert all(len(at_own_size(nnunet).slices(entry)) == 4 for entry in range(3))


def test_spacing_is_known_at_the_own_size(nnunet):
    assert at_own_size(nnunet).spacing(0, 0) == (1.0, 1.0)


def test_two_folders_of_pictures_are_a_set(tmp_path):
    for number in range(3):
        image, mask = picture_pair(number)
        write_picture(tmp_path / "polyps" / "images" / f"p{number}.png", image)
        write_picture(tmp_path / "polyps" / "masks" / f"p{number}_mask.png", mask)
    (tmp_path / "polyps" / "labels.csv").write_text("value,name\n255,polyp\n")
    image_set = opened(tmp_path / "polyps")
    assert image_set.labels == {255: "polyp"}
    assert subjects(image_set) == {"p0", "p1", "p2"}
    assert image_set.samples[0].image.shape == (SIZE, SIZE, 3)


def test_folders_below_the_images_are_patients(tmp_path):
    for patient in ("a", "b"):
        for number in range(2):
            image, mask = picture_pair(number)
            write_picture(tmp_path / "images" / patient / f"{number}.png", image)
            write_picture(tmp_path / "labels" / patient / f"{number}.png", mask)
    assert subjects(opened(tmp_path)) == {"a", "b"}


def test_slice_numbers_in_names_do_not_make_patients(tmp_path):
    for number in range(3):
        image, mask = picture_pair(number)
        write_picture(tmp_path / "images" / f"anna_slice{number}.png", image)
        write_picture(tmp_path / "masks" / f"anna_slice{number}.png", mask)
    assert subjects(opened(tmp_path)) == {"anna"}


def test_masks_in_jpeg_are_taken_at_half(tmp_path):
    image, mask = picture_pair(0)
    write_picture(tmp_path / "images" / "a.png", image)
    write_picture(tmp_path / "masks" / "a.jpg", mask)
    (tmp_path / "labels.csv").write_text("value,name\n1,polyp\n")
    entries = at_own_size(tmp_path)
    agreement = (entries.slices(0)[0][1] > 0) == (mask > 0)
    assert agreement.mean() > 0.99
    assert entries.labels == {1: "polyp"}


def test_grey_edges_of_a_mask_are_no_labels(tmp_path):
    image, mask = picture_pair(0)
    soft = Image.fromarray(mask).resize((300, 200), Image.Resampling.BILINEAR)
    write_picture(tmp_path / "images" / "a.png", np.asarray(Image.fromarray(image).resize((300, 200))))
    write_picture(tmp_path / "masks" / "a.png", np.asarray(soft))
    assert len(set(np.asarray(soft).ravel())) > 10
    assert opened(tmp_path).labels == {255: "label 255"}


def test_the_opacity_of_a_grey_mask_is_no_colour(tmp_path):
    image, mask = picture_pair(0)
    write_picture(tmp_path / "images" / "a.png", image)
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).convert("LA").save(tmp_path / "masks" / "a.png")
    assert len(opened(tmp_path).samples) == 1


def test_a_picture_of_few_greys_is_a_labelmap(tmp_path):
    image, mask = picture_pair(0)
    mask[:6, :6] = 100
    write_picture(tmp_path / "images" / "a.png", image)
    write_picture(tmp_path / "masks" / "a.png", mask)
    assert opened(tmp_path).labels == {100: "label 100", 255: "label 255"}


@pytest.mark.parametrize(
    ("image", "ending"), [("x", "_seg"), ("x", "-label"), ("x", "_mask"), ("x_image", "_label")]
)
def test_names_join_an_image_and_its_mask(tmp_path, image, ending):
    array, mask = a_volume()
    write_volume(tmp_path / f"{image}.nii.gz", array)
    write_volume(tmp_path / f"x{ending}.nii.gz", mask)
    image_set = opened(tmp_path)
    assert subjects(image_set) == {"x"}
    assert image_set.labels == {1: "label 1", 2: "label 2"}


def test_each_patient_may_have_a_folder_with_image_and_label(tmp_path):
    for number in range(3):
        array, mask = a_volume(number)
        write_volume(tmp_path / f"p{number}" / "image.nii.gz", array)
        write_volume(tmp_path / f"p{number}" / "label.nii.gz", mask)
    image_set = opened(tmp_path)
    assert subjects(image_set) == {"p0", "p1", "p2"}


def test_a_mask_file_per_label_is_named_by_the_file(tmp_path):
    for number in range(2):
        array, mask = a_volume(number)
        write_volume(tmp_path / f"s{number}" / "ct.nii.gz", array)
        for label, name in ((1, "left_kidney"), (2, "stone")):
            write_volume(
                tmp_path / f"s{number}" / "segmentations" / f"{name}.nii.gz",
                (mask == label).astype(mask.dtype),
            )
    image_set = opened(tmp_path)
    assert (image_set.modality, image_set.labels) == ("CT", {1: "left kidney", 2: "stone"})
    assert subjects(image_set) == {"s0", "s1"}


def test_a_colour_table_names_the_labels_of_a_volume(tmp_path):
    array, mask = a_volume()
    write_volume(tmp_path / "x.nii.gz", array)
    write_volume(tmp_path / "x_seg.nii.gz", mask)
    (tmp_path / "x_seg.ctbl").write_text("0 Background 0 0 0 0\n1 left_kidney 1 2 3 255\n2 stone 9 9 9 255\n")
    assert opened(tmp_path).labels == {1: "left kidney", 2: "stone"}


def test_segments_of_3d_slicer_are_labels(tmp_path):
    write_slicer_case(tmp_path, "case1", 1)
    write_slicer_case(tmp_path, "case2", 2, names=("Liver",))
    image_set = opened(tmp_path)
    assert sorted(image_set.labels.values()) == ["Liver", "Tumour"]
    assert subjects(image_set) == {"case1", "case2"}


def test_each_case_of_3d_slicer_may_have_a_folder(tmp_path):
    for number in range(2):
        write_slicer_case(tmp_path / "cases" / f"patient{number}", "scan", number)
    image_set = opened(tmp_path / "cases")
    assert (image_set.name, subjects(image_set)) == ("cases", {"patient0", "patient1"})


def test_segments_that_overlap_are_all_whole(tmp_path):
    write_slicer_case(tmp_path, "case1", 1, names=("Liver", "Tumour", "Lobe"))
    entries = at_own_size(tmp_path)
    numbers = {name: number for number, name in entries.labels.items()}
    shown = {
        name: sum(int((mask == number).sum()) for _, mask in entries.slices(0))
        for name, number in numbers.items()
    }
    truth = a_volume(1)[1]
    assert shown["Liver"] == int((truth == 1).sum())
    assert shown["Lobe"] > 0


def test_the_codes_of_segments_become_those_of_classes(tmp_path):
    codes = Terminology(Code("123037004", "Anatomical Structure"), Code("10200004", "Liver"))
    write_slicer_case(tmp_path, "case1", 1, names=("Hepar A",), terminologies={"Hepar A": codes})
    write_slicer_case(tmp_path, "case2", 2, names=("my liver",), terminologies={"my liver": codes})
    (entry,) = found_classes(open_data(tmp_path, SIZE, report=quiet))
    assert entry.terminology == codes
    assert set(entry.names) == {"Hepar A", "my liver"}


def test_a_segmentation_without_an_image_is_named(tmp_path):
    write_slicer_case(tmp_path, "case1", 1)
    (tmp_path / "case1.nrrd").unlink()
    with pytest.raises(TrainingDataError, match=r"case1\.seg\.nrrd"):
        open_data(tmp_path, SIZE, report=quiet)


def write_one_without_its_image(folder: Path) -> None:
    for number in (1, 2, 10):
        write_slicer_case(folder, f"case{number}", number)
    (folder / "case10.nrrd").unlink()


def test_a_segmentation_does_not_get_the_image_of_another_number(tmp_path):
    write_one_without_its_image(tmp_path)
    with pytest.raises(TrainingDataError, match=r"known to belong to case10\.seg\.nrrd"):
        open_data(tmp_path, SIZE, report=quiet)


def test_a_segmentation_without_an_image_can_be_skipped(tmp_path):
    write_one_without_its_image(tmp_path)
    said: list[str] = []
    (image_set,) = open_data(tmp_path, SIZE, skip_damaged=True, report=said.append)
    assert subjects(image_set) == {"case1", "case2"}
    assert any("Skipped" in line and "case10.seg.nrrd" in line for line in said)


@pytest.mark.parametrize(
    ("stem", "subject"),
    [
        ("patient1", "patient1"), ("patient_01", "patient_01"), ("subject01", "subject01"),
        ("test3", "test3"), ("left_0001", "left_0001"), ("ct_001", "ct_001"), ("slice12", "slice12"),
        ("anna_slice_12", "anna"), ("anna_z3", "anna"), ("case01t2", "case01"), ("case01_frame07", "case01"),
        ("kid_slice2_patch3", "kid"), ("x-tile4-slice5", "x"), ("anna_visit2", "anna"), ("12_left", "12"),
        ("Image_01L", "Image_01"), ("RET002OD", "RET002"), ("p3_ED", "p3"), ("sub-01_ses-02_T1w", "sub-01"),
        ("model", "model"), ("slice3_left", "slice3"),
    ],
)  # fmt: skip
def test_only_whole_words_tell_a_place_within_a_patient(stem, subject):
    assert subject_of(stem) == subject


def test_patients_of_whom_none_is_left_for_validation_are_told(tmp_path):
    for number in range(4):
        write_slicer_case(tmp_path, f"anna_slice_{number}", number)
    said: list[str] = []
    open_data(tmp_path, SIZE, report=said.append)
    assert any("Nothing is kept for validation" in line and "'anna'" in line for line in said)


def test_enough_patients_are_no_occasion_to_speak_of_validation(tmp_path):
    for number in range(4):
        write_slicer_case(tmp_path, f"patient{number}", number)
    said: list[str] = []
    open_data(tmp_path, SIZE, report=said.append)
    assert not any("validation" in line for line in said)


def test_images_without_a_mask_are_counted(tmp_path):
    image, mask = picture_pair(0)
    for name in ("a", "b"):
        write_picture(tmp_path / "images" / f"{name}.png", image)
    write_picture(tmp_path / "masks" / "a.png", mask)
    (one,) = find_sets(tmp_path).sets.values()
    assert any("1 images without a mask" in note and "images/b.png" in note for note in one.notes)


def test_one_folder_may_hold_several_layouts(tmp_path):
    write_pack(tmp_path, "discs")
    write_nnunet(tmp_path / "Dataset001", 1)
    write_slicer_case(tmp_path / "mine", "case1", 1)
    found = find_sets(tmp_path).sets
    assert [one.layout for one in found.values()] == [
        "nnU-Net or Decathlon",
        "training pack",
        "3D Slicer cases",
    ]


def test_linked_folders_are_followed_once(tmp_path, nnunet):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to(nnunet)
    (nnunet / "imagesTr" / "circle").symlink_to(nnunet)
    assert subjects(opened(tmp_path / "data")) == {"case_000", "case_001", "case_002"}


def test_packs_are_read_as_they_always_were(tmp_path):
    write_pack(tmp_path, "discs")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("nothing")
    assert len(opened(tmp_path).samples) == 12
    assert find_sets(tmp_path).unknown == ("notes",)


def test_sets_of_equal_names_are_told_apart(tmp_path):
    for place in ("a", "b"):
        write_pack(tmp_path / place, "discs", 2)
    assert [one.name for one in open_data(tmp_path, SIZE, report=quiet)] == ["discs", "discs 2"]
    assert [one.name for one in open_entries(tmp_path, report=quiet).values()] == ["discs", "discs 2"]


def test_a_folder_of_no_known_layout_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(TrainingDataError, match="no data of a known layout"):
        find_sets(tmp_path)
