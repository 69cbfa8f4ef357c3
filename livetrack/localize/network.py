"""The network as a localizer: ONNX Runtime between the normalisation and the decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.localize.crops import Crops
from livetrack.localize.decode import decode, decode_nearest
from livetrack.localize.edge import flag_edges
from livetrack.localize.inference import Inference, fastest
from livetrack.localize.localizer import Localizer
from livetrack.localize.models import ModelCard, read_card
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import as_kernel_input, normalize_into, to_float
from livetrack.localize.parallel import parallel_for, resolve_thread_count
from livetrack.localize.refine.point_symmetry import fit_point_symmetry
from livetrack.localize.refine.radial import CameraNoise, ProfilePrior, fit_profiles, precompute_tables
from livetrack.localize.refine.template import TemplateFit
from livetrack.localize.score_calibration import ScoreCalibration
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["NetworkLocalizer"]

_WINDOW = 0.6  # radius of the largest core that the profile fit takes, over the crops' side
_LONG_WINDOW = 0.45  # the same of the symmetry fit
_LEAST_SCORE = 0.1  # of the network's own, before they are brought to probabilities
_LEAST_BAND_PX = 1 << 16  # pixels that are worth a thread
_ORIGIN = np.zeros(1, np.int64)
_PARTIAL = np.uint32(Flag.PARTIAL_SEARCH)


class NetworkLocalizer(Localizer):
    """Finds particles with an ONNX model of `livetrack train`.

    Not for use by two threads at once: it keeps its buffers from frame to frame.

    Parameters
    ----------
    path
        The model.
    threshold
        Least score of a row, 0..1; None takes the model's own.
    threads
        That share the work on an image; 0 means as many as there are processors, up to 8.
    provider
        An ONNX Runtime execution provider, such as "CUDAExecutionProvider" or "cuda"; "auto" takes CUDA where it is
        installed and works, else the CPU.
    profile_fit
        Bring the positions to the limit of the noise: see `fit_profiles` for round particles, some 0.02 ms each;
        `fit_point_symmetry` for those that look the same after half a turn, 0.3 ms; `TemplateFit` for others, 0.5 ms.
    camera
        Its noise, which the profile fit weighs pixels by; None has it found from each image.

    Raises
    ------
    ModelError
        The file is not a model, lacks livetrack's metadata, or the provider is not installed or does not start.
    """

    def __init__(
        self,
        path: Path,
        *,
        threshold: float | None = None,
        threads: int = 0,
        provider: str = "auto",
        profile_fit: bool = True,
        camera: CameraNoise | None = None,
    ) -> None:
        self._threads = resolve_thread_count(threads)
        self._path, self._provider = path, provider
        self.inference = Inference(path, provider, self._threads)
        self.card: ModelCard = read_card(self.inference.session, path)
        self.name = self.card.name
        self.provider = self.inference.provider
        self.default_threshold = self.card.threshold
        self.threshold = self.default_threshold if threshold is None else threshold
        self.crop_px = self.card.crop_px
        self.margin_px = self.crop_px / 4
        self._calibration = ScoreCalibration(*self.card.score_law)
        self._profile_fit = profile_fit
        self._prior = ProfilePrior(self.card.profiles)
        self._camera = camera
        pictured = profile_fit and self.card.symmetry == "none"
        self._template_fit = TemplateFit.of_recipe(self.card.recipe["particles"]) if pictured else None
        self._image: npt.NDArray[Any] = np.empty((0, 0), np.uint16)  # that was measured last, as kernels read it
        self._grey = np.empty((0, 0), np.float32)  # room for it, where numbers of 32 bits are needed
        self._noise = 0.0

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the whole image. See `Localizer.find`."""
        image, noise = self._measure(image)
        if noise == 0:
            return empty_rows()
        height, width = image.shape
        return self._search([Crops(self._padded(width), self._padded(height), _ORIGIN, _ORIGIN)])

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure again about `rows`. See `Localizer.refine`."""
        image, noise = self._measure(image)
        rows = rows.copy()
        if noise == 0:
            rows["score"] = 0
        if noise == 0 or len(rows) == 0:
            return rows
        crops = self.crops(rows, self.card.crop_px, image.shape)
        decode_nearest(self._run_network(crops), crops.left, crops.top, noise, rows, self.card.oriented)
        self._calibrate_scores(rows, 0.0)
        self._refine(rows)
        return rows

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then fit each particle's profile. See `Localizer.localize`."""
        rows = self.find(image)
        self._refine(rows)
        return rows

    def localize_within(self, image: npt.NDArray[Any], crops: Sequence[Crops]) -> Rows:
        """Find within `windows` only, then fit each particle's profile; rows have `Flag.PARTIAL_SEARCH`.

        A particle so near to a window's border that it is not seen well is left out, by a quarter of a crop; windows
        must overlap by two such margins where none is to be missed between them.

        Raises
        ------
        InputError
            As in `Localizer.localize`.
        """
        _, noise = self._measure(image)
        if noise == 0:
            return empty_rows()
        rows = self._search(crops)
        rows["flags"] |= _PARTIAL
        self._refine(rows)
        return rows

    def crops(self, rows: Rows, side_px: int, shape: tuple[int, ...]) -> Crops:
        """Return a window about each of `rows`, (N,), of a size that the network takes, `side_px` or more.

        `shape` is the image's, (H, W); windows are no larger than that.
        """
        height, width = shape
        return Crops.around(rows, self._padded(min(side_px, width)), self._padded(min(side_px, height)), shape)

    @property
    def _least_score(self) -> float:
        return min(self.threshold, _LEAST_SCORE)

    @property
    def threads(self) -> str:
        """How many threads the network runs on, in words."""
        return str(self.inference)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Compile and allocate everything for images of `shape` and `dtype`."""
        if self._profile_fit and self.card.symmetry == "round":
            precompute_tables(self._prior)
        rng = np.random.default_rng(0)
        image = (100 + 10 * rng.random(shape)).astype(dtype)
        middle = empty_rows(2)  # of several, neighbours are looked for
        middle["y"], middle["x"] = shape[0] // 2, shape[1] // 2 + np.arange(2)
        for each in (image, to_float(image)):  # other kernels where frames are read-only, or in two pieces
            self.localize(each)
            self.refine(each, middle)

    def use_threads(self, count: int, spinning: bool) -> None:
        """Let `count` threads share the network's work, as `choose_threads` has chosen for another model."""
        self.inference = Inference(self._path, self._provider, count, spinning=spinning)

    def choose_threads(self, work: Callable[[], object]) -> None:
        """Let as many threads share the network's work as do `work`, a typical frame, in the shortest time.

        One, or all that the localizer was given; those may spin within a run. The rows are the same in any case.
        """
        if self._threads == 1:
            return
        ways = ((1, False), (self._threads, False), (self._threads, True))
        some = [Inference(self._path, self._provider, threads, spinning=spinning) for threads, spinning in ways]

        def run_with(inference: Inference) -> None:
            self.inference = inference
            work()

        self.inference = fastest(some, run_with)

    def _measure(self, image: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], float]:
        self._image = as_kernel_input(image, self._grey)
        if self._image.dtype == np.float32:
            self._grey = self._image
        self._noise = noise_level(self._image)
        return self._image, self._noise

    def _search(self, crops: Iterable[Crops]) -> Rows:
        """Find the particles in `windows` of the image that was measured last."""
        height, width = self._image.shape
        maps = ((self._run_network(part), part) for part in crops)
        rows = decode(maps, width, height, self.margin_px, self._noise, self._least_score, self.card.oriented)
        return self._calibrate_scores(rows, self.threshold)

    def _run_network(self, crops: Crops) -> npt.NDArray[np.float32]:
        """Return the network's maps of each crop of the image that was measured last."""
        left, top = crops.left, crops.top
        batch = self.inference.input(len(left), crops.height, crops.width)
        radius = self.card.background_radius_px

        def fill_band(first: int, last: int) -> None:
            normalize_into(self._image, self._noise, radius, batch[:, 0, first:last], left, top + first)

        def fill_some(first: int, last: int) -> None:
            normalize_into(self._image, self._noise, radius, batch[first:last, 0], left[first:last], top[first:last])

        if len(left) == 1:
            least = max(2 * self.card.multiple, _LEAST_BAND_PX // crops.width)  # enough rows to be mirrored
            parallel_for(fill_band, crops.height, self._threads, least)
        else:
            parallel_for(fill_some, len(left), self._threads, -(-_LEAST_BAND_PX // (crops.width * crops.height)))
        return self.inference.run(batch)

    def _calibrate_scores(self, rows: Rows, threshold: float) -> Rows:
        """Turn the network's scores into probabilities, in place; return the rows that reach `threshold`.

        Those at the edge of the image that was measured last are flagged.
        """
        rows = self._calibration.apply(rows, self._noise, threshold)
        height, width = self._image.shape
        flag_edges(rows, width, height, self.card.diameter_px / 2)
        return rows

    def _refine(self, rows: Rows) -> None:
        """Fit the profiles of `rows` in the image that was measured last."""
        if not self._profile_fit or len(rows) == 0:
            return
        if self.card.symmetry == "round":
            fit_profiles(
                self._image, self._noise, rows, _WINDOW * self.card.crop_px,
                buffer=self._float_buffer(), prior=self._prior, camera=self._camera, threads=self._threads,
            )  # fmt: skip
        if self.card.symmetry == "half turn":
            window = _LONG_WINDOW * self.card.crop_px
            fit_point_symmetry(self._float_image(), self._noise, rows, window, threads=self._threads)
        if self._template_fit is not None:
            self._template_fit(self._float_image(), self._noise, rows, threads=self._threads)

    def _float_buffer(self) -> npt.NDArray[np.float32]:
        """Return memory for the image that was measured last, float32."""
        if self._grey.shape != self._image.shape:
            self._grey = np.empty(self._image.shape, np.float32)
        return self._grey

    def _float_image(self) -> npt.NDArray[np.float32]:
        """Return the image that was measured last as float32."""
        return self._grey if self._image is self._grey else to_float(self._image, self._float_buffer())

    def _padded(self, length: int) -> int:
        return -(-length // self.card.multiple) * self.card.multiple
