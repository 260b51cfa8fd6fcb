"""Stand-ins for tests of the evaluation: a tiny network that knows one class, a peer, and records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from KPrismCore.catalogue import Catalogue, load_catalogue
from KPrismCore.checkpoint import ModelCard
from KPrismCore.evaluation.protocol import MODEL
from KPrismCore.model import Model
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.preprocess import Preprocessing

TINY = KPrismConfig(
    input_size=64, encoder_channels=(4, 4, 8, 8, 8), encoder_attention=(False,) * 4,
    prompt_channels=(4, 4, 8, 8), norm_groups=2, width=16, layers=2, experts=2, heads=2, ffn_width=16,
    pixel_block="depthwise", mask_head_channels=4, classes=1, click_hidden=8,
)  # fmt: skip
CLASSES = Path(__file__).parents[2] / "Resources" / "Classes" / "kprism-small.csv"


class OneSquare:
    """A stand-in for a peer: a square around each positive click."""

    def segment(self, image, clicks):
        mask = np.zeros(image.shape[:2], dtype=bool)
        for click in clicks:
            row, column = int(click.y), int(click.x)
            mask[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] = click.positive
        return mask

    def __repr__(self) -> str:
        return "OneSquare()"


def measured_model(seed: int = 0) -> Model:
    """A network with random weights that knows the class of the discs in `made_up_packs`."""
    torch.manual_seed(seed)
    liver = load_catalogue(CLASSES).by_name("liver")
    catalogue = Catalogue((replace(liver, index=1, sources=("discs:disc",)),))
    network = KPrism(TINY).eval()
    return Model(network, torch.device("cpu"), catalogue, Preprocessing(), ModelCard(name="tiny"))


def record(set_name: str, subject: str, scores: list[float], **more) -> dict:
    """What a benchmark yields for a case, as far as reports look at it."""
    common = {"set_name": set_name, "subject": subject, "method": MODEL, "modality": "CT chest"}
    named = {"identity": f"{set_name}/{subject}", "label_name": "thing", "part": "modes"}
    return {**common, **named, "clicks": scores, "iou": scores, **more}
