"""Evaluation over workers: the same records as in one process, whatever happens to a worker or to the run."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from made_up_packs import write_pack, write_volume_pack
from measured import measured_model

from KPrismCore.checkpoint import Checkpoint, save_checkpoint
from KPrismCore.commands.evaluate import evaluate
from KPrismCore.errors import CheckpointError, DeviceError, MissingPackageError, WorkerError
from KPrismCore.evaluation import cluster, runs
from KPrismCore.evaluation.cases import Case, DataPlace
from KPrismCore.evaluation.cluster import Workers, local_variables, measure_on_workers, ray_session
from KPrismCore.evaluation.cluster_worker import CaseWorker, Recipe, question, records_of
from KPrismCore.evaluation.model_scores import weights_hash
from KPrismCore.evaluation.protocol import MODEL, OWN, PREVIOUS, SAME, Protocol, Record
from KPrismCore.evaluation.runs import Chosen, measured_by_workers, measured_here
from KPrismCore.evaluation.store import RecordStore
from KPrismCore.model import load_model
from Testing.Core.worker_samples import TWO, FatalRecipe

PROTOCOL = Protocol(limit=3, clicks=2, refinements=1, peer_clicks=(SAME, OWN), shots=())


@pytest.fixture(scope="module")
def a_recipe(tmp_path_factory) -> Recipe:
    """Of a tiny checkpoint, which is the previous one too, and two small packs."""
    folder, model = tmp_path_factory.mktemp("shared"), measured_model()
    file = folder / "tiny.safetensors"
    parts = (model.network.config, model.network.state_dict(), model.catalogue, model.preprocessing)
    save_checkpoint(file, Checkpoint(*parts, model.card))
    data = folder / "data"
    write_pack(data, "discs")
    write_volume_pack(data, "balls")
    weights = weights_hash(load_model(file, "cpu").network)
    hashes = {MODEL: weights, PREVIOUS: weights}
    return Recipe(str(file), PROTOCOL, DataPlace(data), hashes, str(file), peers=("region growing",))


@pytest.fixture(scope="module")
def the_cases(a_recipe) -> Chosen:
    there = a_recipe.data.sets()
    sets = [there[name] for name in ("discs", "balls")]
    return [(image_set, case) for image_set in sets for case in image_set.cases(PROTOCOL.limit)]


def timeless(records: list[Record]) -> list[Record]:
    return [{**record, "seconds": 0} for record in records]


def in_this_process(ray, recipe, questions, workers):
    """In place of `measure_on_workers`: a worker without a process of its own."""
    worker = CaseWorker(recipe)
    for row in questions:
        found = worker({name: [value] for name, value in row.items()})
        yield found["number"][0], records_of(found["answer"][0]), found["process"][0]


# Whatever happens: one run for all


@dataclass
class Run:
    """What is known of a run whose first worker died and that was broken off, and of its continuation."""

    expected: list[list[Record]] = field(default_factory=list)
    first: dict[int, list[Record]] = field(default_factory=dict)
    second: dict[int, list[Record]] = field(default_factory=dict)
    written: list[Record] = field(default_factory=list)
    asked_again: list[int] = field(default_factory=list)
    dead: int = 0


@pytest.fixture(scope="module")
def a_run(a_ray_session, a_recipe, the_cases, tmp_path_factory) -> Run:
    """A worker is killed in the middle of a case; the run is broken off before its last, and goes on."""
    folder = tmp_path_factory.mktemp("run")
    fields = {name: getattr(a_recipe, name) for name in Recipe.__dataclass_fields__}
    recipe, path, run = FatalRecipe(**fields, grave=folder / "grave"), folder / "records.jsonl", Run()

    def keep(count: int | None) -> dict[int, list[Record]]:
        store, found = RecordStore(path), {}
        measured = measured_by_workers(benchmark, the_cases, store.records, recipe, TWO)
        for number, records in islice(measured, count):
            found[number] = list(records)
            for record in found[number]:
                store.add(record)
        measured.close()
        return found

    def asked(ray, recipe, questions, workers):
        run.asked_again = [row["number"] for row in questions]
        yield from in_this_process(ray, recipe, questions, workers)

    benchmark = recipe.build()
    run.first = keep(len(the_cases) - 1)
    run.dead = int(recipe.grave.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "measure_on_workers", asked)
        run.second = keep(None)
    run.written = [json.loads(line) for line in path.read_text().splitlines()]
    run.expected = [list(records) for _, records in measured_here(benchmark, the_cases, {})]
    return run


@pytest.mark.slow
def test_a_run_survives_the_death_of_a_worker(a_run, the_cases):
    assert a_run.dead not in (0, os.getpid())
    assert len(a_run.first) == len(the_cases) - 1


@pytest.mark.slow
def test_the_records_are_those_of_one_process(a_run):
    assert [timeless(a_run.second[number]) for number in sorted(a_run.second)] == [
        timeless(records) for records in a_run.expected
    ]


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_is_written_twice(a_run):
    keys = [(record["key"], record["identity"]) for record in a_run.written]
    expected = {(record["key"], record["identity"]) for records in a_run.expected for record in records}
    assert len(keys) == len(expected)
    assert set(keys) == expected


@pytest.mark.slow
def test_a_broken_run_goes_on_with_the_cases_that_are_left(a_run, the_cases):
    assert a_run.asked_again == [number for number in range(len(the_cases)) if number not in a_run.first]
    assert {number: a_run.second[number] for number in a_run.first} == a_run.first


# The session


@pytest.mark.slow
def test_a_session_without_an_address_listens_on_this_computer_only(a_ray_session):
    assert [node["NodeManagerAddress"] for node in a_ray_session.nodes()] == ["127.0.0.1"]


@pytest.mark.slow
def test_a_session_without_an_address_does_not_look_for_a_cloud(tmp_path, monkeypatch):
    usage = pytest.importorskip("ray._common.usage.usage_lib", reason="needs Ray")
    for name, value in local_variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(usage, "get_cloud_from_metadata_requests", lambda: pytest.fail("it asked"))
    file = os.path.expanduser("~/ray_bootstrap_config.yaml")
    assert usage.get_cluster_config_to_report(file).cloud_provider is None


@pytest.mark.slow
def test_a_session_that_is_there_is_used_and_kept(a_ray_session):
    with ray_session(TWO):
        pass
    assert a_ray_session.is_initialized()


@pytest.mark.slow
@pytest.mark.usefixtures("a_ray_session")
def test_more_gpus_than_there_are_are_refused():
    with pytest.raises(DeviceError, match="1000 GPUs"), ray_session(Workers(1, gpus=1000)):
        pass


@pytest.fixture
def started(monkeypatch, tmp_path) -> dict[str, Any]:
    """How a stand-in for Ray was started, which makes the folder logs."""
    seen: dict[str, Any] = {}

    def init(address: str, **options: Any) -> SimpleNamespace:
        seen.update(options, address=address, usage=os.environ["RAY_USAGE_STATS_ENABLED"])
        (tmp_path / "logs").mkdir()
        return SimpleNamespace(address_info={"session_dir": str(tmp_path / "logs")})

    stand_in = SimpleNamespace(
        init=init, is_initialized=lambda: False, cluster_resources=dict, shutdown=lambda: None,
        exceptions=SimpleNamespace(RayError=KeyError),
    )  # fmt: skip
    monkeypatch.setattr(cluster, "import_ray", lambda: stand_in)
    return seen


def test_a_session_of_this_computer_has_no_dashboard_and_no_telemetry(started, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with ray_session(Workers(3)):
        pass
    assert (started["address"], started["include_dashboard"], started["usage"]) == ("local", False, "0")
    assert started["num_cpus"] == 3


def test_a_cluster_is_asked_only_at_the_address_given(started):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with ray_session(Workers(3, address=address)):
            pass
    assert started["address"] == address
    assert started["runtime_env"]["env_vars"]["OMP_NUM_THREADS"] == "1"


def test_an_address_at_which_nothing_listens_is_named_before_ray_waits(started):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(WorkerError, match=address), ray_session(Workers(1, address=address)):
        pass
    assert started == {}


def test_a_computer_too_busy_for_ray_is_told_in_words(started, monkeypatch):
    def slow(*_arguments: Any, **_options: Any) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(cluster.import_ray(), "init", slow)
    with pytest.raises(WorkerError, match=r"timed out .*less to do"), ray_session(TWO):
        pass


@pytest.mark.usefixtures("started")
def test_a_session_leaves_the_variables_as_they_were():
    before = dict(os.environ)
    with ray_session(TWO):
        pass
    assert dict(os.environ) == before


@pytest.mark.usefixtures("started")
def test_a_session_of_this_computer_leaves_no_files(tmp_path):
    with ray_session(TWO):
        assert (tmp_path / "logs").exists()
    assert not (tmp_path / "logs").exists()


def test_without_ray_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match="setup --research"), ray_session(TWO):
        pass


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LookupError("line\nValueError: bad"), "ValueError: bad"),
        (TimeoutError(), "no case was finished for 60"),
    ],
)
def test_a_failure_of_the_workers_is_told_in_a_line(a_recipe, monkeypatch, error, reason):
    class Failing:
        def iter_rows(self):
            raise error

    stand_in = SimpleNamespace(
        exceptions=SimpleNamespace(RayError=LookupError),
        data=SimpleNamespace(exceptions=SimpleNamespace(ExecutionTimeoutError=TimeoutError)),
    )
    monkeypatch.setattr(cluster, "_dataset", lambda *_arguments: Failing())
    with pytest.raises(WorkerError, match=f"The workers stopped: {reason}"):
        list(measure_on_workers(stand_in, a_recipe, [], TWO))


# A worker, in this process


def asked(worker: CaseWorker, case: Case, done: Sequence[Record] = ()) -> list[Record]:
    row = question(0, case, done)
    return records_of(worker({name: [value] for name, value in row.items()})["answer"][0])


def test_an_error_that_a_worker_meets_keeps_its_kind(a_recipe, the_cases, tmp_path):
    worker = CaseWorker(replace(a_recipe, model=str(tmp_path / "absent.safetensors")))
    with pytest.raises(CheckpointError, match="absent"):
        asked(worker, the_cases[0][1])


def test_a_worker_with_other_weights_is_refused(a_recipe, the_cases):
    worker = CaseWorker(replace(a_recipe, checkpoints={MODEL: "another"}))
    with pytest.raises(CheckpointError, match="other weights"):
        asked(worker, the_cases[0][1])


def test_a_worker_measures_again_only_what_a_case_lacks(a_recipe, the_cases):
    worker, case = CaseWorker(a_recipe), the_cases[0][1]
    whole = asked(worker, case)
    marked = [{**record, "seconds": -1} for record in whole[:2]]
    again = [record["seconds"] == -1 for record in asked(worker, case, marked)]
    assert again == [True, True, *[False] * (len(whole) - 2)]


def test_the_keys_are_those_of_every_case(a_recipe, the_cases):
    benchmark = a_recipe.build()
    for image_set, case in the_cases[:2]:
        assert benchmark.keys(image_set) == [
            record["key"] for record in benchmark.records(image_set, case, {})
        ]


# The command


def test_a_finished_run_starts_no_workers(a_recipe, the_cases, monkeypatch):
    benchmark, chosen = a_recipe.build(), the_cases[:1]
    ((_, records),) = measured_here(benchmark, chosen, {})
    done = {(record["key"], record["identity"]): record for record in records}
    monkeypatch.setattr(runs, "ray_session", None)
    ((_, found),) = measured_by_workers(benchmark, chosen, done, a_recipe, TWO)
    assert list(found) == list(done.values())


def test_the_command_gives_its_workers_all_that_it_has_itself(a_recipe, tmp_path, monkeypatch):
    sent, command = [], "KPrismCore.commands.evaluate"
    for name in ("draw_sheet", "write_report", "_throughput", "_show"):
        monkeypatch.setattr(f"{command}.{name}", lambda *_arguments: None)

    def remember(ray, recipe, questions, workers):
        sent.append((recipe, workers))
        return in_this_process(ray, recipe, questions, workers)

    monkeypatch.setattr(runs, "ray_session", lambda _workers: nullcontext())
    monkeypatch.setattr(runs, "measure_on_workers", remember)
    data = a_recipe.data.folder
    common = {"limit": 1, "fast": True, "peers": "none", "previous": a_recipe.model}
    for folder, count in (("shared", 2), ("alone", 0)):
        evaluate(data, a_recipe.model, tmp_path / folder, workers=count, **common)
    shared, alone = ((tmp_path / name / "records.jsonl").read_text() for name in ("shared", "alone"))
    assert timeless(map(json.loads, shared.splitlines())) == timeless(map(json.loads, alone.splitlines()))
    ((recipe, workers),) = sent
    assert (recipe.device, workers) == ("cpu", Workers(2))


@pytest.mark.parametrize("option", [{"address": "10.0.0.1:6379"}, {"gpus_per_worker": 0.5}])
def test_options_of_workers_need_workers(tmp_path, option):
    with pytest.raises(typer.BadParameter, match="--workers"):
        evaluate(tmp_path, "tiny", tmp_path, **option)
