"""One optimiser step: forward passes, backward, clipping, the weights, and their average."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from KPrismCore.network.kprism import KPrism
from KPrismCore.training.losses import SegmentationLoss
from KPrismCore.training.new_classes import learn_only
from KPrismCore.training.optimizers import make_optimizer, set_rate
from KPrismCore.training.passes import train_passes
from KPrismCore.training.processes import ready_for
from KPrismCore.training.runlog import Window
from KPrismCore.training.schedule import learning_rate
from KPrismCore.training.settings import NEW_CLASSES, TrainingSettings
from KPrismCore.training.state import WeightAverage
from KPrismCore.training.tasks import Batch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# what follows seed and step in the seed of dropout; see batches
_DROPOUT = 4


class Part:
    """A part of a batch on its way through Fabric, which would otherwise look for tensors in it to cast."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class Passes(nn.Module):
    """The network with everything that leads to its loss, so that one `forward` is one part of a step."""

    def __init__(self, model: KPrism, settings: TrainingSettings) -> None:
        super().__init__()
        self.model = model
        self._settings = settings
        self._loss = SegmentationLoss(settings.output_weights or None, settings.click_loss_factor)

    def forward(self, part: Part) -> tuple[Tensor, list[float], float]:
        """Return the loss, the Dice of each image after the last pass, and the seconds of the robot."""
        batch, device = part.batch, next(self.model.parameters()).device
        # dropout depends on the samples alone: a continued run then needs no state of a generator
        seeds = np.random.SeedSequence([self._settings.seed, batch.step, _DROPOUT, batch.first])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        result = train_passes(self.model, batch, self._loss, self._settings, device)
        return result.loss, result.dice, result.robot_seconds


class Learner:
    """Trains a network, one step at a time.

    Args:
        model: the network; it is moved to the device.
        settings: the recipe.
        fabric: the processes; see `make_fabric`.
    """

    def __init__(self, model: KPrism, settings: TrainingSettings, fabric: Fabric) -> None:
        self._settings, self._fabric = settings, fabric
        passes = Passes(model, settings)
        learn_only(model, settings.learned)
        passes.model = ready_for(model, fabric)  # type: ignore[assignment]
        self.optimizer = make_optimizer(passes.model, settings)
        self._passes, self._stepper = fabric.setup(passes, self.optimizer)
        self.model: KPrism = passes.model.train()
        self.average = WeightAverage(self.model, settings.ema_decay)

    def step(self, parts: Sequence[Batch], window: Window) -> float:
        """Train on this process's parts of one step, note it in the window, and return the rate.

        A step with an infinite or undefined gradient changes no weight, in no process.
        """
        number = parts[0].step
        rate = learning_rate(self._settings, number)
        set_norms(self.model, self._settings, number)
        set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        for index, batch in enumerate(parts):
            more = index < len(parts) - 1
            with self._fabric.no_backward_sync(self._passes, enabled=more):
                self._gradient(batch, len(parts), window)
        begin = time.perf_counter()
        if self._apply():
            self.average.update(self.model, number)
        window.backward += time.perf_counter() - begin
        window.steps += 1
        return rate

    def scaler_state(self) -> dict[str, Any]:
        """State of the loss scaler; empty where the precision needs none."""
        return self._fabric.strategy.precision.state_dict()

    def load_scaler(self, state: dict[str, Any]) -> None:
        """Restore what `scaler_state` gave; an empty state is left out."""
        if state and self.scaler_state():
            self._fabric.strategy.precision.load_state_dict(state)

    def _gradient(self, batch: Batch, parts: int, window: Window) -> None:
        loss, dice, robot_seconds = self._passes(Part(batch))
        begin = time.perf_counter()
        self._fabric.backward(loss / parts)
        window.backward += time.perf_counter() - begin
        window.samples += len(batch.images)
        window.loss += float(loss.detach()) / parts
        window.robot += robot_seconds
        window.dice[batch.mode].extend(dice)

    def _apply(self) -> bool:
        """Clip and step; False where the gradient was not finite."""
        norm = self._fabric.clip_gradients(
            self._passes, self._stepper, max_norm=self._settings.clip_norm, error_if_nonfinite=False
        )
        finite = norm is not None and bool(torch.isfinite(norm))
        # such a gradient would spoil all weights for good; a scaler leaves it out itself and has to see it
        if finite or self.scaler_state():
            self._stepper.step()
        return finite


def set_norms(model: nn.Module, settings: TrainingSettings, step: int) -> None:
    """Batch normalisation of a step: from `freeze_norms_step` on (0: never) with the running statistics.

    Small batches of very different images have statistics of their own; the last part of a run then
    trains exactly the network that will be used. Where new classes only learn it always is so.
    """
    frozen = settings.learned == NEW_CLASSES or 0 < settings.freeze_norms_step <= step
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
            module.momentum = settings.norm_momentum
            module.train(not frozen)
