"""Golden passes of the authors' inference loop: from a raw image to the restored mask, click by click.

Each mode of `e2e.npz` is one image with five passes; a pass is given the authors' clicks so far and the
probability of their previous pass, so that rounding does not add up from pass to pass. The file does not
say its class: it is the one that gives the first pass, the liver in the file of seed 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.letterbox import Letterbox, network_input
from KPrismCore.network.config import AUTHORS
from KPrismCore.network.golden import ABSOLUTE, RELATIVE, RMS_SHARE, CaseResult
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.layers import resize
from KPrismCore.network.prompts import ClickSet, ImageFeatures, Prompts, ReferenceFeatures
from KPrismCore.preprocess import Preprocessing, normalise

FILE, LIVER = "e2e.npz", 6
# share of the restored pixels that rounding may move over the threshold
MASK_SHARE = 1e-4
_SETTINGS = Preprocessing(quantise=True)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Loop:
    """The passes of one mode: "mode1" class, "mode2" references, "mode3" clicks."""

    name: str
    arrays: Arrays

    @property
    def passes(self) -> int:
        """Number of passes."""
        return len(self.arrays["logits"])

    def clicks(self, index: int) -> ClickSet | None:
        """The clicks that a pass is given, rows of (row, column, label) in each group, dummies included."""
        if f"it{index}_pos" not in self.arrays:
            return None
        rows = [torch.from_numpy(self.arrays[f"it{index}_{group}"]) for group in ("pos", "neg")]
        joined = torch.cat(rows)[None]
        return ClickSet(joined[..., :2].float(), joined[..., 2].long(), torch.tensor([len(rows[0])]))

    def references(self, network: KPrism) -> ReferenceFeatures | None:
        """The encoded references, or None."""
        if "ref_u8" not in self.arrays:
            return None
        grey = torch.from_numpy(self.arrays["ref_u8"]).float().permute(0, 2, 3, 1) / 255
        images = torch.stack([torch.from_numpy(normalise(image.numpy(), _SETTINGS)) for image in grey])
        masks = _bits(self.arrays["ref_mask_bits"], (len(images), 1, *images.shape[-2:]))
        return network.encode_references(images[None], torch.from_numpy(masks).float()[None])


def loops(folder: Path) -> Iterator[Loop]:
    """The modes of the folder's `e2e.npz`; none where there is no such file."""
    if not (folder / FILE).is_file():
        return
    with np.load(folder / FILE, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for mode in sorted({name.split("_")[0] for name in arrays}):
        prefix = mode + "_"
        yield Loop(mode, {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)})


def run_loop(network: KPrism, loop: Loop) -> Iterator[CaseResult]:
    """Run all passes of a mode; `mask_bits` counts the differing pixels of the restored mask."""
    raw = loop.arrays["raw"].astype(np.float32).transpose(1, 2, 0) / np.float32(255)
    height, width = raw.shape[:2]
    box = Letterbox(height, width, AUTHORS.input_size)
    unit = np.ascontiguousarray(np.broadcast_to(raw, (height, width, 3)))
    with torch.inference_mode():
        features = network.encode_image(network_input(unit, box, _SETTINGS)[None])
        references = loop.references(network)
        index = None
        if loop.name == "mode1":
            first = torch.from_numpy(loop.arrays["logits"][0])
            index = torch.tensor([class_of(network, features, first)])
        square: Tensor | None = None
        for number in range(loop.passes):
            prompts = Prompts(index, loop.clicks(number), references, square)
            logits = network.decode(features, prompts)[-1]
            mask = box.restore(resize(logits, AUTHORS.input_size).sigmoid())[0, 0] > 0.5
            wanted = torch.from_numpy(loop.arrays["logits"][number]).view_as(logits)
            square = resize(wanted, AUTHORS.input_size).sigmoid()
            yield _compared(loop, number, logits, mask)


def class_of(network: KPrism, features: ImageFeatures, wanted: Tensor) -> int:
    """The 1-based class whose logits on an image are those wanted (h, w); the liver if there is none."""
    others = (number for number in range(1, network.config.classes + 1) if number != LIVER)
    for number in (LIVER, *others):
        logits = network.decode(features, Prompts(torch.tensor([number])))[-1]
        if _within_tolerance(logits, wanted.view_as(logits)):
            return number
    return LIVER


def _within_tolerance(logits: Tensor, wanted: Tensor) -> bool:
    return bool(((logits - wanted).abs() <= ABSOLUTE + RELATIVE * wanted.abs()).all())


def _compared(loop: Loop, number: int, logits: Tensor, mask: Tensor) -> CaseResult:
    wanted = torch.from_numpy(loop.arrays["logits"][number]).view_as(logits)
    restored = _bits(loop.arrays["restored_bits"][number], tuple(mask.shape))
    difference = (logits - wanted).abs()
    share = float(difference.square().mean().sqrt() / wanted.std())
    pixels = int((mask.numpy() != restored).sum())
    passed = _within_tolerance(logits, wanted) and share <= RMS_SHARE
    name = f"e2e {loop.name} pass {number}"
    return CaseResult(
        name, float(difference.max()), share, pixels, passed and pixels <= MASK_SHARE * mask.numel()
    )


def _bits(packed: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.unpackbits(packed)[: int(np.prod(shape))].reshape(shape).astype(bool)
