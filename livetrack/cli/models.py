"""`livetrack models`: lists the models."""

from __future__ import annotations

import argparse

import msgspec
from rich.table import Table

from livetrack.cli.arguments import add_json
from livetrack.cli.terminal import make_console, write_json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the shipped models and what each is for."""
    from livetrack.localize.models import shipped_models
    from livetrack.localize.network import NetworkLocalizer

    cards = [NetworkLocalizer(path).card for path in shipped_models().values()]
    table = Table(box=None)
    for heading in ("model", "diameter", "contrast", "for"):
        table.add_column(heading)
    for card in cards:
        table.add_row(card.name, f"{card.diameter_px:g} px", card.contrast, card.description)
    table.add_row("centroid", "set it", "set it", "yardstick: the intensity's centre, no network")
    table.add_row("radial_symmetry", "set it", "set it", "yardstick: where the gradients meet, no network")
    make_console(stderr=False).print(table)
    write_json(args.json, [msgspec.to_builtins(card) for card in cards])
    return 0
