"""The options by which a movie is tracked."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from livetrack.cli.arguments import add_scales
from livetrack.config import Config, load_config
from livetrack.toml_file import assignment

__all__ = ["add_model_options", "model_config"]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, `--scale`, `--drift`, `--config`, `--stateless` and the movie's scales; not `--set`."""
    parser.add_argument("--model", help="name of a model, or an ONNX file (default: localizer.model of the settings)")
    parser.add_argument(
        "--scale",
        help="scale of the searched image: 0.5, 0.25 ... 0.03125 for particles larger than the model's, 2 for smaller "
        "ones, auto for any size (default: localizer.scale of the settings)",
    )
    parser.add_argument(
        "--drift",
        type=_drift,
        metavar="X,Y",
        help="drift of all particles, px per frame, as `livetrack check` reports it: --drift=-6,0.5 (default: "
        "linker.drift_px of the settings)",
    )
    parser.add_argument("--config", type=Path, help="settings file, .toml (default: the default settings)")
    parser.add_argument(
        "--stateless", action="store_true", help="refine each frame from itself alone, without learning from the others"
    )
    add_scales(parser)


def model_config(args: argparse.Namespace) -> Config:
    """Return the settings with what these options change. Raises `UsageError`."""
    overrides = list(args.overrides)
    if args.model is not None:
        overrides.append(assignment("localizer.model", args.model))
    if args.scale is not None:
        overrides.append(f"localizer.scale={args.scale}")
    if args.drift is not None:
        overrides.append(f"linker.drift_px={args.drift}")
    if args.pixel_size is not None:
        overrides.append(f"calibration.pixel_size_um={args.pixel_size}")
    return load_config(args.config, overrides)


def _drift(text: str) -> list[float]:
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        x = y = math.nan
    if not math.isfinite(x + y):
        raise argparse.ArgumentTypeError(f"{text!r} is not a drift X,Y in px per frame, such as --drift=-6,0.5")
    return [x, y]
