"""From a recipe to a model: simulated images, a network, an ONNX file. Needs the extra `train`."""

from livetrack.training.recipe import load_recipe
from livetrack.training.train import Progress, TrainingReport, train

__all__ = ["Progress", "TrainingReport", "load_recipe", "train"]
