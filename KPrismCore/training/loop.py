"""The training loop: resumable at any step, stoppable at any time.

The batches and all other randomness are pure functions of seed and step, and the state file holds all else:
on one process a continued run has the weights of an unbroken one, bit by bit.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from KPrismCore.checkpoint import ALL_SUBJECTS, Checkpoint, ModelCard, save_checkpoint
from KPrismCore.errors import CheckpointError
from KPrismCore.network.config import KPrismConfig
from KPrismCore.network.kprism import KPrism
from KPrismCore.training.batches import BatchStream, Share
from KPrismCore.training.board import Board
from KPrismCore.training.checks import check_network, check_share
from KPrismCore.training.class_tables import joined_classes, named_classes, run_catalogue
from KPrismCore.training.data import TaskSampler, recipe_parts
from KPrismCore.training.export import state_checkpoint
from KPrismCore.training.learner import Learner
from KPrismCore.training.new_classes import with_rest_of_start
from KPrismCore.training.packs import ImageSet
from KPrismCore.training.pretrained import has_trunk, load_trunk
from KPrismCore.training.processes import any_of, facts, make_fabric
from KPrismCore.training.progress import ProgressLines
from KPrismCore.training.runlog import RunLog, Window, mean_scores
from KPrismCore.training.sameness import DATA, compare_data, data_facts
from KPrismCore.training.schedule import with_length
from KPrismCore.training.settings import TrainingSettings
from KPrismCore.training.state import NAMED, STATE_NAME, changed_settings, load_state, save_state, tidy_up
from KPrismCore.training.tasks import Batch, Classes
from KPrismCore.training.validation import QuickValidation
from KPrismCore.training.warm_start import WarmStart, warm_start

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BEST_NAME = "best.safetensors"


class Trainer:
    """Trains one network on image sets.

    Args:
        settings: the recipe; `settings.network` are fields of `KPrismConfig`.
        sets: whole image sets; they are split by subject here.
        classes: the class table; see `read_classes`.
        folder: the run's folder, for state, tables and logs; of several machines, one that all can read.
        fabric: the processes (see `make_fabric`); one on the processor where None.

    Raises:
        CheckpointError: the network configuration is not usable.
        InputFileError: the batch cannot be shared by the processes, or `output_weights` do not fit.
        MissingPackageError: Lightning Fabric is not installed.
        TrainingDataError: no usable target, or a class index beyond the network's classes.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        sets: list[ImageSet],
        classes: Classes,
        folder: Path,
        fabric: Fabric | None = None,
    ) -> None:
        training, validation = recipe_parts(sets, settings)
        self._saw_all = settings.all_subjects
        self._data = data_facts(sets, settings.kept_size)
        images = sum(len(part.samples) for part in training if settings.set_factor(part.name) > 0)
        self.settings = settings = with_length(settings, images)
        self.folder = folder
        self.fabric = fabric or make_fabric(precision=settings.precision)
        self.step = self.samples = 0
        self.best: float | None = None
        self._seconds = 0.0
        self._stop = self._begun = False
        torch.manual_seed(settings.seed)
        table = {**settings.network, "input_size": settings.input_size}
        model = KPrism(KPrismConfig.from_dict(table))
        check_network(settings, model.config, max(classes, default=0))
        sampler = TaskSampler(training, classes, settings)
        self._named = named_classes(sampler, settings)
        self.stream = BatchStream(sampler, settings)
        size = check_share(settings, self.fabric.world_size)
        self.share = Share(self.stream, size, settings.accumulation, self.fabric.global_rank)
        self.learner = Learner(model, settings, self.fabric)
        self._validation = QuickValidation(training, validation, classes, settings)

    @property
    def model(self) -> KPrism:
        """The network in training."""
        return self.learner.model

    @property
    def state_path(self) -> Path:
        """The state file."""
        return self.folder / STATE_NAME

    def begin(self) -> None:
        """Fill the trunk with its published weights, unless the run has begun otherwise.

        Raises:
            CheckpointError: the file of the recipe's `trunk_weights` is not usable.
            MissingPackageError: the recipe names a package that is not installed.
        """
        if not self._begun and self.settings.trunk_weights:
            load_trunk(self.model, self.settings.trunk_weights)
            self.learner.average.model.load_state_dict(self.model.state_dict())
        self._begun = True

    def start_from(self, source: Checkpoint) -> WarmStart:
        """Begin with the weights of a checkpoint as far as they fit; see `warm_start`.

        Raises:
            CheckpointError: nothing of it fits.
        """
        self._begun = has_trunk(source.weights)
        self.begin()
        catalogue = run_catalogue(self.settings.classes, self.folder)
        report = warm_start(self.model, source, catalogue, bool(self.settings.trunk_weights))
        self.learner.average.model.load_state_dict(self.model.state_dict())
        taken = [entry.index for entry in catalogue if entry.name in report.classes]
        self._named = joined_classes(self._named, taken)
        self._saw_all |= source.card.saw_all_subjects
        return report

    def resume(self) -> list[str]:
        """Continue from the state file; every process reads it.

        Returns:
            The settings that are not those of the run so far, by name, and the sets of which images are not:
            it goes on with the new ones.

        Raises:
            CheckpointError: it cannot be read, or belongs to another network.
            TrainingDataError: the run began with other sets or subjects.
        """
        state = load_state(self.state_path)
        if state["network"] != self._network():
            raise CheckpointError(
                f"{self.state_path} was trained with another network configuration.",
                "Use the configuration of that run, or another folder.",
            )
        images = [f"images of {name}" for name in compare_data(state, self._data, self.folder)]
        self.model.load_state_dict(state["model"])
        self.learner.average.model.load_state_dict(state["average"])
        self.learner.optimizer.load_state_dict(state["optimizer"])
        self.learner.load_scaler(state.get("scaler", {}))
        self._begun = True
        self.step, self.samples, self._seconds = state["step"], state["samples"], state["seconds"]
        self.best = state.get("best")
        self._saw_all |= state.get(ALL_SUBJECTS, False)
        self._named = joined_classes(self._named, state.get(NAMED))
        return changed_settings(state.get("settings", {}), self.settings.to_plain()) + images

    def save(self) -> None:
        """Write the state file, from the first process; an interrupted write leaves the old one."""
        if self.fabric.is_global_zero:
            save_state(self.state_path, self._state())

    def stop(self) -> None:
        """Ask the loop to end after the current step."""
        self._stop = True

    def run(self, minutes: float | None = None) -> None:
        """Train until `settings.steps`, for so many minutes, or until stopped; then save.

        Raises:
            MissingPackageError: TensorBoard is not installed.
            OutputFileError: the run's folder cannot be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begin()
        self._stop = False
        with ExitStack() as stack:
            stack.enter_context(_stopped_by_signals(self))
            # the first process speaks for all of them
            shown = _Shown(self, stack) if self.fabric.is_global_zero else None
            self._loop(shown, minutes)
        self.save()
        self.fabric.barrier()

    def validate(self, log: RunLog | None) -> None:
        """Measure the averaged weights on the fixed validation images, in the first process.

        Where they are the best so far, they are kept as a checkpoint.
        """
        if log is not None:
            average = self.learner.average.model
            scores = self._validation.run(average, self.fabric.device)
            log.validation(self.step, self._seconds / 60, scores)
            self._keep_best(mean_scores(scores))
        self.fabric.barrier()

    def _loop(self, shown: _Shown | None, minutes: float | None) -> None:
        settings, window = self.settings, Window()
        begin, before = time.monotonic(), self._seconds
        for parts, waited in _timed(self._batches()):
            rate = self.learner.step(parts, window)
            self.step += 1
            self.samples += settings.batch_size
            window.data += waited
            self._seconds = before + time.monotonic() - begin
            if shown is not None:
                shown.progress.step(self.step, window.loss / window.steps)
            if self.step % settings.log_steps == 0:
                if shown is not None:
                    shown.log.steps(window.row(self.step, self.samples, self._seconds / 60, rate))
                window = Window()
            if self.step % settings.validate_steps == 0:
                self.validate(None if shown is None else shown.log)
                window = Window()
            if self.step % settings.save_steps == 0:
                self.save()
            late = minutes is not None and time.monotonic() - begin >= 60 * minutes
            if any_of(self.fabric, self._stop or late):
                break

    def _batches(self) -> Iterator[list[Batch]]:
        """What this process takes of every further step."""
        parts = self.settings.accumulation
        # the loader draws a seed from its generator; a private one leaves the global state to the model
        loader: DataLoader[Batch] = DataLoader(
            self.share,
            batch_size=None,
            sampler=range(self.step * parts, self.settings.steps * parts),
            num_workers=self.settings.workers,
            generator=torch.Generator().manual_seed(self.settings.seed),
        )
        return _grouped(iter(loader), parts)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(), "average": self.learner.average.model.state_dict(),
            "optimizer": self.learner.optimizer.state_dict(), "scaler": self.learner.scaler_state(),
            "step": self.step, "samples": self.samples, "seconds": self._seconds, "best": self.best,
            ALL_SUBJECTS: self._saw_all, NAMED: self._named, "settings": self.settings.to_plain(),
            "network": self._network(), DATA: self._data, **facts(self.fabric, self.settings),
        }  # fmt: skip

    def _network(self) -> dict[str, Any]:
        plain: dict[str, Any] = replace(self.settings, network=self.model.config.to_dict()).to_plain()
        network: dict[str, Any] = plain["network"]
        return network

    def _keep_best(self, means: dict[str, float]) -> None:
        score = sum(means.values()) / len(means) if means else 0.0
        if not means or (self.best is not None and score <= self.best):
            return
        self.best = score
        results = {"quick_validation": {"step": self.step, **{k: round(v, 4) for k, v in means.items()}}}
        classes = run_catalogue(self.settings.classes, self.folder)
        found = state_checkpoint(self._state(), ModelCard(name=self.settings.name), results, classes)
        save_checkpoint(self.folder / BEST_NAME, with_rest_of_start(found, self.folder))


class _Shown:
    """Where the first process writes: the screen, TensorBoard and the tables, closed by the stack."""

    def __init__(self, trainer: Trainer, stack: ExitStack) -> None:
        tidy_up(trainer.folder)
        board = stack.enter_context(Board(trainer.folder, trainer.step))
        self.progress = stack.enter_context(ProgressLines(trainer.settings.steps, trainer.step))
        self.log = RunLog(trainer.folder, trainer.step, board, self.progress.line)


def _grouped(batches: Iterator[Batch], count: int) -> Iterator[list[Batch]]:
    """Yield lists of `count` batches."""
    for batch in batches:
        yield [batch, *(next(batches) for _ in range(count - 1))]


def _timed(batches: Iterator[list[Batch]]) -> Iterator[tuple[list[Batch], float]]:
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
