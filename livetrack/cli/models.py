"""`livetrack models`: lists the available models."""

from __future__ import annotations

import argparse
import inspect

import msgspec
from rich.table import Table

from livetrack.cli.arguments import add_json
from livetrack.cli.terminal import make_console, write_json
from livetrack.errors import ModelError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the shipped models, the classical methods and the installed localizers."""
    from livetrack.localize.loader import load_plugin
    from livetrack.localize.models import installed_localizers, shipped_models
    from livetrack.localize.network import NetworkLocalizer

    cards = [NetworkLocalizer(path).card for path in shipped_models().values()]
    table = Table(box=None)
    for heading in ("model", "diameter", "contrast", "for"):
        table.add_column(heading)
    for card in cards:
        table.add_row(card.name, f"{card.diameter_px:g} px", card.contrast, card.description)
    table.add_row("centroid", "as set", "as set", "baseline: centre of intensity, no network")
    table.add_row("radial_symmetry", "as set", "as set", "baseline: centre of radial symmetry, no network")
    installed = []
    for name, plugin in installed_localizers().items():
        try:
            description = (inspect.getdoc(load_plugin(plugin)) or "").partition("\n")[0]
        except ModelError as error:
            description = str(error)
        package = f"{plugin.dist.name} {plugin.dist.version}" if plugin.dist else plugin.module
        table.add_row(name, "", "", f"{description} ({package})")
        installed.append({"name": name, "description": description, "package": package})
    make_console(stderr=False).print(table)
    write_json(args.json, [*(msgspec.to_builtins(card) for card in cards), *installed])
    return 0
