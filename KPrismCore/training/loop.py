"""The training loop: resumable at any step, stoppable at any time.

The batches are a pure function of seed and step, and the state file holds all else, so on one process
a continued run has the weights of an unbroken one, bit by bit.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from KPrismCore.errors import CheckpointError, TrainingDataError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.training.data import Batch, BatchStream, Classes, TaskSampler
from KPrismCore.training.losses import SegmentationLoss
from KPrismCore.training.packs import ImageSet, split_by_subject
from KPrismCore.training.passes import train_passes
from KPrismCore.training.runlog import RunLog, Window
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.state import WeightAverage, load_state, restore_random, save_state
from KPrismCore.training.validation import QuickValidation

STATE_NAME = "state.pt"


class Trainer:
    """Trains one network on image sets.

    Args:
        settings: the recipe; `settings.network` are fields of `KPrismConfig`.
        sets: whole image sets; they are split by subject here.
        classes: the class table; see `read_classes`.
        folder: the run's folder, for the state file and the tables.
        device: where to train.

    Raises:
        CheckpointError: the network configuration is not usable.
        TrainingDataError: no usable target, or a class index beyond the network's classes.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        sets: list[ImageSet],
        classes: Classes,
        folder: Path,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.folder, self.device = settings, folder, torch.device(device)
        self.step = self.samples = 0
        self._seconds = 0.0
        self._stop = False
        torch.manual_seed(settings.seed)
        table = {**settings.network, "input_size": settings.input_size}
        self.model = KPrism(KPrismConfig.from_dict(table)).to(self.device).train()
        if max(classes, default=0) > self.model.config.classes:
            raise TrainingDataError(
                f"The class table has index {max(classes)}, the network {self.model.config.classes} classes.",
                "Raise classes in the table [network].",
            )
        self.average = WeightAverage(self.model, settings.ema_decay)
        self.optimizer = _optimizer(self.model, settings)
        self._loss = SegmentationLoss(settings.output_weights or None, settings.click_loss_factor)
        parts = [split_by_subject(image_set) for image_set in sets]
        training, validation = [part[0] for part in parts], [part[1] for part in parts]
        self.stream = BatchStream(TaskSampler(training, classes, settings), settings)
        self._validation = QuickValidation(training, validation, classes, settings)

    @property
    def state_path(self) -> Path:
        """The state file."""
        return self.folder / STATE_NAME

    def resume(self) -> None:
        """Continue from the state file.

        Raises:
            CheckpointError: it cannot be read, or belongs to another network.
        """
        state = load_state(self.state_path)
        if (
            state["network"]
            != replace(self.settings, network=self.model.config.to_dict()).to_plain()["network"]
        ):
            raise CheckpointError(
                f"{self.state_path} was trained with another network configuration.",
                "Use the configuration of that run, or another folder.",
            )
        self.model.load_state_dict(state["model"])
        self.average.model.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.samples, self._seconds = state["step"], state["samples"], state["seconds"]
        restore_random(state["random"])

    def save(self) -> None:
        """Write the state file; an interrupted write leaves the old one."""
        network = replace(self.settings, network=self.model.config.to_dict())
        save_state(
            self.state_path,
            {
                "model": self.model.state_dict(), "average": self.average.model.state_dict(),
                "optimizer": self.optimizer.state_dict(), "step": self.step, "samples": self.samples,
                "seconds": self._seconds, "settings": self.settings.to_plain(),
                "network": network.to_plain()["network"],
            },
        )  # fmt: skip

    def stop(self) -> None:
        """Ask the loop to end after the current step."""
        self._stop = True

    def run(self, minutes: float | None = None) -> None:
        """Train until `settings.steps`, for so many minutes, or until stopped; then save."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log, window = RunLog(self.folder, self.step), Window()
        begin, before = time.monotonic(), self._seconds
        self._stop = False
        with _stopped_by_signals(self):
            for batch, waited in _timed(self._batches()):
                rate = self._train(batch, window)
                window.data += waited
                self._seconds = before + time.monotonic() - begin
                if self.step % self.settings.log_steps == 0:
                    log.steps(window.row(self.step, self.samples, self._seconds / 60, rate))
                    window = Window()
                if self.step % self.settings.save_steps == 0:
                    self.save()
                if self.step % self.settings.validate_steps == 0:
                    self.validate(log)
                    window = Window()
                if self._stop or (minutes is not None and time.monotonic() - begin >= 60 * minutes):
                    break
        self.save()

    def validate(self, log: RunLog) -> None:
        """Measure the averaged weights on the fixed validation images."""
        log.validation(self.step, self._seconds / 60, self._validation.run(self.average.model, self.device))

    def _batches(self) -> Iterator[Batch]:
        # the loader draws a seed from its generator; a private one leaves the global state to the model
        loader: DataLoader[Batch] = DataLoader(
            self.stream,
            batch_size=None,
            sampler=range(self.step, self.settings.steps),
            num_workers=self.settings.workers,
            generator=torch.Generator().manual_seed(self.settings.seed),
        )
        return iter(loader)

    def _train(self, batch: Batch, window: Window) -> float:
        rate = learning_rate(self.settings, self.step)
        _set_norms(self.model, self.settings, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        cast = self.settings.precision != "float32" and self.device.type == "cuda"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=cast):
            result = train_passes(self.model, batch, self._loss, self.settings, self.device)
        begin = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        result.loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        # a step with an infinite or undefined gradient would spoil all weights for good
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
            self.average.update(self.model, self.step)
        window.backward += time.perf_counter() - begin
        self.step += 1
        self.samples += len(batch.images)
        window.samples += len(batch.images)
        window.steps += 1
        window.loss += float(result.loss.detach())
        window.robot += result.robot_seconds
        window.dice[batch.mode].extend(result.dice)
        return rate


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """Return the rate of a step (0-based): linear warm-up, then a cosine down to the final factor."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return settings.learning_rate * (settings.final_rate_factor + (1 - settings.final_rate_factor) * cosine)


def _set_norms(model: nn.Module, settings: TrainingSettings, step: int) -> None:
    """Batch normalisation of a step: from `freeze_norms_step` on (0: never) with the running statistics.

    Small batches of very different images have statistics of their own; the last part of a run then
    trains exactly the network that will be used.
    """
    frozen = 0 < settings.freeze_norms_step <= step
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = settings.norm_momentum
            module.train(not frozen)


def _optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW; weights decay, biases and norms do not."""
    decaying = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decaying}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def _timed(batches: Iterator[Batch]) -> Iterator[tuple[Batch, float]]:
    """Yield each batch with the seconds it was waited for."""
    while True:
        begin = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - begin


@contextmanager
def _stopped_by_signals(trainer: Trainer) -> Iterator[None]:
    """End the loop after the current step on SIGINT or SIGTERM, so that the state is saved."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        trainer.stop()

    kept = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
