"""A command that the launcher starts keeps large blocks of memory for its next use."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from KPrismCore.launcher import main

# prints how many pages the system had to hand out when 64 MB were taken, written and given back once more
SECOND_USE = """
import ctypes, resource
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
def use():
    block = ctypes.c_void_p(library.malloc(2**26))
    ctypes.memset(block, 1, 2**26)
    library.free(block)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
# 16,000 without; some 30 where the system hands out pages of two megabytes
FEW = 10


class StartedError(Exception):
    """Raised where the launcher would become the command."""


def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a command that the launcher would start."""

    def execve(_path: str, _arguments: list[str], variables: dict[str, str]) -> None:
        raise StartedError(variables)

    monkeypatch.setattr(main.sys, "platform", "linux")
    monkeypatch.setattr(main.os, "execve", execve)
    with pytest.raises(StartedError) as start:
        main.replace_process([sys.executable])
    return dict(start.value.args[0])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the variables are those of glibc")
@pytest.mark.parametrize("kept", [True, False])
def test_a_large_block_is_handed_out_again(kept, monkeypatch):
    variables = {name: value for name, value in os.environ.items() if name not in main.KEPT_MEMORY}
    if kept:
        variables = started(monkeypatch)
        monkeypatch.undo()
    found = subprocess.run([sys.executable, "-c", SECOND_USE], env=variables, capture_output=True, check=True)
    assert (int(found.stdout) < FEW) is kept


def test_what_the_user_says_of_memory_holds(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "12345")
    assert started(monkeypatch)["MALLOC_TRIM_THRESHOLD_"] == "12345"
