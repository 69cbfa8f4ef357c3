"""Network with its optimizer, and the checkpoint of an unfinished training."""

from __future__ import annotations

import hashlib
import pickle
import platform
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
import torch

from livetrack.errors import UsageError
from livetrack.training.network import Network
from livetrack.training.recipe import Recipe
from livetrack.training.targets import Batch, compute_loss
from livetrack.whole_file import replacing

__all__ = ["Learner", "choose_device", "load_checkpoint", "save_checkpoint"]

_MAX_NORM = 5.0  # of the gradient


class Learner:
    """Network and optimizer on one device (AdamW: Loshchilov and Hutter, arXiv:1711.05101)."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.network = Network(recipe.network.channels).to(device)
        self._rate = recipe.training.learning_rate
        self._device = device
        for weight in self.network.parameters():
            if weight.ndim == 4:  # convolutions are a third faster in this layout
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self._optimizer = torch.optim.AdamW(self.network.parameters(), weight_decay=1e-4, fused=True)

    @property
    def hardware(self) -> str:
        """Name of the processor or GPU."""
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        threads = torch.get_num_threads()
        return f"{threads} thread{'s' if threads > 1 else ''} of {platform.processor() or platform.machine()}"

    def learn(self, batch: Batch, rate: float) -> float:
        """Take one step at `rate` times the recipe's learning rate; return the loss of the batch before it."""
        if self._device.type != "cpu":
            batch = Batch(*(getattr(batch, field.name).to(self._device) for field in fields(batch)))
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * rate
        loss = compute_loss(self.network(batch.inputs.to(memory_format=torch.channels_last)), batch)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _MAX_NORM)
        self._optimizer.step()
        return loss.item()

    def state(self) -> dict[str, Any]:
        """Return the state of the network and the optimizer."""
        return {"network": self.network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])


def choose_device(name: str) -> torch.device:
    """Return the device of `name`; "auto" selects CUDA if available, else the CPU.

    Raises
    ------
    UsageError
        The device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be used: {cause}; leave it out, or use cpu") from None
    return device


def save_checkpoint(path: Path, recipe: Recipe, seed: int, learner: Learner, numbers: dict[str, float]) -> None:
    """Save an unfinished training and some `numbers` to `path`, replacing an earlier file only once complete."""
    with replacing(path) as unfinished:
        torch.save({"recipe": _digest(recipe, seed), **numbers, **learner.state()}, unfinished)


def load_checkpoint(path: Path, recipe: Recipe, seed: int, learner: Learner) -> dict[str, Any]:
    """Restore `learner` from `path`; return the contents of the file.

    Raises
    ------
    UsageError
        The file is damaged, or belongs to another recipe, seed or version.
    """
    cure = "delete it, or use --restart"
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError):
        raise UsageError(f"{path}: not a readable checkpoint; {cure}") from None
    if saved.get("recipe") != _digest(recipe, seed):
        raise UsageError(f"{path}: checkpoint of another recipe or seed; {cure}")
    try:
        learner.restore(saved)
    except (RuntimeError, ValueError, KeyError):
        raise UsageError(f"{path}: checkpoint of another version of livetrack; {cure}") from None
    return saved


def _digest(recipe: Recipe, seed: int) -> str:
    return hashlib.sha256(msgspec.json.encode((recipe, seed))).hexdigest()
