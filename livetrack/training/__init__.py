"""Trains a localisation network from a recipe, on simulated images, and exports it as ONNX. Needs the extra `train`.

Names are loaded on first use, so that recipes are read and checked without PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livetrack.training.recipe import load_recipe
    from livetrack.training.trainer import Progress, TrainingReport, train

__all__ = ["Progress", "TrainingReport", "load_recipe", "train"]

_HOME = {"load_recipe": "recipe", "Progress": "trainer", "TrainingReport": "trainer", "train": "trainer"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'livetrack.training' has no attribute {name!r}")
    value = getattr(import_module(f"livetrack.training.{_HOME[name]}"), name)
    globals()[name] = value
    return value
