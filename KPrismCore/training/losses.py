"""The training loss: Dice and binary cross-entropy on every decoder output.

Source: paper section 3.4; spec section 16 (factor 5 on both terms, one sum over the outputs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional

from KPrismCore.network.reference_encoder import read_out

DICE_FACTOR = 5.0
ENTROPY_FACTOR = 5.0
CLICK_WINDOW = 3
# a probability of 0 has no logarithm
_LEAST = 1e-4


@dataclass(frozen=True)
class LossTerms:
    """The loss and its parts, each a scalar tensor; `total` is the one to differentiate."""

    total: Tensor
    dice: Tensor
    entropy: Tensor
    clicks: Tensor


@dataclass
class SegmentationLoss:
    """Sum over the decoder outputs of 5 x Dice + 5 x cross-entropy, and optionally a term for clicked pixels.

    Args:
        output_weights: one factor per decoder output; all 1 where None.
        click_factor: weight of the cross-entropy in the 3 x 3 windows around the clicks, on the last
            output only; it punishes losing a pixel the user has clicked.
    """

    output_weights: Sequence[float] | None = None
    click_factor: float = 0.0
    _dice: nn.Module = field(
        default_factory=lambda: DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0), init=False, repr=False
    )

    def __call__(
        self, outputs: Sequence[Tensor], target: Tensor, click_map: Tensor | None = None
    ) -> LossTerms:
        """Return the loss.

        Args:
            outputs: logits (B, 1, h, w), one per decoder layer, the result last.
            target: (B, 1, S, S) of 0 and 1, float32.
            click_map: (B, 1, S, S), True in the window of each click; see `click_windows`.

        Raises:
            ValueError: the number of weights is not the number of outputs.
        """
        weights = self.output_weights or [1.0] * len(outputs)
        dice, entropy = target.new_zeros(()), target.new_zeros(())
        for weight, logits in zip(weights, outputs, strict=True):
            full = upsample(logits, target.shape[-1])
            dice = dice + weight * self._dice(full, target)
            entropy = entropy + weight * functional.binary_cross_entropy_with_logits(full, target)
        clicks = target.new_zeros(())
        if self.click_factor > 0 and click_map is not None:
            entropies = functional.binary_cross_entropy_with_logits(
                upsample(outputs[-1], target.shape[-1]), target, reduction="none"
            )
            chosen = click_map.to(entropies)
            # first over each image: parts of a batch then add up to the same gradient as the whole
            sums, counts = (entropies * chosen).flatten(1).sum(1), chosen.flatten(1).sum(1)
            clicks = (sums / counts.clamp(min=1.0)).mean()
        total = DICE_FACTOR * dice + ENTROPY_FACTOR * entropy + self.click_factor * clicks
        return LossTerms(total, dice, entropy, clicks)


def matching_loss(query: Tensor, keys: Tensor, masks: Tensor, target: Tensor) -> Tensor:
    """5 x Dice + 5 x cross-entropy of the mask that those reference pixels have which resemble each pixel.

    Ours, not the paper's: it teaches the image encoder directly which pixels of two images belong together,
    on which the read-out of references rests. Masks are shares of a cell of the level.

    Args:
        query: (B, C, h, w), what the image is compared by at a level.
        keys: (B, R, C, h, w), the same of the references.
        masks: (B, R, 1, S, S) of 0 and 1, those of the references.
        target: (B, 1, S, S) of 0 and 1.
    """
    size = query.shape[-2:]
    shares = functional.interpolate(masks.flatten(0, 1), size, mode="area").unflatten(0, masks.shape[:2])
    wanted = functional.interpolate(target, size, mode="area").flatten(1)
    found = read_out(query, keys, shares).flatten(1).clamp(_LEAST, 1 - _LEAST)
    entropy = -(wanted * found.log() + (1 - wanted) * (1 - found).log()).mean()
    overlap, sizes = (wanted * found).sum(1), wanted.sum(1) + found.sum(1)
    dice = 1 - ((2 * overlap + 1) / (sizes + 1)).mean()
    return DICE_FACTOR * dice + ENTROPY_FACTOR * entropy


def upsample(logits: Tensor, size: int) -> Tensor:
    """Return logits (B, 1, h, w) in float32 at (B, 1, size, size), bilinear, pixel centres at half."""
    return functional.interpolate(logits.float(), size=(size, size), mode="bilinear", align_corners=False)


def click_windows(points: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """Return a bool map (B, 1, S, S), True in each click's 3 x 3 window where the truth is its label.

    Args:
        points: (B, N, 2) float, row and column in pixels of the target.
        labels: (B, N): 1 positive, 0 negative, -1 absent.
        target: (B, 1, S, S) of 0 and 1.
    """
    size = target.shape[-1]
    maps = torch.zeros((2, *target.shape), dtype=torch.float32, device=target.device)
    batch, index = torch.nonzero(labels >= 0, as_tuple=True)
    rows, columns = points[batch, index].round().long().clamp(0, size - 1).unbind(-1)
    maps[labels[batch, index], batch, 0, rows, columns] = 1.0
    windows = functional.max_pool2d(
        maps.flatten(0, 1), CLICK_WINDOW, stride=1, padding=CLICK_WINDOW // 2
    ).unflatten(0, (2, -1))
    truth = target > 0.5
    return ((windows[1] > 0) & truth) | ((windows[0] > 0) & ~truth)
