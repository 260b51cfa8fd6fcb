"""The optional packages that training needs, Lightning Fabric and TensorBoard, imported when used."""

from __future__ import annotations

import importlib
from types import ModuleType

from KPrismCore.errors import MissingPackageError

REMEDY = "Run 'python3 kprism.py setup --research'."


def optional(module: str, package: str) -> ModuleType:
    """Import and return a module of an optional package.

    Args:
        module: its full name.
        package: what the user has to install.

    Raises:
        MissingPackageError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(f"Training needs the package {package} ({error}).", REMEDY) from error
