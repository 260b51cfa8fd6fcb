"""Packs are read as written, subjects stay on one side, batches depend on the step alone."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from KPrismCore.errors import TrainingDataError
from KPrismCore.training.augment import Augmenter, Style, draw_style, to_tensors
from KPrismCore.training.batches import BatchStream
from KPrismCore.training.changes import Changes
from KPrismCore.training.data import TaskSampler, read_classes
from KPrismCore.training.packs import ImageSet, Sample, letterbox, read_packs, split_by_subject
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.synthetic import draw_task

SIZE = 64


def write_pack(
    folder: Path, images: list[NDArray[np.uint8]], masks: list[NDArray[np.uint8]], kind: str
) -> None:
    def encoded(array: NDArray[np.uint8]) -> bytes:
        if kind == "volumes":
            return array.tobytes()
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, "PNG")
        return stream.getvalue()

    parts = {"data": [encoded(image) for image in images], "mdata": [encoded(mask) for mask in masks]}
    folder.mkdir()
    np.savez_compressed(
        folder / "train.npz", kind=kind, meta=json.dumps({"labels": {"1": "disc"}, "modality": "CT"}),
        **{name: np.frombuffer(b"".join(items), np.uint8) for name, items in parts.items()},
        off=np.cumsum([0, *map(len, parts["data"])]), moff=np.cumsum([0, *map(len, parts["mdata"])]),
        shape=np.array([[*image.shape, 0][:3] for image in images]),
        subject=np.array([f"s{number}" for number in range(len(images))]),
        name=np.array([f"n{number}" for number in range(len(images))]),
        spacing=np.zeros((len(images), 2), np.float32), aug=np.zeros(len(images), bool),
    )  # fmt: skip


def disc(centre: int = 32, radius: int = 12) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return (np.hypot(rows - centre, columns - centre) < radius).astype(np.uint8)


def image_set(
    name: str = "discs", subjects: tuple[str, ...] = ("a", "b", "c", "d"), modality: str = "CT"
) -> ImageSet:
    samples = tuple(
        Sample(
            np.full((SIZE, SIZE), number, np.uint8), disc(24 + number), subject, str(number), augmented=False
        )
        for number, subject in enumerate(subjects)
    )
    return ImageSet(name, modality, {1: "disc"}, samples)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def stream() -> BatchStream:
    settings = TrainingSettings(input_size=SIZE, batch_size=3, mode_probabilities=(0.2, 0.3, 0.3, 0.2))
    return BatchStream(TaskSampler([image_set()], {2: {"discs": ["disc"]}}), settings)


def test_a_slice_pack_is_read_as_written(tmp_path: Path) -> None:
    image = (disc() * 200).astype(np.uint8)
    write_pack(tmp_path / "discs", [image], [disc()], "slices")
    sample = read_packs(tmp_path, SIZE)[0].samples[0]
    np.testing.assert_array_equal(sample.image, image)
    np.testing.assert_array_equal(sample.mask, disc())


def test_a_slice_that_is_not_square_is_centred(tmp_path: Path) -> None:
    write_pack(tmp_path / "discs", [disc()[16:48] * 200], [disc()[16:48]], "slices")
    mask = read_packs(tmp_path, SIZE)[0].samples[0].mask
    np.testing.assert_array_equal(mask, disc())


def test_a_volume_pack_gives_slices_of_all_planes_with_a_mask(tmp_path: Path) -> None:
    mask = np.zeros((20, 24, 16), np.uint8)
    mask[6:14, 8:18, 4:12] = 1
    write_pack(tmp_path / "boxes", [mask * 100], [mask], "volumes")
    samples = read_packs(tmp_path, SIZE)[0].samples
    assert len(samples) == 12
    assert all(sample.labels() == [1] for sample in samples)


def test_axial_slices_of_a_volume_show_anterior_above_and_right_at_the_left(tmp_path: Path) -> None:
    mask = np.ones((16, 16, 16), np.uint8)
    image = np.zeros_like(mask)
    image[12:, 12:, :] = 200  # right anterior
    write_pack(tmp_path / "boxes", [image], [mask], "volumes")
    axial = read_packs(tmp_path, 16)[0].samples[-1].image
    assert axial[0, 0] == 200
    assert axial[-1, -1] == axial[0, -1] == axial[-1, 0] == 0


def test_a_folder_without_packs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no training pack"):
        read_packs(tmp_path, SIZE)


def test_a_truncated_pack_is_refused(tmp_path: Path) -> None:
    write_pack(tmp_path / "discs", [disc()], [disc()], "slices")
    path = tmp_path / "discs" / "train.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(TrainingDataError, match="not a complete"):
        read_packs(tmp_path, SIZE)


def test_no_subject_is_on_both_sides() -> None:
    subjects = tuple(f"s{number % 13}" for number in range(60))
    sides = [
        {sample.subject for sample in part.samples} for part in split_by_subject(image_set(subjects=subjects))
    ]
    assert not sides[0] & sides[1]
    assert (len(sides[0]), len(sides[1])) == (11, 2)


@pytest.mark.parametrize(("subjects", "held"), [(("a",), 0), (("a", "b"), 1), (("a", "b", "c"), 1)])
def test_small_sets_hold_out_one_subject_but_never_all(subjects: tuple[str, ...], held: int) -> None:
    training, validation = split_by_subject(image_set(subjects=subjects))
    assert len(validation.samples) == held
    assert len(training.samples) == len(subjects) - held


def test_warped_copies_stay_out_of_validation_and_with_their_subject() -> None:
    base = image_set()
    copies = tuple(Sample(s.image, s.mask, s.subject, f"{s.name}w", augmented=True) for s in base.samples)
    training, validation = split_by_subject(ImageSet("discs", "CT", base.labels, base.samples + copies))
    held = {sample.subject for sample in validation.samples}
    assert not any(sample.augmented for sample in validation.samples)
    assert not any(sample.subject in held for sample in training.samples)


def test_a_letterboxed_array_keeps_its_shape_ratio() -> None:
    square = letterbox(np.full((10, 40), 9, np.uint8), 20, Image.Resampling.BILINEAR)
    assert np.nonzero(square.any(axis=1))[0].tolist() == list(range(7, 12))


def test_a_batch_depends_on_the_step_alone(stream: BatchStream) -> None:
    first = stream[7]
    stream[8]
    again = stream[7]
    assert first.mode == again.mode
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets, again.targets)


def test_batches_have_the_parts_of_their_mode(stream: BatchStream) -> None:
    batches = {batch.mode: batch for batch in (stream[step] for step in range(24))}
    parts = {
        mode: (batch.class_index is not None, batch.reference_masks is not None)
        for mode, batch in batches.items()
    }
    assert parts == {
        "class": (True, False), "references": (False, True),
        "clicks": (False, False), "combined": (True, True),
    }  # fmt: skip


def test_every_target_has_pixels_and_every_image_is_in_range(stream: BatchStream) -> None:
    for step in range(12):
        batch = stream[step]
        assert batch.targets.flatten(1).sum(1).min() >= 12
        assert 0 <= batch.images.min() <= batch.images.max() <= 1


def test_a_class_made_of_two_labels_is_their_union(rng: np.random.Generator) -> None:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[10:20, 10:20], mask[20:30, 10:20] = 1, 2
    sample = Sample(mask * 50, mask, "a", "a", augmented=False)
    rings = ImageSet("rings", "CT", {1: "rim", 2: "cup"}, (sample,))
    sampler = TaskSampler([rings], {5: {"rings": ["rim", "cup"]}})
    task = sampler.draw(rng, "class", 0, synthetic=False, part=False, size=SIZE)
    assert task.class_index == 5
    np.testing.assert_array_equal(task.query[1], mask > 0)


def test_references_come_mostly_from_other_subjects(rng: np.random.Generator) -> None:
    sampler = TaskSampler([image_set(subjects=("a", "a", "b", "c", "d"))], {})
    source = sampler.sources[0][0]
    pairs = [sampler.draw_references(rng, source, 0, 1)[0] for _ in range(200)]
    own = sum(int(image[0, 0]) == 1 for image, _ in pairs)
    assert not any(int(image[0, 0]) == 0 for image, _ in pairs)
    assert 20 < own < 80


def test_the_class_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_text('index,name,sources\n3,disc,"a:rim, thin;a:cup;b:disc"\n', encoding="utf-8")
    assert read_classes(path) == {3: {"a": ["rim, thin", "cup"], "b": ["disc"]}}


def test_a_class_table_without_sources_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_text("index,name\n1,liver\n", encoding="utf-8")
    with pytest.raises(TrainingDataError, match="class table"):
        read_classes(path)


def test_mirroring_moves_image_and_mask_together() -> None:
    corner = np.zeros((SIZE, SIZE), np.uint8)
    corner[0, 5] = 255
    image, mask = to_tensors(corner, corner > 0, Style(flip_rows=True, flip_columns=True))
    assert image[0, -1, -6] == mask[0, -1, -6] == 1


def test_augmentation_moves_image_and_mask_together(rng: np.random.Generator) -> None:
    overlaps = []
    for _ in range(20):
        image, mask = Augmenter(SIZE)((disc() * 200).astype(np.uint8), disc() > 0, Style(), rng)
        bright = image[0] > 0.5 * image[0].max()
        overlaps.append(float((bright & (mask[0] > 0)).sum() / (bright | (mask[0] > 0)).sum()))
    assert np.median(overlaps) > 0.9


STILL = Changes(
    **dict.fromkeys(("flip", "rotation", "shift", "shear", "distortion", "gamma", "contrast"), 0.0),
    **dict.fromkeys(("brightness", "blur", "noise", "inversion"), 0.0), scale=(0.0, 0.0), affine=1.0,
)  # fmt: skip


def boxes_of_moved_squares(changes: Changes) -> np.ndarray:
    """Centre row, centre column, height and width (20, 20 before) of a square moved 60 times: (60, 4)."""
    mask = np.zeros((64, 64), dtype=bool)
    mask[22:42, 22:42] = True
    augment, found = Augmenter(64, changes), []
    for seed in range(60):
        _, moved = augment(mask * np.uint8(200), mask, Style(), np.random.default_rng(seed))
        places = np.argwhere(moved[0].numpy() > 0)
        found.append([*places.mean(0), *(np.ptp(places, axis=0) + 1)])
    return np.array(found)


def test_a_shift_goes_along_rows_and_columns() -> None:
    boxes = boxes_of_moved_squares(replace(STILL, shift=0.1))
    assert (boxes[:, :2].std(0) > 2).all()
    assert np.abs(boxes[:, :2] - 31.5).max() <= 6.9


def test_a_scale_stays_between_its_least_and_its_greatest() -> None:
    boxes = boxes_of_moved_squares(replace(STILL, scale=(0.0, 0.5)))
    assert boxes[:, 2:].max() <= 20
    assert (boxes[:, 2:].min(0) < 17).all()


def test_a_shear_goes_along_rows_and_columns() -> None:
    boxes = boxes_of_moved_squares(replace(STILL, shear=0.3))
    assert (boxes[:, 2:].max(0) > 22).all()


def test_classes_with_sides_are_not_mirrored(rng: np.random.Generator) -> None:
    assert {draw_style(rng, "CT abdomen", class_mode=True) for _ in range(50)} == {Style()}


def test_classes_without_sides_are_mirrored(rng: np.random.Generator) -> None:
    assert len({draw_style(rng, "endoscopy colour", class_mode=True) for _ in range(50)}) == 4


def test_drawings_of_a_made_up_task_differ(rng: np.random.Generator) -> None:
    task = draw_task(rng, SIZE)
    first, second = (task.draw(rng)[1] for _ in range(2))
    assert (first != second).any()


def test_a_painted_object_changes_the_image_inside_its_mask_only(rng: np.random.Generator) -> None:
    background = np.full((SIZE, SIZE), 120, np.uint8)
    image, mask = draw_task(rng, SIZE).draw(rng, background)
    assert (image[~mask] == 120).all()


@pytest.mark.slow
def test_an_augmentation_is_cheap(rng: np.random.Generator) -> None:
    augment, image = Augmenter(256), np.zeros((256, 256, 3), np.uint8)
    mask = np.pad(np.ones((100, 100), bool), 78)
    augment(image, mask, Style(), rng)
    begin = time.process_time()
    for _ in range(40):
        augment(image, mask, Style(), rng)
    assert (time.process_time() - begin) / 40 < 0.1
