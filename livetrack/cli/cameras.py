"""`livetrack cameras`: lists the installed camera drivers and their settings."""

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
    """List the drivers, their settings and the defaults."""
    console = make_console(stderr=False)
    results = {}
    for name in camera_drivers():
        try:
            settings = load_driver(name).Settings
        except ConfigError as error:
            console.print(f"{name}: {error}")
            continue
        defaults = msgspec.to_builtins(settings())
        results[name] = defaults
        table = Table(title=f"[camera.{name}]", title_justify="left", box=None)
        table.add_column("setting")
        table.add_column("default")
        for key, value in defaults.items():
            table.add_row(key, "" if value is None else repr(value))
        console.print(table)
    write_json(args.json, results)
    return 0
