"""Packs for tests: bright discs on a dark ground, written in the format of the training packs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pair = tuple[NDArray[Any], NDArray[Any]]


def disc(rng: np.random.Generator, height: int = 48, width: int = 60, *, colour: bool = False) -> Pair:
    """An image with one disc (label 1) and one square (label 2), and its mask."""
    rows, columns = np.mgrid[:height, :width]
    centre = rng.uniform(14, height - 14), rng.uniform(14, width - 14)
    mask = (np.hypot(rows - centre[0], columns - centre[1]) < rng.uniform(6, 10)).astype(np.uint8)
    mask[:6, :6] = 2
    image = (40 + 150 * (mask == 1) + 80 * (mask == 2) + rng.uniform(0, 20, mask.shape)).astype(np.uint8)
    return (np.repeat(image[..., None], 3, 2) if colour else image), mask


def write_pack(
    folder: Path, name: str, subjects: int = 6, *, per_subject: int = 2, colour: bool = False
) -> Path:
    """Write `<folder>/<name>/train.npz` with so many subjects and return its path."""
    rng = np.random.default_rng(len(name))
    pairs = [disc(rng, colour=colour) for _ in range(subjects * per_subject)]
    names = [f"s{number // per_subject}" for number in range(len(pairs))]
    images, masks = ([_png(pair[side]) for pair in pairs] for side in (0, 1))
    return _write(folder / name / "train.npz", "slices", images, masks, names, [(0, 0, 0)] * len(pairs))


def write_volume_pack(folder: Path, name: str, subjects: int = 4) -> Path:
    """Write a pack of small volumes, each with a ball (label 1)."""
    rng = np.random.default_rng(0)
    volumes = []
    for _ in range(subjects):
        grid = np.mgrid[:20, :24, :22]
        centre = rng.uniform(8, 12, 3)
        squares = sum((axis - place) ** 2 for axis, place in zip(grid, centre, strict=True))
        mask = np.asarray(squares < 36, dtype=np.uint8)
        volumes.append(((60 + 120 * mask).astype(np.uint8), mask))
    images, masks = ([pair[side].tobytes() for pair in volumes] for side in (0, 1))
    names = [f"v{number}" for number in range(subjects)]
    return _write(folder / name / "train.npz", "volumes", images, masks, names, [(20, 24, 22)] * subjects)


def _png(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _write(
    path: Path, kind: str, images: list[bytes], masks: list[bytes], subjects: list[str], shapes: list[Any]
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = {"1": "disc", "2": "square"} if kind == "slices" else {"1": "ball"}
    np.savez_compressed(
        path,
        kind=kind,
        meta=json.dumps({"labels": labels, "modality": "CT"}),
        data=np.frombuffer(b"".join(images), np.uint8),
        off=np.cumsum([0, *map(len, images)]),
        mdata=np.frombuffer(b"".join(masks), np.uint8),
        moff=np.cumsum([0, *map(len, masks)]),
        shape=np.array(shapes, np.int32),
        subject=np.array(subjects),
        name=np.array([f"n{number}" for number in range(len(images))]),
        aug=np.zeros(len(images), dtype=bool),
    )
    return path
