"""The command and the files it leaves, after one small but complete run."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from made_up_packs import write_pack, write_volume_pack
from measured import measured_model, record
from rich.console import Console

from KPrismCore.commands.evaluate import _chosen, _show, evaluate
from KPrismCore.evaluation.cases import DataPlace
from KPrismCore.evaluation.figures import tables
from KPrismCore.evaluation.peers import PEERS
from KPrismCore.evaluation.protocol import FULL, MODEL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def a_report(tmp_path_factory) -> Path:
    """The folder of a whole run of the command with a previous checkpoint, the network itself."""
    folder, a_model = tmp_path_factory.mktemp("whole"), measured_model()
    write_pack(folder / "data", "discs")
    write_volume_pack(folder / "data", "balls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("KPrismCore.commands.evaluate.load_model", lambda _name, _device: a_model)
        patch.setattr(
            "KPrismCore.commands.evaluate.FULL", replace(FULL, exemplars=3, clicks=5, refinements=2)
        )
        evaluate(
            folder / "data",
            "tiny",
            folder / "out",
            limit=1,
            full=True,
            previous="tiny",
            peers="same",
            threads=0,
        )
    return folder / "out"


@pytest.fixture(scope="module")
def figures(a_report) -> dict:
    return json.loads((a_report / "report.json").read_text())


def test_the_means_are_those_of_the_sets(figures):
    assert set(figures["sets"]) == {"discs", "balls"}
    assert figures["summary"]["means"][MODEL]["Dice(5)"][0] == pytest.approx(
        np.mean([figures["sets"][name][MODEL]["Dice(5)"]["mean"] for name in ("discs", "balls")]), abs=1e-3
    )


def test_every_case_has_a_row_per_method_and_every_patient_too(a_report):
    # the network, the previous checkpoint alone and on the same clicks, and four peers, on two cases
    for name in ("cases.csv", "subjects.csv"):
        with (a_report / name).open() as stream:
            assert len(list(csv.DictReader(stream))) == 2 * (3 + len(PEERS))


def test_every_section_has_its_pictures(a_report):
    assert {path.name for path in (a_report / "plots").iterdir()} == {
        "sets.png", "convergence.png", "exemplars.png", "differences.png", "calibration.png", "experts.png",
        "sheet.png",
    }  # fmt: skip


def test_the_report_names_the_peers_and_the_imperfect_person(a_report):
    text = (a_report / "report.md").read_text()
    assert "random walker, same clicks" in text
    assert "An imperfect person's clicks" in text


def test_the_page_needs_no_other_file(a_report):
    page = (a_report / "report.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page
    assert "plots/" not in page


def test_the_network_does_not_differ_from_itself(figures):
    assert figures["differences"]["Dice(5)"] == {"mean": 0, "low": 0, "high": 0, "cases": 2}


def test_speed_and_what_it_was_measured_with_are_told(figures):
    assert all(figures["throughput"][act] > 0 for act in ("encode", "first_prompt", "class_name", "click"))
    assert {"device", "threads", "torch", "monai"} <= set(figures["throughput"]["environment"])


def test_fast_and_full_together_are_refused(tmp_path):
    with pytest.raises(typer.BadParameter, match="--fast"):
        evaluate(tmp_path, "tiny", tmp_path, fast=True, full=True)


def test_a_set_without_a_subject_to_evaluate_is_named(tmp_path, capsys):
    write_pack(tmp_path / "data", "discs", 2)
    write_pack(tmp_path / "data", "one [of many]", 1)
    sets = DataPlace(tmp_path / "data").sets()
    chosen = _chosen(Console(), tmp_path / "data", sets, None)
    assert {case.set_name for _, case in chosen} == {"discs"}
    assert "Without a subject to evaluate: one [of many]." in capsys.readouterr().out


def test_brackets_in_the_name_of_a_set_are_shown(capsys):
    _show(Console(), tables([record("liver [left]", "anna", [0.5] * 10)]))
    assert "liver [left]" in capsys.readouterr().out
