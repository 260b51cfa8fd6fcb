"""The command `data`, and training on one's own cases: from segmented volumes to a model that knows them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_samples import a_volume, write_nnunet, write_slicer_case
from image_samples import cut
from made_up_packs import write_pack
from PIL import Image
from test_export import NETWORK

from KPrismCore.catalogue import load_catalogue
from KPrismCore.commands.data import data
from KPrismCore.commands.evaluate import evaluate
from KPrismCore.commands.export import export
from KPrismCore.commands.train import train
from KPrismCore.errors import TrainingDataError
from KPrismCore.model import load_model
from KPrismCore.predictor import Predictor
from KPrismCore.training.class_tables import (
    found_classes,
    run_catalogue,
    run_classes,
    terminology_of,
    write_classes,
)
from KPrismCore.training.packs import ImageSet, Sample

RECIPE = """
[training]
input_size = 64
batch_size = 2
steps = 2
warmup_steps = 1
validate_steps = 2
validation_images_per_set = 1
mode_probabilities = [0.5, 0.0, 0.5, 0.0]
early_mode_probabilities = [0.5, 0.0, 0.5, 0.0]
[network]
"""


def shown(labels: dict[int, str], name: str = "a", modality: str = "MR") -> ImageSet:
    """A set with one image per label."""
    samples = tuple(
        Sample(
            np.zeros((8, 8), np.uint8), np.full((8, 8), number, np.uint8), f"p{number}", str(number), False
        )
        for number in labels
    )
    return ImageSet(name, modality, labels, samples)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    network = "\n".join(f"{key} = {_toml(value)}" for key, value in NETWORK.items())
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE + network + "\n")
    return path


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def test_the_command_says_what_is_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    write_nnunet(tmp_path / "data" / "Dataset007", 5)
    (tmp_path / "data" / "notes").mkdir()
    (tmp_path / "data" / "notes" / "a.txt").write_text("nothing")
    cut(tmp_path / "data" / "Dataset007" / "imagesTr" / "case_001_0000.nii.gz")
    data(tmp_path / "data", size=64)
    said = " ".join(capsys.readouterr().out.split())
    assert "nnU-Net or Decathlon" in said
    # four patients are left, of whom one is held out; four slices each
    assert "3 + 1" in said
    assert "12 + 4" in said
    assert "liver (16)" in said
    assert "case_001_0000.nii.gz is truncated" in said
    assert "notes: of no known layout" in said


@pytest.mark.skipif(sys.platform != "linux", reason="needs the places of Linux")
def test_a_home_folder_that_cannot_be_written_to_is_no_matter(tmp_path):
    write_pack(tmp_path / "data", "discs")
    (tmp_path / "home").touch()
    hidden = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "-m", "KPrismCore", "data", tmp_path / "data", "--sheet", tmp_path / "s.png"]
    done = subprocess.run(
        command, env={**variables, "HOME": str(tmp_path / "home")}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_the_name_of_a_set_is_not_cut(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    write_pack(tmp_path / "data", "discs_of_a_very_long_name[left]")
    data(tmp_path / "data", size=64)
    rows = [line.split("\N{BOX DRAWINGS LIGHT VERTICAL}") for line in capsys.readouterr().out.splitlines()]
    assert "".join(row[1].strip() for row in rows if len(row) > 1) == "discs_of_a_very_long_name[left]"


def test_the_sheet_has_a_row_per_set(tmp_path):
    write_pack(tmp_path / "data", "discs")
    write_pack(tmp_path / "data", "more")
    data(tmp_path / "data", sheet=tmp_path / "sheet.png", size=64)
    width, height = Image.open(tmp_path / "sheet.png").size
    assert (width, height) == (1200, 460)


def test_a_folder_of_damaged_files_only_is_refused(tmp_path):
    cut(write_pack(tmp_path, "discs"))
    with pytest.raises(TrainingDataError, match="usable"):
        data(tmp_path, size=64)


def test_labels_of_equal_names_are_one_class():
    classes = found_classes([shown({1: "Left kidney"}), shown({4: "left_kidney"}, "b", "CT")])
    assert [entry.sources for entry in classes] == [("a:Left kidney", "b:left_kidney")]
    assert next(iter(classes)).modality == ("MR", "CT")


def test_classes_know_the_codes_of_shipped_ones():
    spleen, other = found_classes([shown({1: "spleen", 2: "thing"})])
    assert spleen.terminology.type.value == "78961009"
    assert other.terminology.type.meaning == "Tissue"


def test_labels_that_no_image_shows_are_no_classes():
    image_set = shown({1: "spleen"})
    assert len(found_classes([replace(image_set, labels={1: "spleen", 2: "absent"})])) == 1


def test_a_run_keeps_the_classes_it_began_with(tmp_path):
    first = run_classes("", [shown({1: "b"})], tmp_path)
    again = run_classes("", [shown({1: "a", 2: "b"})], tmp_path)
    assert first == again == {1: {"a": ["b"]}}


def test_a_named_table_is_taken_for_data_that_it_knows(tmp_path):
    assert 20 in run_classes("kprism-paper.csv", [shown({1: "Spleen"}, "BTCV")], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_named_table_is_not_taken_for_other_data(tmp_path):
    said: list[str] = []
    assert run_classes("kprism-small.csv", [shown({1: "b"})], tmp_path, said.append) == {1: {"a": ["b"]}}
    assert said == ["The classes are those of the data: b."]
    assert [entry.name for entry in run_catalogue("kprism-small.csv", tmp_path)] == ["b"]


def test_written_classes_can_be_read(tmp_path):
    made = found_classes([shown({1: 'odd, "name"', 2: "ünïcode"})])
    write_classes(tmp_path / "c.csv", made)
    assert load_catalogue(tmp_path / "c.csv") == made


def test_a_terminology_that_says_only_tissue_says_nothing():
    entry = "context~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~anatomy~^^~^^"
    assert terminology_of(entry) is None


@pytest.mark.slow
def test_a_model_learns_the_segments_of_ones_own_cases(tmp_path, recipe):
    for number in range(3):
        write_slicer_case(tmp_path / "cases", f"case{number}", number)
    run, path = tmp_path / "run", tmp_path / "mine.safetensors"
    train(tmp_path / "cases", run, config=recipe, device="cpu")
    export(run, path, data=tmp_path / "cases", batches=1)
    model = load_model(str(path), "cpu")
    assert [entry.name for entry in model.catalogue] == ["Liver", "Tumour"]
    predictor = Predictor(model)
    image = a_volume(0)[0][3]
    prediction = predictor.predict(predictor.encode(image, "CT"), "Liver")
    assert prediction.mask.shape == image.shape


@pytest.mark.slow
def test_a_model_is_measured_on_ones_own_cases(tmp_path, recipe):
    for number in range(2):
        write_slicer_case(tmp_path / "cases", f"case{number}", number, names=("Liver",))
    run, path, out = tmp_path / "run", tmp_path / "mine.safetensors", tmp_path / "out"
    train(tmp_path / "cases", run, config=recipe, steps=1, device="cpu")
    export(run, path)
    evaluate(tmp_path / "cases", str(path), out, limit=1, fast=True, peers="none", device="cpu")
    assert '"class_name": "Liver"' in (out / "records.jsonl").read_text()
