"""Checkpoint files: one safetensors file that describes itself, and the authors' `.pth` files.

Nothing that is read here can run code: safetensors holds numbers only, and `.pth` files are read with
`weights_only=True`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from KPrismCore.atomic import atomic_path
from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.confidence import Line, read_lines
from KPrismCore.decision import HALF
from KPrismCore.errors import CheckpointError, InputFileError
from KPrismCore.network.authors import from_authors
from KPrismCore.network.config import AUTHORS, KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.pickles import read_state_dict
from KPrismCore.preprocess import Preprocessing
from KPrismCore.recognition import Recognition
from KPrismCore.storage import packed, unpacked
from KPrismCore.zoom import Zoom

# the newest that is read; 2 are those with 8-bit weights, all others are 1
FORMAT_VERSION = 2
PAPER_CLASSES = Path(__file__).resolve().parents[1] / "Resources" / "Classes" / "kprism-paper.csv"
# in the facts of the training: whether the validation subjects were trained on
ALL_SUBJECTS = "all_subjects"
_PREFIX = "kprism."


@dataclass(frozen=True)
class ModelCard:
    """What a user has to know of a checkpoint before trusting it."""

    name: str = "unnamed"
    description: str = ""
    intended_use: str = "Research only. Not for clinical use."
    limits: str = ""
    modalities: tuple[str, ...] = ()
    licence: str = ""
    data: tuple[Mapping[str, str], ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def saw_all_subjects(self) -> bool:
        """Whether the validation subjects of its data were trained on: no figure measured on them counts."""
        return bool(self.training.get(ALL_SUBJECTS, False))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelCard:
        """Inverse of `dataclasses.asdict`; fields of later versions are left out."""
        known = {name: value for name, value in values.items() if name in cls.__dataclass_fields__}
        fixed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
        return cls(**fixed)


@dataclass(frozen=True)
class Checkpoint:
    """Weights in our names, and all that is needed to use them.

    `lowest_threshold` says how a probability becomes a mask, see `decision.decide`, and `confidence_lines`
    by kind of prompt how sure of it the network may claim to be, see the module `confidence`. `zoom` says
    when clicks are answered on a part of the image only, and `recognition` whether references are answered
    with the class that they show as well; None for never. With `eight_bit` a file keeps the
    large weights as 8-bit numbers, see the module `storage`; here they always are floating-point numbers.
    """

    config: KPrismConfig
    weights: Mapping[str, Tensor]
    catalogue: Catalogue
    preprocessing: Preprocessing
    card: ModelCard
    notes: tuple[str, ...] = ()
    lowest_threshold: float = HALF
    confidence_lines: Mapping[str, Line] = field(default_factory=dict)
    zoom: Zoom | None = None
    recognition: Recognition | None = None
    eight_bit: bool = False

    def stored(self) -> dict[str, Tensor]:
        """The weights as a file keeps them."""
        return packed(self.weights) if self.eight_bit else dict(self.weights)

    def build(self) -> KPrism:
        """The network with these weights, in evaluation mode.

        Raises:
            CheckpointError: the weights do not fit the configuration, or are no numbers.
        """
        try:
            with torch.device("meta"):
                expected = KPrism(self.config).state_dict()
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"No network can be made by the configuration of '{self.card.name}' ({error}).",
                "Copy the file again, or correct the configuration.",
            ) from error
        report = compare(expected, self.weights)
        if report:
            raise CheckpointError(
                f"The weights of '{self.card.name}' do not fit their network:\n{report}\n",
                "Use a checkpoint made for this configuration.",
            )
        if damaged := [name for name, value in self.weights.items() if not torch.isfinite(value).all()]:
            raise CheckpointError(
                f"{len(damaged)} weights of '{self.card.name}' are NaN or infinite, such as {damaged[0]}.",
                "Use another checkpoint; this training has failed, or the file is damaged.",
            )
        network = KPrism(self.config)
        network.load_state_dict(dict(self.weights), strict=True)
        return network.eval()


def compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], most: int = 8) -> str:
    """A readable list of missing, unexpected and wrongly shaped entries; empty where all fit."""
    wrong = [
        f"{name} is {tuple(found[name].shape)}, not {tuple(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    kinds = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "wrong shape": wrong,
    }
    lines = []
    for kind, names in kinds.items():
        if names:
            more = f" and {len(names) - most} more" if len(names) > most else ""
            lines.append(f"  {kind} ({len(names)}): {', '.join(names[:most])}{more}")
    return "\n".join(lines)


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an existing file is replaced only when the new one is complete.

    Raises:
        OutputFileError: the file cannot be written.
    """
    described = {
        "format_version": FORMAT_VERSION if checkpoint.eight_bit else 1,
        "config": checkpoint.config.to_dict(),
        "catalogue": checkpoint.catalogue.to_list(),
        "preprocessing": checkpoint.preprocessing.to_dict(),
        "card": asdict(checkpoint.card),
        "notes": list(checkpoint.notes),
        "lowest_threshold": checkpoint.lowest_threshold,
        "confidence_lines": dict(checkpoint.confidence_lines),
        "zoom": None if checkpoint.zoom is None else checkpoint.zoom.to_dict(),
        "recognition": None if checkpoint.recognition is None else checkpoint.recognition.to_dict(),
    }
    metadata = {_PREFIX + name: json.dumps(value, ensure_ascii=False) for name, value in described.items()}
    weights = {name: value.detach().cpu().contiguous() for name, value in checkpoint.stored().items()}
    with atomic_path(path) as temporary:
        try:
            save_file(weights, temporary, metadata=metadata)
        except SafetensorError as error:
            # its way to tell a full disk
            raise OSError(str(error)) from error


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read one of our checkpoints, or an official `.pth` file with the paper's catalogue.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe, of a newer format or of another kind.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"There is no checkpoint file {file}.", "Check its name and folder.")
    if file.suffix.lower() in (".pth", ".pt"):
        return read_official(file)
    try:
        with safe_open(str(file), framework="pt") as stream:
            metadata = stream.metadata() or {}
            weights = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - no iterator
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{file} is not a complete safetensors file ({error}).", "Copy or download it again."
        ) from error
    return _described(file, weights, metadata)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The description of one of our checkpoints, without its weights.

    Raises:
        CheckpointError: as for `read_checkpoint`.
    """
    try:
        with safe_open(str(path), framework="pt") as stream:
            return _parse(Path(path), stream.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({error}).", "Copy it again."
        ) from error


def _parse(file: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _PREFIX + "config" not in metadata:
        raise CheckpointError(
            f"{file} is a safetensors file, but not a K-Prism checkpoint.",
            "Name a file made by `train` or `convert`.",
        )
    try:
        values = {
            k.removeprefix(_PREFIX): json.loads(v) for k, v in metadata.items() if k.startswith(_PREFIX)
        }
    except json.JSONDecodeError as error:
        raise CheckpointError(f"The description in {file} is damaged ({error}).", "Copy it again.") from error
    version = values.get("format_version", 0)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise CheckpointError(f"{file} was made by a newer version.", "Update KPrismSlicer.")
    return values


def _described(file: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Checkpoint:
    values = _parse(file, metadata)
    try:
        return Checkpoint(
            config=KPrismConfig.from_dict(values["config"]),
            weights=unpacked(weights),
            catalogue=Catalogue.from_list(values.get("catalogue", [])),
            preprocessing=Preprocessing.from_dict(values.get("preprocessing", {})),
            card=ModelCard.from_dict(values.get("card", {})),
            notes=tuple(values.get("notes", ())),
            lowest_threshold=_threshold(values.get("lowest_threshold", HALF)),
            confidence_lines=read_lines(values.get("confidence_lines", {})),
            zoom=Zoom.from_dict(values.get("zoom")),
            recognition=Recognition.from_dict(values.get("recognition")),
            eight_bit=int(values.get("format_version", 1)) > 1,
        )
    except (AttributeError, TypeError, ValueError, InputFileError) as error:
        raise CheckpointError(f"The description in {file} is damaged ({error}).", "Copy it again.") from error


def _threshold(value: Any) -> float:
    threshold = float(value)
    if not 0 <= threshold <= 1:
        raise ValueError(f"{threshold} is no threshold of a probability")
    return threshold


def read_official(path: str | os.PathLike[str], catalogue: Catalogue | None = None) -> Checkpoint:
    """Read a checkpoint of the authors: a state dict, alone or under "model" or "state_dict".

    Its keys may have the prefix "module." of distributed training.

    Raises:
        CheckpointError: the file cannot be read, could run code, or holds other entries.
    """
    file = Path(path)
    state = read_state_dict(file)
    weights, report = from_authors(state, AUTHORS)
    if report.unexpected:
        with torch.device("meta"):
            others = compare(KPrism(AUTHORS).state_dict(), weights)
        line = "\n" if others else ""
        raise CheckpointError(
            f"{file} holds {len(report.unexpected)} entries that are not of the K-Prism network, such as "
            f"{', '.join(report.unexpected[:4])}.{line}{others}",
            "Name a checkpoint of the authors' training.",
        )
    notes = [f"{len(report.ignored)} entries that no mode of the network uses were left out."]
    if report.click_mlp_filled:
        notes.append(
            "The click MLP is not in official checkpoints (their code draws a random one at every call); "
            "it was filled with default initial values from a fixed seed."
        )
    return Checkpoint(
        config=AUTHORS,
        weights=weights,
        catalogue=catalogue or load_catalogue(PAPER_CLASSES),
        preprocessing=Preprocessing(quantise=True),
        card=ModelCard(name=file.stem, description="Official K-Prism checkpoint, converted."),
        notes=tuple(notes),
    )
