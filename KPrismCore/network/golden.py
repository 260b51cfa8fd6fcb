"""The authors' network against ours: golden inputs and outputs. Spec section 21."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from KPrismCore.errors import InputFileError
from KPrismCore.network.authors import from_authors
from KPrismCore.network.config import AUTHORS
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.moe import MoEAttention
from KPrismCore.network.prompts import ClickSet, Prompts
from KPrismCore.network.recipe import golden_state

# |difference| <= ABSOLUTE + RELATIVE * |x|, RMS <= RMS_SHARE of the logits' deviation, mask bits per layer
ABSOLUTE, RELATIVE, RMS_SHARE, MASK_BITS = 2e-3, 1e-3, 3e-4, 2


@dataclass(frozen=True)
class CaseResult:
    """How far one case is from the golden logits and masks."""

    name: str
    largest: float
    rms_share: float
    mask_bits: int
    passed: bool


@dataclass(frozen=True)
class Case:
    """One golden file: inputs, expected logits per layer, expected masks per layer."""

    name: str
    seed: int
    random_mlp: int | None
    image: Tensor
    class_index: Tensor | None
    clicks: ClickSet | None
    references: tuple[Tensor, Tensor] | None
    previous: Tensor | None
    logits: list[Tensor]
    masks: list[Tensor | None]

    @property
    def token_sides(self) -> Tensor:
        """(N,) labels of the click columns: the positive group first, then the negative one."""
        count = 0 if self.clicks is None else self.clicks.labels.shape[1] // 2
        return torch.tensor([1] * count + [0] * count)


def cases(folder: Path) -> Iterator[Case]:
    """The network cases (`m*.npz`) of a folder, in name order.

    Raises:
        InputFileError: there are none.
    """
    files = sorted(folder.glob("m*.npz"))
    if not files:
        raise InputFileError(
            f"{folder} holds no golden files (m*.npz).", "Name the folder with the golden files."
        )
    for file in files:
        yield read_case(file)


def read_case(file: Path) -> Case:
    """Read one golden file; numbers and text only, never objects.

    Raises:
        InputFileError: the file is damaged, or no golden file.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            return _case(file.stem, {name: archive[name] for name in archive.files})
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        # of a file of another kind numpy says how to load it unsafely
        reason = "damaged, or of another kind" if isinstance(error, ValueError) else error
        raise InputFileError(f"{file} is not a golden file ({reason}).", "Copy it again.") from error


def _case(name: str, data: dict[str, Any]) -> Case:
    meta = json.loads(str(data["meta"]))
    mode = str(data["in_click_mode"])
    layers = range(AUTHORS.layers)
    return Case(
        name=name,
        seed=int(meta["seed"]),
        random_mlp=meta["rng"] if meta["click_mlp"] == "official" else None,
        image=_normalised(data["in_image"]),
        class_index=torch.from_numpy(data["in_class_index"]).long().view(-1) if mode in "01" else None,
        clicks=_clicks(data) if mode in "124" else None,
        references=_references(data) if mode in "34" else None,
        previous=_previous(data),
        logits=[torch.from_numpy(data[f"mask_logits_l{index}"]) for index in layers],
        masks=[_mask(data, index) for index in layers],
    )


def _normalised(image: np.ndarray[Any, Any]) -> Tensor:
    grey = torch.from_numpy(image).float()
    grey = grey.expand(*grey.shape[:-3], 3, *grey.shape[-2:]) if grey.shape[-3] == 1 else grey
    return (grey / 255 - 0.26) / 0.30


