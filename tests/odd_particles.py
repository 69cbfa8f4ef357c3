"""A session whose camera shows three particles of an odd shape, which turn and move a little."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
from live_engine import running

from livetrack.camera import Geometry, Picture
from livetrack.session.engine import Engine

SIDE = 160
CENTRES = ((40.0, 40.0), (115.0, 50.0), (75.0, 115.0))
NOISE = 8.0


def comma(x: float, y: float, angle: float, side: int) -> np.ndarray:
    """Return an asymmetric particle about 10 px long, in closed form, its peak near 1."""
    rows, columns = np.mgrid[:side, :side]
    u, v = columns - x, rows - y
    along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    head = np.exp(-((along + 2) ** 2 + across**2) / (2 * 1.8**2))
    return head + 0.7 * np.exp(-((along - 3) ** 2 + (across - 1) ** 2) / (2 * 1.3**2))


class OddCamera:
    """A camera of 60 frames/s."""

    Settings = None
    waits = False

    def __init__(self) -> None:
        rng = np.random.default_rng(2)
        self._frames = []
        for n in range(40):
            image = 200 + NOISE * rng.standard_normal((SIDE, SIDE))
            for k, centre in enumerate(CENTRES):
                x, y = centre + 0.5 * np.sin(0.3 * n + k) + rng.uniform(-0.3, 0.3, 2)
                image += 15 * NOISE * comma(x, y, 0.2 * n + k, SIDE)
            self._frames.append(np.rint(image).astype(np.uint16))

    def open(self) -> Geometry:
        return Geometry(SIDE, SIDE)

    def pictures(self) -> Iterator[Picture]:
        number = 0
        while True:
            time.sleep(1 / 60)
            yield Picture(self._frames[number % len(self._frames)], number, t_s=number / 60)
            number += 1

    def close(self) -> None:
        pass


def odd_session() -> AbstractContextManager[Engine]:
    """Run a session on an `OddCamera`."""
    return running(["localizer.model=bead", "localizer.threads=1"], OddCamera())
