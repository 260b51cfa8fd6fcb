"""The tables of the paper's data sets: they agree with its classes, and find a made-up copy of every set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from data_samples import a_volume, picture_pair, write_picture, write_volume
from made_up_packs import write_pack

from KPrismCore.catalogue import load_catalogue
from KPrismCore.errors import InputFileError, TrainingDataError
from KPrismCore.training.data import TaskSampler, read_classes
from KPrismCore.training.datasets.converted_layout import CLASSES
from KPrismCore.training.datasets.opening import find_sets, open_data, open_entries
from KPrismCore.training.datasets.published_layout import published_sets
from KPrismCore.training.packs import ImageSet

SIZE = 64
# set -> image and mask of one patient, below a folder of any name
VOLUMES = {
    "AMOS_CT": ("imagesTr/amos_0004.nii.gz", "labelsTr/amos_0004.nii.gz"),
    "AMOS_MRI": ("amos22/imagesVa/amos_0541.nii.gz", "amos22/labelsVa/amos_0541.nii.gz"),
    "BTCV": ("RawData/Training/img/img0003.nii.gz", "RawData/Training/label/label0003.nii.gz"),
    "ACDC": (
        "database/training/patient001/patient001_frame01.nii.gz",
        "database/training/patient001/patient001_frame01_gt.nii.gz",
    ),
    "MnM2": ("dataset/017/017_SA_ED.nii.gz", "dataset/017/017_SA_ED_gt.nii.gz"),
    "LASCARQS": ("train_data/train_5/enhanced.nii.gz", "train_data/train_5/atriumSegImgMO.nii.gz"),
    "LITS": ("Training Batch 1/volume-12.nii", "Training Batch 1/segmentation-12.nii"),
    "KITS": ("data/case_00003/imaging.nii.gz", "data/case_00003/segmentation.nii.gz"),
    "BraTS": ("BraTS2021_00005/BraTS2021_00005_flair.nii.gz", "BraTS2021_00005/BraTS2021_00005_seg.nii.gz"),
}
PICTURES = {
    "Chest_Xray_Masks_and_Labels": (
        "Lung Segmentation/CXR_png/CHNCXR_0001_0.png", "Lung Segmentation/masks/CHNCXR_0001_0_mask.png",
    ),
    "ISIC": (
        "ISIC2018_Task1-2_Training_Input/ISIC_0000001.jpg",
        "ISIC2018_Task1_Training_GroundTruth/ISIC_0000001_segmentation.png",
    ),
    "Uwaterloo_skin_cancer": (
        "Skin Image Data Set-1/skin_data/melanoma/dermIS/D1_orig.jpg",
        "Skin Image Data Set-1/skin_data/melanoma/dermIS/D1_contour.png",
    ),
    "Breast_cancer": (
        "Dataset_BUSI_with_GT/benign/benign (1).png", "Dataset_BUSI_with_GT/benign/benign (1)_mask.png",
    ),
    "BUS": ("BUS/original/000007.png", "BUS/GT/000007.png"),
    "KPI": (
        "KPIs24 Training Data/Task1_patch_level/train/56Nx/12_116/img/a_1_img.jpg",
        "KPIs24 Training Data/Task1_patch_level/train/56Nx/12_116/mask/a_1_mask.jpg",
    ),
}  # fmt: skip


def quiet(_text: str) -> None:
    """Where reports of the tests go."""


def opened(folder: Path) -> ImageSet:
    (image_set,) = open_data(folder, SIZE, report=quiet)
    return image_set


def test_every_source_of_the_papers_classes_is_in_a_table():
    known = {(one.name, label.number): label.name for one in published_sets() for label in one.labels}
    for entry in load_catalogue(CLASSES):
        for source in entry.sources:
            name, _, number = source.partition(":")
            assert known[name, int(number)] == entry.name


def test_there_are_the_papers_eighteen_sets():
    assert len({one.name for one in published_sets()}) == 18


@pytest.mark.parametrize("name", VOLUMES)
def test_a_published_set_of_volumes_is_found(tmp_path, name):
    image, mask = VOLUMES[name]
    array, truth = a_volume()
    write_volume(tmp_path / "x" / image, array)
    write_volume(tmp_path / "x" / mask, truth)
    image_set = opened(tmp_path / "x")
    assert image_set.name == name
    assert image_set.samples


@pytest.mark.parametrize(
    "names", [("Breast_cancer", "KITS"), ("ISIC", "Breast_cancer", "BTCV"), ("KPI", "LITS")]
)
def test_published_sets_beside_each_other_are_all_found(tmp_path, names):
    array, truth = a_volume()
    pixels, shape = picture_pair(0)
    for name in names:
        image, mask = {**VOLUMES, **PICTURES}[name]
        top = tmp_path / "data" / ("" if name in PICTURES else name.lower())
        write, picture, marked = (
            (write_picture, pixels, shape) if name in PICTURES else (write_volume, array, truth)
        )
        write(top / image, picture)
        write(top / mask, marked)
    write_pack(tmp_path / "data", "discs", 2)
    found = find_sets(tmp_path / "data")
    assert {*names, "discs"} <= set(found.sets)
    assert found.unknown == ()


def test_a_copy_of_lits_with_all_masks_in_one_folder_is_found(tmp_path):
    array, truth = a_volume()
    for number in (0, 1):
        write_volume(tmp_path / f"volume_pt{number + 1}" / f"volume-{number}.nii", array)
        write_volume(tmp_path / "segmentations" / f"segmentation-{number}.nii", truth)
    assert {sample.subject for sample in opened(tmp_path).samples} == {"0", "1"}


def test_editions_of_a_published_set_in_folders_of_their_own_are_one_set(tmp_path):
    # images of the first edition are in the second too: in two sets they could be on both sides of the split
    image, mask = picture_pair(0)
    for number in range(6):
        name = f"ISIC_{number:07d}"
        old, new = tmp_path / "old", tmp_path / "new"
        if number < 3:
            write_picture(old / f"ISBI2016_ISIC_Part1_Training_Data/{name}.jpg", image)
            write_picture(old / f"ISBI2016_ISIC_Part1_Training_GroundTruth/{name}_Segmentation.png", mask)
        write_picture(new / f"ISIC2018_Task1-2_Training_Input/{name}.jpg", image)
        write_picture(new / f"ISIC2018_Task1_Training_GroundTruth/{name}_segmentation.png", mask)
    image_set = opened(tmp_path)
    assert (image_set.name, len(image_set.samples)) == ("ISIC", 9)
    assert len({sample.subject for sample in image_set.samples}) == 6


def test_time_points_of_one_patient_are_one_patient(tmp_path):
    array, truth = a_volume()
    for patient, point in ((1, 100), (1, 101), (2, 100), (3, 100)):
        name = f"BraTS-GLI-0000{patient}-{point}"
        write_volume(tmp_path / name / f"{name}-t2f.nii.gz", array)
        write_volume(tmp_path / name / f"{name}-seg.nii.gz", truth)
    assert {sample.subject for sample in opened(tmp_path).samples} == {
        "BraTS-GLI-00001", "BraTS-GLI-00002", "BraTS-GLI-00003"
    }  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_a_published_set_of_pictures_is_found(tmp_path, name):
    image, mask = PICTURES[name]
    pixels, truth = picture_pair(0)
    write_picture(tmp_path / "Breast_BUS_B" / image, pixels)
    write_picture(tmp_path / "Breast_BUS_B" / mask, truth)
    image_set = opened(tmp_path / "Breast_BUS_B")
    assert image_set.name == name
    assert image_set.samples[0].labels() == list(image_set.labels)


def test_the_time_points_with_masks_are_taken_of_a_cine(tmp_path):
    array, mask = a_volume()
    frames = [sitk.GetImageFromArray(one) for one in (array, array[::-1], array)]
    masks = [sitk.GetImageFromArray(one) for one in (mask, 0 * mask, mask)]
    for one in (*frames, *masks):
        one.SetSpacing((1.0, 1.0, 8.0))
    folder = tmp_path / "Training" / "Labeled" / "A0S9V9"
    folder.mkdir(parents=True)
    sitk.WriteImage(sitk.JoinSeries(frames), str(folder / "A0S9V9_sa.nii.gz"))
    sitk.WriteImage(sitk.JoinSeries(masks), str(folder / "A0S9V9_sa_gt.nii.gz"))
    image_set = opened(tmp_path)
    assert image_set.name == "MM"
    assert len(image_set.samples) == 8
    # M&Ms has the left ventricle as 1, the paper's table as 3
    assert image_set.labels == {2: "Myocardium", 3: "Left Ventricle", 1: "Right Ventricle"}


def test_folders_that_tell_too_little_need_their_name(tmp_path):
    pixels, truth = picture_pair(0)
    write_picture(tmp_path / "polyps" / "original" / "000001.png", pixels)
    write_picture(tmp_path / "polyps" / "GT" / "000001.png", truth)
    with pytest.raises(TrainingDataError, match="no data of a known layout"):
        find_sets(tmp_path)


def test_colours_of_polyps_are_labels(tmp_path):
    pixels, mask = picture_pair(0)
    colours = np.zeros((*mask.shape, 3), np.uint8)
    colours[mask > 0] = (250, 6, 4)
    colours[:4, :4] = (10, 240, 12)
    name = "0123456789abcdef0123456789abcdef.jpeg"
    write_picture(tmp_path / "train" / "train" / name, pixels)
    write_picture(tmp_path / "train_gt" / "train_gt" / name, colours)
    (entries,) = open_entries(tmp_path, report=quiet).values()
    found = entries.slices(0)[0][1]
    assert entries.labels == {100: "neoplastic polyps", 200: "non-neoplastic polyps"}
    assert ((found == 100) == (mask > 0)).mean() > 0.97


def test_outlines_of_discs_become_masks(tmp_path):
    pixels, _ = picture_pair(0, (60, 80))
    write_picture(tmp_path / "FundusImages" / "RET002OD.jpg", pixels)
    outline = tmp_path / "ExpertsSegmentations" / "Contours" / "RET002OD_disc_exp1.txt"
    outline.parent.mkdir(parents=True)
    outline.write_text("10 20\n30 20\n30 40\n10 40\n")
    (entries,) = open_entries(tmp_path, report=quiet).values()
    rows, columns = np.nonzero(entries.slices(0)[0][1])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 40, 10, 30)
    assert entries.subjects == ("RET002",)


def test_several_masks_of_one_image_are_united(tmp_path):
    image, mask = PICTURES["Breast_cancer"]
    pixels, truth = picture_pair(0)
    second = np.zeros_like(truth)
    second[:6, :6] = 255
    write_picture(tmp_path / image, pixels)
    write_picture(tmp_path / mask, truth)
    write_picture(tmp_path / mask.replace("_mask", "_mask_1"), second)
    (entries,) = open_entries(tmp_path, report=quiet).values()
    assert np.array_equal(entries.slices(0)[0][1] > 0, (truth > 0) | (second > 0))


def test_a_tumour_is_part_of_its_organ(tmp_path):
    image, mask = VOLUMES["LITS"]
    array, truth = a_volume()
    write_volume(tmp_path / image, array)
    write_volume(tmp_path / mask, truth)
    (entries,) = open_entries(tmp_path, report=quiet).values()
    liver = max(int((found == 1).sum()) for _, found in entries.slices(0))
    assert liver == max(int((plane > 0).sum()) for plane in truth)


def test_the_papers_classes_find_their_images(tmp_path):
    image, mask = VOLUMES["BTCV"]
    array, truth = a_volume()
    write_volume(tmp_path / image, array)
    write_volume(tmp_path / mask, truth)
    classes = TaskSampler([opened(tmp_path)], read_classes(CLASSES)).classes
    assert [index for index, _ in classes] == [1, 2]


def test_the_authors_converted_sets_have_the_papers_labels(tmp_path):
    array, truth = a_volume()
    for part, name in (("train", "p1"), ("test", "p2")):
        write_volume(tmp_path / "KITS" / "Data" / part / "image" / f"{name}.nii.gz", array)
        write_volume(tmp_path / "KITS" / "Data" / part / "annotations" / f"{name}_gt.nii.gz", truth)
    image_set = opened(tmp_path / "KITS")
    assert (image_set.labels, image_set.modality) == ({2: "Kidney Tumor"}, "CT abdomen")
    assert {sample.subject for sample in image_set.samples} == {"p1", "p2"}


def test_the_authors_converted_volumes_are_8_bit_already(tmp_path):
    array, truth = a_volume()
    grey = np.clip(array + 60, 0, 255).astype(np.int16)
    write_volume(tmp_path / "KITS" / "Data" / "train" / "image" / "p1.nii.gz", grey)
    write_volume(tmp_path / "KITS" / "Data" / "train" / "annotations" / "p1_gt.nii.gz", truth)
    (entries,) = open_entries(tmp_path / "KITS", report=quiet).values()
    image, mask = entries.slices(0)[0]
    assert set(image[mask == 2]) == {220}


def test_a_table_in_the_folder_describes_a_layout_of_ones_own(tmp_path):
    pixels, truth = picture_pair(0)
    write_picture(tmp_path / "ward" / "anna" / "left.png", pixels)
    write_picture(tmp_path / "ward" / "anna" / "left.truth.png", truth)
    (tmp_path / "kprism-data.toml").write_text(
        "[[sets]]\nname = 'ward'\nmodality = 'endoscopy'\nimage = 'ward/(?P<who>[^/]+)/(?P<id>\\w+)\\.png'\n"
        "masks = 'ward/{who}/{id}.truth.png'\nsubject = '{who}'\nlabels = [{ name = 'ulcer' }]\n"
    )
    image_set = opened(tmp_path)
    assert (image_set.name, image_set.modality, image_set.labels) == ("ward", "endoscopy", {1: "ulcer"})
    assert image_set.samples[0].subject == "anna"


def test_a_table_may_ask_for_several_planes(tmp_path):
    array, truth = a_volume(shape=(40, 40, 48))
    for who in ("anna", "otto"):
        write_volume(tmp_path / who / "mr.nii.gz", array, (1.0, 1.0, 1.0))
        write_volume(tmp_path / who / "truth.nii.gz", truth, (1.0, 1.0, 1.0))
    (tmp_path / "kprism-data.toml").write_text(
        "[[sets]]\nname = 'knees'\nmodality = 'MR'\nplane = 'axial coronal'\n"
        "image = '(?P<who>.+)/mr\\.nii\\.gz'\n"
        "masks = '{who}/truth.nii.gz'\nsubject = '{who}'\nlabels = [{ name = 'bone', values = [1] }]\n"
    )
    (entries,) = open_entries(tmp_path, report=quiet).values()
    shapes = [image.shape for image, _ in entries.slices(0)]
    assert shapes == [(40, 48)] * 4 + [(40, 48)] * 14
    # a reference for a coronal slice is coronal
    assert next(iter(entries.counterparts(0, 6, 1))) == 6


@pytest.mark.parametrize(
    "line", ["image = '('", "masks = '{nobody}.png'", "reader = 'magic'", "window = [5, 1]", "colour = 'red'"]
)
def test_a_malformed_table_is_named(tmp_path, line):
    plain = {
        "name": "'x'", "modality": "'MR'", "image": "'(?P<id>.*)'", "masks": "'{id}.png'",
        "subject": "'{id}'", "labels": "[{ name = 'ulcer' }]",
    }  # fmt: skip
    key, _, value = line.partition(" = ")
    rows = "\n".join(f"{name} = {text}" for name, text in (plain | {key: value}).items())
    (tmp_path / "kprism-data.toml").write_text(f"[[sets]]\n{rows}\n")
    with pytest.raises(InputFileError, match=r"kprism-data\.toml"):
        find_sets(tmp_path)
