"""Settings, recipes and the other small files that livetrack reads."""

from __future__ import annotations

import random
from pathlib import Path

from livetrack import Linker
from livetrack.camera import Geometry
from livetrack.config import load_config
from livetrack.session.commands.calibration_store import CalibrationStore

from .changes import change_bytes, change_text
from .target import Input

__all__ = ["SettingsTarget"]

_ROOT = Path(__file__).parents[2]
_CALIBRATIONS = b"""{"version": 2, "calibrations": [{"calibration": {"actuator": "stage", "unit": "um",
"camera": "simulated", "matrix": [[10.0, 0.0], [0.0, 10.0]], "matrix_std": [[0.01, 0.01], [0.01, 0.01]],
"delay_frames": 1.5,
"delay_std_frames": 0.1, "interval_s": 0.02, "binning": 1, "pixel_size_um": 0.1, "made": "2026-01-01T00:00:00"},
"label": "", "objective": "", "orientation": ""}]}"""


class SettingsTarget:
    """`config.toml`, recipes, calibrations, and the state of a linker."""

    watched = (
        "livetrack/config.py",
        "livetrack/toml_file.py",
        "livetrack/training/",
        "calibration_store.py",
        "serialization.py",
    )

    def inputs(self, folder: Path) -> list[Input]:
        """Return one file of each kind."""
        Linker(5.0).save(folder / "state.npz")
        recipes = sorted((_ROOT / "models").glob("*.toml"))
        return [
            Input("config.toml", (_ROOT / "config.toml").read_bytes()),
            *(Input(f"recipe-{path.name}", path.read_bytes()) for path in recipes),
            Input("calibration.json", _CALIBRATIONS),
            Input("linker.npz", (folder / "state.npz").read_bytes()),
        ]

    def change(self, one: Input, rng: random.Random) -> bytes:
        """Change text as text, and the archive as bytes."""
        return change_bytes(one.data, rng) if one.name.endswith("npz") else change_text(one.data, rng)

    def read(self, folder: Path, name: str) -> str:
        """Read the file as the program does that needs it."""
        path = folder / name
        if name == "config.toml":
            load_config(path)
        elif name.startswith("recipe"):
            from livetrack.training.recipe import load_recipe

            load_recipe(path)
        elif name == "calibration.json":
            store = CalibrationStore(str(path), "simulated")
            store.valid(Geometry(64, 64))
            store.refusals(Geometry(64, 64))
        else:
            Linker.load(path)
        return "read"
