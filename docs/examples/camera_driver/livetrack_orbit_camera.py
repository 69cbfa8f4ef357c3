"""A camera driver for livetrack: a bright spot on a circular orbit."""

import time
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from livetrack.camera import Geometry, Picture


class OrbitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[camera.orbit]`; every key has a default."""

    fps: Annotated[float, Meta(ge=10)] = 50.0


class OrbitCamera:
    Settings = OrbitSettings
    waits = False  # a frame that nobody reads is lost, as with a real camera

    def __init__(self, settings):
        self.settings = settings

    def open(self):  # connect to the device and start it
        return Geometry(width=64, height=64, pixel_size_um=0.1)

    def pictures(self):  # wait for the next image; yield None at least every 100 ms
        for number in range(2**63):
            time.sleep(1 / self.settings.fps)
            x, y = 31.5 + 10 * np.cos(0.05 * number), 31.5 + 10 * np.sin(0.05 * number)
            across, down = (np.exp(-((np.arange(64) - centre) ** 2) / 4) for centre in (x, y))
            yield Picture((100 + 900 * np.outer(down, across)).astype(np.uint16), number)

    def close(self): ...  # stop and release the device
