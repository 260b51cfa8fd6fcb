"""kprism.py with an environment that lacks files, is a link or cannot be read by the user's terminal."""

from __future__ import annotations

import shutil
import sys

import pytest
from launcher_samples import (
    environment_of,
    packages_folder,
    run_launcher,
    runs,
)

from KPrismCore.__main__ import COMMANDS
from KPrismCore.launcher import environment as environment_module
from KPrismCore.launcher import main
from KPrismCore.launcher.console import LauncherError
from KPrismCore.launcher.damage import damaged_packages
from KPrismCore.launcher.installer import Sources
from KPrismCore.launcher.packages import Wanted

pytestmark = pytest.mark.usefixtures("a_roomy_disk")

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")


@pytest.fixture
def torn(environment):
    """An environment that is marked as complete and lacks a file of a package."""
    (packages_folder(environment) / "second.py").unlink()
    return environment


# Files that are missing


def test_a_package_that_lacks_a_file_is_damaged(torn):
    assert "second-1.0.dist-info" in [path.name for path in damaged_packages(torn.folder)]


def test_a_package_with_an_emptied_file_is_damaged(environment):
    (packages_folder(environment) / "first.py").write_text("")
    assert "first-1.0.dist-info" in [path.name for path in damaged_packages(environment.folder)]


def test_a_whole_package_is_not_damaged(finished_folder):
    assert damaged_packages(environment_of(finished_folder).folder) == []


def test_setup_unpacks_a_damaged_package_again(torn, wheels):
    torn.prepare(Sources(wheels=wheels), thorough=True)
    assert runs(torn, "import second")


@pytest.mark.usefixtures("no_pip")
def test_a_command_does_not_look_for_damage(torn):
    torn.prepare(Sources())


def test_setup_looks_for_damage(launcher_folder, monkeypatch):
    monkeypatch.setattr(main, "ROOT", launcher_folder)
    asked = []
    monkeypatch.setattr(main.Environment, "prepare", lambda self, *arguments: asked.append(arguments))
    main.run(["setup"])
    main.run(["--research"])
    assert [arguments[-1] for arguments in asked] == [True, True]


def test_a_command_without_a_package_says_how_to_mend_it(launcher_folder):
    (launcher_folder / "KPrismCore" / "__main__.py").write_text("import absent\n")
    done = run_launcher(launcher_folder, "info")
    assert done.returncode == 1
    assert "missing or damaged: No module named 'absent'" in done.stderr
    assert "kprism.py setup" in done.stderr
    assert "Traceback" not in done.stderr


def test_diagnose_names_what_is_damaged(torn):
    done = run_launcher(torn.root, "diagnose")
    assert "second" in done.stdout
    assert "run python3 kprism.py setup" in done.stdout


def test_diagnose_says_that_pytorch_does_not_load(launcher_folder):
    done = run_launcher(launcher_folder, "diagnose")
    assert "torch            does not load: No module named 'torch'" in done.stdout
    assert "Traceback" not in done.stderr


# .venv in place of which there is something else


@needs_links
def test_a_link_in_place_of_the_environment_is_named(launcher_folder, wheels, tmp_path):
    environment = environment_of(launcher_folder)
    shutil.rmtree(environment.folder)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    environment.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LauncherError, match=r"\.venv is a link"):
        environment.prepare(Sources(wheels=wheels))
    assert (tmp_path / "elsewhere" / "precious").exists()


@needs_links
def test_a_link_that_leads_nowhere_is_named(launcher_folder, wheels, tmp_path):
    environment = environment_of(launcher_folder)
    shutil.rmtree(environment.folder)
    environment.folder.symlink_to(tmp_path / "nowhere")
    with pytest.raises(LauncherError, match=r"\.venv is a link"):
        environment.prepare(Sources(wheels=wheels))


@needs_links
@pytest.mark.slow
def test_the_environment_may_lie_on_another_disk(launcher_folder, wheels, tmp_path):
    environment = environment_of(launcher_folder)
    shutil.rmtree(environment.folder)
    (tmp_path / "larger").mkdir()
    environment.folder.symlink_to(tmp_path / "larger")
    environment.prepare(Sources(wheels=wheels))
    assert environment.is_complete()


