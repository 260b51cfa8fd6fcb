"""Large weights as 8-bit numbers: a quarter of the size of single precision, half of that of half precision.

Every row has a scale of its own, the largest size of its weights over 127, so that the error of a weight is
at most half of that. Files only: the network always computes in the precision it is built with.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from KPrismCore.errors import CheckpointError

SCALE_ENDING = ".row_scale"
_LEVELS = 127
# numbers from which on the scales weigh nothing
_LARGE = 8192
# queries of classes, of which more may be added: the others then stay as they are
_KEPT = ("class_content.weight", "class_position.weight")


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with large ones as int8, each with its scales under its name with SCALE_ENDING.

    A row is what the first axis counts; of stacked matrices (experts), what the first two do. A weight that
    is not finite, or not large, stays as it is, and so do the queries of classes. Packing what `unpacked`
    returned gives the same numbers.
    """
    result = {}
    for name, weight in weights.items():
        if name in _KEPT or not _is_large(weight):
            result[name] = weight
            continue
        rows = weight.float().flatten(2 if weight.ndim == 3 else 1)
        scale = rows.abs().amax(-1) / _LEVELS
        # a row of zeros has no scale
        whole = (rows / scale.clamp(min=torch.finfo(torch.float32).tiny)[..., None]).round()
        result[name] = whole.clamp(-_LEVELS, _LEVELS).to(torch.int8).view(weight.shape)
        result[name + SCALE_ENDING] = scale
    return result


def unpacked(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with those that `packed` has packed as float32 again.

    Raises:
        CheckpointError: scales do not fit their weight, or one of both is missing.
    """
    result = dict(weights)
    for name in [name for name in weights if name.endswith(SCALE_ENDING)]:
        scale, own = result.pop(name), name.removesuffix(SCALE_ENDING)
        whole = weights.get(own)
        if whole is None or whole.dtype != torch.int8 or whole.shape[: scale.ndim] != scale.shape:
            raise CheckpointError(f"The scales {name} do not fit their weight.", "Copy the file again.")
        result[own] = whole.float() * scale.view(*scale.shape, *[1] * (whole.ndim - scale.ndim))
    bare = [name for name, value in result.items() if value.dtype == torch.int8]
    if bare:
        raise CheckpointError(f"The scales of {bare[0]} are missing.", "Copy the file again.")
    return result


def _is_large(weight: Tensor) -> bool:
    floating = weight.is_floating_point() and weight.ndim >= 2 and weight.numel() >= _LARGE
    return floating and bool(weight.isfinite().all())
