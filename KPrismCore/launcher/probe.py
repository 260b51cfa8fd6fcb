"""Print what PyTorch finds; run with the environment's Python by `kprism.py diagnose`."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("numpy", "SimpleITK", "safetensors", "monai", "lightning-fabric", "ray")


def main() -> None:
    """Print the versions of the main packages and the devices."""
    try:
        print_devices()
    except (ImportError, OSError) as error:
        print(f"torch            does not load: {str(error).replace(sys.prefix, '.venv')}")
    for package in PACKAGES:
        try:
            print(f"{package:<16} {version(package)}")
        except PackageNotFoundError:
            print(f"{package:<16} not installed")


def print_devices() -> None:
    """Print what PyTorch finds.

    Raises:
        ImportError, OSError: PyTorch does not load.
    """
    import torch

    threads = torch.get_num_threads()
    print(f"torch            {torch.__version__}, {threads} thread{'s' if threads > 1 else ''}")
    print(f"CUDA             {torch.version.cuda or 'not in this build'}")
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        print(f"GPU {index}            {device.name}, {device.total_memory / 1e9:.1f} GB")
    print(f"Apple GPU        {'yes' if torch.backends.mps.is_available() else 'no'}")


if __name__ == "__main__":
    main()
