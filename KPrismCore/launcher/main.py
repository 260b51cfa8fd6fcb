"""The launcher's own options and commands; every other command goes to KPrismCore."""

from __future__ import annotations

import difflib
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from KPrismCore.launcher.console import LauncherError, format_bytes, print_any_text, say
from KPrismCore.launcher.damage import damaged_packages
from KPrismCore.launcher.environment import Environment
from KPrismCore.launcher.installer import Sources, free_bytes, has_nvidia_gpu
from KPrismCore.launcher.packages import Wanted, wanted_by

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130
# The C library of Linux gives blocks of megabytes back to the system at once, and every prompt would ask
# for new ones, which arrive as single pages to be cleared. Other systems know no such variables.
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**28), "MALLOC_TRIM_THRESHOLD_": str(2**29)}

HELP = """\
Usage: python3 kprism.py [OPTIONS] COMMAND [ARGUMENTS]
K-Prism: promptable segmentation of medical images. The first start installs what it needs into .venv.

Commands:
  demo       segment a real chest CT by class, references and clicks
  segment    segment an image from a class, reference images or clicks
  train      train a model
  data       show what is recognised in a folder of training data
  evaluate   measure a model on a data set
  verify     compare the network with the authors' golden files
  convert    convert a checkpoint of the authors
  info       describe a checkpoint
  export     make a checkpoint of a training run
  bench      measure speed
  latency    measure a click in the panel, from mouse release to the mask
  screenshots  take the pictures of the README
  terminology  write the terms for 3D Slicer from the class files
  test       run all tests; arguments go to pytest (test -k geometry)
  setup      only make the environment, or mend it
  diagnose   print versions, devices and free space for a problem report
'python3 kprism.py COMMAND --help' explains a command.

Options (before the command, or after setup):
  --wheels FOLDER        install from a folder of wheels, without a network
  --torch-index ADDRESS  also look for PyTorch on this package index (or set KPRISM_TORCH_INDEX).
                         On Linux the ordinary index offers PyTorch with CUDA, about 3 GB; without an
                         NVIDIA GPU give the CPU index named on the installation page of PyTorch.
                         On Windows give its CUDA index to use an NVIDIA GPU.
  --recreate             make the environment anew
  --research             add what train, test and evaluate --workers need (they add it themselves at
                         their first start): Lightning Fabric, TensorBoard, Ray
"""

LISTED = HELP.partition("Commands:\n")[2].partition("'python3")[0]
COMMANDS = [line.split()[0] for line in LISTED.splitlines()]


@dataclass
class Options:
    """The launcher's own options as given."""

    wheels: str | None = None
    torch_index: str | None = None
    recreate: bool = False
    research: bool = False
    help: bool = False

    def sources(self) -> Sources:
        """Return where to install from.

        Raises:
            LauncherError: the folder of wheels is absent or empty.
        """
        wheels = Path(self.wheels).expanduser().resolve() if self.wheels else None
        if wheels and not any(wheels.glob("*.whl")):
            raise LauncherError(f"There are no wheels in {self.wheels}.", "Name a folder with .whl files.", 2)
        return Sources(wheels, self.torch_index or os.environ.get("KPRISM_TORCH_INDEX"))


def main(arguments: list[str]) -> int:
    """Run the launcher; return the exit code."""
    print_any_text()
    try:
        return run(arguments)
    except LauncherError as error:
        say(f"\n{error.cause}\n{error.remedy}")
        return error.code
    except OSError as error:
        say(f"\nA file of the environment cannot be used: {error.strerror or error}.")
        say("Check that the disk is not full and that this folder can be written to, then try again.")
        return 1


def run(arguments: list[str]) -> int:
    """Carry out one command line.

    Raises:
        LauncherError: an option is wrong or the environment cannot be made.
    """
    options = Options()
    rest = take_options(arguments, options)
    if rest[:1] in (["setup"], ["diagnose"]):
        rest = [rest[0], *take_options(rest[1:], options)]
        if len(rest) > 1:
            raise LauncherError(f"{rest[0]} does not know '{rest[1]}'.", "See 'python3 kprism.py --help'.", 2)
    if rest == ["help"]:
        options.help = True
    elif rest:
        require_command(rest[0])
    if options.help or not (rest or options.recreate or options.research or options.wheels):
        print(HELP, end="")
        return 0
    environment = Environment(ROOT)
    if rest[:1] == ["diagnose"]:
        return diagnose(environment)
    prepare(environment, options, wanted_by(rest, options.research), thorough=rest in ([], ["setup"]))
    if rest[:1] == ["test"]:
        return replace_process([environment.python, "-m", "pytest", *rest[1:]], ROOT)
    if rest in ([], ["setup"]):
        say("The environment is complete.")
        return 0
    return replace_process([environment.python, ROOT / "KPrismCore" / "launcher" / "run_core.py", *rest])


