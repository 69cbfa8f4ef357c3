"""Times and numbers in MMCore's metadata: while the reader is held up, and as odd adapters give them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import mm_test_adapters  # noqa: F401  the demo camera's folder is found by it
import numpy as np
import pytest
from livetrack_drivers._mm_metadata import MetadataReader, Reading
from livetrack_drivers._mm_sequence import _RisingNumbers
from livetrack_drivers.micromanager import MicroManagerCamera, MicroManagerSettings

from livetrack.camera import Picture

MS = 1_000_000
FRAMES, HELD_FROM, HELD_TO = 200, 100, 150
"""A frame each 10 ms; the reader is held up after frame 100, until frame 150 has come."""


class FakeMetadata:
    """Metadata as a camera without adapter would give them."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}

    def GetKeys(self) -> list[str]:  # noqa: N802  as in MMCore
        return list(self.tags)

    def GetSingleTag(self, key: str) -> FakeTag:  # noqa: N802
        if key not in self.tags:
            raise ValueError(key)
        return FakeTag(self.tags[key])


class FakeTag:
    def __init__(self, text: str) -> None:
        self.text = text

    def GetValue(self) -> str:  # noqa: N802
        return self.text


class Clock:
    """The clock of the process, set by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 5_000 * MS
        monkeypatch.setattr("livetrack_drivers._mm_metadata.time.perf_counter_ns", lambda: self.now_ns)


Tags = Callable[[int, float], dict[str, object]]
"""The tags of frame n, which came at a time in ms."""


def day(ms: float) -> str:
    return str(datetime(2026, 3, 29, 1, 59) + timedelta(milliseconds=ms))


def elapsed(step_ms: float = 0.01, factor: float = 1.0) -> Tags:
    return lambda n, ms: {"ElapsedTime-ms": f"{round(ms * factor / step_ms) * step_ms:.2f}"}


def of_day(shift_ms: Callable[[int], float] = lambda n: 0.0) -> Tags:
    return lambda n, ms: {"TimeReceivedByCore": day(ms + shift_ms(n))}


def read(clock: Clock, *tags: Tags) -> tuple[np.ndarray, np.ndarray, list[Reading]]:
    """Return the true ages of the frames, the ages that were read (NaN: none), both in ms, and the readings."""
    start_ns = clock.now_ns
    metadata = FakeMetadata()
    reader = MetadataReader("Cam", metadata)
    reader.restart()
    true, found, readings = [], [], []
    rng = np.random.default_rng(0)
    for n in range(FRAMES):
        ms = 10.0 * (n + 1) + 0.13 * (7 * n % 11)
        held = HELD_FROM < n <= HELD_TO
        if not held:
            clock.now_ns = start_ns + round((ms - rng.uniform(0, 0.1)) * MS)
            reader.buffer_was_empty(clock.now_ns)
        clock.now_ns = start_ns + round((10.0 * (HELD_TO + 1) + 2 if held else ms) * MS) + 50_000
        given = {key: str(value) for each in tags for key, value in each(n, ms).items()}
        metadata.tags = {"ImageNumber": str(n)} | given
        readings.append(reading := reader.read(lambda n=n, held=held: HELD_TO - n if held else 0))
        true.append((clock.now_ns - start_ns) / MS - ms)
        received_ns = reading.t_received_ns
        found.append(np.nan if received_ns is None else (clock.now_ns - received_ns) / MS)
    return np.array(true), np.array(found), readings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def jump_at(frame: int, by_ms: float) -> Callable[[int], float]:
    return lambda n: by_ms if n >= frame else 0.0


@pytest.mark.parametrize(
    "tags",
    [
        (elapsed(), of_day()),
        (elapsed(),),
        (of_day(),),
        (lambda n, ms: {"Cam-ElapsedTime-ms": ms, "Cam-ImageNumber": n},),  # with the camera's label
        (elapsed(step_ms=1.0), of_day()),
        (elapsed(step_ms=1.0),),
        (lambda n, ms: {"ElapsedTime-ms": 0}, of_day()),  # constant
        (elapsed(factor=1000.0), of_day()),  # in µs
        (elapsed(factor=0.001), of_day()),  # in s
        (elapsed(factor=1.0002),),  # drifts
        (elapsed(), of_day(jump_at(120, 3_600_000))),  # summer time, during the hold-up
        (elapsed(), of_day(jump_at(120, -3_600_000))),
        (of_day(jump_at(50, 3_600_000)),),
        (of_day(jump_at(50, -3_600_000)),),
        (of_day(jump_at(50, -7)),),
        (lambda n, ms: {"ElapsedTime-ms": "nan" if n == 120 else ms}, of_day()),
        (lambda n, ms: {"ElapsedTime-ms": 1e300 if n in (5, 60, 120) else ms}, of_day()),
        (lambda n, ms: {"ElapsedTime-ms": -5 if n in (60, 120) else ms, "TimeReceivedByCore": day(ms)},),
        (lambda n, ms: {"ElapsedTime-ms": 0 if n in (60, 61) else ms},),
        (lambda n, ms: {"ElapsedTime-ms": ms + 1e7 * (n == 60)},),
    ],
)
def test_the_age_of_frames_that_waited_is_found_in_their_times(clock: Clock, tags: tuple[Tags, ...]) -> None:
    true, found, _ = read(clock, *tags)
    assert true.max() > 490
    known = ~np.isnan(found)
    assert known.mean() > 0.98
    assert np.abs(found - true)[known].max() < 5
    assert not np.isnan(found[HELD_FROM + 1 : HELD_TO + 1]).sum() > 2


@pytest.mark.parametrize(
    "tags",
    [
        (),
        (lambda n, ms: {"ElapsedTime-ms": 0},),
        (elapsed(factor=1000.0),),
        (lambda n, ms: {"ElapsedTime-ms": "nan", "TimeReceivedByCore": "yesterday"},),
    ],
)
def test_frames_that_waited_are_marked_where_nothing_gives_their_time(clock: Clock, tags: tuple[Tags, ...]) -> None:
    _, found, readings = read(clock, *tags)
    held = slice(HELD_FROM + 1, HELD_TO + 1)
    assert np.isnan(found[held]).all()
    assert all(reading.waited for reading in readings[held])
    assert not any(reading.waited for reading in readings[: HELD_FROM + 1] + readings[HELD_TO + 1 :])


def test_times_of_receipt_never_step_back(clock: Clock) -> None:
    rng = np.random.default_rng(1)
    _, _, readings = read(clock, lambda n, ms: {"ElapsedTime-ms": ms + rng.uniform(-9, 9)})
    received = [reading.t_received_ns for reading in readings if reading.t_received_ns is not None]
    assert np.all(np.diff(received) >= 0)


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ((elapsed(), of_day()), "ElapsedTime-ms, in steps of 0.01 ms"),
        (
            (elapsed(step_ms=1.0), of_day()),
            "TimeReceivedByCore, in steps of 0.01 ms; ElapsedTime-ms is in steps of 1 ms",
        ),
        ((lambda n, ms: {"ElapsedTime-ms": 0}, of_day()), "ElapsedTime-ms is constant"),
        ((of_day(),), "ElapsedTime-ms is missing"),
        ((), "nowhere"),
    ],
)
def test_the_source_of_the_times_is_logged_once(
    clock: Clock, caplog: pytest.LogCaptureFixture, tags: tuple[Tags, ...], text: str
) -> None:
    caplog.set_level("INFO")
    read(clock, *tags)
    (line,) = caplog.messages
    assert line.startswith("camera 'Cam': times of receipt from ")
    assert text in line


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("-1", -1), (str(2**63), 2**63), ("nan", -1), ("", -1), ("7.5", -1)]
)
def test_numbers_are_passed_on_as_they_are(clock: Clock, text: str, number: int) -> None:
    _, _, readings = read(clock, lambda n, ms: {"ImageNumber": text})
    assert {reading.number for reading in readings} == {number}


def test_a_number_that_steps_back_within_a_sequence_is_no_restart() -> None:
    numbers = _RisingNumbers()
    assert [numbers.next(n) for n in (49, 50, 5, 51, 2**63, 52)] == [49, 50, 5, 51, 2**63, 52]
    numbers.restart()
    assert numbers.next(3) == 53


# on the real core


@pytest.fixture
def camera() -> Iterator[MicroManagerCamera]:
    camera = MicroManagerCamera(MicroManagerSettings(exposure_ms=10, roi=(0, 0, 128, 128), buffer_mb=32))
    camera.open()
    yield camera
    camera.close()


def ages_ms(camera: MicroManagerCamera, pictures: Iterator[Picture], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Take pictures; return their ages by the core's own time and by the driver's, ms."""
    core, pop = camera.core, camera.core.pop_next_image_md
    ages: list[float] = []

    def popping(metadata: object) -> object:
        pixels = pop(metadata)
        received = datetime.fromisoformat(metadata.GetSingleTag("TimeReceivedByCore").GetValue())  # type: ignore[attr-defined]
        ages.append((datetime.now() - received).total_seconds() * 1e3)
        return pixels

    core.pop_next_image_md = popping
    reported = []
    for picture in islice(pictures, count):
        assert picture.t_received_ns is not None
        reported.append((time.perf_counter_ns() - picture.t_received_ns) * 1e-6)
    core.pop_next_image_md = pop
    return np.array(ages), np.array(reported)


