"""What a frame says of itself is checked: number, times, size, type and content; and drivers that block or raise."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import zmq
from live_engine import ANY_PORT, running
from livetrack_drivers.simulated import SimulatedCamera
from scripted_camera import ScriptedCamera, picture, pictures, run, take_all, wait_for

from livetrack.camera import Frame, Geometry, Picture
from livetrack.client import Remote, Subscriber
from livetrack.config import Config, load_config
from livetrack.devices import Actuator, Property, Value
from livetrack.errors import CameraError, CommandError, LivetrackError
from livetrack.particles import Flag, Rows
from livetrack.record import read_session
from livetrack.session.acquisition import Acquisition, CameraState
from livetrack.session.engine import Engine
from livetrack.session.frame_content import blank_value
from livetrack.session.frame_times import FrameTimes
from livetrack.wire import Status

# numbers


@pytest.mark.parametrize(
    ("numbers", "lost", "repeated"),
    [
        ([50, 5, 51, 52], 0, 0),  # one wrong number
        ([5, 2**62, 6, 7], 0, 0),
        ([5, 2**63, 6, 7], 0, 0),
        ([5, -1, 6], 0, 0),
        ([10, 12, 11, 13], 0, 0),  # delivered out of order
        ([50, 5, 50, 51], 0, 1),
        ([100, 0, 1, 2], 0, 0),  # restarts
        ([3, 0, 1, 2, 3, 4, 6], 1, 0),
        ([65534, 65535, 0, 1], 0, 0),  # wraps around
        ([65534, 65535, 1, 2], 0, 0),  # GigE Vision leaves out 0
        ([65530, 65533, 2, 3], 2 + 3, 0),
        ([2**32 - 2, 2**32 - 1, 0, 3], 2, 0),
        ([5, 5000, 5001], 4994, 0),  # a long hold-up
        ([5, 6, 6, 9], 2, 1),
        ([5, 6.5, "7", 8], 0, 0),  # no number is no gap
        ([50, 5, 52, 53], 0, 0),
        ([5, None, 8], 1, 0),
        ([np.uint64(5), np.int32(6)], 0, 0),
    ],
)
def test_lost_and_repeated_frames_are_counted_by_number(numbers: list[object], lost: int, repeated: int) -> None:
    acquisition = run(ScriptedCamera(pictures(*numbers), waits=True))  # type: ignore[arg-type]
    frames = take_all(acquisition)
    acquisition.close()
    assert (acquisition.lost, acquisition.repeated) == (lost, repeated)
    assert len(frames) == len(numbers) - repeated
    assert all(frame.number is None or 0 <= frame.number < 2**63 for frame in frames)


# times


def test_times_that_cannot_be_true_are_replaced_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    wrong = [math.nan, math.inf, -1.0, 1e300, 0.2, "soon"]

    def script() -> Iterator[Picture]:
        for n in range(60):
            yield picture(n, t_s=wrong[n // 10] if n % 10 == 5 else n / 10)

    acquisition = run(ScriptedCamera(script, waits=True))
    frames = take_all(acquisition)
    acquisition.close()
    times = np.array([frame.t_s for frame in frames])
    assert len(times) == 60
    assert np.all(np.diff(times) >= 0)
    np.testing.assert_allclose(times, np.arange(60) / 10, atol=0.11)
    assert acquisition.wrong == 6
    assert len([line for line in caplog.messages if "cannot be true" in line]) == 1


def test_a_clock_that_restarts_goes_on_and_begins_another_geometry_number() -> None:
    def script() -> Iterator[Picture]:
        for n in range(20):
            yield picture(n, t_s=(n % 10) / 10 + 5)

    frames = take_all(acquisition := run(ScriptedCamera(script, waits=True)))
    acquisition.close()
    np.testing.assert_allclose([frame.t_s for frame in frames], 5 + np.arange(20) / 10)
    assert [frame.geometry_number for frame in frames] == [0] * 10 + [1] * 10


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -5, 0, 2**63, 2**70, "x"])
def test_wrong_times_of_exposure_and_receipt_are_left_out(wrong: object) -> None:
    def script() -> Iterator[Picture]:
        for n in range(10):
            now_ns = time.perf_counter_ns()
            bad = n in (3, 4)
            yield picture(
                n,
                t_exposed_ns=wrong if bad else now_ns - 5_000_000,
                t_received_ns=wrong if bad else now_ns - 1_000_000,
            )
            time.sleep(0.002)

    frames = take_all(acquisition := run(ScriptedCamera(script, waits=True)))
    acquisition.close()
    assert [frame.t_exposed_ns is None for frame in frames] == [n in (3, 4) for n in range(10)]
    assert acquisition.wrong == 4
    received = np.array([frame.t_received_ns for frame in frames])
    assert np.all(np.diff(received) >= 0)
    assert np.all(np.diff([frame.t_s for frame in frames]) >= 0)
    assert received[-1] <= time.perf_counter_ns()


def test_a_time_of_receipt_is_taken_from_the_driver() -> None:
    def script() -> Iterator[Picture]:
        base_ns = time.perf_counter_ns() - 500_000_000
        for n in range(50):
            yield picture(n, t_received_ns=base_ns + 10_000_000 * n)

    frames = take_all(acquisition := run(ScriptedCamera(script, waits=True)))
    acquisition.close()
    assert set(np.diff([frame.t_received_ns for frame in frames])) == {10_000_000}
    assert not any(frame.untimed for frame in frames)
    np.testing.assert_allclose(np.diff([frame.t_s for frame in frames]), 0.01)


def stamps(times: FrameTimes, *reads: tuple[int, int, bool]) -> list[tuple[int, bool]]:
    """Return the time of receipt and `untimed` of frames that were asked for and came at these times, ms."""
    found = []
    for asked_ms, now_ms, waited in reads:
        received_ns, _, _, untimed = times.stamp(picture(waited=waited), asked_ms * 1_000_000, now_ms * 1_000_000, 1)
        found.append((round(received_ns / 1e6), untimed))
    return found


REGULAR = [(1000 + 10 * n, 1010 + 10 * n, False) for n in range(20)]  # the last one at 1200 ms


def test_frames_that_waited_unread_without_times_are_marked_and_spaced() -> None:
    times = FrameTimes()
    assert stamps(times, *REGULAR)[-1] == (1200, False)
    burst = stamps(times, *[(1300, 1300, False)] * 9, (1300, 1310, False))
    assert burst == [(1210 + 10 * n, True) for n in range(9)] + [(1310, False)]


def test_frames_that_came_while_the_driver_was_held_up_are_marked() -> None:
    times = FrameTimes()
    stamps(times, *REGULAR)
    burst = stamps(times, (1200, 1300, False), *[(1300, 1300, False)] * 8, (1301, 1310, False))
    assert [untimed for _, untimed in burst] == [False] + [True] * 8 + [False]


def test_a_driver_can_mark_frames_that_waited() -> None:
    times = FrameTimes()
    stamps(times, *REGULAR)
    burst = stamps(times, (1200, 1300, True), *[(1300, 1300, True)] * 8, (1301, 1310, False))
    assert burst == [(1210 + 10 * n, True) for n in range(9)] + [(1310, False)]


@pytest.mark.parametrize("interval_ms", [2, 100])
def test_another_rate_is_no_burst(interval_ms: int) -> None:
    times = FrameTimes()
    stamps(times, *REGULAR)
    later = [(1200 + interval_ms * n, 1200 + interval_ms * (n + 1), False) for n in range(30)]
    assert not any(untimed for _, untimed in stamps(times, *later))


def test_rows_of_frames_without_a_time_have_a_flag() -> None:
    class Waiting(SimulatedCamera):
        def pictures(self) -> Iterator[Picture | None]:
            for each in super().pictures():
                yield each and each._replace(t_s=None, waited=each.number in (10, 11))

    seen, status = session(Waiting)
    flagged = [number for number, rows in seen if len(rows) and np.all(rows["flags"] & Flag.UNTIMED)]
    assert flagged == [10, 11]
    assert all(np.all(rows["flags"] & Flag.UNTIMED == 0) for number, rows in seen if number not in (10, 11))
    assert status.untimed == 2


# size and type


def images(*shapes: tuple[int, int], dtypes: tuple[type, ...] = ()) -> Callable[[], Iterator[Picture]]:
    def script() -> Iterator[Picture]:
        for n, shape in enumerate(shapes):
            pixels = np.arange(math.prod(shape)).reshape(shape).astype(dtypes[n] if dtypes else np.uint8)
            yield Picture(pixels, n)

    return script


def test_an_image_of_another_size_makes_a_geometry(caplog: pytest.LogCaptureFixture) -> None:
    sizes = [(3, 4), (3, 4), (6, 8), (6, 8), (3, 4)]
    frames = take_all(acquisition := run(ScriptedCamera(images(*sizes), waits=True)))
    acquisition.close()
    assert [frame.geometry_number for frame in frames] == [0, 0, 1, 1, 2]
    assert all(frame.pixels.shape == (frame.geometry.height, frame.geometry.width) for frame in frames)
    assert frames[1].geometry.pixel_size_um == 0.2
    assert frames[2].geometry.pixel_size_um is None  # the binning may have changed
    assert "8 x 6 px instead of 4 x 3 px" in caplog.text


def test_an_announced_geometry_that_does_not_fit_is_corrected() -> None:
    def script() -> Iterator[Picture]:
        yield picture(0)
        yield picture(1, geometry=Geometry(8, 8))

    frames = take_all(acquisition := run(ScriptedCamera(script, waits=True)))
    acquisition.close()
    assert {(frame.geometry.width, frame.geometry.height) for frame in frames} == {(4, 3)}
    assert frames[1].geometry_number > frames[0].geometry_number


def test_an_image_of_another_type_makes_a_geometry_number() -> None:
    dtypes = (np.uint8, np.uint16, np.uint16, np.float32)
    frames = take_all(acquisition := run(ScriptedCamera(images(*[(3, 4)] * 4, dtypes=dtypes), waits=True)))
    acquisition.close()
    assert [frame.geometry_number for frame in frames] == [0, 1, 1, 2]


def test_an_image_without_pixels_counts_as_lost() -> None:
    frames = take_all(acquisition := run(ScriptedCamera(images((3, 4), (0, 0), (3, 4)), waits=True)))
    acquisition.close()
    assert [frame.number for frame in frames] == [0, 2]
    assert acquisition.lost == 1


def test_pixels_that_are_no_numbers_end_the_session_with_a_word() -> None:
    acquisition = run(ScriptedCamera(images((3, 4), dtypes=(complex,))))
    wait_for(lambda: acquisition.ended)
    acquisition.close()
    assert "pixels of type complex128" in acquisition.message


# content


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int32])
def test_blank_images_are_recognised(dtype: type) -> None:
    image = np.full((48, 64), 100, dtype)
    assert blank_value(image) == 100
    image[24, 5] = 7  # a dead pixel
    assert blank_value(image) == 100
    image[10:16, 10:16] = 7  # a particle on a clipped background
    assert blank_value(image) is None
    assert blank_value(np.random.default_rng(0).normal(100, 9, (48, 64)).astype(dtype)) is None
    assert blank_value(image[::2, ::2].T) is None
    assert blank_value(np.zeros((1, 1), dtype)) == 0


def test_nan_is_not_blank() -> None:
    assert blank_value(np.full((8, 8), np.nan, np.float32)) is None


SMALL = [f"camera.simulated.{each}" for each in ("width=128", "height=96", "count=8", "exposure_ms=2", "lockstep=true")]


def settings(*more: str) -> Config:
    return load_config(None, [*ANY_PORT, *SMALL, *more])


class Changed(SimulatedCamera):
    """The simulated camera in lock-step; the images of some frames are changed by `change`."""

    def pictures(self) -> Iterator[Picture | None]:
        for each in super().pictures():
            yield each and self.change(each)

    def change(self, picture: Picture) -> Picture:
        return picture


def session(
    camera: type[SimulatedCamera], *more: str, frames: int = 60
) -> tuple[list[tuple[int, Rows]], Status]:  # fmt: skip
    """Track the first frames; return the rows by number and the last status."""
    config = settings(*more)
    seen: list[tuple[int, Rows]] = []
    stop = threading.Event()
    with Engine(config, camera(config.driver_settings)) as engine:

        def keep(frame: Frame, rows: Rows) -> None:
            if frame.index < frames:
                assert frame.number is not None
                seen.append((frame.number, rows.copy()))
            if frame.index >= frames:
                stop.set()

        status = engine.run(seconds=60, stop=stop, on_rows=keep)
    return seen, status


@pytest.mark.parametrize(
    ("value", "dtype"), [(0, np.uint16), (65535, np.uint16), (np.nan, np.float32), (0, np.float64)]
)
def test_frames_without_content_neither_end_tracks_nor_begin_new_ones(
    value: float, dtype: type, caplog: pytest.LogCaptureFixture
) -> None:
    class Dark(Changed):
        def change(self, picture: Picture) -> Picture:
            if picture.number in range(20, 35) or picture.number == 40:
                return picture._replace(pixels=np.full(picture.pixels.shape, value, dtype))
            return picture

    seen, _ = session(Dark, "linker.memory=0", "camera.simulated.diffusion_um2_s=0.01")
    whole, _ = session(SimulatedCamera, "linker.memory=0", "camera.simulated.diffusion_um2_s=0.01", frames=20)
    ids = {number: set(rows["id"].tolist()) for number, rows in seen}
    assert len(ids[19]) >= 5
    assert ids[19] == set(whole[19][1]["id"].tolist())
    assert not any(ids.get(number) for number in [*range(20, 35), 40])
    assert len(ids[35] & ids[19]) >= len(ids[19]) - 1
    assert len(ids[41] & ids[39]) >= len(ids[39]) - 1
    told = [line for line in caplog.messages if "is blank" in line or "was skipped" in line]
    assert len(told) == 1
    assert told[0].startswith("frame 20 ")


def test_tracks_end_with_a_word_when_frames_stay_blank(caplog: pytest.LogCaptureFixture) -> None:
    class Dark(Changed):
        def change(self, picture: Picture) -> Picture:
            dark = picture.number in range(20, 50)
            return picture._replace(pixels=np.zeros_like(picture.pixels)) if dark else picture

    seen, status = session(Dark, "camera.stall_s=0.2")  # 20 frames
    ids = {number: set(rows["id"].tolist()) for number, rows in seen}
    assert ids[50]
    assert not ids[50] & ids[19]
    assert status.blank == 30
    assert "all tracks end" in caplog.text


def test_wrong_times_and_numbers_reach_neither_files_nor_clients(tmp_path: Path) -> None:
    wrong = [(math.nan, 2**63), (math.inf, -1), (-3.0, 2**70), (0.001, None), (1e300, 2.5)]

    class Wrong(Changed):
        def change(self, picture: Picture) -> Picture:
            assert picture.number is not None
            if picture.number % 10 == 5:
                t_s, number = wrong[picture.number // 10 % len(wrong)]
                return picture._replace(t_s=t_s, number=number)
            return picture

    config = settings(f"record.folder={str(tmp_path)!r}")
    stop = threading.Event()
    updates = []
    with (
        Engine(config, Wrong(config.driver_settings)) as engine,
        Subscriber(engine.publisher.address, newest=False) as positions,
    ):
        status = engine.run(seconds=60, stop=stop, on_rows=lambda frame, _: stop.set() if frame.index >= 60 else None)
        while (update := positions.receive(0.5)) is not None:
            updates.append(update)
    assert status.wrong_metadata >= 10
    assert status.lost == 0
    (folder,) = tmp_path.iterdir()
    recorded = [frame.t_s for frame in read_session(folder).frames()]
    for times in (recorded, [update.t_s for update in updates]):
        assert len(times) > 30
        assert np.all(np.isfinite(times))
        assert np.all(np.diff(times) >= 0)
        assert times[-1] < 10
    assert all(update.camera_number is None or 0 <= update.camera_number < 100 for update in updates)


# drivers that block or raise


def test_a_driver_that_blocks_is_a_stall_and_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    class Blocked(Changed):
        def change(self, picture: Picture) -> Picture:
            if picture.number == 5:
                release.wait(60)
            return picture

        def close(self) -> None:
            release.wait(60)

    config = settings("camera.stall_s=0.3")
    stop = threading.Event()
    states: list[Status] = []
    ended_s = []

    def watch(status: Status) -> None:
        states.append(status)
        if status.state == "stalled":
            stop.set()

    try:
        with Engine(config, Blocked(config.driver_settings)) as engine:
            engine.run(seconds=30, stop=stop, on_status=watch)
            began_s = time.perf_counter()
            engine.close()
            ended_s.append(time.perf_counter() - began_s)
    finally:
        release.set()
    wait_for(lambda: not any(thread.name.startswith("livetrack-camera") for thread in threading.enumerate()))
    assert states[-1].state == "stalled"
    assert "has not returned from a call for" in states[-1].message
    assert ended_s[0] < 2


def test_a_driver_that_blocks_in_every_call_does_not_hold_up_the_end() -> None:
    release = threading.Event()
    stuck = set[str]()

    class Stuck(Changed):
        def wait(self, call: str) -> None:
            if "pictures" in stuck | {call}:
                stuck.add(call)
                release.wait(60)

        def change(self, picture: Picture) -> Picture:
            if picture.number == 5:
                self.wait("pictures")
            return picture

        def properties(self) -> list[Property]:
            self.wait("properties")
            return super().properties()

        def actuators(self) -> Mapping[str, Actuator]:
            self.wait("actuators")
            return super().actuators()

        def close(self) -> None:
            self.wait("close")

    config = settings()
    stop = threading.Event()
    with zmq.Context() as context, context.socket(zmq.DEALER) as commands:
        commands.linger = 0
        try:
            with Engine(config, Stuck(config.driver_settings)) as engine:
                thread = threading.Thread(target=engine.run, kwargs={"stop": stop}, daemon=True)
                thread.start()
                wait_for(lambda: "pictures" in stuck)
                commands.connect(engine.command_address)
                commands.send(b'{"command": "properties"}')
                commands.send(b'{"command": "actuators"}')
                wait_for(lambda: stuck >= {"properties", "actuators"})
                began_s = time.perf_counter()
                stop.set()
                thread.join(20)
                engine.close()
                ended_s = time.perf_counter() - began_s
        finally:
            release.set()
    assert "close" in stuck
    assert ended_s < 2
    wait_for(lambda: not any(thread.name.startswith("livetrack-camera") for thread in threading.enumerate()))


def test_what_a_driver_raises_on_a_command_is_its_reply() -> None:
    class Raising(SimulatedCamera):
        def set_property(self, name: str, value: Value) -> Property:
            raise SystemExit("by the driver")

    with running(SMALL, Raising(settings().driver_settings)) as engine, Remote(engine.command_address, 20) as remote:
        wait_for(lambda: engine.acquisition.received > 3)
        for _ in range(2):  # the worker lives on
            with pytest.raises(CommandError, match="failed: SystemExit by the driver"):
                remote.set_exposure(1.0)


@pytest.mark.parametrize("error", [SystemExit(), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()])
def test_whatever_a_driver_raises_is_reported(error: BaseException) -> None:
    class Raising(Changed):
        def change(self, picture: Picture) -> Picture:
            if picture.number == 5:
                raise error
            return picture

    config = settings()
    with (
        Engine(config, Raising(config.driver_settings)) as engine,
        pytest.raises(LivetrackError, match=f"camera driver failed: {type(error).__name__}"),
    ):
        engine.run(seconds=30)
    assert engine.acquisition.state is CameraState.FAILED


@pytest.mark.parametrize("error", [SystemExit(2), ZeroDivisionError("bug")])
def test_whatever_a_driver_raises_when_it_opens_is_one_line(error: BaseException) -> None:
    class Raising(ScriptedCamera):
        def open(self) -> Geometry:
            raise error

    with pytest.raises(CameraError, match="camera driver failed to open"):
        Acquisition(Raising(), settings().camera).open()
