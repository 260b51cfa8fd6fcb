"""One batch through the network as a session goes: prompt, look at the mask, click where it is wrong, again.

Source: paper section 3.4 and 4.1; spec section 16.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from KPrismCore.network.kprism import KPrism
from KPrismCore.network.prompts import ClickSet, ImageFeatures, Prompts, ReferenceFeatures
from KPrismCore.simulate import next_click, noisy_click
from KPrismCore.training.losses import SegmentationLoss, click_windows, matching_loss, upsample
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.tasks import Batch

MEAN, DEVIATION = 0.26, 0.30
# probability that the first pass has a click already, in the modes where no setting decides
CLICK_FIRST = {"clicks": 1.0, "combined": 0.5}
_ROBOT = 1


@dataclass
class Robot:
    """The simulated user of a batch: looks at the masks and adds at most one click per image and round.

    Args:
        targets: bool B x S x S.
        generators: source of random clicks, one per image.
        noise: probability that a click is off the centre; see `noisy_click`.
    """

    targets: NDArray[np.bool_]
    generators: Sequence[np.random.Generator]
    noise: float = 0.0
    seconds: float = 0.0
    clicks: list[list[tuple[int, int, bool]]] = field(init=False)

    def __post_init__(self) -> None:
        self.clicks = [[] for _ in self.targets]

    def look(self, probability: Tensor | None) -> None:
        """Click once on every image whose mask (probability (B, 1, S, S) > 0.5) has an error."""
        begin = time.perf_counter()
        masks = (
            np.zeros_like(self.targets) if probability is None else (probability[:, 0] > 0.5).cpu().numpy()
        )
        for made, mask, target, rng in zip(self.clicks, masks, self.targets, self.generators, strict=True):
            rule = noisy_click if rng.random() < self.noise else next_click
            click = rule(mask, target, rng)
            if click is not None:
                made.append(click)
        self.seconds += time.perf_counter() - begin

    def click_set(self, device: torch.device) -> ClickSet | None:
        """Return all clicks so far as tensors, padded; None where there is none at all."""
        longest = max(len(made) for made in self.clicks)
        if longest == 0:
            return None
        points = np.zeros((len(self.clicks), longest, 2), dtype=np.float32)
        labels = np.full((len(self.clicks), longest), -1, dtype=np.int64)
        for row, made in enumerate(self.clicks):
            for column, (down, right, positive) in enumerate(made):
                points[row, column] = down, right
                labels[row, column] = int(positive)
        return ClickSet(torch.from_numpy(points).to(device), torch.from_numpy(labels).to(device))


@dataclass(frozen=True)
class StepResult:
    """Loss to differentiate, Dice of each image after the last pass, and where the time went."""

    loss: Tensor
    dice: list[float]
    robot_seconds: float


@dataclass(frozen=True)
class Encoded:
    """What is computed once per batch: image, references, and the image's features read out from those."""

    features: ImageFeatures
    references: ReferenceFeatures | None = None
    matched: ImageFeatures | None = None
    class_index: Tensor | None = None

    def decode(self, model: KPrism, clicks: ClickSet | None, previous: Tensor | None) -> list[Tensor]:
        """Return the outputs for the batch's prompts, these clicks and this mask."""
        features = self.features if self.matched is None else self.matched
        return model.decode(features, Prompts(self.class_index, clicks, None, previous))


def normalise(images: Tensor) -> Tensor:
    """Return images in [0, 1] as the network takes them: (x - 0.26) / 0.30."""
    return (images - MEAN) / DEVIATION


def encode(model: KPrism, batch: Batch, device: torch.device) -> Encoded:
    """Encode a batch's images and references."""
    references, matched = None, None
    features = model.encode_image(normalise(batch.images.to(device)))
    if batch.reference_images is not None and batch.reference_masks is not None:
        pictures, masks = batch.reference_images.to(device), batch.reference_masks.to(device)
        references = model.encode_references(normalise(pictures), masks)
        matched = model.with_references(features, references)
    classes = None if batch.class_index is None else batch.class_index.to(device)
    return Encoded(features, references, matched, classes)


def train_passes(
    model: KPrism, batch: Batch, loss: SegmentationLoss, settings: TrainingSettings, device: torch.device
) -> StepResult:
    """Run a batch's silent and supervised passes and return the sum of the supervised losses."""
    rng = np.random.default_rng([settings.seed, batch.step, _ROBOT])
    targets = batch.targets.to(device)
    robot = Robot(
        batch.targets[:, 0].numpy() > 0.5,
        [
            np.random.default_rng([settings.seed, batch.step, _ROBOT, batch.first + index])
            for index in range(len(targets))
        ],
        settings.noisy_click_probability,
    )
    encoded = encode(model, batch, device)
    click_at_once = rng.random() < CLICK_FIRST.get(batch.mode, settings.click_first_probability)
    probability: Tensor | None = None
    total = _matching(encoded, batch, targets, settings.matching_loss_factor)
    for index in range(batch.silent_rounds + batch.passes):
        supervised = index >= batch.silent_rounds
        if index > 0 or click_at_once:
            robot.look(probability)
        clicks = robot.click_set(device)
        with torch.set_grad_enabled(supervised):
            outputs = encoded.decode(model, clicks, probability)
        if supervised:
            windows = None if clicks is None else click_windows(clicks.points, clicks.labels, targets)
            factor = settings.later_pass_factor if index > 0 else 1.0
            total = total + factor * loss(outputs, targets, windows).total
        probability = upsample(outputs[-1].detach(), settings.input_size).sigmoid()
    dice = [] if probability is None else dice_scores(probability, targets)
    return StepResult(total, dice, robot.seconds)


def _matching(encoded: Encoded, batch: Batch, targets: Tensor, factor: float) -> Tensor:
    """See `matching_loss`; zero without references."""
    if factor == 0 or encoded.references is None or batch.reference_masks is None:
        return targets.new_zeros(())
    masks, features, shown = batch.reference_masks.to(targets), encoded.features, encoded.references
    loss = matching_loss(features.query, shown.keys, masks, targets)
    if features.finer_query is not None and shown.finer_keys is not None:
        loss = loss + matching_loss(features.finer_query, shown.finer_keys, masks, targets)
    return factor * loss


def dice_scores(probability: Tensor, targets: Tensor) -> list[float]:
    """Return the Dice of each mask (probability > 0.5) with its target; 1 where both are empty."""
    masks, truths = probability.flatten(1) > 0.5, targets.flatten(1) > 0.5
    overlap, sizes = (masks & truths).sum(1), masks.sum(1) + truths.sum(1)
    scores: list[float] = torch.where(sizes > 0, 2 * overlap / sizes.clamp(min=1), 1.0).tolist()
    return scores
