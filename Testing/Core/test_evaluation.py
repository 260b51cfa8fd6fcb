"""Evaluation on made-up packs: which cases, which clicks, going on after a break, and the report."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_packs import write_pack, write_volume_pack

from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.checkpoint import ModelCard
from KPrismCore.commands.evaluate import evaluate
from KPrismCore.errors import TrainingDataError
from KPrismCore.evaluation.benchmark import (
    MODEL,
    OWN,
    SAME,
    Benchmark,
    Protocol,
    click_series,
    replayed,
    weights_hash,
)
from KPrismCore.evaluation.cases import EvaluationSet, evaluation_sets
from KPrismCore.evaluation.report import MEAN, class_figures, markdown, tables
from KPrismCore.evaluation.sheet import choose
from KPrismCore.evaluation.store import RecordStore
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.predictor import Model, Predictor
from KPrismCore.preprocess import Preprocessing
from KPrismCore.prompts import Click
from KPrismCore.training.packs import read_pack, split_by_subject

TINY = KPrismConfig(
    input_size=64, encoder_channels=(4, 4, 8, 8, 8), encoder_attention=(False,) * 4,
    prompt_channels=(4, 4, 8, 8), norm_groups=2, width=16, layers=2, experts=2, heads=2, ffn_width=16,
    pixel_block="depthwise", mask_head_channels=4, classes=1, click_hidden=8,
)  # fmt: skip
CLASSES = Path(__file__).parents[2] / "Resources" / "Classes" / "kprism-small.csv"
PROTOCOL = Protocol(limit=2, clicks=3, refinements=1)


class OneSquare:
    """A stand-in for a peer: a square around each positive click."""

    def segment(self, image, clicks):
        mask = np.zeros(image.shape[:2], dtype=bool)
        for click in clicks:
            row, column = int(click.y), int(click.x)
            mask[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] = click.positive
        return mask

    def __repr__(self) -> str:
        return "OneSquare()"


@pytest.fixture(scope="module")
def a_model() -> Model:
    torch.manual_seed(0)
    liver = load_catalogue(CLASSES).by_name("liver")
    catalogue = Catalogue((replace(liver, index=1, sources=("discs:disc",)),))
    network = KPrism(TINY).eval()
    return Model(network, torch.device("cpu"), catalogue, Preprocessing(), ModelCard(name="tiny"))


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    write_pack(tmp_path / "data", "discs")
    write_pack(tmp_path / "data", "colours", colour=True)
    write_volume_pack(tmp_path / "data", "balls")
    return tmp_path / "data"


@pytest.fixture
def discs(packs: Path) -> EvaluationSet:
    return EvaluationSet(packs / "discs" / "train.npz")


@pytest.fixture
def benchmark(a_model: Model) -> Benchmark:
    return Benchmark(Predictor(a_model), PROTOCOL, {"square": OneSquare()})


@pytest.mark.parametrize("name", ["discs", "colours", "balls"])
def test_the_subjects_are_those_that_training_leaves_out(packs, name):
    path = packs / name / "train.npz"
    held = {sample.subject for sample in split_by_subject(read_pack(path, 32))[1].samples}
    assert {case.subject for case in EvaluationSet(path).cases()} == held


def test_every_label_is_a_case_of_its_own(discs):
    assert {case.label_name for case in discs.cases()} == {"disc", "square"}


def test_images_keep_their_size(discs):
    image, truth = discs.pixels(discs.cases()[0])
    assert image.shape == truth.shape == (48, 60)


def test_colour_stays_colour(packs):
    colours = EvaluationSet(packs / "colours" / "train.npz")
    assert colours.pixels(colours.cases()[0])[0].shape == (48, 60, 3)


def test_a_reference_shows_another_subject(packs):
    balls = EvaluationSet(packs / "balls" / "train.npz", everyone=True)
    for case in balls.cases():
        reference = balls.reference(case)
        assert reference is not None
        assert reference[0].shape == balls.pixels(case)[0].shape
        assert not np.array_equal(reference[1], balls.pixels(case)[1])


def test_a_subset_is_always_the_same_and_spreads_over_labels(packs):
    first, second = (EvaluationSet(packs / "discs" / "train.npz", everyone=True).cases(4) for _ in range(2))
    assert first == second
    assert sorted(case.label for case in first) == [1, 1, 2, 2]
    assert len({case.subject for case in first}) > 1


def test_all_subjects_are_more_than_the_validation_part(packs):
    path = packs / "discs" / "train.npz"
    assert len(EvaluationSet(path, everyone=True).cases()) == 24
    assert len(EvaluationSet(path).cases()) == 4


def test_an_unknown_set_is_named(packs):
    with pytest.raises(TrainingDataError, match="nonsense"):
        evaluation_sets(packs, ["nonsense"])


def test_a_broken_pack_is_named(tmp_path):
    path = tmp_path / "bad" / "train.npz"
    path.parent.mkdir()
    path.write_bytes(b"no pack")
    with pytest.raises(TrainingDataError, match="bad"):
        EvaluationSet(path)


def test_the_robot_starts_on_the_object_and_sees_each_mask():
    truth = np.zeros((20, 20), dtype=bool)
    truth[4:15, 4:15] = True
    seen = []

    def everything(clicks):
        seen.append(list(clicks))
        return np.ones_like(truth)

    series = click_series(everything, truth, 2, seed=0)
    assert seen[0] == [Click(9, 9)]
    assert [click.positive for click in series.clicks] == [True, False]
    assert len(series.dice) == len(series.iou) == 2


def test_a_perfect_mask_gets_no_more_clicks():
    truth = np.eye(9, dtype=bool)
    series = click_series(lambda _clicks: truth, truth, 4, seed=0)
    assert len(series.clicks) == 1
    assert series.dice == [1.0] * 4


def test_a_start_mask_is_what_the_first_click_corrects():
    truth = np.zeros((9, 9), dtype=bool)
    truth[4, 4] = True
    series = click_series(lambda _clicks: truth, truth, 1, seed=0, start=np.ones_like(truth))
    assert not series.clicks[0].positive


def test_the_same_clicks_are_given_one_by_one():
    truth, seen = np.ones((5, 5), dtype=bool), []

    def segment(clicks):
        seen.append(len(clicks))
        return truth

    series = replayed(segment, truth, [Click(1, 1), Click(2, 2)], 4)
    assert seen == [1, 2]
    assert len(series.dice) == 4


def test_a_case_has_a_record_of_the_network_and_two_of_each_peer(benchmark, discs):
    case = next(case for case in discs.cases() if case.label_name == "disc")
    records = list(benchmark.records(discs, case, {}))
    assert [(record["method"], record.get("clicks_of")) for record in records] == [
        (MODEL, None), ("square", SAME), ("square", OWN),
    ]  # fmt: skip
    model = records[0]
    assert len(model["clicks"]) == 3
    assert len(model["class"]) == len(model["reference"]) == 2


def test_first_clicks_agree_between_methods(benchmark, discs):
    model, same, own = benchmark.records(discs, discs.cases()[0], {})
    assert same["clicks"][0] == own["clicks"][0]
    assert len(model["places"]) >= 1


def test_a_label_without_a_class_has_no_mode_1(benchmark, discs):
    case = next(case for case in discs.cases() if case.label_name == "square")
    assert "class" not in next(benchmark.records(discs, case, {}))


def test_records_are_the_same_again(benchmark, discs):
    case = discs.cases()[0]
    first, second = (next(benchmark.records(discs, case, {})) for _ in range(2))
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_finished_cases_are_not_measured_again(benchmark, discs, tmp_path, monkeypatch):
    store, case = RecordStore(tmp_path / "r.jsonl"), discs.cases()[0]
    for record in benchmark.records(discs, case, store.records):
        store.add(record)
    monkeypatch.setattr(Predictor, "predict", None)
    again = list(benchmark.records(discs, case, RecordStore(tmp_path / "r.jsonl").records))
    assert len(again) == 3


def test_other_weights_measure_anew_but_keep_the_peers_own_clicks(a_model, benchmark, discs):
    case = discs.cases()[0]
    done = {(record["key"], record["identity"]): record for record in benchmark.records(discs, case, {})}
    torch.manual_seed(1)
    changed = Predictor(replace(a_model, network=KPrism(TINY).eval()))
    other = Benchmark(changed, PROTOCOL, {"square": OneSquare()})
    keys = [(record["key"], record["identity"]) for record in other.records(discs, case, done)]
    assert [key in done for key in keys] == [False, False, True]


def test_a_hash_depends_on_every_weight(a_model):
    before = weights_hash(a_model.network)
    with torch.no_grad():
        bias = a_model.network.mask_heads[0].last.bias
        bias += 1
        after = weights_hash(a_model.network)
        bias -= 1
    assert before != after


def test_a_line_cut_short_is_ignored_and_not_continued(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"key": "a", "identity": "x"}\n{"key": "b", "iden')
    store = RecordStore(path)
    store.add({"key": "c", "identity": "y"})
    assert set(RecordStore(path).records) == {("a", "x"), ("c", "y")}


def record(set_name: str, subject: str, scores: list[float], **more) -> dict:
    common = {"set_name": set_name, "subject": subject, "method": MODEL}
    return {**common, "clicks": scores, "iou": scores, **more}


def test_every_set_weighs_the_same_in_the_mean():
    records = [record("a", f"s{number}", [0.2] * 10) for number in range(9)] + [record("b", "s", [0.8] * 10)]
    figure = tables(records)[MEAN][MODEL, "Dice(1)"]
    assert figure.mean == pytest.approx(0.5)
    assert figure.cases == 10


def test_figures_are_taken_from_the_right_place():
    scores = [0.1 * number for number in range(1, 11)]
    found = tables([record("a", "s", scores, **{"class": [0.3, 0.6], "reference": [0.4, 0.5]})])["a"]
    expected = {
        "Dice(1)": 0.1, "Dice(3)": 0.3, "Dice(5)": 0.5, "Dice(10)": 1.0, "NoC90": 9,
        "Mode 1": 0.3, "Mode 1 + clicks": 0.6, "Mode 2": 0.4, "Mode 2 + clicks": 0.5,
        "IoU(5)": 0.5, "worse after 5": 0,
    }  # fmt: skip
    assert {name: figure.mean for (_, name), figure in found.items()} == pytest.approx(expected)


def test_worse_after_five_clicks_is_counted():
    found = tables([record("a", "s", [0.9, 0.9, 0.9, 0.9, 0.87]), record("a", "t", [0.5] * 5)])["a"]
    assert found[MODEL, "worse after 5"].mean == pytest.approx(0.5)


def test_the_text_names_the_sets_and_the_mean():
    text = markdown(tables([record("a", "s", [0.5] * 10)]), {"model": "tiny"})
    assert "| a | 1 |" in text
    assert f"| {MEAN} | 1 |" in text


def test_class_figures_are_means_of_what_the_name_alone_gave():
    records = [{"class_name": "disc", "class": [score, 0.9]} for score in (0.2, 0.4)] + [{"class": [0.7]}]
    assert class_figures(records) == {"disc": {"dice": 0.3, "cases": 2}}


def test_best_median_and_worst_are_chosen():
    records = [record("a", "s", [score], identity=str(score)) for score in (0.1, 0.9, 0.5, 0.4, 0.7)]
    assert [chosen["clicks"][0] for chosen in choose(records, "clicks", 0)] == [0.9, 0.5, 0.1]


def test_the_command_writes_its_report(packs, a_model, tmp_path, monkeypatch):
    monkeypatch.setattr("KPrismCore.commands.evaluate.load_model", lambda _name, _device: a_model)
    out = tmp_path / "out"
    evaluate(packs, "tiny", out, limit=1, sets="discs,balls", fast=False, peers="same", threads=0)
    report = json.loads((out / "report.json").read_text())
    assert set(report["sets"]) == {"discs", "balls"}
    assert report["summary"]["means"][MODEL]["Dice(5)"][0] == pytest.approx(
        np.mean([report["sets"][name][MODEL]["Dice(5)"]["mean"] for name in ("discs", "balls")]), abs=1e-3
    )
    with (out / "cases.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 6
    assert (out / "sheet.png").read_bytes().startswith(b"\x89PNG")
    assert "random walker, same clicks" in (out / "report.md").read_text()
