"""A session on the real core with its demo microscope, and the state of all that is not the camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mm_test_adapters

FOLDER = Path(mm_test_adapters.__file__).parent / "libs"
DEMO = [
    "camera.driver=micromanager",
    f"camera.micromanager.mm_dir={str(FOLDER)!r}",
    "camera.micromanager.buffer_mb=32",
    "camera.retry_s=0.2",
    "localizer.model=centroid",
    "localizer.diameter_px=7.0",
]


def set_up(core: Any) -> None:
    """Move everything away from where loading the configuration puts it, as a person would."""
    core.set_property("XY", "Velocity", "10000")
    core.set_xy_position(50.0, 20.0)
    core.wait_for_device("XY")
    core.set_position(7.5)
    core.wait_for_device("Z")
    core.set_property("Objective", "Label", "Nikon 40X Plan Fluor ELWD")
    core.set_property("LED", "State", 3)
    core.set_shutter_open("LED Shutter", True)
    core.set_property("Dichroic", "State", 2)


def state_of(core: Any) -> dict[str, Any]:
    """Return the state of everything that is not the camera."""
    properties = [
        ("Objective", "Label"), ("LED", "State"), ("White Light Shutter", "State"),
        ("Dichroic", "State"), ("XY", "Velocity"),
    ]  # fmt: skip
    return {
        "stage": (core.get_x_position(), core.get_y_position()),
        "focus": core.get_position(),
        "auto-shutter": core.get_auto_shutter(),
        "shutter": core.get_shutter_open(),
        "lamp": core.get_shutter_open("LED Shutter"),
        **{f"{device}.{name}": core.get_property(device, name) for device, name in properties},
    }


class Counted:
    """Counts the calls of a method of the core, and fails them while `unplugged`."""

    def __init__(self, monkeypatch: Any, owner: Any, name: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.unplugged = False
        original = getattr(owner, name)

        def counted(*args: Any) -> Any:
            self.calls.append(args)
            if self.unplugged:
                raise RuntimeError("the device is not there")
            return original(*args)

        monkeypatch.setattr(owner, name, counted)
