"""What is found on this computer, and how it is told."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import pytest
from environment_fixtures import *  # noqa: F403
from environment_samples import WORKING, StillSystem
from KPrismSlicerLib import Checks
from KPrismSlicerLib.Checks import Driver, Package
from KPrismSlicerLib.Child import Ended
from KPrismSlicerLib.Environment import Environment
from KPrismSlicerLib.Problems import Problem


def load(monkeypatch, torch):
    """Let this process have imported torch."""
    monkeypatch.setattr(Checks, "loadedModule", {"torch": torch}.get)


def only_problem(environment):
    (problem,) = environment.check().problems
    return problem


def test_all_is_ready_where_pytorch_works(environment):
    assert environment.check().ready


def test_ready_means_no_problems(environment):
    assert environment.check().problems == ()


def test_missing_pytorch_offers_installing(environment, shelf):
    shelf.put(Package("torch"))
    assert only_problem(environment).action == "install"


def test_without_pytorch_nothing_is_ready(environment, shelf):
    shelf.put(Package("torch"))
    assert not environment.check().ready


def test_without_pytorch_no_program_is_started(environment, shelf, programs):
    shelf.put(Package("torch"))
    environment.check()
    assert programs.commands == []


def test_missing_safetensors_offers_installing(environment, shelf):
    shelf.put(Package("safetensors"))
    assert only_problem(environment).action == "install"


@pytest.mark.parametrize("broken", [Package("torch", broken=True), Package("safetensors", "0.8.0", True)])
def test_a_partial_package_offers_repair(environment, shelf, broken):
    shelf.put(broken)
    assert only_problem(environment).action == "repair"


def test_an_old_pytorch_offers_repair(environment, shelf):
    shelf.put(Package("torch", "2.1.2"))
    assert only_problem(environment).action == "repair"


def test_an_old_pytorch_is_named_by_its_version(environment, shelf):
    shelf.put(Package("torch", "2.1.2"))
    assert "2.1.2" in only_problem(environment).cause


def test_missing_space_is_said_beside_missing_pytorch(environment, shelf, monkeypatch):
    full = Problem("The disk is full.", "Free some space.")
    monkeypatch.setattr(Checks, "placeProblems", lambda _driver: iter((full,)))
    shelf.put(Package("torch"))
    assert full in environment.check().problems


def test_an_old_python_is_said_before_all_else(environment, shelf, monkeypatch):
    monkeypatch.setattr(Checks, "pythonProblem", lambda: Problem("Python is old.", "Update."))
    shelf.put(Package("torch"))
    assert only_problem(environment).cause == "Python is old."


def test_pytorch_is_verified_once_for_each_version(environment, programs):
    environment.check()
    environment.check()
    assert len(programs.commands) == 1


def test_the_wait_for_the_first_verification_is_explained(environment, system):
    environment.check()
    environment.check()
    assert len(system.said) == 1


def test_a_verification_outlives_the_application(environment, system, programs):
    environment.check()
    Environment(system).check()
    assert len(programs.commands) == 1


def test_another_version_is_verified_anew(environment, shelf, programs):
    environment.check()
    shelf.put(Package("torch", "2.14.0"))
    environment.check()
    assert len(programs.commands) == 2


def test_a_damaged_memory_of_verifications_is_ignored(environment, system, programs):
    system.settings["verified"] = "{damaged"
    environment.check()
    assert len(programs.commands) == 1


def test_pytorch_at_work_in_this_process_is_believed(environment, monkeypatch, programs):
    loaded = SimpleNamespace(__version__="2.13.0+cpu", nn=object())
    load(monkeypatch, loaded)
    assert environment.check().ready
    assert programs.commands == []


def test_another_pytorch_in_memory_asks_for_a_restart(environment, monkeypatch):
    load(monkeypatch, SimpleNamespace(__version__="2.5.0", nn=object()))
    assert only_problem(environment).action == "restart"


def test_a_pytorch_that_does_not_run_offers_repair(environment, programs):
    programs.ended = Ended(1, ("ImportError: No module named 'torch._C'",))
    assert only_problem(environment).action == "repair"


def test_a_failed_verification_is_not_remembered(environment, programs, system):
    programs.ended = Ended(1, ("ImportError",))
    environment.check()
    assert not system.setting("verified")


def test_an_unused_gpu_is_a_warning(environment, monkeypatch):
    monkeypatch.setattr(Checks, "findDriver", lambda: Driver("RTX 4090", "24 GB", "580.1"))
    readiness = environment.check()
    assert readiness.ready
    assert "RTX 4090" in readiness.problems[0].cause


def test_a_gpu_that_fails_is_named_with_its_error(environment, monkeypatch, programs):
    monkeypatch.setattr(Checks, "findDriver", lambda: Driver("RTX 4090", "24 GB", "580.1"))
    programs.ended = Ended(0, (WORKING.replace('"gpuError": ""', '"gpuError": "no kernel image"'),))
    assert "no kernel image" in environment.check().problems[0].cause


def test_a_check_within_a_check_says_not_ready(environment, programs):
    found = []
    programs.during = lambda: found.append(environment.check())
    environment.check()
    assert [readiness.ready for readiness in found] == [False]


@pytest.fixture(scope="module")
def real():
    """An application whose real PyTorch was verified in a child process, as if this one did not have it."""
    system, before = StillSystem(), "torch" in sys.modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checks, "loadedModule", lambda _name: None)
        found = Environment(system).verify()
        yield SimpleNamespace(system=system, found=found, loaded=before)


def test_the_real_pytorch_works_in_a_child_process(real):
    assert real.found["device"] in ("cpu", "cuda", "mps")


def test_a_known_pytorch_is_checked_within_50_ms(real):
    environment, times = Environment(real.system), []
    for _ in range(5):
        started = time.perf_counter()
        assert environment.check().ready
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05


def test_verifying_and_checking_do_not_import_pytorch(real):
    Environment(real.system).check()
    assert ("torch" in sys.modules) == real.loaded
