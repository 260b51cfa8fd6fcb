"""A launcher's folder for tests, with a folder of tiny wheels in place of the real packages."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

from KPrismCore.launcher.environment import Environment
from KPrismCore.launcher.packages import BASE, RESEARCH

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


def make_wheel(folder: Path, name: str, code: str) -> None:
    """Write a wheel with one module."""
    information = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": code,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(text.encode())])
    rows.writerow([f"{information}/RECORD", "", ""])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{information}/RECORD": record.getvalue()}.items():
            wheel.writestr(path, text)


def copy_launcher(folder: Path) -> None:
    shutil.copy(ROOT / "kprism.py", folder)
    shutil.copytree(ROOT / "KPrismCore" / "launcher", folder / "KPrismCore" / "launcher")
    (folder / "Resources").mkdir()
    (folder / "Resources" / "requirements.txt").write_text("first==1.0\nsecond==1.0\n")
    addition = "-r requirements.txt\nfourth==1.0\nfifth==1.0\n"
    (folder / "Resources" / "requirements-research.txt").write_text(addition)
    (folder / "KPrismCore" / "__init__.py").write_text("")


def environment_of(folder: Path) -> Environment:
    base = replace(BASE, imports={"first": "first", "second": "second"})
    return Environment(folder, base, replace(RESEARCH, imports={"fourth": "fourth", "fifth": "fifth"}))


def runs(environment: Environment, code: str) -> bool:
    return subprocess.run([environment.python, "-I", "-c", code], capture_output=True).returncode == 0


def packages_folder(environment: Environment) -> Path:
    return next(environment.folder.glob("**/site-packages"))


def run_launcher(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, folder / "kprism.py", *arguments],
        cwd=folder.parent,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
