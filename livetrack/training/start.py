"""The model whose weights a training begins with."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from livetrack.errors import UsageError
from livetrack.localize.models import read_card
from livetrack.training.network import Network

__all__ = ["load_start"]


def load_start(path: Path, network: Network) -> str:
    """Copy the weights of a model file into `network`; return its name, steps and hash for the card, and its own start.

    Raises
    ------
    ModelError
        The file is not a model of `livetrack train`, or one of another format.
    UsageError
        The weights do not fit: the model has other channels.
    """
    card = read_card(path)
    tensors = (tensor for tensor in onnx.load(str(path)).graph.initializer if tensor.name.endswith(("weight", "bias")))
    weights = [torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in tensors]
    state = network.state_dict()  # in the same order; the names of layers differ in older files
    if [weight.shape for weight in weights] != [value.shape for value in state.values()]:
        channels = list(card.recipe.get("network", {}).get("channels", ()))
        raise UsageError(
            f"start {path}: its [network] channels are {channels}, those of the recipe are {list(network.channels)}; "
            'use the same, or start = ""'
        )
    network.load_state_dict(dict(zip(state, weights, strict=True)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    text = f"{card.name}, {card.steps} steps, SHA-256 {digest}"
    return f"{text}, which began with {card.start}" if card.start else text
