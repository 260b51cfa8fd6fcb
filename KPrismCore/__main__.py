"""The command line: `python3 kprism.py COMMAND`, or `python -m KPrismCore COMMAND`."""

from __future__ import annotations

import importlib

import typer

from KPrismCore.commands.console import reported

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
    app = typer.Typer(
        name="kprism.py", help="Promptable segmentation of medical images with the K-Prism network.",
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    )  # fmt: skip
    for name, module in COMMANDS.items():
        command = getattr(importlib.import_module(f"KPrismCore.commands.{module}"), name)
        app.command(name)(reported(command))
    return app


if __name__ == "__main__":
    application()(prog_name=PROGRAM)
