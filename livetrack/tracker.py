"""One frame in, one batch of rows out; the same for movies and live."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import structs

from livetrack.config import Config
from livetrack.errors import ConfigError
from livetrack.following import TrackGuidedSearch
from livetrack.linking import Linker
from livetrack.localize import CameraNoise, Localizer, load_localizer
from livetrack.localize.localizer import GuidedLocalizer, ThreadedLocalizer
from livetrack.particles import Rows

__all__ = ["PIXEL_TYPES", "Tracker"]

PIXEL_TYPES = (np.uint8, np.uint16)
"""What most cameras deliver."""


class Tracker:
    """Finds the particles of each frame and joins them to trajectories.

    After `update`, `t_started_ns`, `t_localized_ns` and `t_linked_ns` (`time.perf_counter_ns`) say when each
    stage of it began or was done.

    Parameters
    ----------
    localizer, linker
        What finds the particles, and what joins them.
    follow
        Look about the known trajectories, and elsewhere on one tile a frame in turn (`TrackGuidedSearch`), instead of
        searching the whole of every frame.

    Raises
    ------
    ConfigError
        `follow` with a localizer that cannot search parts of an image (`GuidedLocalizer`).
    """

    def __init__(self, localizer: Localizer, linker: Linker, *, follow: bool = False) -> None:
        self.linker = linker
        self._warmup_linker = Linker(**linker.settings)
        self._follow = follow
        self.use(localizer)
        self.t_started_ns = self.t_localized_ns = self.t_linked_ns = 0

    @classmethod
    def from_config(cls, config: Config) -> Tracker:
        """Build the tracker that the sections `[localizer]` and `[linker]` describe. Raises `UsageError`."""
        camera = config.camera
        law = None
        if camera.gain_grey is not None and camera.offset_grey is not None and camera.read_noise_e is not None:
            law = CameraNoise(camera.gain_grey, camera.offset_grey, camera.read_noise_e)
        options = structs.asdict(config.localizer)
        follow = options.pop("search") == "follow"
        return cls(
            load_localizer(**options, camera=law),
            Linker(**structs.asdict(config.linker)),
            follow=follow,
        )

    def use(self, localizer: Localizer) -> None:
        """Find the particles of the next frame with `localizer`; the trajectories go on.

        Raises
        ------
        ConfigError
            As in the constructor; the old one stays in use then.
        """
        guided = localizer if isinstance(localizer, GuidedLocalizer) else None
        if self._follow and guided is None:
            raise ConfigError(f'[localizer.search] {localizer.name} does not support "follow"; use "full"')
        self.localizer = localizer
        self._guided_search = TrackGuidedSearch(guided, self.linker) if guided and self._follow else None

    def update(self, image: npt.NDArray[Any], t_s: float | None = None) -> Rows:
        """Return the (N,) rows of `image` (H, W) with their ids; `t_s` is its time, for velocities."""
        self.t_started_ns = time.perf_counter_ns()
        rows = (
            self.localizer.localize(image) if self._guided_search is None else self._guided_search.localize(image, t_s)
        )
        self.t_localized_ns = time.perf_counter_ns()
        self.linker.update(rows, t_s)
        self.t_linked_ns = time.perf_counter_ns()
        return rows

    def rerun_last_frame(self, image: npt.NDArray[Any]) -> None:
        """Go through the motions of `update` with the (H, W) `image` that it had last, and change nothing.

        What was in the processor's caches then is there again.
        """
        rows = (
            self.localizer.localize(image)
            if self._guided_search is None
            else self._guided_search.search_same_crops(image)
        )
        self._warmup_linker.update(rows)
        self._warmup_linker.predict()

    def reset(self) -> None:
        """End all trajectories, as `Linker.reset`: another part of the sample, or another time."""
        self.linker.reset()
        if self._guided_search is not None:
            self._guided_search.reset()

    def warmup(self, shape: tuple[int, int], dtypes: tuple[Any, ...] = PIXEL_TYPES) -> None:
        """Compile and load everything that frames of this shape and these types need."""
        for dtype in dtypes:
            self.localizer.warmup(shape, np.dtype(dtype))
            self._localize_for_warmup(_noise(shape, dtype))
        self.linker.warmup()

    def choose_threads(self, shape: tuple[int, int]) -> None:
        """Measure how many threads serve frames of this shape best, and use them; the rows are the same."""
        if isinstance(self.localizer, ThreadedLocalizer):
            image = _noise(shape, np.uint16)
            self.localizer.choose_threads(lambda: self._localize_for_warmup(image))

    def _localize_for_warmup(self, image: npt.NDArray[Any]) -> None:
        if self._guided_search is None:
            self.localizer.localize(image)
        else:
            self._guided_search.warmup(image)


def _noise(shape: tuple[int, int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(90, 110, shape).astype(dtype)
