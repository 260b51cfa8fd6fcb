"""Tiny training runs on bright discs; as a script, a run killed in the middle of a step and continued:

python Testing/Core/disc_runs.py FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from KPrismCore.training.loop import Trainer
from KPrismCore.training.packs import ImageSet, Sample
from KPrismCore.training.settings import TrainingSettings

CLASSES = {1: {"discs": ["disc"]}}
# the attention of the encoder drops values at random, which a continued run has to repeat
NETWORK = {
    "encoder_channels": (4, 4, 8, 8, 8), "encoder_attention": (False, False, False, True),
    "encoder_heads": 2, "attention_grid": 4,
    "prompt_channels": (4, 4, 8, 8), "norm_groups": 2, "width": 16, "layers": 2, "experts": 2, "heads": 2,
    "ffn_width": 16, "pixel_block": "depthwise", "mask_head_channels": 4, "classes": 1, "click_hidden": 8,
}  # fmt: skip
SETTINGS = TrainingSettings(
    input_size=64, batch_size=2, steps=6, warmup_steps=2, log_steps=2, save_steps=100, validate_steps=100,
    mode_probabilities=(0.25, 0.25, 0.25, 0.25), network=NETWORK,
)  # fmt: skip
KILLED_AT = 4
# the full network's parts at the smallest size; nothing that an ablation switches
TINY = """
[training]
input_size = 32
image_size = 64
batch_size = 2
steps = 2
warmup_steps = 1
pass_probabilities = [1.0]
reference_probabilities = [1.0]
classes = ""
workers = 0
[network]
encoder_channels = [4, 4, 4, 4, 4]
stem_blocks = 1
encoder_heads = 2
attention_grid = 2
prompt_channels = [4, 4, 4, 4]
norm_groups = 2
width = 8
heads = 2
ffn_width = 8
mask_head_channels = 4
click_hidden = 4
"""


def disc_set(subjects: int = 6) -> ImageSet:
    """One set of grey images with one disc each."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    samples = []
    for subject in range(subjects):
        mask = np.hypot(rows - rng.uniform(20, 44), columns - rng.uniform(20, 44)) < rng.uniform(6, 14)
        image = (40 + 150 * mask + rng.uniform(0, 20, mask.shape)).astype(np.uint8)
        samples.append(Sample(image, mask.astype(np.uint8), f"s{subject}", f"s{subject}", augmented=False))
    return ImageSet("discs", "CT", {1: "disc"}, tuple(samples))


def trainer(settings: TrainingSettings, folder: Path) -> Trainer:
    """A trainer on the discs."""
    return Trainer(settings, [disc_set()], CLASSES, folder)


def weights(run: Trainer) -> list[torch.Tensor]:
    """All weights of a run, the averaged ones too."""
    return [*run.model.state_dict().values(), *run.learner.average.model.state_dict().values()]


def saved_every_step(settings: TrainingSettings = SETTINGS) -> TrainingSettings:
    """The settings of the run that is killed."""
    return TrainingSettings(**{**vars(settings), "save_steps": 1})


def _in_a_child(work) -> int:
    """Start a process that does the work and ends; the parent has trained nothing yet, so it may fork."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def _wait_in_step(folder: Path) -> None:
    """Train up to the middle of a step, leave a sign, and wait there."""
    run = trainer(saved_every_step(), folder)
    apply = run.learner._apply

    def waiting() -> bool:
        if run.step == KILLED_AT:
            (folder / "waiting").touch()
            signal.pause()
        return apply()

    run.learner._apply = waiting  # type: ignore[method-assign]
    run.run()


def _go_on(folder: Path) -> None:
    run = trainer(saved_every_step(), folder)
    run.resume()
    if run.step != KILLED_AT:
        raise SystemExit(f"continued at step {run.step}, not {KILLED_AT}")
    run.run()


def main(folder: Path) -> int:
    """Kill one run, continue it in another process, and return 0 where both went as they should."""
    torch.set_num_threads(1)
    folder.mkdir()
    child = _in_a_child(lambda: _wait_in_step(folder))
    while not (folder / "waiting").exists():
        if os.waitpid(child, os.WNOHANG)[0]:
            return 1
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ended = os.waitstatus_to_exitcode(os.waitpid(_in_a_child(lambda: _go_on(folder)), 0)[1])
    return 0 if (killed, ended) == (-signal.SIGKILL, 0) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
