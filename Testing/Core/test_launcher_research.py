"""kprism.py: the addition for training and for evaluation over many workers, beside the base set."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from launcher_samples import ROOT, make_wheel, packages_folder, runs

from KPrismCore.launcher import installer, main
from KPrismCore.launcher.console import LauncherError
from KPrismCore.launcher.environment import Environment
from KPrismCore.launcher.installer import PipRun, Sources
from KPrismCore.launcher.packages import RESEARCH, Wanted, wanted_by

pytestmark = pytest.mark.usefixtures("a_roomy_disk")

ADDITION = Wanted(research=True)


@pytest.fixture(scope="module")
def all_wheels(tmp_path_factory, wheels) -> Path:
    folder = tmp_path_factory.mktemp("all") / "wheels"
    shutil.copytree(wheels, folder)
    make_wheel(folder, "fourth", "import second\n")
    make_wheel(folder, "fifth", "")
    return folder


@pytest.fixture
def few_wheels(all_wheels, tmp_path) -> Path:
    """As on a system for which there is no build of the fifth package."""
    folder = shutil.copytree(all_wheels, tmp_path / "few")
    next(folder.glob("fifth*")).unlink()
    return folder


@pytest.fixture
def runs_of_pip(monkeypatch) -> list[str]:
    """What pip was asked for, one text a run."""
    asked, install = [], PipRun.install

    def watched(run: PipRun, wanted: list[str], sources: Sources) -> None:
        asked.append(" ".join(wanted))
        install(run, wanted, sources)

    monkeypatch.setattr(PipRun, "install", watched)
    return asked


@pytest.fixture
def enlarged(environment, all_wheels) -> Environment:
    """An environment that had only the base, in which a package was changed, after the addition."""
    with (packages_folder(environment) / "first.py").open("a") as stream:
        stream.write("CHANGED = 1\n")
    environment.prepare(Sources(wheels=all_wheels), wanted=ADDITION)
    return environment


# Which commands ask for it


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("segment ct.nrrd", Wanted()),
        ("demo", Wanted()),
        ("evaluate --data x", Wanted()),
        ("evaluate --data x --workers 2", Wanted(True, frozenset({"ray"}))),
        ("evaluate --workers=2", Wanted(True, frozenset({"ray"}))),
        ("train data run", Wanted(True, frozenset({"lightning-fabric", "tensorboard"}))),
        ("train --help", Wanted()),
        ("test -k name", Wanted(True)),
        ("test --help", Wanted(True)),
        ("", Wanted()),
    ],
)
def test_a_command_asks_for_what_it_needs(line, wanted):
    assert wanted_by(line.split()) == wanted


def test_setup_asks_for_the_whole_addition_by_name():
    assert wanted_by(["setup"], research=True) == Wanted(True, frozenset(RESEARCH.imports))


def test_the_option_stands_after_setup():
    options = main.Options()
    assert main.take_options(["--research"], options) == []
    assert options.research


# Making it


def test_an_environment_with_the_base_gets_the_addition_and_keeps_the_rest(enlarged):
    assert runs(enlarged, "import fourth, fifth, first; first.CHANGED")
    assert enlarged.is_complete(ADDITION)


def test_the_base_alone_is_not_the_addition(environment):
    assert not environment.is_complete(ADDITION)


@pytest.mark.usefixtures("no_pip")
def test_a_complete_addition_is_left_alone(environment):
    environment._write_markers(ADDITION, [])
    environment.prepare(Sources(), wanted=ADDITION)


def test_other_research_requirements_leave_the_base_complete(environment):
    environment._write_markers(ADDITION, [])
    (environment.root / "Resources" / "requirements-research.lock").write_text("fourth==2.0\n")
    assert not environment.is_complete(ADDITION)
    assert environment.is_complete()


def test_other_base_requirements_make_the_addition_incomplete(environment):
    environment._write_markers(ADDITION, [])
    environment.requirements.write_text("first==1.0\n")
    assert not environment.is_complete(ADDITION)


def test_base_and_addition_are_installed_in_one_go(environment, all_wheels, runs_of_pip):
    environment.marker.unlink()
    environment.prepare(Sources(wheels=all_wheels), wanted=ADDITION)
    assert runs_of_pip == [f"-r {environment.root / 'Resources' / 'requirements-research.txt'}"]
    assert environment.is_complete()


def test_an_interrupted_addition_leaves_the_base_complete(environment, monkeypatch):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PipRun, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.prepare(Sources(), wanted=ADDITION)
    assert environment.is_complete()
    assert not environment.is_complete(ADDITION)


@pytest.mark.usefixtures("no_pip")
def test_a_full_disk_stops_the_addition(environment, monkeypatch):
    monkeypatch.setattr(installer, "free_bytes", lambda folder: 10**8)
    with pytest.raises(LauncherError, match="too full"):
        environment.prepare(Sources(), wanted=ADDITION)


# Where there is no build of a package


def test_a_command_that_does_not_need_what_is_missing_goes_on(environment, few_wheels, capsys):
    environment.prepare(Sources(wheels=few_wheels), wanted=Wanted(True, frozenset({"fourth"})))
    assert runs(environment, "import fourth")
    assert "without fifth: The folder of wheels has no fifth==1.0" in capsys.readouterr().err
    assert environment.is_complete(Wanted(True, frozenset({"fourth"})))
    assert not environment.is_complete(Wanted(True, frozenset({"fifth"})))


def test_a_command_that_needs_what_is_missing_says_so(environment, few_wheels):
    with pytest.raises(LauncherError, match="no fifth for Python 3"):
        environment.prepare(Sources(wheels=few_wheels), wanted=Wanted(True, frozenset({"fifth"})))
    assert environment.is_complete(ADDITION)


# The command line


@pytest.mark.usefixtures("no_pip")
def test_a_command_of_research_prepares_the_addition(environment, monkeypatch):
    environment._write_markers(ADDITION, ["ray"])
    started = []
    monkeypatch.setattr(main, "Environment", lambda root: environment)
    monkeypatch.setattr(main, "replace_process", lambda command: started.append(command[2:]) or 0)
    assert main.run(["train", "data"]) == 0
    assert started == [["train", "data"]]
    with pytest.raises(pytest.fail.Exception, match="pip was called"):
        main.run(["evaluate", "--workers", "2"])


def test_diagnose_tells_what_the_addition_lacks(environment, monkeypatch, capsys):
    environment._write_markers(ADDITION, ["ray"])
    main.diagnose(environment)
    assert "Research set     complete without ray" in capsys.readouterr().out


# The files


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "Resources" / name).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w.-]+)(?:\[\w+\])?(==\S+)?", line) for line in lines if re.match(r"\w", line))
    return {match[1]: match[2] for match in found if match}


def test_every_package_of_the_addition_is_pinned():
    assert None not in {**pins("requirements-research.txt"), **pins("requirements-research.lock")}.values()


def test_the_addition_pins_nothing_that_the_base_pins():
    base = {*pins("requirements.txt"), *pins("requirements.lock")}
    assert base.isdisjoint({*pins("requirements-research.txt"), *pins("requirements-research.lock")})
