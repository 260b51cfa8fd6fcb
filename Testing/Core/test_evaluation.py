"""Evaluation on made-up packs: which cases, which clicks, what is recorded, and going on after a break."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_packs import write_pack, write_volume_pack
from measured import OneSquare, measured_model

from KPrismCore.errors import TrainingDataError
from KPrismCore.evaluation.benchmark import Benchmark
from KPrismCore.evaluation.cases import DataPlace, EvaluationSet
from KPrismCore.evaluation.clicks import click_series, replayed
from KPrismCore.evaluation.model_scores import weights_hash
from KPrismCore.evaluation.protocol import FAST, MODEL, OWN, PREVIOUS, SAME, Protocol
from KPrismCore.evaluation.store import RecordStore
from KPrismCore.model import Model
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click
from KPrismCore.training.packs import read_pack, split_by_subject

PROTOCOL = Protocol(limit=2, clicks=3, refinements=1, shots=())
WHOLE = Protocol(limit=2, clicks=3, refinements=1, shots=(2, 3), exemplars=3, noisy=True)


@pytest.fixture(scope="module")
def a_model() -> Model:
    return measured_model()


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
        DataPlace(packs).sets(["nonsense"])


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
    changed = Predictor(measured_model(seed=1))
    other = Benchmark(changed, PROTOCOL, {"square": OneSquare()})
    keys = [(record["key"], record["identity"]) for record in other.records(discs, case, done)]
    assert [key in done for key in keys] == [False, False, True]


def test_a_hash_depends_on_every_weight(a_model):
    before = weights_hash(a_model.network)
    changed = measured_model()
    assert weights_hash(changed.network) == before
    changed.network.mask_heads[0].last.bias.data += 1
    assert weights_hash(changed.network) != before


def test_a_line_cut_short_is_ignored_and_not_continued(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"key": "a", "identity": "x"}\n{"key": "b", "iden')
    store = RecordStore(path)
    store.add({"key": "c", "identity": "y"})
    assert set(RecordStore(path).records) == {("a", "x"), ("c", "y")}


def test_a_line_cut_within_a_letter_is_ignored(tmp_path):
    path = tmp_path / "r.jsonl"
    RecordStore(path).add({"key": "a", "identity": "x"})
    line = json.dumps({"key": "b", "identity": "Jörg"}, ensure_ascii=False).encode()
    with path.open("ab") as stream:
        stream.write(line[: line.index("ö".encode()) + 1])
    assert set(RecordStore(path).records) == {("a", "x")}


def test_signs_that_end_a_line_elsewhere_may_be_in_a_name(tmp_path):
    path = tmp_path / "r.jsonl"
    RecordStore(path).add({"key": "a", "identity": "left\u2028lung\x85"})
    assert set(RecordStore(path).records) == {("a", "left\u2028lung\x85")}


def test_the_fast_protocol_is_what_it_was():
    assert (FAST.limit, FAST.clicks, FAST.refinements, FAST.peer_clicks) == (5, 10, 1, (SAME,))


def test_references_begin_with_the_reference_and_are_different(packs):
    discs = EvaluationSet(packs / "discs" / "train.npz", everyone=True)
    case = discs.cases()[0]
    row = discs.references(case, 4)
    assert np.array_equal(row[0][0], discs.reference(case)[0])
    assert len({image.tobytes() for image, _ in row}) == 4


def test_every_subject_gives_a_reference_before_any_gives_two(packs):
    discs = EvaluationSet(packs / "discs" / "train.npz", everyone=True)
    case = discs.cases()[0]
    owners = {
        image.tobytes(): discs._subjects[entry] for entry in discs._known for image, _ in discs.slices(entry)
    }
    subjects = [owners[image.tobytes()] for image, _ in discs.references(case, 10)]
    assert len(set(subjects[:5])) == 5
    assert case.subject not in subjects


def test_no_more_references_are_given_than_there_are(packs):
    discs = EvaluationSet(packs / "discs" / "train.npz", everyone=True)
    assert len(discs.references(discs.cases()[0], 99)) == 10


def test_a_pack_without_spacing_is_measured_in_pixels(benchmark, discs):
    assert discs.spacing(discs.cases()[0]) == (1, 1)
    assert next(benchmark.records(discs, discs.cases()[0], {}))["unit"] == "pixels"


def test_known_spacing_is_told(packs, tmp_path):
    with np.load(packs / "discs" / "train.npz") as archive:
        fields = {name: archive[name] for name in archive.files}
    spacing = np.full((len(fields["subject"]), 2), [0.5, 0.75], np.float32)
    path = tmp_path / "spaced" / "train.npz"
    path.parent.mkdir()
    np.savez(path, **fields, spacing=spacing)
    spaced = EvaluationSet(path)
    assert spaced.spacing(spaced.cases()[0]) == (0.5, 0.75)


def test_every_part_is_a_record_of_plain_values(a_model, packs):
    discs = EvaluationSet(packs / "discs" / "train.npz")
    case = next(case for case in discs.cases() if case.label_name == "disc")
    records = list(Benchmark(Predictor(a_model), WHOLE, {}).records(discs, case, {}))
    assert [found["part"] for found in records] == ["modes", "shots", "exemplars", "noisy"]
    assert json.loads(json.dumps(records)) == records
    modes, shots, exemplars, noisy = records
    assert set(modes["details"]) == {
        "clicks_1", "class", "class_refined", "reference", "reference_refined",
    }  # fmt: skip
    assert set(shots["shots"]) == {"2", "3"}
    assert len(exemplars["exemplars"]) == len(noisy["noisy"]) == 3
    assert len(noisy["noisy_class"]) == len(noisy["noisy_reference"]) == 2
    assert exemplars["exemplars"][0] == modes["reference"][0]


def test_expert_weights_are_recorded_for_every_kind_of_prompt(benchmark, discs):
    case = next(case for case in discs.cases() if case.label_name == "disc")
    experts = next(benchmark.records(discs, case, {}))["experts"]
    assert set(experts) == {"class", "reference", "clicks"}
    assert np.asarray(experts["class"]).shape == (2, 3, 2)
    assert np.asarray(experts["class"]).sum(-1) == pytest.approx(1, abs=1e-3)


def test_the_previous_checkpoint_is_measured_in_the_same_way_and_on_the_same_clicks(a_model, discs):
    previous = Predictor(measured_model(seed=1))
    benchmark = Benchmark(Predictor(a_model), PROTOCOL, {"square": OneSquare()}, previous)
    records = list(benchmark.records(discs, discs.cases()[0], {}))
    assert [(found["method"], found.get("clicks_of")) for found in records] == [
        (MODEL, None), (PREVIOUS, None), ("square", SAME), (PREVIOUS, SAME), ("square", OWN),
    ]  # fmt: skip
    assert records[1]["class"] != records[0]["class"]


def test_the_same_weights_as_previous_checkpoint_make_no_difference_and_keys_of_their_own(a_model, discs):
    benchmark = Benchmark(Predictor(a_model), PROTOCOL, {}, Predictor(a_model))
    ours, theirs, same = benchmark.records(discs, discs.cases()[0], {})
    assert ours["clicks"] == theirs["clicks"] == same["clicks"]
    assert len({found["key"] for found in (ours, theirs, same)}) == 3


def test_references_of_all_subjects_are_other_measurements(a_model, discs):
    case = discs.cases()[0]
    keys = [
        next(
            Benchmark(Predictor(a_model), replace(PROTOCOL, everyone=everyone), {}).records(discs, case, {})
        )["key"]
        for everyone in (False, True)
    ]
    assert keys[0] != keys[1]


def test_changed_references_are_measured_anew(benchmark, packs):
    path = packs / "balls" / "train.npz"
    before = EvaluationSet(path)
    case = before.cases()[0]
    with np.load(path) as archive:
        fields = {name: archive[name] for name in archive.files}
    # of the four patients one is measured
    fields["data"][fields["off"][(case.entry + 1) % 4]] += 1
    np.savez(path, **fields)
    after = EvaluationSet(path)
    assert case in after.cases()
    alike = [one == other for one, other in zip(benchmark.keys(before), benchmark.keys(after), strict=True)]
    # a peer has no references
    assert alike == [False, True, True]


def test_more_references_later_measure_only_what_is_new(a_model, discs):
    case = discs.cases()[0]
    done = {
        (found["key"], found["identity"])
        for found in Benchmark(Predictor(a_model), PROTOCOL, {"square": OneSquare()}).records(discs, case, {})
    }
    whole = Benchmark(Predictor(a_model), WHOLE, {"square": OneSquare()}).records(discs, case, {})
    new = [found.get("part") for found in whole if (found["key"], found["identity"]) not in done]
    assert new == ["shots", "exemplars", "noisy"]


def test_a_broken_run_goes_on_and_nothing_is_written_twice(benchmark, packs, tmp_path):
    path, balls = tmp_path / "records.jsonl", EvaluationSet(packs / "balls" / "train.npz")

    def run() -> list[dict]:
        store = RecordStore(path)
        found = [
            record for case in balls.cases(2) for record in benchmark.records(balls, case, store.records)
        ]
        for record in found:
            store.add(record)
        return found

    first, lines = run(), path.read_text().splitlines()
    path.write_text("\n".join(lines[:3]) + "\n" + lines[3][:40])
    second = run()
    written = [json.loads(line) for line in path.read_text().splitlines() if line != lines[3][:40]]
    keys = {(record["key"], record["identity"]) for record in written}
    assert len(keys) == len(written) == len(first) == len(lines)
    assert [{**record, "seconds": 0} for record in second] == [{**record, "seconds": 0} for record in first]
