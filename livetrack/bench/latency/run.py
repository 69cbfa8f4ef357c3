"""The latency bench from its parts to the report."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path

from livetrack import __version__
from livetrack.bench.latency.comparisons import compare_with_full_search, compare_with_trackpy
from livetrack.bench.latency.end_to_end import cases, end_to_end_result, measure_case
from livetrack.bench.latency.report import Report
from livetrack.bench.latency.soak import SoakSample, soak
from livetrack.bench.latency.subscriber_load import measure_subscriber_load
from livetrack.bench.result import TargetResult
from livetrack.bench.runner import check_parts, machine
from livetrack.localize import load_localizer
from livetrack.movies import open_movie

__all__ = ["PARTS", "run_latency"]

PARTS = ("path", "following", "recording", "readers")
"""What there is to run, by name."""

_PATH_FRAMES, _FOLLOWED, _RECORDED = 400, 240, 100
_PAIRS, _PAIR_FRAMES = 40, 300  # of the part "readers"; what a pair takes, in frames of the others
_QUICK = 4  # times fewer


def run_latency(
    *,
    only: Collection[str] = PARTS,
    quick: bool = False,
    recording: Path | None = None,
    soak_minutes: float = 0.0,
    progress: Callable[[float, str], None] = lambda share, what: None,
) -> Report:
    """Measure on this machine, as it is now: other work on it shows.

    Parameters
    ----------
    only
        Of `PARTS`.
    quick
        A quarter of the frames.
    recording
        For the part "recording"; without one, its target is said not to be measured.
    soak_minutes
        How long to let a session run, after the parts; 0: not at all.
    progress
        Called with the share done of the parts, or of the soak, and the name of what is next.

    Raises
    ------
    UsageError
        A part that is not known.
    InputError
        The recording cannot be read.
    """
    check_parts(only, PARTS)
    share = _QUICK if quick else 1
    frames = list(islice(open_movie(recording), _RECORDED // share)) if recording and "recording" in only else []
    some = cases() if "path" in only else []
    pairs = ("readers" in only) * _PAIRS // share
    total = len(some) * _PATH_FRAMES // share + ("following" in only) * _FOLLOWED // share + len(frames)
    bar = _Bar(progress, total + pairs * _PAIR_FRAMES)
    path = [end_to_end_result(case, measure_case(case, _PATH_FRAMES // share, bar.step_of(case.name))) for case in some]
    against = []
    if "following" in only:
        against.append(compare_with_full_search(_FOLLOWED // share, bar.step_of("following")))
    if "recording" in only:
        against += compare_with_trackpy(frames, bar.step_of("the recording")) if frames else [_NOT_RECORDED]
    if pairs:
        against.append(measure_subscriber_load(pairs, bar.step_of("readers", _PAIR_FRAMES)))
    samples: list[SoakSample] = []
    if soak_minutes:
        line, samples = soak(soak_minutes, lambda share: progress(share, f"soak, {soak_minutes:g} minutes"))
        against.append(line)
    return Report(
        livetrack=__version__,
        machine=machine(),
        provider=load_localizer().provider,
        quick=quick,
        path=path,
        against=against,
        soak=samples,
    )


_NOT_RECORDED = TargetResult(
    name="full frame, the recording: find and link against trackpy", definition="needs --recording bulk_water.tif",
    n=0, figures={}, target="at least 4 x the frame rate", met=None,
)  # fmt: skip


class _Bar:
    """The share done, in frames."""

    def __init__(self, progress: Callable[[float, str], None], total: int) -> None:
        self._progress = progress
        self._total = max(1, total)
        self._done = 0

    def step_of(self, name: str, frames: int = 1) -> Callable[[], None]:
        self._progress(min(1.0, self._done / self._total), name)

        def step() -> None:
            self._done += frames
            self._progress(min(1.0, self._done / self._total), name)

        return step
