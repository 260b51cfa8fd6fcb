"""A run goes on with the data it began with, and with no other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data_samples import a_volume, write_nnunet, write_volume
from disc_runs import CLASSES, SETTINGS, TINY, disc_set
from made_up_packs import write_pack

from KPrismCore.commands.train import train
from KPrismCore.errors import TrainingDataError
from KPrismCore.training.datasets.opening import open_data
from KPrismCore.training.loop import Trainer
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.sameness import DATA, data_facts


def a_run(folder: Path, *sets: ImageSet) -> Trainer:
    return Trainer(SETTINGS, list(sets), CLASSES, folder)


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The folder of a run on the discs."""
    a_run(tmp_path, disc_set()).save()
    return tmp_path


def other_pixels(image_set: ImageSet) -> ImageSet:
    first, *rest = image_set.samples
    return replace(image_set, samples=(replace(first, image=first.image + np.uint8(1)), *rest))


def test_a_run_does_not_go_on_with_other_subjects(begun: Path) -> None:
    with pytest.raises(TrainingDataError, match="began with other data: discs has other subjects"):
        a_run(begun, disc_set(subjects=7)).resume()


def test_a_run_does_not_go_on_with_other_sets(begun: Path) -> None:
    other = replace(disc_set(), name="balls")
    with pytest.raises(TrainingDataError, match="discs is missing; balls is new"):
        a_run(begun, other).resume()


def test_other_pixels_of_the_same_subjects_are_told(begun: Path) -> None:
    assert a_run(begun, other_pixels(disc_set())).resume() == ["images of discs"]


def test_a_state_that_says_nothing_of_its_data_goes_on(begun: Path) -> None:
    state = torch.load(begun / "state.pt", weights_only=True)
    del state[DATA]
    torch.save(state, begun / "state.pt")
    assert a_run(begun, disc_set(subjects=7)).resume() == []


def test_files_at_another_place_are_the_same_data(tmp_path: Path) -> None:
    write_nnunet(tmp_path / "here" / "cases")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    here, there = (data_facts(open_data(tmp_path / name, 32), 32) for name in ("here", "there"))
    assert here == there


def test_a_mask_that_was_mended_is_another_image(tmp_path: Path) -> None:
    cases = write_nnunet(tmp_path / "cases")
    before = data_facts(open_data(cases, 32), 32)["sets"]["cases"]
    mended = np.roll(a_volume(0)[1], 1, axis=2)
    write_volume(cases / "labelsTr" / "case_000.nii.gz", mended)
    after = data_facts(open_data(cases, 32), 32)["sets"]["cases"]
    assert (before["subjects"] == after["subjects"], before["pixels"] == after["pixels"]) == (True, False)


def test_a_refused_run_keeps_its_classes(tmp_path: Path) -> None:
    for name in ("discs", "others"):
        write_pack(tmp_path / name, name)
    (tmp_path / "tiny.toml").write_text(TINY)
    arguments = (tmp_path / "run", tmp_path / "tiny.toml")
    train(tmp_path / "discs", *arguments, device="cpu", minutes=0)
    classes = (tmp_path / "run" / "classes.csv").read_bytes()
    with pytest.raises(TrainingDataError, match="other data"):
        train(tmp_path / "others", *arguments, resume=True, device="cpu")
    assert (tmp_path / "run" / "classes.csv").read_bytes() == classes
