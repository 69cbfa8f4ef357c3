"""`livetrack cameras`: the drivers that are installed, and what each can be told."""

from __future__ import annotations

import argparse

import msgspec
from rich.table import Table

from livetrack.camera import camera_drivers, load_driver
from livetrack.cli.arguments import add_json
from livetrack.cli.terminal import make_console, write_json
from livetrack.errors import ConfigError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the drivers with their settings and defaults."""
    console = make_console(stderr=False)
    figures = {}
    for name in camera_drivers():
        try:
            settings = load_driver(name).Settings
        except ConfigError as error:
            console.print(f"{name}: {error}")
            continue
        defaults = msgspec.to_builtins(settings())
        figures[name] = defaults
        table = Table(title=f"[camera.{name}]", title_justify="left", box=None)
        table.add_column("key")
        table.add_column("default")
        for key, value in defaults.items():
            table.add_row(key, "" if value is None else repr(value))
        console.print(table)
    write_json(args.json, figures)
    return 0
