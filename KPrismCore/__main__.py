"""The command line: `python3 kprism.py COMMAND`, or `python -m KPrismCore COMMAND`."""

from __future__ import annotations

import importlib
import logging
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import typer

PROGRAM = "python3 kprism.py"
# command -> module of KPrismCore.commands that has a function of this name
COMMANDS = {
    "demo": "demo",
    "segment": "segment",
    "train": "train",
    "export": "export",
    "data": "data",
    "evaluate": "evaluate",
    "verify": "verify",
    "convert": "checkpoints",
    "info": "checkpoints",
    "bench": "bench",
    "terminology": "terminology",
    "screenshots": "window",
    "latency": "window",
}


def application() -> typer.Typer:
    """All commands; errors end them with cause, remedy and exit code 2."""
    import typer

    from KPrismCore.commands.console import reported

    # where the home folder cannot be written to, matplotlib takes a temporary one, and need not say so
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    app = typer.Typer(
        name="kprism.py", help="Promptable segmentation of medical images with the K-Prism network.",
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    )  # fmt: skip
    for name, module in COMMANDS.items():
        command = getattr(importlib.import_module(f"KPrismCore.commands.{module}"), name)
        app.command(name)(reported(command))
    return app


def main() -> None:
    """Run a command. Ctrl-C and a request to terminate end it with 130 and no traceback, at any moment."""
    _on_request_to_end(_leave)
    try:
        app = application()
        _on_request_to_end(_interrupt)
        app(prog_name=PROGRAM)
    finally:
        _on_request_to_end(_leave)


def _on_request_to_end(handler: Callable[[int, FrameType | None], NoReturn]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        # a shell lets commands in the background ignore Ctrl-C
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    """While modules are loaded nothing is written, and an exception among them would become another one."""
    os.write(2, b"\nInterrupted.\n")
    os._exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
