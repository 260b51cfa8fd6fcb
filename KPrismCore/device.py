"""Where the network runs: the device, and the number of processor threads."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

import torch

from KPrismCore.errors import DeviceError

DEVICES = ("auto", "cpu", "cuda", "mps")

# of glibc's malloc.h: number of the option, and bytes; 32 MiB is the most it takes for the second one
_TRIM_THRESHOLD = (-1, 256 * 2**20)
_MMAP_THRESHOLD = (-3, 32 * 2**20)


def choose_device(name: str = "auto") -> torch.device:
    """The device of this name; "auto" prefers a CUDA GPU, then Apple's, then the processor.

    Raises:
        DeviceError: there is no such device on this machine.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(kind for kind in ("cuda", "mps", "cpu") if available[kind]))
    kind = name.split(":")[0]
    if kind not in available:
        raise DeviceError(
            f"There is no kind of device called '{name}'.", f"Choose one of {', '.join(DEVICES)}."
        )
    number = name.partition(":")[2] or "0"
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if not available[kind] or not number.isdecimal() or int(number) >= count:
        raise DeviceError(f"This machine has no usable {name} device.", "Choose auto or cpu.")
    return torch.device(name)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice; only CUDA has an error of its own for that."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    # the words of the MPS and CPU allocators
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let the process keep up to a quarter of a gigabyte of freed memory; whether that could be arranged.

    Every prompt allocates and frees the same large maps. glibc gives such memory back at once, and the
    system fills each page with zeros before the next prompt has it. Other systems keep it by themselves.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(number, size) == 1 for number, size in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))


def use_threads(count: int) -> None:
    """Compute with so many threads; with no more than there are processors, and with one at least."""
    torch.set_num_threads(max(1, min(count, os.cpu_count() or 1)))


@lru_cache(maxsize=1)
def measured_threads() -> int:
    """The number of threads that is fastest now, from a measurement of about a fifth of a second.

    More threads can lose to one on a busy machine: many small products then wait for each other.
    """
    original = torch.get_num_threads()
    candidates = sorted({1, max(1, original // 2), original})
    if len(candidates) == 1:
        return original
    image, weight = torch.randn(1, 64, 96, 96), torch.randn(64, 64, 3, 3)
    tokens, matrix = torch.randn(60, 96), torch.randn(96, 2304)
    seconds: dict[int, float] = {}
    try:
        for count in candidates:
            torch.set_num_threads(count)
            seconds[count] = min(_trial(image, weight, tokens, matrix) for _ in range(4))
    finally:
        torch.set_num_threads(original)
    return min(seconds, key=lambda count: seconds[count])


def _trial(image: torch.Tensor, weight: torch.Tensor, tokens: torch.Tensor, matrix: torch.Tensor) -> float:
    begin = time.perf_counter()
    with torch.inference_mode():
        torch.nn.functional.conv2d(image, weight, padding=1)
        for _ in range(20):
            (tokens @ matrix).softmax(-1)
    return time.perf_counter() - begin


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors, and dataclasses and tuples of tensors, on a device."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, tuple):
        return tuple(to_device(item, device) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        moved = {item.name: to_device(getattr(value, item.name), device) for item in fields(value)}
        return replace(value, **moved)
    return value


def tensor_bytes(value: Any) -> int:
    """Memory of a tensor, or of all in a dataclass or tuple."""
    if isinstance(value, torch.Tensor):
        return value.element_size() * value.nelement()
    if isinstance(value, tuple):
        return sum(tensor_bytes(item) for item in value)
    if not is_dataclass(value):
        return 0
    return sum(tensor_bytes(getattr(value, item.name)) for item in fields(value))
