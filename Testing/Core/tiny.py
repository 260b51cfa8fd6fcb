"""Small stand-ins for tests: volumes, a network with random weights, and a predictor without a network."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from KPrismCore.catalogue import load_catalogue
from KPrismCore.checkpoint import Checkpoint, ModelCard, save_checkpoint
from KPrismCore.geometry import VolumeGeometry
from KPrismCore.model import Model
from KPrismCore.network.config import SMALL, KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ReferenceFeatures
from KPrismCore.oblique import ObliquePlane
from KPrismCore.predictions import Prediction
from KPrismCore.preprocess import Preprocessing
from KPrismCore.recognition import Recognition
from KPrismCore.volumes import Volume
from KPrismCore.zoom import Zoom

CLASSES = Path(__file__).resolve().parents[2] / "Resources" / "Classes" / "kprism-small.csv"
TINY = replace(
    SMALL,
    input_size=64,
    encoder_channels=(8, 8, 8, 16, 16),
    encoder_blocks=(1, 2, 2, 2),
    mask_encoder_blocks=(1, 1, 1, 1),
    encoder_heads=2,
    prompt_channels=(8, 8, 8, 8),
    width=16,
    experts=2,
    heads=2,
    ffn_width=16,
    mask_head_channels=8,
    fine_head_channels=8,
    fine_head_blocks=2,
    trunk="",
    reference_joins=False,
    finer_read_out=False,
    click_hidden=16,
)
SIDE = 16


def tiny_checkpoint(path: Path) -> Path:
    """Write a checkpoint with random weights that knows the classes of the small model."""
    torch.manual_seed(0)
    weights = KPrism(TINY).state_dict()
    card = ModelCard(name="tiny", metrics={"class": {"liver": {"dice": 0.5}}})
    save_checkpoint(path, Checkpoint(TINY, weights, load_catalogue(CLASSES), Preprocessing(), card))
    return path


def tiny_model(
    zoom: Zoom | None = None, config: KPrismConfig = TINY, recognition: Recognition | None = None
) -> Model:
    """A model with random weights on the processor, without a file."""
    torch.manual_seed(0)
    network = KPrism(config).for_inference()
    classes = load_catalogue(CLASSES)
    place = torch.device("cpu")
    return Model(
        network, place, classes, Preprocessing(), ModelCard(), zoom=zoom, recognition=recognition
    )  # fmt: skip


def flipped_geometry(size: tuple[int, int, int] = (20, 24, 6)) -> VolumeGeometry:
    """A grid with flipped and turned axes, thick along k."""
    turn = np.deg2rad(20)
    columns = np.array([[-np.cos(turn), np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, -1]]).T
    return VolumeGeometry.from_parts(size, (1.0, 1.25, 4.0), columns, (12.0, -30.0, 7.0))


def oblique_plane(geometry: VolumeGeometry) -> ObliquePlane:
    """A tilted plane through the middle of a volume."""
    middle = geometry.ras_from_ijk((np.array(geometry.size) - 1) / 2)
    x, y = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(0.6), np.sin(0.6)])
    return ObliquePlane(geometry, middle - 9 * x - 9 * y, x, y, (1.0, 1.0), (19, 19))


def noise_image(height: int, width: int) -> NDArray[np.uint8]:
    """A grey image without a structure, always the same."""
    return np.random.default_rng(0).integers(0, 255, (height, width)).astype(np.uint8)


def random_volume(
    modality: str | None = "MR", size: tuple[int, int, int] = (20, 24, 6), seed: int = 0
) -> Volume:
    """Noise with a bright block in the middle."""
    geometry = flipped_geometry(size)
    array = np.random.default_rng(seed).integers(0, 200, geometry.shape).astype(np.int16)
    k, j, i = (slice(length // 4, 3 * length // 4) for length in geometry.shape)
    array[k, j, i] += 400
    return Volume(array, geometry, modality, "noise")


class FakePredictor:
    """Answers with masks that depend on every prompt and on the previous mask to the last bit."""

    def __init__(self, class_names: Path = CLASSES) -> None:
        self.model = SimpleNamespace(
            catalogue=load_catalogue(class_names),
            preprocessing=Preprocessing(),
            card=ModelCard(name="fake"),
            recognition=None,
            input_size=SIDE,
            device=torch.device("cpu"),
        )
        self.encoded: list[Any] = []
        self.references: list[Any] = []
        self.asked: list[dict[str, Any]] = []

    def encode(self, image: Any, modality: str | None = None, **options: Any) -> Any:
        self.encoded.append(options["value_range"])
        return SimpleNamespace(image=image.copy(), bytes=image.size)

    def encode_references(self, pairs: Any, modality: str | None = None, **options: Any) -> ReferenceFeatures:
        self.references.append((pairs, options["value_range"]))
        ((image, mask),) = pairs
        value = torch.tensor([[[float(image.sum()) + float(mask.sum())]]])
        return ReferenceFeatures(value, value, value)

    def refine(self, *arguments: Any) -> Prediction:
        return self.predict(*arguments)

    def predict(
        self,
        features: Any,
        class_name: Any = None,
        references: Any = None,
        clicks: Any = (),
        previous_mask: Any = None,
    ) -> Prediction:
        self.asked.append({"class": class_name, "clicks": tuple(clicks), "previous": previous_mask})
        seen = hashlib.sha256(features.image.tobytes())
        places = [(float(click.x), float(click.y), click.positive) for click in clicks]
        shown = None if references is None else references.keys.tolist()
        seen.update(repr((class_name, places, shown)).encode())
        if previous_mask is not None:
            is_answer = isinstance(previous_mask, Prediction)
            seen.update((previous_mask.square.numpy() if is_answer else np.asarray(previous_mask)).tobytes())
        rng = np.random.default_rng(int.from_bytes(seen.digest()[:8], "little"))
        square = torch.from_numpy(rng.random((1, 1, SIDE, SIDE), dtype=np.float32))
        rows, columns = features.image.shape[:2]
        blocks = rng.random((-(-rows // 4), -(-columns // 4)), dtype=np.float32)
        probability = np.kron(blocks, np.ones((4, 4), dtype=np.float32))[:rows, :columns]
        return Prediction(probability > 0.5, probability, 0.75, square)
