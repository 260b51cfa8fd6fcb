"""Golden weights: reproducible values for every entry of an official state dict, from a manifest and a seed.

Rule "uniform": mean + std * sqrt(3) * (2 u - 1) with u = (r >> 11) * 2^-53, r the raw 64-bit stream of
PCG64(SeedSequence([seed, crc32(key)])) in C order, taken in float64, then cast. Raw output is used so that
the values depend on no library version.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.errors import InputFileError


def read_manifest(path: Path) -> tuple[dict[str, Any], str]:
    """The manifest of the state dict, and its SHA-256.

    Raises:
        InputFileError: there is no such file, or it is no manifest.
    """
    try:
        content = path.read_bytes()
        manifest = json.loads(content)
        manifest["keys"], manifest["extra_keys"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{path} is not a state dict manifest ({error}).", "Name it with --manifest."
        ) from error
    return manifest, hashlib.sha256(content).hexdigest()


def golden_state(manifest: dict[str, Any], seed: int) -> dict[str, Tensor]:
    """The state dict of this seed in the authors' names, with the click MLP that the golden cases use."""
    entries = [*manifest["keys"], *manifest["extra_keys"]]
    return {entry["key"]: torch.from_numpy(_values(entry, seed)) for entry in entries}


def _values(entry: dict[str, Any], seed: int) -> NDArray[Any]:
    fill, shape = entry["fill"], tuple(entry["shape"])
    count = int(np.prod(shape, dtype=np.int64))
    rule = fill["rule"]
    if rule == "uniform":
        values = _uniform(fill, seed, entry["key"], count)
    elif rule in (
        "zeros",
        "rel_pos_index",
        "inv_freq",
    ):  # counters, and buffers that the network computes itself
        values = np.zeros(count)
    else:
        raise InputFileError(
            f"The manifest has an unknown rule '{rule}'.", "Use the manifest beside the golden files."
        )
    return np.array(values, dtype=entry["dtype"]).reshape(shape)


def _uniform(fill: dict[str, Any], seed: int, key: str, count: int) -> NDArray[np.float64]:
    stream = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(key.encode())]))
    unit = (np.asarray(stream.random_raw(count), dtype=np.uint64) >> np.uint64(11)).astype(
        np.float64
    ) * 2.0**-53
    values: NDArray[np.float64] = fill["mean"] + fill["std"] * np.sqrt(3.0) * (2.0 * unit - 1.0)
    if fill.get("zero_sum"):
        values = values - values.mean()
    offset: float = fill.get("offset_by_seed", {}).get(str(seed), 0.0)
    return values + offset
