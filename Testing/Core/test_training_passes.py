"""When a training task gets its first click."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from disc_runs import CLASSES, SETTINGS, disc_set
from torch import Tensor

from KPrismCore.errors import InputFileError
from KPrismCore.network.prompts import ImageFeatures, Prompts
from KPrismCore.training.configuration import read_settings
from KPrismCore.training.loop import Trainer
from KPrismCore.training.losses import SegmentationLoss
from KPrismCore.training.passes import train_passes

CPU = torch.device("cpu")
MODES = ("class", "references", "clicks", "combined")


def clicks_in_passes(folder: Path, mode: str, share: float, steps: int = 1) -> list[list[int]]:
    """Per step and pass: how many clicks the first image of a batch of one mode has."""
    settings = replace(
        SETTINGS, mode_probabilities=tuple(float(mode == one) for one in MODES), steps=steps,
        pass_probabilities=(0.0, 1.0), silent_probability=0.0, click_first_probability=share,
    )  # fmt: skip
    trainer = Trainer(settings, [disc_set()], CLASSES, folder)
    model, seen = trainer.model, []
    decode = model.decode

    def noting(features: ImageFeatures, prompts: Prompts) -> list[Tensor]:
        seen.append(0 if prompts.clicks is None else int((prompts.clicks.labels[0] >= 0).sum()))
        return decode(features, prompts)

    model.decode = noting
    loss = SegmentationLoss()
    for step in range(steps):
        train_passes(model, trainer.stream[step], loss, settings, CPU)
    return [seen[place : place + 2] for place in range(0, len(seen), 2)]


@pytest.mark.parametrize("mode", ["class", "references"])
def test_a_task_with_knowledge_begins_without_a_click(tmp_path: Path, mode: str) -> None:
    assert clicks_in_passes(tmp_path, mode, 0.0)[0][0] == 0


@pytest.mark.parametrize("mode", ["class", "references"])
def test_a_task_with_knowledge_begins_with_a_click_where_the_recipe_says(tmp_path: Path, mode: str) -> None:
    assert clicks_in_passes(tmp_path, mode, 1.0)[0][0] == 1


def test_a_share_of_the_steps_begins_with_a_click(tmp_path: Path) -> None:
    begun = [passes[0] for passes in clicks_in_passes(tmp_path, "references", 0.5, steps=16)]
    assert {0, 1} == set(begun)
    assert 3 <= sum(begun) <= 13


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_task_of_clicks_begins_with_one_in_any_recipe(tmp_path: Path, share: float) -> None:
    assert clicks_in_passes(tmp_path, "clicks", share)[0][0] == 1


def test_a_later_pass_adds_a_click(tmp_path: Path) -> None:
    assert clicks_in_passes(tmp_path, "references", 1.0)[0] == [1, 2]


def test_a_share_beyond_one_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[training]\nclick_first_probability = 1.5\n", encoding="utf-8")
    with pytest.raises(InputFileError, match="click_first_probability"):
        read_settings(recipe)
