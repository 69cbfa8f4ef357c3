"""The tracker: one image in, its rows with track ids out; the same for movies and live sessions."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import structs

from livetrack.config import Config
from livetrack.errors import ConfigError, LivetrackError, LocalizerError
from livetrack.following import TrackGuidedSearch
from livetrack.linking import Linker
from livetrack.localize import CameraNoise, Localizer, load_localizer
from livetrack.localize.localizer import GuidedLocalizer, LearningLocalizer, RuntimeLocalizer, ThreadedLocalizer
from livetrack.particles import Rows, empty_rows

__all__ = ["PIXEL_TYPES", "Tracker"]

PIXEL_TYPES = (np.uint8, np.uint16)
"""Pixel types of most cameras."""

_LEARN_EVERY_S = 0.001  # the frames between tell little more


class Tracker:
    """Localizes the particles of each frame and links them into tracks.

    `t_started_ns`, `t_localized_ns` and `t_linked_ns` are the times when the last `update` started and when its stages
    were done, on the clock of `time.perf_counter_ns`.

    Parameters
    ----------
    localizer, linker
        Find the particles, and link them.
    follow
        Search around the known tracks, and in one tile per frame for new particles (`TrackGuidedSearch`), instead of
        the whole of every frame.
    stateless
        Refine the particles of each frame from that frame alone, instead of learning from frame to frame what they have
        in common (`LearningLocalizer`).

    Raises
    ------
    ConfigError
        `follow` with a localizer that cannot search parts of an image (`GuidedLocalizer`).
    """

    def __init__(
        self, localizer: Localizer, linker: Linker, *, follow: bool = False, stateless: bool = False
    ) -> None:  # fmt: skip
        self.linker = linker
        self._warmup_linker = Linker(**linker.settings)
        self._follow, self._stateless = follow, stateless
        self.use(localizer)
        self.t_started_ns = self.t_localized_ns = self.t_linked_ns = 0
        self._t_s: float | None = None  # of the last frame

    @classmethod
    def from_config(cls, config: Config, *, stateless: bool = False) -> Tracker:
        """Build the tracker that the sections `[localizer]` and `[linker]` describe. Raises `UsageError`."""
        camera = config.camera
        noise = None
        if camera.gain_grey is not None and camera.offset_grey is not None and camera.read_noise_e is not None:
            noise = CameraNoise(camera.gain_grey, camera.offset_grey, camera.read_noise_e)
        options = structs.asdict(config.localizer)
        follow = options.pop("search") == "follow"
        localizer, linker = load_localizer(**options, camera=noise), Linker(**structs.asdict(config.linker))
        return cls(localizer, linker, follow=follow, stateless=stateless)

    def use(self, localizer: Localizer) -> None:
        """Switch to another localizer from the next frame on; the tracks continue.

        Raises
        ------
        ConfigError
            As in the constructor; the old localizer stays in use then.
        """
        guided = localizer if isinstance(localizer, GuidedLocalizer) else None
        if self._follow and guided is None:
            scale = localizer.search_scale
            which, cure = ("", "") if scale == "1" else (f" at scale {scale}", ", or another scale")
            raise ConfigError(f'[localizer.search] {localizer.name}{which} does not support "follow"; use "full"{cure}')
        self.localizer = localizer
        self._guided_search = TrackGuidedSearch(guided, self.linker) if guided and self._follow else None
        self._recalled = _Recalled(localizer, stateless=self._stateless)
        self._named_errors = _NamedErrors(localizer)

    def update(self, image: npt.NDArray[Any], t_s: float | None = None, *, learn: bool = True) -> Rows:
        """Track the next frame and return its (N,) rows with track ids.

        Parameters
        ----------
        image
            (H, W), of any integer or float type.
        t_s
            Time of the frame, for velocities.
        learn
            Learn from it at once; else the caller calls `learn`, when nobody waits for it.

        Raises
        ------
        InputError
            The image cannot be used.
        LocalizerError
            The localizer failed for another reason. In both cases the tracks stay as they are.
        """
        self.t_started_ns = time.perf_counter_ns()
        self._t_s = t_s
        with self._named_errors, self._recalled:
            if self._guided_search is None:
                rows = self.localizer.localize(image)
            else:
                rows = self._guided_search.localize(image, t_s)
        self.t_localized_ns = time.perf_counter_ns()
        self.linker.update(rows, t_s)
        self.t_linked_ns = time.perf_counter_ns()
        if learn:
            self.learn()
        return rows

    def pass_over(self) -> Rows:
        """Return no rows for a frame whose image shows nothing, not even a background; the tracks stay as they are.

        No track counts as missed: neither `linker.memory` nor a search in doubt is spent on it. The next `update` takes
        the time since the last one into account.
        """
        self.t_started_ns = self.t_localized_ns = self.t_linked_ns = time.perf_counter_ns()
        return empty_rows()

    def learn(self) -> None:
        """Learn from the image of the last `update`, for the next ones: at most from 1,000 frames a second.

        To be called before the localizer is given another image. No effect if that image has no particles.

        Raises `LocalizerError`.
        """
        with self._named_errors:
            self._recalled.learn(self._t_s)

    def forget(self) -> None:
        """Forget what was learnt from frame to frame; the tracks continue. The light, say, has changed."""
        self._recalled.forget()

    def rerun_last_frame(self, image: npt.NDArray[Any]) -> None:
        """Repeat the work of the last `update`, with the same (H, W) `image`, to warm the CPU caches; changes nothing.

        Raises as `update` does.
        """
        with self._named_errors, self._recalled:
            again = self.localizer.localize if self._guided_search is None else self._guided_search.repeat
            rows = again(image)
        self._warmup_linker.update(rows)
        self._warmup_linker.predict()

    def reset(self) -> None:
        """End all tracks, as `Linker.reset` does: the next frame shows another part of the sample, or another time."""
        self.linker.reset()
        self.forget()
        if self._guided_search is not None:
            self._guided_search.reset()

    def warmup(self, shape: tuple[int, int], dtypes: tuple[Any, ...] = PIXEL_TYPES) -> None:
        """Compile and load everything that frames of this shape and these types need. Raises `LocalizerError`."""
        with self._named_errors:
            for dtype in dtypes:
                self.localizer.warmup(shape, np.dtype(dtype))
                self._localize_for_warmup(_noise(shape, dtype))
        self.linker.warmup()

    def choose_threads(self, shape: tuple[int, int]) -> None:
        """Measure which number of threads is fastest for frames of this shape, and use it; the rows stay the same."""
        if isinstance(self.localizer, ThreadedLocalizer):
            image = _noise(shape, np.uint16)
            self.localizer.choose_threads(lambda: self._localize_for_warmup(image))

    def choose_runtime(self, shape: tuple[int, int]) -> None:
        """Measure the runtime too, where there is a choice; the rows then stay the same but for rounding."""
        if isinstance(self.localizer, RuntimeLocalizer):
            image = _noise(shape, np.uint16)
            self.localizer.choose_runtime(lambda: self._localize_for_warmup(image))
        else:
            self.choose_threads(shape)

    def _localize_for_warmup(self, image: npt.NDArray[Any]) -> None:
        if self._guided_search is None:
            self.localizer.localize(image)
        else:
            self._guided_search.warmup(image)


class _Recalled:
    """Lets a localizer use, while it is entered, what it has learnt from this tracker's frames."""

    def __init__(self, localizer: Localizer, *, stateless: bool) -> None:
        self._localizer = localizer if isinstance(localizer, LearningLocalizer) and not stateless else None
        self._learnt: object | None = None
        self._t_s = math.nan  # of the last frame that was learnt from

    def learn(self, t_s: float | None) -> None:
        now = math.nan if t_s is None else t_s
        if self._localizer is not None and not 0 <= now - self._t_s < _LEARN_EVERY_S:
            self._learnt, self._t_s = self._localizer.learn() or self._learnt, now

    def forget(self) -> None:
        self._learnt, self._t_s = None, math.nan

    def __enter__(self) -> None:
        if self._localizer is not None:
            self._localizer.recall(self._learnt)

    def __exit__(self, *error: object) -> None:
        if self._localizer is not None:
            self._localizer.recall(None)


class _NamedErrors:
    """Turns an unexpected exception of a localizer into a `LocalizerError` with the localizer's name."""

    def __init__(self, localizer: Localizer) -> None:
        self._localizer = localizer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, LivetrackError):
            raise LocalizerError(f"the localizer {self._localizer.name} failed: {error!r}") from error


def _noise(shape: tuple[int, int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(90, 110, shape).astype(dtype)
