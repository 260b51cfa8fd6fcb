"""Matrix products of many pixels and few tokens on a CPU, without gradients.

PyTorch leaves products of float32 matrices to MKL, and convolutions to oneDNN. On an AMD EPYC the former
takes twice as long for the same arithmetic; a product is a convolution of 1 x 1 pixels. The numbers differ
by rounding only.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# multiplications below which a convolution's own preparations cost what it gains; measured on one thread
_LEAST = 2**22


def on_cpu_without_gradients(x: Tensor) -> bool:
    """Whether shapes may depend on the data and work may go piece by piece, in the type of `x`."""
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")


def by_rows(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., k) times the rows of weight (n, k), plus bias (n,): (..., n) with whole rows in memory."""
    if not _better_convolved(x, len(weight)):
        return functional.linear(x, weight, bias)
    rows = x.reshape(-1, x.shape[-1]).contiguous()
    # pixels of an image whose channels lie side by side
    image = rows.view(1, len(rows), 1, -1).permute(0, 3, 1, 2)
    return _convolved(image, weight, bias).permute(0, 2, 3, 1).reshape(*x.shape[:-1], len(weight))


def times(weight: Tensor, x: Tensor) -> Tensor:
    """weight (m, k) times x (k, n): (m, n)."""
    if not _better_convolved(x, len(weight)):
        return torch.mm(weight, x)
    return _convolved(x.contiguous()[None, :, :, None], weight, None)[0, :, :, 0]


def _convolved(image: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    kernel = weight.contiguous()[:, :, None, None]
    # functional.conv2d would go to MKL on one thread, and for small images
    return torch.mkldnn_convolution(image, kernel, bias, (0, 0), (1, 1), (1, 1), 1)


def _better_convolved(x: Tensor, others: int) -> bool:
    if x.numel() * others < _LEAST or x.dtype != torch.float32 or not on_cpu_without_gradients(x):
        return False
    return torch.backends.mkldnn.is_available()
