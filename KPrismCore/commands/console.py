"""How every command ends: errors as cause and remedy on standard error, and an exit code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from KPrismCore.errors import KPrismError

FAILED = 2
INTERRUPTED = 130

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def reported(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a command: a KPrismError is printed and ends it with 2, Ctrl-C ends it with 130.

    The wrapped function keeps its signature and docstring, which typer reads.
    """

    @functools.wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except KPrismError as error:
            say(f"Error: {error.cause}\nWhat to do: {error.remedy}")
            sys.exit(FAILED)
        except MemoryError:
            say("Error: The memory does not suffice.\nWhat to do: Close other programs, or crop the image.")
            sys.exit(FAILED)
        except KeyboardInterrupt:
            say("\nInterrupted.")
            sys.exit(INTERRUPTED)

    return run


def say(text: str) -> None:
    """Print to standard error, so that standard output holds results only."""
    print(text, file=sys.stderr, flush=True)
