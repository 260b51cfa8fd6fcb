"""Files of `torch.save`, read without running what they hold: numbers come out, or an error."""

from __future__ import annotations

import pickle
import pickletools
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from KPrismCore.errors import CheckpointError

# how torch's files begin, since version 1.6 and before it
_BEGINNINGS = (b"PK", b"\x80")
# what torch raises for files that are no checkpoint, such as a text with another ending
_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, AttributeError, AssertionError, LookupError,
           EOFError, struct.error, zipfile.BadZipFile)  # fmt: skip
# under which trainers put the state dict, beside optimiser and epoch
_WRAPPERS = ("model", "state_dict")
# how many of them within each other; a pickle may hold a dictionary that holds itself
_DEPTH = 3


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a `.pth` file without running code: a state dict, alone or under a wrapper's key.

    Raises:
        CheckpointError: the file cannot be read, could run code, or holds something else.
    """
    state = _unwrapped(_loaded(file))
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise CheckpointError(f"{file} holds no state dict.", "Name a file with a network's weights.")
    return state


def _loaded(file: Path) -> Any:
    try:
        with file.open("rb") as stream:
            beginning = stream.read(2)
        if not beginning.startswith(_BEGINNINGS):
            if _is_old_pickle(file):
                raise pickle.UnpicklingError("no file of torch.save")
            raise ValueError("neither a zip archive nor a pickle")
        with warnings.catch_warnings():
            # torch asks for a report of what is refused below
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{file} was refused: it holds more than numbers and could run code; nothing of it was run.",
            "Ask its maker for a file with the state dict only.",
        ) from error
    except _DAMAGE as error:
        raise CheckpointError(f"{file} is not a readable .pth file.", "Copy or download it again.") from error


def _is_old_pickle(file: Path) -> bool:
    """Whether a file is a pickle of the first protocols, which have no beginning of their own.

    Its instructions are read one by one, and none is carried out.
    """
    with file.open("rb") as stream:
        try:
            count = sum(1 for _ in pickletools.genops(stream))
        except (ValueError, IndexError, UnicodeDecodeError):
            return False
    # a text may begin with the mark of the end
    return count > 1


def _unwrapped(value: Any) -> Any:
    for _ in range(_DEPTH):
        if isinstance(value, dict):
            value = next((value[name] for name in _WRAPPERS if isinstance(value.get(name), dict)), value)
    return value
