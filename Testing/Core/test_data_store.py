"""Slices kept on disk, damaged files, and what training and validation share."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from data_samples import a_volume, picture_pair, write_nnunet, write_picture, write_volume
from image_samples import cut

from KPrismCore.errors import TrainingDataError
from KPrismCore.evaluation.cases import DataPlace
from KPrismCore.letterbox import Letterbox
from KPrismCore.training.datasets import store
from KPrismCore.training.datasets.content import Label, layers_of_labelmap, layers_of_masks
from KPrismCore.training.datasets.opening import open_data
from KPrismCore.training.datasets.sets import number_labels
from KPrismCore.training.datasets.slicing import Slice, square
from KPrismCore.training.datasets.split import split_warnings
from KPrismCore.training.packs import split_by_subject

SIZE = 64


def quiet(_text: str) -> None:
    """Where reports of the tests go."""


@pytest.fixture
def nnunet(tmp_path: Path) -> Path:
    return write_nnunet(tmp_path / "Dataset007_Liver", 4)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cases that are read from their files."""
    names: list[str] = []
    plain = store.case_slices

    def counted(contents, plane):
        names.append(contents[0].volume.name)
        return plain(contents, plane)

    monkeypatch.setattr(store, "case_slices", counted)
    return names


def test_kept_slices_are_not_made_again(nnunet, tmp_path, reads):
    first = open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)
    again = open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)
    assert len(reads) == 4
    for one, other in zip(first[0].samples, again[0].samples, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_a_changed_file_is_read_again(nnunet, tmp_path, reads):
    open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)
    mask = nnunet / "labelsTr" / "case_001.nii.gz"
    os.utime(mask, (1, 1))
    open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)
    assert len(reads) == 5


def test_another_size_is_kept_apart(nnunet, tmp_path):
    open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)
    larger = open_data(nnunet, 80, cache=tmp_path / "kept", report=quiet)
    assert larger[0].samples[0].image.shape == (80, 80)


def test_damaged_kept_slices_are_made_again(nnunet, tmp_path, reads):
    open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)
    cut(next((tmp_path / "kept").glob("*.npz")))
    assert open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)[0].samples
    assert len(reads) == 5


def test_kept_slices_are_compressed(nnunet, tmp_path):
    open_data(nnunet, 256, cache=tmp_path / "kept", report=quiet)
    files = list((tmp_path / "kept").glob("*.npz"))
    assert sum(file.stat().st_size for file in files) < 4 * 4 * 2 * 256 * 256 / 2


def test_a_sample_goes_to_another_process_without_its_pixels(nnunet):
    sample = open_data(nnunet, 256, report=quiet)[0].samples[0]
    content = pickle.dumps(sample)
    assert len(content) < 4000
    np.testing.assert_array_equal(pickle.loads(content).mask, sample.mask)


def test_labels_are_known_without_reading_pixels(nnunet, tmp_path):
    samples = open_data(nnunet, SIZE, cache=tmp_path / "kept", report=quiet)[0].samples
    shown = [sorted(set(np.unique(sample.mask).tolist()) - {0}) for sample in samples]
    shutil.rmtree(tmp_path / "kept")
    assert [sample.labels() for sample in samples] == shown


def test_all_damaged_files_are_named(nnunet):
    cut(nnunet / "imagesTr" / "case_001_0000.nii.gz")
    cut(nnunet / "labelsTr" / "case_002.nii.gz")
    with pytest.raises(TrainingDataError, match=r"2 damaged: .*case_001_0000.*case_002"):
        open_data(nnunet, SIZE, report=quiet)


def test_damaged_files_are_skipped_and_named_if_asked(nnunet):
    said: list[str] = []
    cut(nnunet / "imagesTr" / "case_001_0000.nii.gz")
    (image_set,) = open_data(nnunet, SIZE, skip_damaged=True, report=said.append)
    assert len({sample.subject for sample in image_set.samples}) == 3
    assert any("case_001_0000" in text for text in said)


def test_a_mask_on_another_grid_is_damaged(nnunet):
    write_volume(nnunet / "labelsTr" / "case_000.nii.gz", a_volume(0)[1], (2.0, 1.0, 4.0))
    with pytest.raises(TrainingDataError, match=r"case_000\.nii\.gz lies on another voxel grid"):
        open_data(nnunet, SIZE, report=quiet)


