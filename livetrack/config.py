"""Settings: config.toml as frozen, checked structs.

Each section is a struct below with its defaults, units and bounds. The file `config.toml` in the repository's root
lists them all, and a test keeps the two equal. The settings of a camera driver, `[camera.NAME]`, are a struct of the
driver.
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
    "ActuatorSettings",
    "CalibrationSettings",
    "CameraSettings",
    "Config",
    "LinkerSettings",
    "LocalizerSettings",
    "PublishSettings",
    "RecordSettings",
    "ViewSettings",
    "is_open",
    "load_config",
]

_SCALES = tuple(0.5**n for n in range(-1, 6))
Positive = Annotated[float, Meta(gt=0)]
_PORT = r"(\*|\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"  # ZeroMQ reads 65537 as 1
Address = Annotated[
    str,
    Meta(
        pattern=rf"^(tcp://[^\s/]+:{_PORT}|(ipc|inproc)://.+)\Z",
        description="an address such as tcp://127.0.0.1:5555, with a port up to 65535",
    ),
]
_ACTUATORS = ("stage", "focus", "galvo", "trap")  # those with a section of their own
_OPEN = re.compile(r"tcp://(?!(127\.\d+\.\d+\.\d+|localhost|\[::1\]):)")  # to other computers


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: immutable, keyword only, unknown keys are rejected."""


class CameraSettings(_Section, frozen=True):
    """`[camera]`: the camera driver, and how its frames are received."""

    driver: str = "simulated"
    every_frame: bool = False
    """Track every frame in order, instead of the newest."""
    queue_frames: Annotated[int, Meta(ge=1, le=100_000)] = 256
    """With `every_frame`: frames that may wait for the tracker; beyond that the oldest is skipped and counted."""
    stall_s: Positive = 2.0
    """Time without a frame, beyond the exposure, after which the camera counts as stalled."""
    retry_s: Positive = 1.0
    """Pause before the first attempt to start a camera that was lost; each further one is twice as long, up to 30 s."""
    gain_grey: Positive | None = None
    """Grey levels per photoelectron. If it is left out, the noise is estimated from each image."""
    offset_grey: float | None = None
    """Grey level without light; `gain_grey` requires this and `read_noise_e`."""
    read_noise_e: Annotated[float, Meta(ge=0)] | None = None
    """Standard deviation of the read noise, electrons."""


class LocalizerSettings(_Section, frozen=True):
    """`[localizer]`: how particles are found in a frame."""

    model: str = "spot"
    """A name that `livetrack models` lists, or an ONNX file."""
    search: Literal["full", "follow"] = "full"
    """Search every frame in full; or measure the known particles, and search near those in doubt and in one tile."""
    threshold: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Minimum score of a particle; if left out, the model's default."""
    scale: float | str = 1.0
    """With a network: scale of the image that is searched; 0.25 finds particles 4 times as large as the model's, 2
    those half as large. Or "auto": all scales from 1 down, for particles of any size."""
    threads: Annotated[int, Meta(ge=0, le=256)] = 0
    """Threads per image; 0: one per core, up to 8, and for the network as many as are fastest when a live session
    starts."""
    provider: str = "auto"
    """An execution provider of ONNX Runtime, or "openvino"; "auto" chooses."""
    profile_fit: bool = True
    """With a network: fit each particle's profile, which refines positions to the limit that the noise sets."""
    diameter_px: Annotated[float, Meta(ge=3, le=255)] | None = None
    """Diameter of the particles; for `centroid` and `radial_symmetry` only, a network has learnt it."""
    contrast: Literal["bright", "dark"] | None = None
    """Contrast of the particles; also for these only."""


