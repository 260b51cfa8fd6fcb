"""`kprism.py train`: train a network on any data, in as many pieces and processes as needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from KPrismCore.device import use_threads
from KPrismCore.errors import OutputFileError
from KPrismCore.training.configuration import read_settings
from KPrismCore.training.datasets.opening import open_data
from KPrismCore.training.loop import Trainer
from KPrismCore.training.new_classes import forget_attempt, network_settings, with_classes
from KPrismCore.training.processes import make_fabric
from KPrismCore.training.sameness import compare_data, data_facts
from KPrismCore.training.schedule import with_steps
from KPrismCore.training.settings import ALL
from KPrismCore.training.state import STATE_NAME, load_state
from KPrismCore.training.warm_start import open_start

RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
SMALL = RESOURCES / "Configs" / "train-small.toml"


def train(
    data: Annotated[
        Path, typer.Argument(help="Folder of the data; see `kprism.py data --help` for the layouts.")
    ],
    out: Annotated[Path, typer.Argument(help="Folder of the run: state, tables, logs, best checkpoint.")],
    config: Annotated[Path, typer.Option(help="The recipe (TOML).", show_default=SMALL.name)] = SMALL,
    overlay: Annotated[
        list[Path] | None, typer.Option(help="A recipe laid over it; may be given several times.")
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="Model, checkpoint or run to take the first weights from.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Continue the run in the folder, if there is one.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so many minutes.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Length of the whole run.")] = None,
    skip_damaged: Annotated[bool, typer.Option(help="Leave damaged files out.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder of kept slices, if not the run's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads of each process.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Processes per machine; torchrun gives its own number.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines; torchrun gives its own number.")] = 1,
) -> None:
    """Train a network. Ctrl+C stops after the current step and saves; --resume continues exactly there.

    On several devices: --devices 8. On several machines torch.distributed.run starts it on each: see the
    README.
    """
    settings = read_settings(config, overlay or [])
    if steps is not None:
        settings = with_steps(settings, steps)
    goes_on = (out / STATE_NAME).exists()
    if goes_on and not resume:
        raise OutputFileError(f"{out} holds a training run.", "Add --resume, or name another folder.")
    start = None if init is None or goes_on else open_start(init)
    settings = network_settings(settings, out, start)
    # new classes learn in every step
    idle = settings.learned == ALL
    fabric = make_fabric(devices, nodes, settings.precision, device, idle_weights=idle)
    use_threads(threads)
    with fabric.rank_zero_first():
        say = _told if fabric.is_global_zero else _silent
        kept = cache or out / "slices"
        sets = open_data(data, settings.kept_size, skip_damaged=skip_damaged, cache=kept, report=say)
        if goes_on:
            # before anything of the run's folder is written
            facts = data_facts(sets, settings.kept_size, pixels=False)
            compare_data(load_state(out / STATE_NAME), facts, out)
        elif fabric.is_global_zero:
            forget_attempt(out)
        settings, classes = with_classes(settings, sets, out, start, say)
    trainer = Trainer(settings, sets, classes, out, fabric)
    absent = settings.absent_sets(image_set.name for image_set in sets)
    if absent:
        say(f"The table [sets] names {', '.join(absent)}: not in the data.")
    if goes_on:
        _go_on(trainer, say)
    elif start is not None:
        say("\n".join(trainer.start_from(start).lines()))
    trainer.run(minutes)
    say(_state(trainer, out))


def _go_on(trainer: Trainer, say: Callable[[str], None]) -> None:
    """Take a run up again, and tell what is not as it was."""
    changed = trainer.resume()
    if changed:
        say(f"Not as in the run so far, so not what an unbroken run gives: {', '.join(changed)}.")
    if trainer.step >= trainer.settings.steps:
        say(f"The run has its {trainer.step} steps already; --steps makes it longer.")


def _state(trainer: Trainer, out: Path) -> str:
    """How far the run is, and what goes on from there."""
    done, wanted = trainer.step, trainer.settings.steps
    if done < wanted:
        return f"{done} of {wanted} steps are done; --resume goes on with the run in {out}."
    command = f"python3 kprism.py export {out} model.safetensors"
    return f"All {done} steps are done. `{command}` makes a model of them."


def _told(text: str) -> None:
    """What the first process reports, at once also where it goes to a file."""
    print(text, flush=True)


def _silent(_text: str) -> None:
    """What processes but the first report."""
