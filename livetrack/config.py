"""config.toml as frozen, checked settings.

Each section is a struct below with its defaults, units and bounds; the file `config.toml` at the
repository's root shows them all, line by line, and a test holds the two equal. What a camera driver
takes is the driver's own struct, `[camera.NAME]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from livetrack.camera import camera_drivers, load_driver
from livetrack.errors import ConfigError
from livetrack.toml_file import TomlDocument

__all__ = [
    "CalibrationSettings", "CameraSettings", "Config", "LinkerSettings", "LocalizerSettings", "PublishSettings",
    "RecordSettings", "ViewSettings", "is_open", "load_config",
]  # fmt: skip

Positive = Annotated[float, Meta(gt=0)]
_PORT = r"(\*|\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"  # ZeroMQ takes 65537 for 1
Address = Annotated[
    str,
    Meta(
        pattern=rf"^(tcp://[^\s/]+:{_PORT}|(ipc|inproc)://.+)$",
        description="an address, as tcp://127.0.0.1:5555 with a port up to 65535",
    ),
]
_OPEN = re.compile(r"tcp://(?!(127\.\d+\.\d+\.\d+|localhost|\[::1\]):)")  # to other machines


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all sections share: immutable, by keyword, and strict about unknown keys."""


class CameraSettings(Section, frozen=True):
    """`[camera]`: which driver, and how its frames are taken."""

    driver: str = "simulated"
    every_frame: bool = False
    """Track each frame in turn instead of the newest."""
    queue_frames: Annotated[int, Meta(ge=1, le=100_000)] = 256
    """With `every_frame`: frames held for a tracker that is behind; beyond that the oldest is skipped and counted."""
    stall_s: Positive = 2.0
    """Without a frame for so long, the camera counts as stalled."""
    retry_s: Positive = 1.0
    """Wait between two attempts to open a camera that was lost."""
    gain_grey: Positive | None = None
    """Grey levels per photoelectron. With it the noise is known; left out, it is found from each image."""
    offset_grey: float | None = None
    """Grey level without light; goes with `gain_grey`, as does the next."""
    read_noise_e: Annotated[float, Meta(ge=0)] | None = None
    """Standard deviation of the read noise, electrons."""


class LocalizerSettings(Section, frozen=True):
    """`[localizer]`: what finds the particles."""

    model: str = "spot"
    search: Literal["full", "follow"] = "full"
    """Search the whole of every frame, or follow: look about the known particles, and on one tile a frame in turn."""
    threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Least score of a particle; left out, the model's own."""
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    """That share the work on an image; 0: one for each core, up to 8, of the network's as a live session's start shows
    to be quickest."""
    provider: str = "auto"
    """ONNX Runtime execution provider."""
    profile_fit: bool = True
    """With a network: fit each particle's profile after the search, for positions at the limit of the noise."""
    diameter_px: Annotated[float, Meta(ge=3, le=255)] | None = None
    """Of the particles, for `centroid` and `radial_symmetry` only: a network has learnt it."""
    contrast: Literal["bright", "dark"] | None = None
    """Likewise."""


class LinkerSettings(Section, frozen=True):
    """`[linker]`: what joins the positions into trajectories."""

    search_radius_px: Positive = 5.0
    """How far a particle may be from where it is expected."""
    memory: Annotated[int, Meta(ge=0, le=10_000)] = 2
    """Frames that a particle may be missing before its trajectory ends."""
    motion: Literal["brownian", "velocity", "trap"] = "velocity"
    """Where particles are expected: where they were, where their velocity takes them, drawn back to a centre."""
    gate: Literal["radius", "learnt"] = "learnt"
    """What a link costs: its squared distance, or how unlikely it is from the motion and the uncertainties seen."""
    trap_centres_px: list[tuple[float, float]] = []
    """With `motion = "trap"`: the centres that are known, x and y; others are learnt."""
    confirm_after: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Frames that a trajectory must have before it is no longer tentative."""


class PublishSettings(Section, frozen=True):
    """`[publish]`: where positions and pictures go, and commands come."""

    address: Address = "tcp://127.0.0.1:5555"
    preview_address: Address = "tcp://127.0.0.1:5556"
    command_address: Address = "tcp://127.0.0.1:5557"
    curve_keys: str = ""
    """Folder that `livetrack keys` has made; with it, and only with it, other machines are let in."""
    preview_fps: Annotated[float, Meta(ge=0, le=1000)] = 30.0
    """Pictures a second for windows; 0 sends none."""
    preview_max_px: Annotated[int, Meta(ge=16)] = 1024
    """Larger pictures are thinned out (every second, third ... pixel) to this width and height."""


class RecordSettings(Section, frozen=True):
    """`[record]`: what is written to disk."""

    folder: str = ""
    """Where a recording's own folder is made; empty records nothing."""
    frames: bool = True
    """Write every delivered frame, not the trajectories alone."""
    queue_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 512
    """Frames waiting for the disk, MB; beyond that they are dropped and counted."""


