"""The processes of a run, through Lightning Fabric: one, several on a machine, or several machines.

Under torchrun (or `--devices` without it) each process has one device; gradients are averaged by gloo on
processors and by NCCL on CUDA. All processes read the same data and take the same decisions.
"""

from __future__ import annotations

import os
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from KPrismCore.errors import DeviceError
from KPrismCore.training.packages import optional
from KPrismCore.training.settings import TrainingSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# the others wait while the first process opens the data, or validates
PATIENCE = timedelta(hours=3)
ACCELERATORS = ("auto", "cpu", "cuda")
_PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


def make_fabric(
    devices: int = 1,
    nodes: int = 1,
    precision: str = "float32",
    accelerator: str = "cpu",
    *,
    idle_weights: bool = True,
) -> Fabric:
    """Return a launched Fabric: with several devices and no torchrun, it has started the other processes.

    Args:
        devices: processes (each with one device) per machine; torchrun's number where it runs.
        nodes: machines; torchrun's number where it runs.
        precision: of the forward passes: float32, bfloat16 or float16 (CUDA only); weights are float32.
        accelerator: auto (CUDA where there is any), cpu or cuda.
        idle_weights: some steps leave some weights without a gradient, as where each trains one mode.

    Raises:
        DeviceError: there is no such device, or not so many.
        MissingPackageError: Lightning Fabric is not installed.
    """
    fabric_module = optional("lightning_fabric", "lightning-fabric")
    strategies = optional("lightning_fabric.strategies", "lightning-fabric")
    if torch.distributed.is_available() and torch.distributed.is_torchelastic_launched():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    kind = _kind(accelerator, devices, nodes, precision)
    strategy: Any = "auto"
    if devices * nodes > 1:
        # depthwise convolutions on channels-last memory; gradients are copied, and right
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        strategy = strategies.DDPStrategy(
            process_group_backend="nccl" if kind == "cuda" else "gloo",
            find_unused_parameters=idle_weights, timeout=PATIENCE,
        )  # fmt: skip
    fabric: Fabric = fabric_module.Fabric(
        accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy,
        precision=_PRECISIONS[precision],
    )  # fmt: skip
    fabric.launch()
    return fabric


def ready_for(model: nn.Module, fabric: Fabric) -> nn.Module:
    """Return the model as it trains on these processes: on several GPUs with common batch statistics.

    On several processors each takes the statistics of its own samples (as the authors' code does on GPUs),
    and the running statistics are those of the first process.
    """
    if fabric.world_size > 1 and fabric.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return model


def any_of(fabric: Fabric, flag: bool) -> bool:
    """Whether the flag is set in any process; all of them have to ask."""
    if fabric.world_size == 1:
        return flag
    number = torch.tensor(float(flag), device=fabric.device)
    torch.distributed.all_reduce(number)
    return bool(number > 0)


def facts(fabric: Fabric, settings: TrainingSettings) -> dict[str, Any]:
    """What a state file says about how it was trained."""
    return {
        "processes": fabric.world_size, "device": fabric.device.type, "precision": settings.precision,
    }  # fmt: skip


def _kind(accelerator: str, devices: int, nodes: int, precision: str) -> str:
    """Return cpu or cuda; see `make_fabric`."""
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator not in ACCELERATORS:
        raise DeviceError(
            f"Training knows no device '{accelerator}'.", f"Choose one of {', '.join(ACCELERATORS)}."
        )
    kind = ("cuda" if available else "cpu") if accelerator == "auto" else accelerator
    if devices < 1 or nodes < 1:
        raise DeviceError("Training needs at least one device and one machine.", "Correct the numbers.")
    if kind == "cuda" and devices > available:
        raise DeviceError(
            f"This machine has {available} CUDA devices, not {devices}.",
            "Ask for fewer, or use --device cpu.",
        )
    if kind == "cpu" and precision == "float16":
        raise DeviceError("float16 needs a CUDA device.", "Use bfloat16 or float32 on a processor.")
    return kind