@pytest.mark.slow
def test_a_file_in_place_of_the_environment_makes_way(launcher_folder, wheels):
    environment = environment_of(launcher_folder)
    shutil.rmtree(environment.folder)
    environment.folder.touch()
    environment.prepare(Sources(wheels=wheels))
    assert environment.is_complete()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX descriptors")
def test_python_making_the_environment_keeps_a_second_launcher_out(environment, monkeypatch):
    kept = []

    def run(command, **options):
        kept.append(options["pass_fds"])
        return environment_module.subprocess.CompletedProcess(command, 1, "", "no")

    shutil.rmtree(environment.folder)
    monkeypatch.setattr(environment_module.subprocess, "run", run)
    with pytest.raises(LauncherError):
        environment.prepare(Sources())
    assert len(kept[-1]) == 1


# What a user's own settings do


@pytest.mark.parametrize("name", ["PIP_DRY_RUN", "PIP_REQUIRE_HASHES"])
def test_a_users_setting_of_pip_does_not_stop_the_installation(environment, wheels, monkeypatch, name):
    environment.marker.unlink()
    monkeypatch.setenv(name, "1")
    (packages_folder(environment) / "second.py").unlink()
    environment.prepare(Sources(wheels=wheels))
    assert runs(environment, "import second")


def test_packages_of_other_programs_do_not_replace_the_environments(launcher_folder, tmp_path):
    make = tmp_path / "other"
    make.mkdir()
    (make / "first.py").write_text("raise SystemExit(99)\n")
    (launcher_folder / "KPrismCore" / "__main__.py").write_text("import first\n")
    assert run_launcher(launcher_folder, "info", PYTHONPATH=str(make)).returncode == 0


def test_a_safe_path_does_not_hide_the_launcher(launcher_folder):
    assert run_launcher(launcher_folder, "--help", PYTHONSAFEPATH="1").returncode == 0


def test_a_terminal_that_lacks_a_character_gets_a_question_mark(launcher_folder):
    (launcher_folder / "KPrismCore" / "__main__.py").write_text("print('5 \\u2265 3')\n")
    done = run_launcher(launcher_folder, "info", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout) == (0, "5 ? 3\n")


def test_a_launchers_error_can_name_any_folder(launcher_folder):
    done = run_launcher(launcher_folder, "--wheels", "/\u5206", "setup", PYTHONIOENCODING="ascii")
    assert "There are no wheels in /?" in done.stderr


# What is refused before anything is installed


def test_the_launcher_lists_every_command():
    assert set(main.COMMANDS) == {*COMMANDS, "test", "setup", "diagnose"}


@pytest.mark.usefixtures("no_pip")
def test_an_unknown_command_is_refused_before_an_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "ROOT", tmp_path)
    with pytest.raises(LauncherError, match="Did you mean segment"):
        main.run(["segmnt", "ct.nrrd"])


@pytest.mark.parametrize("arguments", [["--wheels="], ["--torch-index", ""], ["diagnose", "now"]])
def test_an_option_without_its_value_is_refused(arguments):
    with pytest.raises(LauncherError) as caught:
        main.run(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("arguments", [["help"], ["diagnose", "--help"], ["setup", "--help"]])
def test_the_help_is_given_wherever_it_is_asked_for(arguments, capsys):
    assert main.run(arguments) == 0
    assert capsys.readouterr().out == main.HELP


def test_a_folder_without_the_research_packages_is_named(environment, wheels):
    wanted = Wanted(True, frozenset({"fourth"}))
    with pytest.raises(LauncherError, match=r"folder of wheels has no fourth") as caught:
        environment.prepare(Sources(wheels=wheels), wanted=wanted)
    assert "requirements-research.txt" in caught.value.remedy


# A Python that does not run


@pytest.mark.usefixtures("no_pip")
def test_a_python_that_others_may_not_start_is_told(environment, monkeypatch):
    environment.python.unlink()
    # the tests may run as an administrator, who may write anywhere
    monkeypatch.setattr(environment_module.os, "access", lambda *_: False)
    with pytest.raises(LauncherError, match="cannot be started from this account"):
        environment.prepare(Sources())


def test_diagnose_tells_a_python_that_does_not_run(launcher_folder):
    environment_of(launcher_folder).python.unlink()
    assert "its Python cannot be started here" in run_launcher(launcher_folder, "diagnose").stdout
