"""A network as a localizer: normalise, run, decode, refine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from livetrack.errors import LocalizerError
from livetrack.limits import MODEL_BYTES, read_bytes_up_to
from livetrack.localize.crops import Crops
from livetrack.localize.decode import BLOCK, decode, decode_nearest
from livetrack.localize.edge import flag_edges
from livetrack.localize.evidence.candidates import Candidates
from livetrack.localize.evidence.decision import Law
from livetrack.localize.evidence.matched_filters import WHITE, Noise
from livetrack.localize.evidence.scoring import LEAST_NETWORK_SCORE, EvidenceScoring
from livetrack.localize.followed import begin_measuring, confirm, merge
from livetrack.localize.hostile_frames import try_on_hostile_frames
from livetrack.localize.inference.choice import fastest, open_for_runtimes, open_for_threads, open_inference
from livetrack.localize.inference.inference import Inference
from livetrack.localize.localizer import Localizer
from livetrack.localize.models import ModelCard, read_card
from livetrack.localize.noise import noise_level
from livetrack.localize.normalize import as_kernel_input, normalize_into, to_float
from livetrack.localize.parallel import parallel_for, resolve_thread_count
from livetrack.localize.refine.radial import CameraNoise, Population, RadialRefiner
from livetrack.localize.refine.refiner import make_refiner
from livetrack.localize.score_calibration import ScoreCalibration
from livetrack.particles import Flag, Rows, empty_rows

__all__ = ["NetworkLocalizer"]

_MIN_NETWORK_SCORE = 0.1  # before calibration; candidates below are dropped at once
_MIN_PIXELS = 1 << 16  # worth a thread of their own
_ORIGIN = np.zeros(1, np.int64)
_PARTIAL = np.uint32(Flag.PARTIAL_SEARCH)


class _Learnt(NamedTuple):
    """What a sequence of frames has in common: its particles, and the law by which its candidates are decided."""

    population: Population
    law: Law | None


class NetworkLocalizer(Localizer):
    """Finds particles with an ONNX model made by `livetrack train`. A `MeasuringLocalizer`.

    It keeps its buffers from frame to frame: not to be called by two threads at once.

    Parameters
    ----------
    path
        The model.
    threshold
        Minimum score of a row, 0..1; None for the model's default.
    threads
        Number of threads; 0 for one per CPU core, up to 8.
    provider
        An ONNX Runtime execution provider, such as "CUDAExecutionProvider" or "cuda", or "openvino". "auto" uses CUDA
        if it is installed and works, else the CPU, on which `choose_runtime` may choose OpenVINO.
    profile_fit
        Refine the positions to the limit that the noise sets, see `make_refiner`.
    camera
        Its noise, by which the radial fit weights pixels; None estimates it from each image.

    Raises
    ------
    ModelError
        The file is not a model or lacks livetrack's metadata, or the provider is not installed or does not start.
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
        self.path, self._provider = path, provider
        self.card: ModelCard = read_card(path)
        self.sha256 = hashlib.sha256(read_bytes_up_to(path, MODEL_BYTES)).hexdigest()
        """Of the model file."""
        self.name = self.card.name
        self._bfloat16 = self.card.symmetry == "round"  # measured to be as precise for these
        self._use(open_inference(path, provider, self._threads, bfloat16=self._bfloat16))
        self.default_threshold = self.card.threshold
        self.threshold = self.default_threshold if threshold is None else threshold
        self.crop_px = self.card.crop_px
        self.margin_px = self.crop_px / 4
        self._score_calibration = ScoreCalibration(*self.card.score_law)
        self._scoring = EvidenceScoring(self.card, self._threads) if self.card.filters_px else None
        self._refiner = make_refiner(self.card, camera) if profile_fit else None
        self.measures = profile_fit and self.card.symmetry == "round"  # other refiners build on the network's position
        self.separates = True
        """Whether `localize`, `localize_within` and `fit` return two rows for two particles that were found as one."""
        self.measure_noise: Callable[[npt.NDArray[Any]], float] = noise_level  # of pixels that are not independent
        # the current image, its noise (grey levels), and a buffer for its float32 copy or that copy itself
        self._image: npt.NDArray[Any] = np.empty((0, 0), np.uint16)
        self._noise = 0.0
        self._buffer = np.empty((0, 0), np.float32)
        self._flat = np.empty((0, 0, 0), np.float32)
        self._confirmed, self._misfit = np.zeros(0, np.bool_), np.zeros(0, np.float32)  # of `measure`
        self._tried: set[tuple[int, int]] = set()  # sizes of images, (H, W)

    def find(self, image: npt.NDArray[Any]) -> Rows:
        """Search the full image. See `Localizer.find`."""
        self._load(image)
        if self._noise == 0:
            return empty_rows()
        if self._scoring is None:
            return self._search([self._whole()])
        return self._flag_edges(self._scoring.score_image(*self._search_whole(), self.threshold))

    def candidates(self, image: npt.NDArray[Any]) -> tuple[Candidates, Noise]:
        """Return what `find` decides about, and the noise of the image. Only for models with matched filters."""
        assert self._scoring is not None
        self._load(image)
        if self._noise == 0:
            return Candidates(empty_rows(), *np.zeros((3, 0))), WHITE
        return self._scoring.candidates(*self._search_whole())

    def refine(self, image: npt.NDArray[Any], rows: Rows) -> Rows:
        """Measure again near `rows`. See `Localizer.refine`."""
        self._load(image)
        rows = rows.copy()
        if self._noise == 0:
            rows["score"] = 0
        if self._noise == 0 or len(rows) == 0:
            return rows
        crops = self.crops(rows, self.crop_px, self._image.shape)
        decode_nearest(self._run_network(crops), crops.left, crops.top, self._noise, rows, self.card.oriented)
        rows = self._with_scores(rows, 0.0)
        self._refine(rows)
        return rows

    def localize(self, image: npt.NDArray[Any]) -> Rows:
        """Find, then refine. See `Localizer.localize`."""
        return self.fit(self.find(image))

    def localize_within(self, image: npt.NDArray[Any], crops: Sequence[Crops], measured: Rows | None = None) -> Rows:
        """Find and refine within `crops` only. See `MeasuringLocalizer.localize_within`.

        Particles within `margin_px` of a crop's border are left out, so crops must overlap by twice that where no
        particle between them may be missed.
        """
        self._load(image)
        if self._noise == 0:
            return empty_rows()
        rows = self._search(crops)
        rows["flags"] |= _PARTIAL
        changed = True
        if measured is not None and len(measured):
            rows, changed = merge(measured, rows, crops, self.margin_px, self._image.shape)
        return self.fit(rows) if changed else rows

    def measure(
        self, image: npt.NDArray[Any], expected: Rows, usual_misfit: npt.NDArray[np.float32]
    ) -> tuple[Rows, npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Refine at the expected positions. See `MeasuringLocalizer.measure`.

        The noise is that of the last image that was searched.
        """
        self._take(image)
        height, width = self._image.shape
        radius, count = self.card.diameter_px / 2, len(expected)
        rows = begin_measuring(expected, self._image, radius)
        if count > len(self._confirmed):
            self._confirmed, self._misfit = np.zeros(2 * count, np.bool_), np.zeros(2 * count, np.float32)
        confirmed, misfit = self._confirmed[:count], self._misfit[:count]
        if self.measures and self._noise > 0 and count:
            self._refine(rows, misfit)
            confirm(expected, usual_misfit, rows, misfit, width, height, radius, confirmed)
        else:
            confirmed[:], misfit[:] = False, np.nan
        return rows, confirmed, misfit

    def fit(self, rows: Rows) -> Rows:
        """Return `rows`, (N,), of the current image, refined in place, and the second particles of pairs, if any."""
        self._refine(rows)
        if self.separates and isinstance(self._refiner, RadialRefiner):
            return self._refiner.separate(rows)
        return rows

    def crops(self, rows: Rows, side_px: int, shape: tuple[int, ...]) -> Crops:
        """Return crops of a size that the network accepts. See `GuidedLocalizer.crops`.

        They begin where blocks of the full search begin: so the network returns almost the same in both.
        """
        height, width = shape
        return Crops.around(rows, self._padded(min(side_px, width)), self._padded(min(side_px, height)), shape, BLOCK)

    def learn(self) -> object | None:
        """Return what the last particles have in common. See `LearningLocalizer.learn`."""
        population = self._refiner.learn() if isinstance(self._refiner, RadialRefiner) else None
        return population and _Learnt(population, self._scoring.law if self._scoring else None)

    def recall(self, learnt: _Learnt | None) -> None:
        """Localize the next images by what was learnt. See `LearningLocalizer.recall`."""
        if isinstance(self._refiner, RadialRefiner):
            self._refiner.recall(learnt and learnt.population)
        if self._scoring is not None:
            self._scoring.recall(learnt and learnt.law)

    @property
    def threads(self) -> str:
        """The number of threads that the network runs on, in words."""
        return str(self.inference)

    def warmup(self, shape: tuple[int, int], dtype: npt.DTypeLike) -> None:
        """Try the model, then compile and allocate everything for images of this shape (H, W) and dtype.

        Raises
        ------
        ModelError
            See `try_on_hostile_frames`.
        """
        if shape not in self._tried:
            try_on_hostile_frames(self.name, shape, self._try)
            self._tried.add(shape)
        if self._refiner is not None:
            self._refiner.warmup()
        rng = np.random.default_rng(0)
        noise = (100 + 10 * rng.random(shape)).astype(dtype)
        centre = empty_rows(2)  # two: with one alone, the fit's search for neighbours would not be compiled
        centre["y"], centre["x"] = shape[0] // 2, shape[1] // 2 + np.arange(2)
        for image in (noise, to_float(noise)):  # float32 too: read-only and non-contiguous frames are converted
            self.localize(image)
            self.refine(image, centre)

    def _try(self, image: npt.NDArray[Any], limit_s: float) -> None:
        """Run the network on an image for at most `limit_s`, whatever the image shows."""
        self._load(image)
        self._noise = self._noise or 1.0
        self._run_network(self._whole(), run=lambda batch: self.inference.run_within(batch, limit_s))

    def run_like(self, other: NetworkLocalizer) -> None:
        """Run the network on the runtime and the threads that were chosen for another model."""
        chosen = other.inference
        self._use(
            open_inference(
                self.path, chosen.requested, chosen.threads, spinning=chosen.spinning, bfloat16=self._bfloat16
            )
        )

    def share(self, other: NetworkLocalizer) -> None:
        """Use the open model of `other`, which is of the same file, instead of an own one."""
        self._use(other.inference)

    def choose_threads(self, work: Callable[[], object]) -> None:
        """Run the network on one thread, or on all that it may use, whichever does `work` in the least time.

        See `ThreadedLocalizer.choose_threads`.
        """
        self._choose(open_for_threads(self.path, self._provider, self._threads, bfloat16=self._bfloat16), work)

    def choose_runtime(self, work: Callable[[], object]) -> None:
        """Likewise on the fastest runtime. See `RuntimeLocalizer.choose_runtime`."""
        self._choose(open_for_runtimes(self.path, self._provider, self._threads, bfloat16=self._bfloat16), work)

    def _choose(self, candidates: list[Inference], work: Callable[[], object]) -> None:
        def run_with(inference: Inference) -> None:
            self._use(inference)
            work()

        if len(candidates) > 1:
            self._use(fastest(candidates, run_with))

    def _use(self, inference: Inference) -> None:
        self.inference, self.provider = inference, inference.provider

    def _load(self, image: npt.NDArray[Any]) -> None:
        """Make `image` the current one, and estimate its noise. Raises `InputError`."""
        self._take(image)
        self._noise = self.measure_noise(self._image)

    def _take(self, image: npt.NDArray[Any]) -> None:
        """Make `image` the current one. Raises `InputError`."""
        self._image = as_kernel_input(image, self._buffer)
        if self._image.dtype == np.float32:
            self._buffer = self._image

    def _search(self, batches: Sequence[Crops]) -> Rows:
        """Return the particles in crops of the current image."""
        return self._with_scores(self._decode((self._run_network(crops), crops) for crops in batches), self.threshold)

    def _search_whole(self) -> tuple[Rows, npt.NDArray[Any], float, npt.NDArray[np.float32]]:
        """Return what `EvidenceScoring` judges: the network's rows, and the current image in several forms."""
        whole, (height, width) = self._whole(), self._image.shape
        if self._flat.shape != (1, whole.height, whole.width):
            self._flat = np.empty((1, whole.height, whole.width), np.float32)
        rows = self._decode([(self._run_network(whole, self._flat), whole)])
        return rows, self._image, self._noise, np.ascontiguousarray(self._flat[0, :height, :width])

    def _whole(self) -> Crops:
        height, width = self._image.shape
        return Crops(self._padded(width), self._padded(height), _ORIGIN, _ORIGIN)

    def _decode(self, maps: Iterable[tuple[npt.NDArray[np.float32], Crops]]) -> Rows:
        """Return the network's rows, whose scores are still its own."""
        height, width = self._image.shape
        least = min(self.threshold, _MIN_NETWORK_SCORE) if self._scoring is None else LEAST_NETWORK_SCORE
        return decode(maps, width, height, self.margin_px, self._noise, least, self.card.oriented)

    def _run_network(
        self,
        crops: Crops,
        flat: npt.NDArray[np.float32] | None = None,
        run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the network's maps of crops of the current image, valid until the next run.

        The normalised crops are written into `flat`, (N, h, w), too, before their compression. The network is run by
        `run`, if given. Raises `LocalizerError` if the maps are not finite.
        """
        left, top = crops.left, crops.top
        batch = self.inference.input_buffer(len(left), crops.height, crops.width)
        inputs = batch[:, 0]
        linear = inputs if flat is None else flat
        settings = self._image, self._noise, self.card.background_radius_px

        def normalize_band(first: int, last: int) -> None:
            band = slice(first, last)
            normalize_into(*settings, inputs[:, band], left, top + first, self.card.input_scale, linear[:, band])

        def normalize_crops(first: int, last: int) -> None:
            some = slice(first, last)
            normalize_into(*settings, inputs[some], left[some], top[some], self.card.input_scale, linear[some])

        if batch.size < 2 * _MIN_PIXELS:
            normalize_into(*settings, inputs, left, top, self.card.input_scale, linear)
        elif len(left) == 1:
            least = max(2 * self.card.multiple, _MIN_PIXELS // crops.width)  # the last band holds the mirrored rows
            parallel_for(normalize_band, crops.height, self._threads, least)
        else:
            parallel_for(normalize_crops, len(left), self._threads, -(-_MIN_PIXELS // (crops.width * crops.height)))
        maps = (run or self.inference.run)(batch)
        values = maps.reshape(-1)
        if not math.isfinite(values.dot(values)):  # the fastest look at all values
            raise LocalizerError(f"model {self.name}: its maps are not finite for this image")
        return maps

    def _with_scores(self, rows: Rows, threshold: float) -> Rows:
        """Return the network's `rows` from parts of the image that score above `threshold`, with their scores.

        `rows` may be changed.
        """
        if self._scoring is None:
            return self._flag_edges(self._score_calibration.apply(rows, self._noise, threshold))
        return self._flag_edges(self._scoring.score_parts(rows, self._image, self._noise, threshold))

    def _flag_edges(self, rows: Rows) -> Rows:
        height, width = self._image.shape
        flag_edges(rows, width, height, self.card.diameter_px / 2)
        return rows

    def _refine(self, rows: Rows, misfit: npt.NDArray[np.float32] | None = None) -> None:
        """Refine `rows` of the current image, in place."""
        if self._refiner is None:
            return
        if self._buffer.shape != self._image.shape:
            self._buffer = np.empty(self._image.shape, np.float32)
        self._refiner.refine(self._image, self._noise, rows, buffer=self._buffer, threads=self._threads, misfit=misfit)

    def _padded(self, length: int) -> int:
        return -(-length // self.card.multiple) * self.card.multiple
