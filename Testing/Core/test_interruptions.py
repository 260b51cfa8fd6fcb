"""Ctrl-C and a request to terminate end a command plainly, whatever it is doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from KPrismCore.atomic import atomic_path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
# a module that is loaded last of all stands still: in the middle of loading, or of an act that writes a file
LOADING = "print('ready', flush=True); time.sleep(60)"
WRITING = """
from KPrismCore.atomic import atomic_path
def info(file: str) -> None:
    with atomic_path(file) as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
"""
HOST = """
import runpy, sys, time, types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
class Standing(MetaPathFinder, Loader):
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self) if name == "KPrismCore.commands.checkpoints" else None
    def exec_module(self, module):
        module.time = time
        module.convert = lambda: None
        exec({code!r}, vars(module))
sys.meta_path.insert(0, Standing())
sys.argv = ["kprism.py", "info", {target!r}]
runpy.run_module("KPrismCore", run_name="__main__", alter_sys=True)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")


def heeding_interrupts() -> None:
    """For a child process: tests in the background ignore SIGINT, and it would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("code", [LOADING, WRITING], ids=["loading", "writing"])
def test_an_interrupted_command_leaves_neither_traceback_nor_file(tmp_path, number, code):
    target = tmp_path / "result.txt"
    target.write_text("old")
    command = [sys.executable, "-c", HOST.format(code=code, target=str(target))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, preexec_fn=heeding_interrupts, **pipes) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        said = child.communicate(timeout=PATIENCE_SECONDS)[1]
    assert (child.returncode, said.strip()) == (130, "Interrupted.")
    assert os.listdir(tmp_path) == ["result.txt"]
    assert target.read_text() == "old"


def test_an_interruption_while_a_temporary_file_is_made_leaves_none(tmp_path, monkeypatch):
    opened = os.open

    def interrupted(*arguments):
        os.close(opened(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "result.nrrd"):
        pass
    assert os.listdir(tmp_path) == []