def test_images_without_a_mask_are_counted(nnunet):
    said: list[str] = []
    write_volume(nnunet / "labelsTr" / "case_000.nii.gz", 0 * a_volume(0)[1])
    open_data(nnunet, SIZE, report=said.append)
    assert said == ["Dataset007_Liver: 1 of 4 images have no mask of 16 pixels or more."]


def test_a_patient_is_never_on_both_sides(tmp_path):
    for patient in range(6):
        for number in range(3):
            image, mask = picture_pair(10 * patient + number)
            write_picture(tmp_path / "images" / f"p{patient}_slice{number}.png", image)
            write_picture(tmp_path / "masks" / f"p{patient}_slice{number}.png", mask)
    training, validation = split_by_subject(open_data(tmp_path, SIZE, report=quiet)[0])
    sides = [{sample.subject for sample in part.samples} for part in (training, validation)]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_the_same_image_on_both_sides_is_named(tmp_path):
    image, mask = picture_pair(0)
    for number in range(6):
        write_picture(tmp_path / "images" / f"p{number}.png", image)
        write_picture(tmp_path / "masks" / f"p{number}.png", mask)
    (warning,) = split_warnings(open_data(tmp_path, SIZE, report=quiet))
    assert "same image is in training and in validation" in warning


def test_different_images_raise_no_warning(nnunet):
    assert split_warnings(open_data(nnunet, SIZE, report=quiet)) == []


def test_evaluation_measures_the_patients_that_training_leaves_out(nnunet):
    held = {
        sample.subject for sample in split_by_subject(open_data(nnunet, SIZE, report=quiet)[0])[1].samples
    }
    (measured,) = DataPlace(nnunet).sets().values()
    assert {case.subject for case in measured.cases()} == held


def test_a_reference_of_a_volume_lies_alike_in_another_patient(nnunet):
    (measured,) = DataPlace(nnunet).sets(everyone=True).values()
    case = next(case for case in measured.cases() if case.label_name == "liver tumour")
    references = measured.references(case, 9)
    assert len(references) == 3
    assert all(mask.sum() == 48 for _, mask in references)


def test_prediction_makes_the_pixels_square_that_training_did(tmp_path):
    array, mask = a_volume()
    for number in range(2):
        write_volume(tmp_path / f"p{number}.nii.gz", array, (1.0, 2.0, 6.0))
        write_volume(tmp_path / f"p{number}_seg.nii.gz", mask, (1.0, 2.0, 6.0))
    (measured,) = DataPlace(tmp_path).sets(everyone=True).values()
    assert {measured.aspect(case) for case in measured.cases()} == {(2.0, 1.0)}


def test_specks_on_large_images_are_no_cases(tmp_path):
    image, mask = np.zeros((2048, 1024), np.uint8), np.zeros((2048, 1024), np.uint8)
    mask[:8, :8], mask[100:200, 100:200] = 3, 4
    write_picture(tmp_path / "images" / "a.png", image)
    write_picture(tmp_path / "masks" / "a.png", mask)
    (measured,) = DataPlace(tmp_path).sets(everyone=True).values()
    assert [case.label for case in measured.cases()] == [4]


def test_squares_have_square_pixels():
    one = Slice(np.full((20, 40), 200, np.uint8), np.ones((20, 40), np.uint8), (2.0, 1.0), 0.5)
    fitted = square(one, 40)
    assert fitted.mask.all()
    assert Letterbox(20, 40, 40, (2.0, 1.0)).new_height == 40


def test_labels_that_want_a_number_get_it_if_it_is_free():
    labels = [Label("b", (1,), 1), Label("a", (1,), 1), Label("z", (), 0)]
    assert number_labels(labels) == {1: "a", 2: "b", 3: "z"}


def test_large_label_numbers_are_kept_apart():
    (layer,) = layers_of_labelmap(np.array([[[0, 1000, 2000]]]), ())
    assert layer.array.ravel().tolist() == [0, 1, 2]


def test_fractions_are_no_labels():
    with pytest.raises(TrainingDataError, match="fractions"):
        layers_of_labelmap(np.array([[[0.0, 0.5]]]), ())


def test_overlapping_masks_come_on_layers_of_their_own():
    one, other = np.zeros((1, 2, 2), bool), np.zeros((1, 2, 2), bool)
    one[0, 0], other[0, :, 0] = True, True
    layers = layers_of_masks([(Label("one"), one), (Label("other"), other)])
    assert [int((layer.array > 0).sum()) for layer in layers] == [2, 2]
