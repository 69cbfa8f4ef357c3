"""Settings of the Micro-Manager driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from livetrack.errors import CameraError
from livetrack_drivers._mm_properties import Scalar

__all__ = ["MicroManagerSettings", "flat", "milliseconds"]

Offset = Annotated[int, Meta(ge=0)]
Size = Annotated[int, Meta(ge=1)]


class MicroManagerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[camera.micromanager]`."""

    backend: Literal["auto", "python", "java"] = "auto"
    """"java" joins a Micro-Manager window that is open, with "Run server on port 4827" ticked in Tools > Options;
    "python" loads the devices in livetrack's own process; "auto" joins a window if one answers."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 4827
    """Port of the window's server."""
    run_camera: bool = False
    """With a window: start the camera where neither its live view nor an acquisition runs. If false, wait for them."""
    mm_dir: str = ""
    """Micro-Manager's folder, with its mmgr_dal_* files. If empty: the environment variable MICROMANAGER_PATH, the
    usual installation folders, or the Python package mm_test_adapters with its demo camera."""
    config_file: str = "MMConfig_demo.cfg"
    """Hardware configuration, as saved by Micro-Manager's wizard: a path, or a name in `mm_dir`."""
    camera: str = ""
    """Label of the camera in that file; if empty, the file's default camera."""
    channel: str = ""
    """For a camera that delivers the images of several (`Multi Camera`): the one to track. The others are discarded."""
    properties: dict[str, Scalar | dict[str, Scalar]] = {}
    """Device properties to set after loading the file, in this order: `"Camera.PixelType" = "16bit"`."""
    exposure_ms: Annotated[float, Meta(gt=0)] | None = None
    """Exposure, ms; if left out, as in the configuration file."""
    binning: Size | None = None
    """Sensor pixels per image pixel, along each axis; if left out, as in the configuration file."""
    roi: tuple[Offset, Offset, Size, Size] | None = None
    """Region of interest: x, y, width, height, px of the binned image; if left out, the full frame."""
    buffer_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 256
    """MMCore's buffer for pictures that wait, MB; it holds some 2000 small ones. If it is full, MMCore discards all.
    A window has its own size."""


def flat(properties: dict[str, Scalar | dict[str, Scalar]]) -> Iterator[tuple[str, Scalar]]:
    """Yield "Device.Property" and value, from either notation."""
    for name, value in properties.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def milliseconds(value: Scalar) -> float:
    """Return an exposure as a number. Raises `CameraError` if it is none."""
    try:
        return float(value)
    except ValueError:
        raise CameraError(f"exposure_ms cannot be {value!r}: it is a number of milliseconds") from None
