"""Estimate the batch normalisation's statistics anew for averaged weights.

The averaged weights copy the running statistics of the weights in training: those belong to other weights,
and with a momentum of 0.1 and small batches they are the noisy mean of the last ten batches or so. Here
every statistic is the plain mean over many batches, taken with the weights that will be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from KPrismCore.network.kprism import KPrism
from KPrismCore.training.passes import encode
from KPrismCore.training.tasks import Batch

BATCHES = 100
_Norm = nn.modules.batchnorm._BatchNorm


@torch.no_grad()
def recalibrate(model: KPrism, batches: Iterable[Batch]) -> int:
    """Replace the running mean and variance of every BatchNorm by their mean over the batches.

    Images and references count. The network is changed in place and keeps its mode; weights do not change.
    Without any batch nothing changes.

    Returns:
        The number of images and references seen.
    """
    device = next(model.parameters()).device
    seen = 0
    with _counting(model) as norms:
        for batch in batches:
            if seen == 0:
                for norm in norms:
                    norm.reset_running_stats()
            encode(model, batch, device)
            references = 0 if batch.reference_images is None else batch.reference_images.shape[:2].numel()
            seen += len(batch.images) + references
    return seen


@contextmanager
def _counting(model: nn.Module) -> Iterator[list[_Norm]]:
    """Let a model's BatchNorms average over all batches from now on, all else in evaluation mode."""
    norms = [module for module in model.modules() if isinstance(module, _Norm)]
    momenta, training = [norm.momentum for norm in norms], model.training
    model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None  # torch's word for a plain mean
    try:
        yield norms
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.train(training)