def require_command(name: str) -> None:
    """Raise LauncherError if there is no such command, before anything is installed for it."""
    if name in COMMANDS:
        return
    near = difflib.get_close_matches(name, COMMANDS)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    raise LauncherError(f"There is no command '{name}'.{meant}", "See 'python3 kprism.py --help'.", 2)


def take_options(arguments: list[str], options: Options) -> list[str]:
    """Store the leading launcher options; return what follows them.

    Raises:
        LauncherError: an option is unknown or lacks its value.
    """
    waiting = list(arguments)
    while waiting and waiting[0].startswith("-"):
        name, equals, value = waiting.pop(0).partition("=")
        if name in ("--wheels", "--torch-index"):
            value = value if equals or not waiting else waiting.pop(0)
            if not value:
                raise LauncherError(f"{name} needs a value.", "See 'python3 kprism.py --help'.", 2)
            setattr(options, name[2:].replace("-", "_"), value)
        elif name in ("--recreate", "--research"):
            setattr(options, name[2:], True)
        elif name in ("-h", "--help"):
            options.help = True
        else:
            raise LauncherError(f"The launcher has no option {name}.", "See 'python3 kprism.py --help'.", 2)
    return waiting


def prepare(environment: Environment, options: Options, wanted: Wanted, thorough: bool = False) -> None:
    """Make the environment complete; a request to terminate stops pip as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        environment.prepare(options.sources(), options.recreate, wanted, thorough)
    finally:
        signal.signal(signal.SIGTERM, before)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Signal handler: do as if Ctrl-C had been pressed."""
    raise KeyboardInterrupt


def replace_process(command: list[str | Path], folder: Path | None = None) -> int:
    """Become the command, so that signals, terminal and exit code are its own; KPrismCore is importable.

    Packages that the user's variables name for other programs must not replace those of the environment.
    The command keeps memory that it frees for its next use (`KEPT_MEMORY`), unless the user says otherwise.
    Windows cannot replace a process; there the command runs as a child.
    """
    arguments = [str(part) for part in command]
    variables = KEPT_MEMORY | dict(os.environ)
    for name in ("PYTHONHOME", "PYTHONOPTIMIZE", "PYTHONINSPECT"):
        variables.pop(name, None)
    variables["PYTHONPATH"] = str(ROOT)
    if folder:
        os.chdir(folder)
    if sys.platform != "win32":
        sys.stdout.flush()
        os.execve(arguments[0], arguments, variables)
    return wait_for_child(subprocess.Popen(arguments, env=variables))


def wait_for_child(child: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a child that receives Ctrl-C from the terminal itself; 130 if that ended it."""
    interrupted = False
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            interrupted = True
        else:
            return INTERRUPTED if interrupted and code != 0 else code


def diagnose(environment: Environment) -> int:
    """Print what a problem report needs; no paths, names of users or data."""
    complete = environment.is_complete()
    print(f"Python           {platform.python_version()} ({platform.python_implementation()})")
    print(f"System           {platform.platform()}")
    print(f"Processors       {os.cpu_count()}")
    print(f"NVIDIA driver    {'yes' if has_nvidia_gpu() else 'no'}")
    print(f"Free disk        {format_bytes(free_bytes(ROOT))}")
    damaged = [package.name.partition("-")[0] for package in damaged_packages(environment.folder)]
    state = f"damaged ({', '.join(damaged)})" if damaged else "complete"
    state += ": run python3 kprism.py setup" if damaged else ""
    if not complete:
        reason = "its Python cannot be started here" if environment.is_out_of_reach() else "not complete"
        state = f"{reason}: run python3 kprism.py setup"
    print(f"Environment      {state}", flush=True)
    missing = ", ".join(sorted(environment.not_available()))
    research = f"complete without {missing}" if missing else "complete"
    added = environment.is_complete(Wanted(research=True))
    print(f"Research set     {research if added else 'not complete, or not asked for'}", flush=True)
    if not complete:
        return 0
    return subprocess.run(
        [environment.python, "-I", ROOT / "KPrismCore" / "launcher" / "probe.py"]
    ).returncode
