"""Imports PyTorch and computes with it; run as a script in a child process, never in the application's own.

Prints one line: PROBE and a JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def compute(torch: Any, device: str) -> None:
    """One convolution and one matrix product on the device.

    Raises:
        RuntimeError: the device does not do them.
    """
    image = torch.ones(1, 3, 32, 32, device=device)
    weight = torch.ones(4, 3, 3, 3, device=device)
    result = torch.nn.functional.conv2d(image, weight).flatten(1)
    value = float((result @ result.T).cpu())
    if value != 4 * 900 * 27.0**2:
        raise RuntimeError(f"{device} computed {value}")


def probe(started: float) -> dict[str, Any]:
    """What PyTorch finds, and whether processor and GPU compute.

    Raises:
        ImportError: PyTorch or safetensors does not load.
        RuntimeError: the processor does not compute.
    """
    import safetensors.torch
    import torch

    found: dict[str, Any] = {"torch": torch.__version__, "safetensors": safetensors.__version__}
    found |= {"device": "cpu", "name": "", "memory": 0, "gpuError": "", "cuda": torch.version.cuda or ""}
    compute(torch, "cpu")
    for device, available in (
        ("cuda", torch.cuda.is_available()),
        ("mps", torch.backends.mps.is_available()),
    ):
        if not available:
            continue
        try:
            compute(torch, device)
        except RuntimeError as error:
            found["gpuError"] = str(error).splitlines()[0]
            continue
        found["device"] = device
        if device == "cuda":
            properties = torch.cuda.get_device_properties(0)
            found |= {"name": properties.name, "memory": properties.total_memory}
        break
    found["seconds"] = round(time.monotonic() - started, 1)
    return found


if __name__ == "__main__":
    # The folder of this script must not hide modules of the same name.
    del sys.path[0]
    print("PROBE " + json.dumps(probe(time.monotonic())))