class LinkerSettings(_Section, frozen=True):
    """`[linker]`: how localisations are linked into tracks."""

    search_radius_px: Positive = 5.0
    """Maximum distance between the expected and the found position."""
    memory: Annotated[int, Meta(ge=0, le=10_000)] = 2
    """Frames that a particle may be missing before its track ends."""
    motion: Literal["brownian", "velocity", "trap"] = "velocity"
    """Model of the motion: the expected position is the last one, moves with the velocity, or relaxes to a centre."""
    gate: Literal["radius", "learnt"] = "learnt"
    """Cost of a link: its squared distance, or its log likelihood given the observed motion and uncertainties."""
    trap_centres_px: list[tuple[float, float]] = []
    """With `motion = "trap"`: the known centres, x and y; others are learnt."""
    drift_px: tuple[float, float] = (0.0, 0.0)
    """Known drift of all particles per frame, x and y: new tracks start with it. `livetrack check` measures it."""
    confirm_after: Annotated[int, Meta(ge=1, le=1000)] = 3
    """Frames of a track after which it is no longer tentative."""


class PublishSettings(_Section, frozen=True):
    """`[publish]`: addresses for positions, previews and commands."""

    address: Address = "tcp://127.0.0.1:5555"
    preview_address: Address = "tcp://127.0.0.1:5556"
    command_address: Address = "tcp://127.0.0.1:5557"
    curve_keys: str = ""
    """Folder made by `livetrack keys`; required for access from other computers."""
    preview_fps: Annotated[float, Meta(ge=0, le=1000)] = 30.0
    """Previews per second; 0 sends none."""
    preview_max_px: Annotated[int, Meta(ge=16)] = 1024
    """Larger images are reduced to this width and height, by leaving out pixels."""


class RecordSettings(_Section, frozen=True):
    """`[record]`: recording to disk."""

    folder: str = ""
    """A new folder is made in it for each recording; empty: no recording."""
    frames: bool = True
    """Record every received frame; false records the tracks only."""
    queue_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 512
    """Frames that may wait for the disk, MB; `overflow` applies beyond that."""
    queue_s: Annotated[float, Meta(gt=0, le=60)] = 0.5
    """Longest time that a frame may wait for the disk, s; `overflow` applies beyond that. A crash loses that much at
    most, and some 0.2 s of the tables."""
    overflow: Literal["drop", "stop"] = "drop"
    """What happens to frames that the disk is too slow for: they are dropped and counted, or no more are recorded. The
    tables go on."""
    reserve_mb: Annotated[int, Meta(ge=0, le=1_000_000)] = 500
    """Free disk space that is kept for the tables, MB, at most a tenth of the disk: with less, no more frames are
    recorded."""
    tables: tuple[Literal["parquet", "csv", "feather", "trackmate", "trackpy", "napari"], ...] = ("parquet", "csv")
    """Further tables of the tracks, written at the end of a recording for other programs."""


class ViewSettings(_Section, frozen=True):
    """`[view]`: the window."""

    open: bool = True
    """Open the window with `livetrack run`, if there is a display."""
    fps: Annotated[float, Meta(gt=0, le=240)] = 30.0
    """Refreshes per second."""
    tail_frames: Annotated[int, Meta(ge=0, le=10_000)] = 50
    """Length of the trails."""
    labels: bool = False
    """Show the tracks' ids."""
    palette: Literal["dark", "light"] = "dark"


class CalibrationSettings(_Section, frozen=True):
    """`[calibration]`: properties of the optics and the sample."""

    pixel_size_um: Positive | None = None
    """µm in the sample per delivered pixel, at the start; if left out, the camera's value. Another binning or objective
    scales it, or makes it unknown."""
    temperature_k: Positive = 295.15
    viscosity_pa_s: Positive = 0.00095
    particle_radius_um: Positive = 0.5
    file: str = "livetrack-calibration.json"
    """Where `livetrack calibrate` stores its results; empty: only until the session ends."""


class ActuatorSettings(_Section, frozen=True):
    """`[stage]`, `[focus]`, `[galvo]`, `[trap]` and `[actuators.NAME]`: what the engine lets an actuator do."""

    limits: dict[str, tuple[float, float]] = {}
    """Lowest and highest position of each axis, in the actuator's unit, within what the device allows."""
    max_speed: Positive | None = None
    """Maximum speed, units per second: a longer move is made in pieces. If left out, the device's own."""


