"""Data folders as they are found: doubled, half-copied, in capital letters, with notes beside the images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from data_samples import a_volume, picture_pair, write_nnunet, write_picture, write_slicer_case, write_volume
from PIL import Image

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.opening import find_sets, open_data
from KPrismCore.training.packs import ImageSet


def write_pairs(folder: Path, count: int = 2) -> Path:
    for number in range(count):
        array, mask = a_volume(number)
        write_volume(folder / f"p{number}.nrrd", array)
        write_volume(folder / f"p{number}_seg.nrrd", mask)
    return folder


def opened(folder: Path) -> ImageSet:
    (image_set,) = open_data(folder, 64, report=lambda _text: None)
    return image_set


def notes(folder: Path) -> str:
    return "; ".join(note for one in find_sets(folder).sets.values() for note in one.notes)


def test_the_background_in_a_list_of_labels_is_no_label(tmp_path):
    (write_pairs(tmp_path) / "labels.csv").write_text("value,name\n0,background\n1,liver\n2,tumour\n")
    assert opened(tmp_path).labels == {1: "liver", 2: "tumour"}


def test_a_series_of_masks_on_another_grid_is_refused(tmp_path):
    array, mask = a_volume()
    for name, volume in (("p", array), ("p_seg", mask)):
        image = sitk.JoinSeries([sitk.GetImageFromArray(volume)] * 2)
        if name == "p_seg":
            image.SetDirection(np.diag([-1.0, 1.0, 1.0, 1.0]).ravel().tolist())
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    with pytest.raises(TrainingDataError, match="another voxel grid"):
        open_data(tmp_path, 64)


def test_a_volume_of_colours_is_no_labelmap(tmp_path):
    array, mask = a_volume()
    write_volume(tmp_path / "p.nrrd", array)
    colours = sitk.GetImageFromArray(np.stack([mask] * 3, axis=-1), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "p_seg.nrrd"))
    with pytest.raises(TrainingDataError, match=r"p_seg.nrrd has 3 numbers per voxel"):
        open_data(tmp_path, 64)


@pytest.mark.parametrize("value", [-1, 0.5, np.nan])
def test_a_mask_of_other_numbers_is_named(tmp_path, value):
    array, mask = a_volume()
    wrong = mask.astype(np.float32)
    wrong[0, 0, 0] = value
    write_volume(tmp_path / "anna.nrrd", array)
    write_volume(tmp_path / "anna_seg.nrrd", wrong)
    with pytest.raises(TrainingDataError, match=r"anna.nrrd with anna_seg.nrrd: A mask has"):
        open_data(tmp_path, 64)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_ct_with_values_that_are_no_numbers_is_named_as_prediction_does(tmp_path, value):
    write_nnunet(tmp_path, 1)
    array, mask = a_volume()
    wrong = array.astype(np.float32)
    wrong[3, 0, 0] = value
    for path in tmp_path.rglob("*.nii.gz"):
        path.unlink()
    write_volume(tmp_path / "imagesTr" / "case_000_0000.nrrd", wrong)
    write_volume(tmp_path / "labelsTr" / "case_000.nrrd", mask)
    with pytest.raises(TrainingDataError, match=r"case_000_0000.nrrd .*NaN or infinite"):
        open_data(tmp_path, 64)


def test_nnunet_in_capital_letters_is_read(tmp_path):
    for path in list(write_nnunet(tmp_path).rglob("*.nii.gz")):
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    assert len(opened(tmp_path).samples) == 12


def test_a_label_of_nnunet_may_be_called_by_a_number(tmp_path):
    write_nnunet(tmp_path, labels={"background": 0, "2": 1, "1": 2})
    assert opened(tmp_path).labels == {1: "2", 2: "1"}


def test_what_an_nnunet_folder_lacks_is_told(tmp_path):
    described = json.loads((write_nnunet(tmp_path) / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({**described, "channel_names": {"0": "T1", "1": "T2"}}))
    for name in ("case_000_0001", "case_009_0000"):
        write_volume(tmp_path / "imagesTr" / f"{name}.nii.gz", a_volume()[0])
    assert "2 cases lack a channel, such as case_001" in notes(tmp_path)
    assert "1 images without a mask, such as case_009_0000.nii.gz" in notes(tmp_path)


def test_nnunet_may_list_the_files_of_its_cases(tmp_path):
    described = json.loads((write_nnunet(tmp_path / "old", 2) / "dataset.json").read_text())
    array, mask = a_volume()
    write_volume(tmp_path / "new" / "scans" / "a.nii.gz", array)
    write_volume(tmp_path / "new" / "drawn" / "b.nii.gz", mask)
    described["dataset"] = {"anna": {"images": ["scans/a.nii.gz"], "label": "drawn/b.nii.gz"}}
    (tmp_path / "new" / "dataset.json").write_text(json.dumps(described))
    image_set = opened(tmp_path / "new")
    assert ({sample.subject for sample in image_set.samples}, len(image_set.samples)) == ({"anna"}, 4)


def test_a_case_that_nnunet_lists_without_images_is_named(tmp_path):
    described = json.loads((write_nnunet(tmp_path, 1) / "dataset.json").read_text())
    described["dataset"] = {"anna": {"label": "b.nii.gz"}}
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    with pytest.raises(TrainingDataError, match="images and label of anna"):
        find_sets(tmp_path)


def test_an_image_that_is_there_twice_is_named(tmp_path):
    write_volume(write_pairs(tmp_path) / "p0.nii.gz", a_volume(7)[0])
    with pytest.raises(TrainingDataError, match=r"more than once: p0.nii.gz, p0_seg.nrrd, p0.nrrd"):
        open_data(tmp_path, 64)


def test_a_picture_beside_a_volume_is_not_its_twin(tmp_path):
    write_picture(write_pairs(tmp_path) / "p0.png", picture_pair(0)[0])
    assert len(opened(tmp_path).samples) == 8


def test_an_image_of_3d_slicer_that_is_there_twice_is_named(tmp_path):
    write_volume(write_slicer_case(tmp_path, "a", 0) / "a.nii.gz", a_volume(7)[0])
    with pytest.raises(
        TrainingDataError, match=r"a.nii.gz and a.nrrd .* may both be the image of a.seg.nrrd"
    ):
        open_data(tmp_path, 64)


@pytest.mark.parametrize("layout", ["3D Slicer", "pairs"])
def test_notes_beside_the_patients_do_not_part_them(tmp_path, layout):
    for number, name in enumerate(("anna", "otto")):
        if layout == "pairs":
            for kind, array in zip(("image", "label"), a_volume(number), strict=True):
                write_volume(tmp_path / name / f"{kind}.nii.gz", array)
        else:
            write_slicer_case(tmp_path / name, name, number)
    (tmp_path / "about").mkdir()
    (tmp_path / "about" / "notes.txt").write_text("read me")
    assert {sample.subject for sample in opened(tmp_path).samples} == {"anna", "otto"}


def test_pages_of_a_tiff_are_slices_of_its_mask_too(tmp_path):
    array, mask = a_volume()
    for name, volume in (("images", array + 200), ("masks", mask)):
        pages = [Image.fromarray(np.clip(page, 0, 255).astype(np.uint8)) for page in volume]
        (tmp_path / name).mkdir()
        pages[0].save(tmp_path / name / "p.tif", save_all=True, append_images=pages[1:])
    assert len(opened(tmp_path).samples) == 4


def test_a_patient_in_two_parts_of_a_split_is_told(tmp_path):
    for seed, part in enumerate(("train", "val")):
        for number in range(3):
            image, mask = picture_pair(10 * seed + number)
            write_picture(tmp_path / part / "images" / f"p{number}.png", image)
            write_picture(tmp_path / part / "masks" / f"p{number}.png", mask)
    said: list[str] = []
    open_data(tmp_path, 64, report=said.append)
    assert any(
        "Patients of the same name are in training (train) and in validation (val)" in one for one in said
    )


def test_a_link_to_nothing_beside_the_images_is_passed_over(tmp_path):
    (write_pairs(tmp_path) / "latest").symlink_to(tmp_path / "gone")
    assert len(opened(tmp_path).samples) == 8
