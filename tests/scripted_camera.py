"""A camera that yields what a test has written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import waiting

from livetrack.camera import Frame, Geometry, Picture
from livetrack.config import CameraSettings
from livetrack.errors import CameraError
from livetrack.session.acquisition import Acquisition

Script = Callable[[], Iterator[Picture | None]]


class ScriptedCamera:
    """A camera that yields what its scripts yield, one script each time it is opened."""

    def __init__(self, *scripts: Script, waits: bool = False) -> None:
        self.waits = waits
        self.scripts = list(scripts)
        self.opened = self.closed = 0

    def open(self) -> Geometry:
        self.opened += 1
        if self.opened > len(self.scripts):
            raise CameraError("unplugged")
        return Geometry(4, 3, pixel_size_um=0.2)

    def pictures(self) -> Iterator[Picture | None]:
        return self.scripts[self.opened - 1]()

    def close(self) -> None:
        self.closed += 1


def picture(number: int | None = None, **fields: object) -> Picture:
    return Picture(np.zeros((3, 4), np.uint8), number, **fields)


def pictures(*numbers: int | None) -> Script:
    return lambda: iter([picture(number) for number in numbers])


def run(camera: ScriptedCamera, **settings: object) -> Acquisition:
    acquisition = Acquisition(camera, CameraSettings(**settings))
    acquisition.open()
    acquisition.start()
    return acquisition


def take_all(acquisition: Acquisition) -> list[Frame]:
    frames = []
    while (frame := acquisition.next_frame(5)) is not None:
        frames.append(frame)
    return frames


wait_for = partial(waiting.wait_for, timeout_s=10.0)
