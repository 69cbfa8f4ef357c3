"""The contract of a localizer, and of one that can search parts of an image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from livetrack.localize.crops import Crops
from livetrack.particles import Flag, Rows

__all__ = [
    "GuidedLocalizer", "LearningLocalizer", "Localizer", "MeasuringLocalizer", "RuntimeLocalizer", "ThreadedLocalizer",
]  # fmt: skip

_REACH_PX = 5.0  # how far from the expected position `Localizer.refine` accepts a particle
_MEASURED = ("x", "y", "x_std", "y_std", "xy_cov", "intensity", "score", "angle")
_OF_FRAME = np.uint32(Flag.EDGE | Flag.MERGED)


class Localizer(Protocol):
    """Finds the particles in an image.

    To write one, inherit from this class and implement `find`; everything else has a default. A package offers it to
    livetrack by an entry point of the group `livetrack.localizers`, which names the class, or a function that builds
    the localizer; see `load_localizer` for the options that it may take.

    Images
        (H, W) arrays of any integer or float dtype, at least 16x16 px. They belong to the caller: a localizer neither
        writes to them nor keeps them.
    Rows
        A new array (N,) of dtype `livetrack.particles.ROW` for every call, made by `empty_rows(N)`; the linker writes
        to it. Finite x and y (px, integers are pixel centres) and a score (0..1) in every row. The other measured
        fields stay NaN where they are unknown: x_std, y_std and xy_cov (the linker then uses the distance alone),
        intensity, angle. `id`, `vx` and `vy` stay as they are, for the linker. Rows whose score is below `threshold`
        are left out. Particles at the image's edge have `Flag.EDGE`.
    State
        None: rows depend only on the image and on `threshold`. Localizers are called for more than the tracked frames
        (the warm-up, and the cache warming between two frames), so whatever is carried from one image to the next
        ends up wrong, unless the caller carries it (`LearningLocalizer`). Buffers may be kept.
    Invariance
        Rows should be the same for `image` and `a * image + b`, a > 0, except for `intensity`, which scales with a.
    Threads
        Calls never overlap, but may come from different threads: a new localizer is warmed up in one, used in another.
    Errors
        `InputError` for an image that cannot be used (shape, dtype, pixels that are not finite). It costs that frame
        only, as does any other exception; a live session counts the frame and reports the error.
    """

    name: str = ""
    """Shown in the window and written to files; a plug-in's is by default that of its entry point."""
    provider: str = "Python"
    """What it runs on: an execution provider of ONNX Runtime, "OpenVINO", "numba", "Python"."""
    default_threshold: float = 0.5
    """The threshold unless the user sets one, 0..1."""
    threshold: float = 0.5
    """Minimum score of a row, 0..1; may be set between two calls."""

    @property
    def threads(self) -> str:
        """The number of threads that it runs on, in words."""
        return "1 thread"

    @property
    def search_scale(self) -> str:
        """The scale of the image that it searches, over that of the image given, in words, such as "1/4"."""
        return "1"

    @abstractmethod
    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Return the particles in `image` (H, W): (N,) rows, top to bottom."""

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure known particles again in `image`, near the finite positions of `rows`, (N,).

        Returns a copy: all measured fields, `Flag.EDGE` and `Flag.MERGED` are new, the ids, velocities and other flags
        are kept. A particle that is not there has a low score.
        """
        found, refined = self.localize(image), rows.copy()
        refined["score"] = 0
        if len(found) and len(rows):
            distance = np.hypot(rows["x"][:, None] - found["x"], rows["y"][:, None] - found["y"])
            there = distance.min(axis=1) <= _REACH_PX
            nearest = found[distance.argmin(axis=1)[there]]
            for field in _MEASURED:
                refined[field][there] = nearest[field]
            refined["flags"][there] = refined["flags"][there] & ~_OF_FRAME | nearest["flags"] & _OF_FRAME
        return refined

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then refine where that adds precision: the rows of a tracked frame."""
        return self.find(image)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile, load and allocate everything that images of this shape (H, W) and dtype need."""
        self.localize(np.random.default_rng(0).integers(90, 110, shape).astype(dtype))


@runtime_checkable
class GuidedLocalizer(Localizer, Protocol):
    """A localizer that can also search parts of an image, which `localizer.search = "follow"` requires."""

    crop_px: int
    """Side of the crops in which known particles are searched for, px."""
    margin_px: float
    """Particles nearer than this to the border of a crop are not found, px."""

    def crops(self, rows: Rows, side_px: int, shape: tuple[int, ...]) -> Crops:
        """Return a crop around each of `rows`, (N,), with sides of at least `side_px`.

        `shape` is that of the image, (H, W); crops are no larger.
        """

    def localize_within(self, image: npt.NDArray[Any], crops: Sequence[Crops]) -> Rows:
        """Find and refine particles in `crops` only, each particle once; rows have `Flag.PARTIAL_SEARCH`."""


@runtime_checkable
class MeasuringLocalizer(GuidedLocalizer, Protocol):
    """A guided localizer that can also measure known particles without a search."""

    measures: bool
    """Whether this one can, with its model and settings."""

    def measure(
        self, image: npt.NDArray[Any], expected: Rows, usual_misfit: npt.NDArray[np.float32]
    ) -> tuple[Rows, npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Measure known particles where they are expected.

        Parameters
        ----------
        image
            (H, W), of the shape of the last image that was searched.
        expected
            (N,) the rows to be expected: position and its uncertainty (NaN if unknown), intensity, score, angle.
        usual_misfit
            (N,) mean misfit of each particle in the last frames, NaN if unknown.

        Returns
        -------
        rows
            (N,) new rows: position, uncertainty and intensity as measured, `Flag.EDGE` and `Flag.PARTIAL_SEARCH`; the
            rest as expected, the ids too.
        confirmed
            (N,) whether each particle is there beyond doubt, and is the one that was expected.
        misfit
            (N,) reduced chi-square, NaN if there was no fit. Both are valid until the next call.
        """

    def localize_within(self, image: npt.NDArray[Any], crops: Sequence[Crops], measured: Rows | None = None) -> Rows:
        """Find and refine particles in `crops` as in `GuidedLocalizer`, and keep those already measured.

        `measured`, if given, are the (M,) rows that `measure` has returned for this image. They come first, as they
        are but for the score and angle found now; those that lie in a crop and are not found there are left out.
        """


@runtime_checkable
class LearningLocalizer(Localizer, Protocol):
    """A localizer that can learn what the particles of a sequence of frames have in common."""

    def learn(self) -> object | None:
        """Return what the particles of the last image and of those before have in common; None if it shows none."""

    def recall(self, learnt: object | None) -> None:
        """Localize the next images by what `learn` has returned; None, as at first: by each image alone."""


@runtime_checkable
class ThreadedLocalizer(Localizer, Protocol):
    """A localizer that can measure how many threads are fastest."""

    def choose_threads(self, work: Callable[[], object]) -> None:
        """Use the number of threads with which `work`, a typical frame, takes the least time.

        The rows do not depend on it.
        """


@runtime_checkable
class RuntimeLocalizer(ThreadedLocalizer, Protocol):
    """A localizer that can measure which runtime is fastest."""

    def choose_runtime(self, work: Callable[[], object]) -> None:
        """Use the runtime and the number of threads with which `work`, a typical frame, takes the least time.

        The rows depend on the runtime, by much less than their uncertainty.
        """
