"""Installing, repairing, and going on after a restart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from environment_fixtures import *  # noqa: F403
from environment_samples import SAFETENSORS, TORCH, WORKING
from KPrismSlicerLib import Checks
from KPrismSlicerLib.Checks import Package
from KPrismSlicerLib.Child import Ended
from KPrismSlicerLib.Environment import Environment
from KPrismSlicerLib.Installer import torchArguments
from KPrismSlicerLib.Problems import InstallationError, Problem


@pytest.fixture
def bare(environment, shelf, programs):
    """Nothing is installed, nor is the PyTorch extension; pip installs safetensors when told to."""
    shelf.put(Package("torch"), Package("safetensors"))

    def install():
        if "safetensors>=" in " ".join(programs.commands[-1]):
            shelf.put(SAFETENSORS)

    programs.during = install
    return environment


@pytest.fixture
def calls(system, shelf):
    """The PyTorch extension is loaded; what its installer, which puts torch on the shelf, was called with."""
    made = []

    def install(askConfirmation=True, forceComputationBackend=None, torchVersionRequirement=None):  # noqa: N803
        made.append((askConfirmation, forceComputationBackend, torchVersionRequirement))
        shelf.put(TORCH)
        return SimpleNamespace()

    system.installTorch = install
    return made


@pytest.fixture
def extended(bare, calls):
    """`bare` with the PyTorch extension."""
    return bare


def failing(environment, *arguments):
    with pytest.raises(InstallationError) as caught:
        environment.install(*arguments)
    return caught.value


def test_for_the_processor_the_extension_is_told_the_build(extended, calls):
    extended.install("cpu")
    assert calls == [(False, "cpu", ">=2.2")]


@pytest.mark.parametrize("choice", ["extension", "cpu"])
def test_pytorch_comes_only_through_its_extension(extended, programs, choice):
    extended.install(choice)
    installed = [command[-1] for command in programs.commands if "install" in command]
    assert installed == ["safetensors>=0.4"]


def test_no_package_index_is_named(extended, programs):
    extended.install("cpu")
    assert not any("index" in word for command in programs.commands for word in command)


def test_only_wheels_are_installed(extended, programs):
    extended.install("cpu")
    assert "--only-binary" in programs.commands[0]


def test_what_was_installed_is_verified(extended, programs):
    extended.install("cpu")
    assert programs.commands[-1][-1].endswith("Probe.py")


def test_what_is_there_is_not_installed_again(extended, calls, shelf):
    shelf.put(TORCH)
    extended.install("cpu")
    assert calls == []


def test_after_an_installation_all_is_ready(extended):
    extended.install("cpu")
    assert extended.check().ready


@pytest.mark.parametrize("choice", ["extension", "cpu"])
def test_with_the_extension_no_restart_is_needed(extended, choice):
    assert extended.install(choice) is False


def test_there_is_no_fourth_way(bare):
    with pytest.raises(ValueError, match="magic"):
        bare.install("magic")


@pytest.mark.parametrize(
    ("choice", "words"),
    [("extension", "Downloading PyTorch; the window"), ("cpu", "Downloading PyTorch for the processor;")],
)
def test_progress_is_told(extended, choice, words):
    said = []
    extended.install(choice, None, said.append)
    assert said[0].startswith(words)


def test_an_extension_that_cannot_be_told_the_build_takes_its_own(bare, system, shelf):
    said = []

    def install(askConfirmation=True):  # noqa: N803
        shelf.put(TORCH)
        return SimpleNamespace()

    system.installTorch = install
    bare.install("cpu", None, said.append)
    assert "downloading PyTorch for this computer" in said[0]


def test_without_space_nothing_is_downloaded(extended, calls, programs, monkeypatch):
    full = Problem("The disk is full.", "Free some space.")
    monkeypatch.setattr(Checks, "placeProblems", lambda _driver: iter((full,)))
    assert failing(extended, "cpu").cause == "The disk is full."
    assert (programs.commands, calls) == ([], [])


def test_the_space_for_pytorch_is_not_asked_where_it_is_there(extended, shelf, programs, monkeypatch):
    shelf.put(TORCH)
    full = Problem("The disk is full.", "Free some space.")
    monkeypatch.setattr(Checks, "placeProblems", lambda _driver: iter((full,)))
    extended.install("cpu")
    assert programs.pip == ["install"]


def test_a_users_own_packages_are_not_where_safetensors_goes(extended, programs):
    extended.install("cpu")
    assert "--no-user" in programs.commands[0]


def test_a_long_path_is_only_said(extended, monkeypatch):
    said = []
    warning = Problem("The path is long.", "Shorten it.", blocking=False)
    monkeypatch.setattr(Checks, "placeProblems", lambda _driver: iter((warning,)))
    extended.install("cpu", None, said.append)
    assert said[0] == "The path is long. Shorten it."


def test_another_installation_under_way_is_waited_for(bare, system):
    system.pipModule = SimpleNamespace(isPipInstallInProgress=lambda: True)
    assert "Another extension" in failing(bare, "cpu").cause


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ConnectionError: getaddrinfo failed", "could not be downloaded"),
        ("ssl.SSLError: CERTIFICATE_VERIFY_FAILED", "could not be downloaded"),
        ("ERROR: No matching distribution found for torch", "There is no PyTorch for this computer"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("OSError: [WinError 206] The filename or extension is too long", "name is too long"),
        ("OSError: [WinError 5] Access is denied", "in use or protected"),
        ("something new", "could not be installed"),
    ],
)
def test_what_pip_says_is_put_in_plain_words(extended, programs, output, words):
    programs.answers = [Ended(1, (output,))]
    assert words in failing(extended, "cpu").cause


def test_pips_last_lines_are_in_the_diagnosis(extended, programs):
    programs.answers = [Ended(1, ("ERROR: something new",))]
    failing(extended, "cpu")
    assert "ERROR: something new" in extended.diagnosis()


@pytest.mark.parametrize("choice", ["extension", "cpu"])
def test_the_extension_is_installed_first_where_it_is_missing(bare, system, choice):
    assert bare.install(choice) is True
    assert system.extensions == ["PyTorch"]


@pytest.mark.parametrize("choice", ["extension", "cpu"])
def test_after_the_extension_a_restart_is_called_for(bare, choice):
    bare.install(choice)
    assert bare.check().problems[0].action == "restart"


@pytest.mark.parametrize("choice", ["extension", "cpu"])
def test_after_the_restart_the_choice_is_known(bare, system, choice):
    bare.install(choice)
    assert Environment(system).pending() == choice


def test_a_choice_goes_on_only_once(bare, system):
    bare.install("extension")
    Environment(system).pending()
    assert Environment(system).pending() == ""


def test_a_foreign_text_in_the_settings_is_no_choice(environment, system):
    system.settings["resume"] = "rm"
    assert environment.pending() == ""


def test_an_extension_that_does_not_come_is_an_error(bare, system):
    system.extensionWorks = False
    assert "PyTorch extension" in failing(bare, "extension").cause


def test_the_extension_chooses_the_build_where_it_is_not_told(extended, calls):
    extended.install("extension")
    assert calls == [(False, None, ">=2.2")]


def test_an_extension_that_fails_is_an_error(bare, system):
    def install():
        raise RuntimeError("Could not fetch URL")

    system.installTorch = install
    assert "could not be downloaded" in failing(bare, "extension").cause


def test_an_extension_that_gives_nothing_is_an_error(bare, system):
    system.installTorch = lambda: None
    assert "could not be installed" in failing(bare, "extension").cause


def test_an_older_extension_gets_the_arguments_it_knows():
    assert torchArguments(lambda confirm=True: None, ">=2.2", "cpu") == {"confirm": False}


def test_a_newer_extension_with_other_names_gets_none_of_ours():
    assert torchArguments(lambda backend=None: None, ">=2.2") == {}


def test_repair_removes_before_it_installs(extended, programs):
    extended.repair()
    assert programs.pip[:2] == ["uninstall", "install"]


def test_repair_takes_the_way_chosen_before(extended, calls, system):
    system.settings["choice"] = "cpu"
    extended.repair()
    assert calls[0][1] == "cpu"


def test_a_repair_without_an_earlier_choice_lets_the_extension_choose(bare, system):
    assert bare.repair() is True
    assert Environment(system).pending() == "extension"


def test_repair_deletes_what_pip_leaves(bare, tmp_path):
    (tmp_path / "torch" / "lib").mkdir(parents=True)
    (tmp_path / "torch-2.13.0.dist-info").mkdir()
    bare.repair()
    assert not (tmp_path / "torch").exists()
    assert not (tmp_path / "torch-2.13.0.dist-info").exists()


def test_repair_deletes_nothing_of_others(bare, tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torch_geometric-2.0.dist-info").mkdir()
    bare.repair()
    assert (tmp_path / "torchvision").is_dir()
    assert (tmp_path / "torch_geometric-2.0.dist-info").is_dir()


def test_a_pytorch_in_use_is_repaired_after_a_restart(environment, monkeypatch, system, programs):
    monkeypatch.setattr(Checks, "loadedModule", {"torch": SimpleNamespace(__version__="2.13.0")}.get)
    assert environment.repair() is True
    assert programs.commands == []
    assert Environment(system).pending() == "repair"


def test_a_repair_verifies_anew(environment, shelf, programs, system):
    environment.check()
    environment.repair()
    assert programs.commands[-1][-1].endswith("Probe.py")
    assert "2.13.0" in system.setting("verified")


def test_the_application_starts_anew_when_asked(environment, system):
    environment.restart()
    assert system.restarts == 1


def test_an_installation_within_another_is_refused(extended, programs):
    refused = []

    def again():
        if not refused:
            refused.append(failing(extended, "cpu").cause)

    programs.during = again
    programs.ended = Ended(0, (WORKING,))
    extended.install("cpu")
    assert refused == ["An installation is under way."]