class _Sections(_Section, frozen=True):
    """All sections but `[camera]`, whose tables belong to the drivers."""

    localizer: LocalizerSettings = LocalizerSettings()
    linker: LinkerSettings = LinkerSettings()
    publish: PublishSettings = PublishSettings()
    record: RecordSettings = RecordSettings()
    view: ViewSettings = ViewSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    stage: ActuatorSettings = ActuatorSettings()
    focus: ActuatorSettings = ActuatorSettings()
    galvo: ActuatorSettings = ActuatorSettings()
    trap: ActuatorSettings = ActuatorSettings()
    actuators: dict[str, ActuatorSettings] = {}
    """Other actuators, by the name that their driver gives them."""


class Config(_Sections, frozen=True, kw_only=True):
    """All settings of a session; `driver_settings` is `[camera.DRIVER]`, an instance of the driver's struct."""

    camera: CameraSettings = CameraSettings()
    driver_settings: Any

    def actuator_settings(self, name: str) -> tuple[ActuatorSettings, str]:
        """Return the settings of an actuator, and the name of their section."""
        if name in _ACTUATORS:
            return getattr(self, name), name
        return self.actuators.get(name, ActuatorSettings()), f"actuators.{name}"


def load_config(path: str | Path | None = None, overrides: Iterable[str] = ()) -> Config:
    """Read a settings file; without one, use the defaults. `overrides` are `section.key=value`.

    The settings of drivers that are not in use are checked as well.

    Raises
    ------
    ConfigError
        One line with the file, the line, the key, and what is valid.
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
    rest = document.convert(_Sections, known=("camera",))
    _check_keys(document, rest.publish)
    _check_scale(document, rest.localizer.scale)
    _check_limits(document, rest)
    return Config(camera=camera, driver_settings=driver_settings, **structs.asdict(rest))


def is_open(address: str) -> bool:
    """Return whether other computers can reach `address`."""
    return _OPEN.match(address) is not None


def _check_keys(document: TomlDocument, publish: PublishSettings) -> None:
    """Reject addresses that other computers can reach without keys."""
    for key in ("address", "preview_address", "command_address"):
        address = getattr(publish, key)
        if is_open(address) and not publish.curve_keys:
            raise ConfigError(
                f"{document.where(('publish', key))}: [publish.{key}] = {address!r} is open to other computers without "
                "keys: make keys with `livetrack keys FOLDER` and set publish.curve_keys = 'FOLDER', or use an address "
                "of this computer, such as tcp://127.0.0.1:5555"
            )


def _check_scale(document: TomlDocument, scale: float | str) -> None:
    if scale not in (*_SCALES, "auto"):
        where, scales = document.where(("localizer", "scale")), ", ".join(f"{each:g}" for each in _SCALES)
        raise ConfigError(f'{where}: [localizer.scale] = {scale!r}: expected "auto" or one of {scales}')


def _check_limits(document: TomlDocument, sections: _Sections) -> None:
    """Reject limits that leave no position, and sections that do not hold for any actuator."""
    for name in sections.actuators:
        if name in _ACTUATORS:
            where = document.where(("actuators", name))
            raise ConfigError(f"{where}: [actuators.{name}]: the section of this actuator is called [{name}]")
    own = {(name,): getattr(sections, name) for name in _ACTUATORS}
    for path, actuator in (own | {("actuators", name): each for name, each in sections.actuators.items()}).items():
        for axis, (low, high) in actuator.limits.items():
            if not low < high:
                where, key = document.where((*path, "limits", axis)), ".".join(path)
                raise ConfigError(f"{where}: [{key}.limits] {axis} = [{low:g}, {high:g}]: expected [lowest, highest]")


def _check_noise(document: TomlDocument, camera: CameraSettings) -> None:
    """Reject camera noise that is only partly specified."""
    keys = ("gain_grey", "offset_grey", "read_noise_e")
    given = [key for key in keys if getattr(camera, key) is not None]
    missing = [key for key in keys if key not in given]
    if given and missing:
        where = document.where(("camera", given[0]))
        raise ConfigError(f"{where}: [camera.{given[0]}] also requires {' and '.join(missing)}; set all three, or none")
