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
    """Wrap a command: a KPrismError, or one of the system, is told and ends it with 2, Ctrl-C with 130.

    The wrapped function keeps its signature and docstring, which typer reads.
    """

    @functools.wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except KPrismError as error:
            say(f"Error: {error.cause}\nWhat to do: {error.remedy}")
            sys.exit(FAILED)
        except BrokenPipeError:
            # whoever read the output has closed it, as `head` does; typer ends then without a word
            raise
        except OSError as error:
            # an act that knows more than the system has made an error of its own of it
            place = "" if error.filename is None else f"{shortened(str(error.filename))}: "
            say(
                f"Error: {place}{error.strerror or error}.\n"
                "What to do: Check the path, your rights to it and the free space."
            )
            sys.exit(FAILED)
        except MemoryError:
            say("Error: The memory does not suffice.\nWhat to do: Close other programs, or crop the image.")
            sys.exit(FAILED)
        except KeyboardInterrupt:
            say("\nInterrupted.")
            sys.exit(INTERRUPTED)

    return run


def shortened(text: str, most: int = 120) -> str:
    """A text of which the end is left out where it is too long to be looked at."""
    return text if len(text) <= most else f"{text[:most]}..."


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural but for one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def say(text: str) -> None:
    """Print to standard error, so that standard output holds results only."""
    print(text, file=sys.stderr, flush=True)