def test_frames_of_the_real_core_that_waited_half_a_second_have_their_own_times(camera: MicroManagerCamera) -> None:
    pictures = (picture for picture in camera.pictures() if picture is not None)
    list(islice(pictures, 60))
    time.sleep(0.5)
    own, reported = ages_ms(camera, pictures, 80)
    assert own.max() > 400
    assert np.median(np.abs(reported - own)) < 1
    assert np.percentile(np.abs(reported - own), 90) < 5  # the test itself may be interrupted in between


def test_velocities_and_the_wait_are_true_after_a_hold_up(camera: MicroManagerCamera) -> None:
    camera.set_exposure(12.0)  # another sequence: the elapsed time begins again
    pictures = (picture for picture in camera.pictures() if picture is not None)
    list(islice(pictures, 60))
    time.sleep(0.5)
    times_ms = np.array([picture.t_received_ns for picture in islice(pictures, 35)]) * 1e-6
    assert np.median(np.diff(times_ms)) > 10
    assert np.diff(times_ms).min() > 1


def test_an_image_of_another_size_carries_the_geometry_of_the_core(camera: MicroManagerCamera) -> None:
    core = camera.core
    pop = core.pop_next_image_md
    pictures = (picture for picture in camera.pictures() if picture is not None)
    assert next(pictures).geometry is None
    camera._sequence._geometry = camera._sequence.geometry.__class__(512, 512)  # type: ignore[union-attr]
    core.pop_next_image_md = lambda metadata: pop(metadata)[:64]
    picture = next(pictures)
    assert picture.pixels.shape == (64, 128)
    assert picture.geometry is not None
    assert (picture.geometry.width, picture.geometry.height) == (128, 128)  # as the core reports
    core.pop_next_image_md = pop
