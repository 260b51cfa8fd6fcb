"""Odd arguments of the commands that measure and show: refused in words, before any work."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from KPrismCore.__main__ import application
from KPrismCore.checkpoint import read_checkpoint, save_checkpoint
from KPrismCore.commands import window
from KPrismCore.commands.demo import empty_table
from Testing.Core.tiny import tiny_checkpoint


@pytest.mark.parametrize(
    "line",
    [
        "bench --threads -3", "bench --repeats 0", "latency --clicks 1", "data . --size 0",
        "train a b --threads 0", "export a b --threads 0", "evaluate --data a --threads -1", "demo --seed -1",
    ],
)  # fmt: skip
def test_a_number_that_makes_no_sense_is_refused(line):
    done = CliRunner().invoke(application(), line.split(), env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert "greater than or equal to" in done.output


def test_the_usage_names_the_launcher():
    done = CliRunner().invoke(application(), ["info", "--help"], prog_name="python3 kprism.py")
    assert "Usage: python3 kprism.py info" in done.output


def test_info_tells_the_classes_before_the_numbers_of_the_network(tmp_path):
    file = tiny_checkpoint(tmp_path / "tiny.safetensors")
    done = CliRunner().invoke(application(), ["info", str(file)], env={"COLUMNS": "120"})
    assert 0 < done.output.index("inferior vena cava") < done.output.index("input_size")


def test_names_with_brackets_are_printed_as_they_are(tmp_path):
    made = read_checkpoint(tiny_checkpoint(tmp_path / "tiny.safetensors"))
    card = replace(made.card, name="mine [new] [/old]", limits="only [T1]", data=({"set": "case [/1]"},))
    save_checkpoint(tmp_path / "other.safetensors", replace(made, card=card))
    done = CliRunner().invoke(application(), ["info", str(tmp_path / "other.safetensors")])
    assert done.exit_code == 0
    assert [text for text in ("mine [new] [/old]", "[T1]", "case [/1]") if text not in done.output] == []


def test_pictures_are_not_begun_where_they_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(window, "run_window", lambda *_: pytest.fail("the window was opened"))
    (tmp_path / "taken").touch()
    done = CliRunner().invoke(application(), ["screenshots", "--out", str(tmp_path / "taken")])
    assert done.exit_code == 2
    assert "cannot be written to" in done.stderr


@pytest.mark.parametrize("line", ["terminology {file}", "data . --sheet {file}"])
def test_a_file_of_another_kind_is_not_replaced(tmp_path, line):
    file = tmp_path / "ct.nrrd"
    file.write_text("an image")
    done = CliRunner().invoke(application(), line.format(file=file).split())
    assert (done.exit_code, file.read_text()) == (2, "an image")
    assert "unknown ending" in done.stderr


def test_where_the_terminology_went_is_said(tmp_path):
    done = CliRunner().invoke(application(), ["terminology", str(tmp_path / "all.term.json")])
    assert f"Wrote {tmp_path / 'all.term.json'}" in done.stdout


def test_a_narrow_window_shows_all_figures_of_the_demo():
    table = empty_table("CTChest4")
    table.add_row("4 together", "class + 3 examples", "lungs", "0.99", "0.86", "28684")
    stream = io.StringIO()
    Console(file=stream, width=40).print(table)
    assert [figure for figure in ("0.99", "0.86", "28684") if figure not in stream.getvalue()] == []
