"""What a user waits for, measured through the predictor on a real image; and images per second in a batch."""

from __future__ import annotations

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from KPrismCore.evaluation.opened import EIGHT_BIT
from KPrismCore.network.prompts import ClickSet, Prompts
from KPrismCore.predictions import Features
from KPrismCore.predictor import Predictor
from KPrismCore.prompts import Click

LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "monai", "SimpleITK")
REPEATS, BATCH = 7, 8


@dataclass(frozen=True)
class Throughput:
    """Median milliseconds of one act, preparing the image and making the mask included.

    class_name: a class that the model finds on the image; None where it knows none of the modality.
    images_per_second: encoding and one click each, in batches, without preparing. environment: device,
    threads and versions that this was measured with.
    """

    size: tuple[int, int]
    encode: float
    first_prompt: float
    click: float
    reference: float
    class_name: float | None
    images_per_second: float
    batch: int
    environment: dict[str, str]


def measure_throughput(
    predictor: Predictor,
    image: NDArray[Any],
    truth: NDArray[np.bool_],
    repeats: int = REPEATS,
    *,
    modality: str | None = None,
) -> Throughput:
    """Time a predictor.

    Args:
        predictor: on its device.
        image: uint8 (H, W) or (H, W, 3).
        truth: (H, W), of the object to click on and to take as reference; not empty.
        repeats: timed runs of each act, after one that warms up.
        modality: of the image; a model may try its classes on a reference.
    """
    device = predictor.model.device
    rows, columns = np.nonzero(truth)
    clicks = [Click(int(columns[place]), int(rows[place])) for place in (len(rows) // 2, 0)]
    features = predictor.encode(image, value_range=EIGHT_BIT)
    first = predictor.predict(features, clicks=clicks[:1])

    def click_again() -> None:
        # each click of a person may ask for another part of the image
        features.near = None
        predictor.predict(features, clicks=clicks, previous_mask=first)

    acts: dict[str, Callable[[], object]] = {
        "encode": lambda: predictor.encode(image, value_range=EIGHT_BIT),
        "first_prompt": lambda: predictor.predict(features, clicks=clicks[:1]),
        "click": click_again,
        "reference": lambda: predictor.encode_references([(image, truth)], modality, value_range=EIGHT_BIT),
    }
    name = _class_on(predictor, features, modality)
    medians = {act: _median(done, device, repeats) for act, done in acts.items()}
    by_name = None if name is None else _median(lambda: predictor.predict(features, name), device, repeats)
    batch = _median(_batched(predictor, BATCH), device, max(1, repeats // 2))
    height, width = image.shape[:2]
    return Throughput(
        (height, width), **medians, class_name=by_name,
        images_per_second=round(1000 * BATCH / batch, 2), batch=BATCH,
        environment=environment(device),
    )  # fmt: skip


def _class_on(predictor: Predictor, features: Features, modality: str | None) -> str | None:
    """A class of the modality that is found on the image, so that all is done that a class can need."""
    names = [entry.name for entry in predictor.model.catalogue.classes_for_modality(modality)]
    found = (name for name in names if predictor.predict(features, name).mask.any())
    return next(found, names[0] if names else None)


def environment(device: torch.device) -> dict[str, str]:
    """Device, processor threads, system and library versions; nothing that names the machine or its user."""
    cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if cuda else f"{device.type} ({platform.machine()})",
        "threads": str(torch.get_num_threads()),
        "system": f"{platform.system()}, Python {platform.python_version()}",
        **{name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not found"


def _batched(predictor: Predictor, batch: int) -> Callable[[], object]:
    """Encoding a batch of noise, with one click on each image."""
    network, device = predictor.model.network, predictor.model.device
    size = network.config.input_size
    images = torch.randn(batch, 3, size, size, device=device)
    points = torch.full((batch, 1, 2), size / 2, device=device)
    labels = torch.ones(batch, 1, dtype=torch.long, device=device)

    def run() -> object:
        cuda = device.type == "cuda" and torch.cuda.is_bf16_supported()
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=cuda):
            return network.decode(network.encode_image(images), Prompts(clicks=ClickSet(points, labels)))

    return run


def _median(act: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median milliseconds; the first run warms up."""
    seconds = []
    for turn in range(repeats + 1):
        _wait(device)
        begin = time.perf_counter()
        act()
        _wait(device)
        if turn:
            seconds.append(time.perf_counter() - begin)
    return round(1000 * statistics.median(seconds), 2)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
