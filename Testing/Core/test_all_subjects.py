"""A last run on the validation subjects too, and that whatever came of it says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from disc_runs import CLASSES, SETTINGS, disc_set
from made_up_packs import write_pack
from measured import measured_model

from KPrismCore.abilities import EARLIER
from KPrismCore.checkpoint import ALL_SUBJECTS, Checkpoint, ModelCard, save_checkpoint
from KPrismCore.commands.evaluate import _facts, evaluate
from KPrismCore.commands.export import export
from KPrismCore.confidence import read_lines
from KPrismCore.errors import InputFileError
from KPrismCore.evaluation.card_figures import with_figures
from KPrismCore.evaluation.protocol import HELD_OUT, MODEL, Protocol
from KPrismCore.model import Model
from KPrismCore.training.export import run_checkpoint
from KPrismCore.training.loop import Trainer
from KPrismCore.training.mixing import mixed
from KPrismCore.training.packs import split_by_subject, training_parts

EVERYONE = replace(SETTINGS, all_subjects=True, steps=1)


def a_run(folder: Path, *, everyone: bool = False, begun_with: Checkpoint | None = None) -> Checkpoint:
    trainer = Trainer(replace(EVERYONE, all_subjects=everyone), [disc_set()], CLASSES, folder)
    if begun_with is not None:
        trainer.start_from(begun_with)
    trainer.run()
    return run_checkpoint(folder, ModelCard())


@pytest.fixture(scope="module")
def last(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return a_run(tmp_path_factory.mktemp("last"), everyone=True)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return a_run(tmp_path_factory.mktemp("plain"))


def test_all_subjects_are_drawn_from(tmp_path: Path) -> None:
    held = split_by_subject(disc_set())[1].samples[0].image
    settings = replace(EVERYONE, mode_probabilities=(0.0, 0.0, 1.0, 0.0), augmentation=0.0, batch_size=8)
    found = []
    for everyone in (True, False):
        changed = replace(settings, all_subjects=everyone, steps=6, synthetic_probability=0.0)
        stream = Trainer(changed, [disc_set()], CLASSES, tmp_path).stream
        images = (image[0].numpy() * 255 for step in range(6) for image in stream[step].images)
        mirrored = [held[::rows, ::columns] for rows in (1, -1) for columns in (1, -1)]
        shown = [[np.allclose(image, one, atol=0.5) for one in mirrored] for image in images]
        found.append(bool(np.any(shown)))
    assert found == [True, False]


def test_nothing_is_left_to_validate_on() -> None:
    training, validation = training_parts([disc_set()], everyone=True)
    assert len(training[0].samples) == len(disc_set().samples)
    assert not validation[0].samples


def test_the_checkpoint_tells(last: Checkpoint, plain: Checkpoint) -> None:
    assert last.card.saw_all_subjects
    assert not plain.card.saw_all_subjects


def test_a_run_that_begins_with_it_tells(last: Checkpoint, tmp_path: Path) -> None:
    assert a_run(tmp_path, begun_with=last).card.saw_all_subjects


def test_a_continued_run_that_began_with_it_tells(last: Checkpoint, tmp_path: Path) -> None:
    a_run(tmp_path, begun_with=last)
    again = Trainer(replace(EVERYONE, all_subjects=False), [disc_set()], CLASSES, tmp_path)
    again.resume()
    again.save()
    assert run_checkpoint(tmp_path, ModelCard()).card.saw_all_subjects


@pytest.mark.parametrize("swapped", [False, True])
def test_a_mixture_with_it_tells(last: Checkpoint, plain: Checkpoint, swapped: bool) -> None:
    pair = (plain, last) if swapped else (last, plain)
    assert mixed(*pair, 0.5).card.saw_all_subjects


def report_of(folder: Path, subjects: str) -> Path:
    path = folder / "report.json"
    path.write_text(json.dumps({"summary": {"sets": 1, "subjects": subjects}}))
    return path


def test_a_report_on_the_subjects_it_saw_is_no_figure_of_it(last: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="tell nothing"):
        with_figures(last, report_of(tmp_path, f"{HELD_OUT} A model was trained on these subjects too."))


def test_a_report_on_all_subjects_says_when_its_figures_count(plain: Checkpoint) -> None:
    model, benchmark = SimpleNamespace(card=plain.card), SimpleNamespace(checkpoints={MODEL: "abc"})
    facts = _facts(benchmark, model, None, Protocol(everyone=True))
    assert facts["subjects"] == "all; the figures count for data that no training has seen."


def test_a_report_on_other_data_is_a_figure_of_it(last: Checkpoint, tmp_path: Path) -> None:
    assert with_figures(last, report_of(tmp_path, "all")).card.metrics["sets"] == 1


def test_a_report_on_kept_out_subjects_is_a_figure_of_others(plain: Checkpoint, tmp_path: Path) -> None:
    assert with_figures(plain, report_of(tmp_path, HELD_OUT)).card.metrics["sets"] == 1


def test_a_report_of_another_stage_of_the_training_is_no_figure_of_it(
    plain: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"summary": {"sets": 1, "steps": "900"}}))
    with pytest.raises(InputFileError, match="900 training steps"):
        with_figures(plain, path)


def test_figures_and_confidence_come_from_the_model_it_began_with(
    last: Checkpoint, plain: Checkpoint, tmp_path: Path
) -> None:
    lines = read_lines({"one click": [0.5, 0.2]})
    before = replace(plain, card=replace(plain.card, metrics={"sets": 1}), confidence_lines=lines)
    save_checkpoint(tmp_path / "before.safetensors", before)
    found = with_figures(last, tmp_path / "before.safetensors")
    assert found.card.metrics == {"sets": 1, EARLIER: True}
    assert found.confidence_lines == lines


def test_a_run_that_can_be_measured_takes_no_figures_of_other_weights(
    last: Checkpoint, plain: Checkpoint, tmp_path: Path
) -> None:
    save_checkpoint(
        tmp_path / "last.safetensors", replace(last, card=replace(last.card, metrics={"sets": 1}))
    )
    with pytest.raises(InputFileError, match="figures of its own"):
        with_figures(plain, tmp_path / "last.safetensors")


def test_the_command_refuses_a_report_on_what_a_mixed_in_model_saw(tmp_path: Path, last: Checkpoint) -> None:
    a_run(tmp_path / "run")
    save_checkpoint(tmp_path / "last.safetensors", last)
    report = report_of(tmp_path, HELD_OUT)
    with pytest.raises(InputFileError, match="tell nothing"):
        export(
            tmp_path / "run", tmp_path / "out.safetensors", data=tmp_path, metrics=report,
            mix=str(tmp_path / "last.safetensors"),
        )  # fmt: skip


def test_a_model_that_was_not_measured_gives_no_figures(
    last: Checkpoint, plain: Checkpoint, tmp_path: Path
) -> None:
    bare = replace(plain, card=replace(plain.card, metrics={}))
    save_checkpoint(tmp_path / "bare.safetensors", bare)
    with pytest.raises(InputFileError, match="no figures"):
        with_figures(last, tmp_path / "bare.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("seen", ["neither", "model", "previous"])
@pytest.mark.parametrize("everyone", [False, True])
def test_its_figures_on_validation_subjects_are_said_to_tell_nothing(
    seen: str, everyone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    write_pack(tmp_path / "data", "discs")
    model: Model = measured_model()

    def loaded(name: str, _device: str) -> Model:
        return replace(model, card=replace(model.card, training={ALL_SUBJECTS: name == seen}))

    monkeypatch.setattr("KPrismCore.commands.evaluate.load_model", loaded)
    out = tmp_path / "out"
    evaluate(
        tmp_path / "data", "model", out, limit=1, fast=True, previous="previous", peers="none",
        all_subjects=everyone,
    )  # fmt: skip
    warned = seen != "neither" and not everyone
    assert ("trained on these subjects" in capsys.readouterr().out) == warned
    assert ("trained on these subjects" in (out / "report.md").read_text()) == warned