class ViewSettings(Section, frozen=True):
    """`[view]`: the window."""

    open: bool = True
    """Open the window with `livetrack run`, where there is a display."""
    fps: Annotated[float, Meta(gt=0, le=240)] = 30.0
    tail_frames: Annotated[int, Meta(ge=0, le=10_000)] = 50
    labels: bool = False
    """Show the trajectories' ids."""
    palette: Literal["dark", "light"] = "dark"


class CalibrationSettings(Section, frozen=True):
    """`[calibration]`: what the sample and the optics are."""

    pixel_size_um: Positive | None = None
    """µm in the sample per delivered pixel; left out, the camera's own word is taken."""
    temperature_k: Positive = 295.15
    viscosity_pa_s: Positive = 0.00095
    particle_radius_um: Positive = 0.5
    file: str = "livetrack-calibration.json"
    """Where `livetrack calibrate` keeps how the picture answers what moves; empty: until the session ends."""


class Sections(Section, frozen=True):
    """The sections that are known here, `[camera]` apart: its tables belong to drivers."""

    localizer: LocalizerSettings = LocalizerSettings()
    linker: LinkerSettings = LinkerSettings()
    publish: PublishSettings = PublishSettings()
    record: RecordSettings = RecordSettings()
    view: ViewSettings = ViewSettings()
    calibration: CalibrationSettings = CalibrationSettings()


class Config(Sections, frozen=True, kw_only=True):
    """All settings of a session; `driver_settings` holds `[camera.DRIVER]` as the driver's own struct."""

    camera: CameraSettings = CameraSettings()
    driver_settings: Any


def load_config(path: str | Path | None = None, overrides: Iterable[str] = ()) -> Config:
    """Read a settings file; without one, the defaults. `overrides` are `section.key=value`.

    Tables of drivers that are not in use are checked as well.

    Raises
    ------
    ConfigError
        One line: file, line, key, and what would be right.
    """
    document = TomlDocument(path)
    for assignment in overrides:
        document.override(assignment)
    drivers = tuple(camera_drivers())
    camera = document.convert(CameraSettings, ("camera",), known=drivers)
    _check_noise(document, camera)
    used = load_driver(camera.driver, document.where(("camera", "driver")))
    table = document.data.get("camera", {})
    for name in drivers:
        if name in table and name != camera.driver:
            document.convert(load_driver(name).Settings, ("camera", name))
    driver_settings = document.convert(used.Settings, ("camera", camera.driver))
    rest = document.convert(Sections, known=("camera",))
    _check_reach(document, rest.publish)
    return Config(camera=camera, driver_settings=driver_settings, **structs.asdict(rest))


def is_open(address: str) -> bool:
    """Whether other machines reach `address`."""
    return _OPEN.match(address) is not None


def _check_reach(document: TomlDocument, publish: PublishSettings) -> None:
    """Refuse addresses that other machines reach, where no keys say who is let in."""
    for key in ("address", "preview_address", "command_address"):
        address = getattr(publish, key)
        if is_open(address) and not publish.curve_keys:
            raise ConfigError(
                f"{document.where(('publish', key))}: [publish.{key}] = {address!r} is open to other machines: make "
                "keys with `livetrack keys FOLDER` and set publish.curve_keys = 'FOLDER', or take an address of this "
                "machine, as tcp://127.0.0.1:5555"
            )


def _check_noise(document: TomlDocument, camera: CameraSettings) -> None:
    """Refuse a camera's noise that is told in part: the rest would have to be guessed."""
    keys = ("gain_grey", "offset_grey", "read_noise_e")
    given = [key for key in keys if getattr(camera, key) is not None]
    missing = [key for key in keys if key not in given]
    if given and missing:
        where = document.where(("camera", given[0]))
        raise ConfigError(
            f"{where}: [camera.{given[0]}] needs {' and '.join(missing)} beside it, or leave all three out"
        )
