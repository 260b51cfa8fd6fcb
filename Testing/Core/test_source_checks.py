"""ruff and mypy as tests, so that one verdict covers everything."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_tool(*command: str) -> None:
    if importlib.util.find_spec(command[0]) is None:
        pytest.skip(f"needs {command[0]}")
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}{done.stderr}", pytrace=False)


def test_ruff_finds_nothing():
    run_tool("ruff", "check", "--output-format", "concise", ".")


@pytest.mark.slow
def test_mypy_finds_nothing():
    run_tool("mypy")
