"""K-Prism: promptable segmentation of medical images. These are the public names.

They are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from KPrismCore.errors import KPrismError
    from KPrismCore.model import Model, load_model
    from KPrismCore.predictions import Features, Prediction
    from KPrismCore.predictor import Predictor
    from KPrismCore.prompts import Click
    from KPrismCore.session import AnnotationSession
    from KPrismCore.volumes import Volume, read_volume

__all__ = [
    "AnnotationSession", "Click", "Features", "KPrismError", "Model", "Prediction", "Predictor", "Volume",
    "load_model", "read_volume",
]  # fmt: skip

_HOMES = {
    "AnnotationSession": "session", "Click": "prompts", "Features": "predictions", "KPrismError": "errors",
    "Model": "model", "Prediction": "predictions", "Predictor": "predictor", "Volume": "volumes",
    "load_model": "model", "read_volume": "volumes",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'KPrismCore' has no attribute '{name}'")
    return getattr(importlib.import_module(f"KPrismCore.{_HOMES[name]}"), name)
