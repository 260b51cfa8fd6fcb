"""What tests of `segment` begin with: images, segmentations and a model, and the command among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import typer
from typer.testing import CliRunner

from KPrismCore.commands import segment as command
from KPrismCore.labelmaps import Segment, write_segmentation
from Testing.Core.tiny import random_volume, tiny_checkpoint

APP = typer.Typer()
APP.command()(command.segment)


@pytest.fixture(scope="module")
def a_tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def a_place(tmp_path: Path) -> Path:
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
def ask(a_place: Path, a_tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(a_place)

    def invoke(
        *arguments: str,
        image: str = "image.nrrd",
        output: str = "out.seg.nrrd",
        modality: str | None = "MR",
    ) -> Any:
        options = ["--model", str(a_tiny_model), "--device", "cpu"]
        told = modality is not None and "--modality" not in arguments
        kept = [*options, "--modality", modality] if told else options
        return CliRunner().invoke(APP, [image, "-o", output, *kept, *arguments])

    return invoke


def write_film(path: Path) -> None:
    frames = [sitk.GetImageFromArray(random_volume(seed=seed).array) for seed in (0, 1)]
    for frame in frames:
        random_volume().geometry.apply_to(frame)
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))