def _clicks(data: dict[str, Any]) -> ClickSet:
    points = torch.cat([torch.from_numpy(data[f"in_{side}_points"]) for side in ("pos", "neg")], 1).float()
    labels = torch.cat([torch.from_numpy(data[f"in_{side}_labels"]) for side in ("pos", "neg")], 1).long()
    return ClickSet(points, labels, torch.full((len(points),), points.shape[1] // 2))


def _references(data: dict[str, Any]) -> tuple[Tensor, Tensor]:
    masks = torch.from_numpy(data["in_ref_mask"]).float()
    return _normalised(data["in_ref_image"]), masks[:, :, None] if masks.dim() == 4 else masks


def _previous(data: dict[str, Any]) -> Tensor | None:
    if "in_prev_mask" not in data:
        return None
    previous = torch.from_numpy(data["in_prev_mask"]).float() / 255
    return previous.view(previous.shape[0], 1, *previous.shape[-2:])


def _mask(data: dict[str, Any], layer: int) -> Tensor | None:
    name = f"attn_mask_{layer}_bits"
    if name not in data:
        return None
    return torch.from_numpy(np.unpackbits(data[name], axis=-1).astype(bool))


def golden_network(manifest: dict[str, Any], seed: int) -> KPrism:
    """The full network with the golden weights of a seed."""
    weights, _ = from_authors(golden_state(manifest, seed), AUTHORS)
    network = KPrism(AUTHORS)
    network.load_state_dict(weights, strict=True)
    return network.for_inference()


def use_folding(network: nn.Module, folding: bool) -> None:
    """Choose the fast or the plain path of every attention."""
    for module in network.modules():
        if isinstance(module, MoEAttention):
            module.use_folding = folding


def run_case(network: KPrism, case: Case) -> CaseResult:
    """Run one case and compare logits and attention masks of every layer."""
    blocked: list[Tensor | None] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _layer, args: blocked.append(args[2]))
        for layer in network.layers
    ]
    kept = network.click_encoder.mlp
    if case.random_mlp is not None:
        network.click_encoder.mlp = RandomMlp(case.random_mlp, case.token_sides)
    try:
        with torch.inference_mode():
            references = None if case.references is None else network.encode_references(*case.references)
            prompts = Prompts(case.class_index, case.clicks, references, case.previous)
            outputs = network.decode(network.encode_image(case.image), prompts)
    finally:
        network.click_encoder.mlp = kept
        for hook in hooks:
            hook.remove()
    return _compared(case, outputs, blocked)


def _compared(case: Case, outputs: list[Tensor], blocked: list[Tensor | None]) -> CaseResult:
    largest, share, passed = 0.0, 0.0, True
    for found, wanted in zip(outputs, case.logits, strict=True):
        difference = (found - wanted.view_as(found)).abs()
        largest = max(largest, float(difference.max()))
        share = max(share, float(difference.square().mean().sqrt() / wanted.std()))
        passed &= bool((difference <= ABSOLUTE + RELATIVE * wanted.view_as(found).abs()).all())
    bits = max(_wrong_bits(case, found, wanted) for found, wanted in zip(blocked, case.masks, strict=True))
    return CaseResult(case.name, largest, share, bits, passed and share <= RMS_SHARE and bits <= MASK_BITS)


def _wrong_bits(case: Case, found: Tensor | None, wanted: Tensor | None) -> int:
    """Pixels of one layer with a differing mask bit in any token, in the worst sample.

    Each of the authors' dummies is held against our one for its group.
    """
    if wanted is None:
        return 0
    mine = torch.zeros((), dtype=torch.bool).expand(wanted.shape) if found is None else found
    if found is not None and case.clicks is not None:
        columns = case.clicks.labels.shape[1]
        others = found.shape[1] - columns - 2
        dummy = others + columns + (case.token_sides == 0).long()
        index = torch.where(case.clicks.labels >= 0, torch.arange(others, others + columns), dummy)
        first = torch.arange(others).expand(len(index), -1)
        rows = torch.cat((first, index), 1)
        mine = found.gather(1, rows[..., None].expand(-1, -1, found.shape[-1]))
    differing = (mine != wanted[..., : mine.shape[-1]]).any(1)
    return int(differing.sum(-1).max())


class RandomMlp(nn.Module):
    """The authors' click MLP: default initial values, drawn anew for every group, level and extraction."""

    def __init__(self, seed: int, sides: Tensor) -> None:
        super().__init__()
        width, hidden, levels = AUTHORS.width, AUTHORS.click_hidden, len(AUTHORS.strides)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.ModuleList(
                nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))
                for _ in range(2 * levels * 2)
            )
        self.positive = torch.cat((sides, torch.tensor([1, 0]))).bool()
        self.calls = 0

    def forward(self, content: Tensor) -> Tensor:
        positive, negative = (self.layers[2 * self.calls + group](content) for group in (0, 1))
        self.calls += 1
        return torch.where(self.positive[None, :, None], positive, negative)
