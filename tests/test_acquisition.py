"""Acquisition: the newest frame, skipped, lost and repeated frames, and a camera that is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from scripted_camera import Script, ScriptedCamera, picture, pictures, run, take_all, wait_for

from livetrack.camera import Geometry, Picture
from livetrack.config import CameraSettings
from livetrack.devices.lifecycle import FrameTiming
from livetrack.errors import CameraError, CameraLostError
from livetrack.session.acquisition import Acquisition, CameraState


def test_the_newest_frame_is_kept_and_older_ones_are_counted() -> None:
    acquisition = run(ScriptedCamera(pictures(0, 1, 2, 3)))
    wait_for(lambda: acquisition.ended)
    frames = take_all(acquisition)
    assert [frame.number for frame in frames] == [3]
    assert (acquisition.received, acquisition.skipped, acquisition.lost) == (4, 3, 0)
    acquisition.close()


def test_frames_not_consumed_after_the_stop_are_skipped() -> None:
    acquisition = run(ScriptedCamera(pictures(*range(6))), every_frame=True)
    wait_for(lambda: acquisition.received == 6)
    assert acquisition.next_frame(1) is not None
    acquisition.stop()
    assert acquisition.next_frame(1) is not None
    acquisition.discard_pending()
    assert (acquisition.received, acquisition.skipped) == (6, 4)
    assert acquisition.next_frame(0) is None
    acquisition.close()


def test_every_frame_waits_up_to_the_queue() -> None:
    acquisition = run(ScriptedCamera(pictures(*range(10))), every_frame=True, queue_frames=6)
    wait_for(lambda: acquisition.ended)
    assert [frame.number for frame in take_all(acquisition)] == [4, 5, 6, 7, 8, 9]
    assert acquisition.skipped == 4
    acquisition.close()


def test_a_camera_that_waits_loses_nothing() -> None:
    acquisition = run(ScriptedCamera(pictures(*range(50)), waits=True))
    assert [frame.index for frame in take_all(acquisition)] == list(range(50))
    assert acquisition.skipped == 0
    assert acquisition.state is CameraState.ENDED
    acquisition.close()


def test_gaps_are_lost_and_repeats_are_dropped() -> None:
    acquisition = run(ScriptedCamera(pictures(5, 6, 6, 9, 10), waits=True))
    frames = take_all(acquisition)
    assert [frame.number for frame in frames] == [5, 6, 9, 10]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert (acquisition.lost, acquisition.repeated) == (2, 1)
    acquisition.close()


def test_a_counter_that_restarts_loses_and_drops_nothing() -> None:
    acquisition = run(ScriptedCamera(pictures(65534, 65535, 0, 1), waits=True))
    assert [frame.number for frame in take_all(acquisition)] == [65534, 65535, 0, 1]
    assert (acquisition.lost, acquisition.repeated) == (0, 0)
    acquisition.close()


def test_each_frame_carries_its_times_and_geometry() -> None:
    moved = Geometry(4, 3, x_origin=7)

    def script() -> Iterator[Picture]:
        yield picture(t_s=0.5)
        yield picture(t_exposed_ns=2_000_000_000, geometry=moved)
        yield picture()

    acquisition = Acquisition(ScriptedCamera(script, waits=True), CameraSettings(), pixel_size_um=0.1)
    acquisition.open()
    acquisition.start()
    first, second, third = take_all(acquisition)
    assert (first.t_s, first.geometry_number, first.geometry) == (0.5, 0, Geometry(4, 3, pixel_size_um=0.1))
    assert (second.t_s, second.geometry_number, second.geometry.x_origin) == (2.0, 1, 7)
    assert third.t_s == pytest.approx(third.t_received_ns * 1e-9)
    assert third.t_exposed_ns is None
    acquisition.close()


def test_every_delivered_frame_is_offered_for_recording() -> None:
    seen: list[int] = []
    camera = ScriptedCamera(pictures(*range(20)))
    acquisition = Acquisition(camera, CameraSettings(), on_frame=lambda frame: seen.append(frame.index))
    acquisition.open()
    acquisition.start()
    wait_for(lambda: acquisition.ended)
    assert seen == list(range(20))
    acquisition.close()


def test_a_lost_camera_is_opened_again() -> None:
    def dies() -> Iterator[Picture]:
        yield picture(100)
        raise CameraLostError("the cable was pulled")

    camera = ScriptedCamera(dies, pictures(0, 1), waits=True)
    acquisition = run(camera, retry_s=0.01)
    assert [frame.number for frame in take_all(acquisition)] == [100, 0, 1]
    assert acquisition.lost == 0
    assert camera.opened == 2
    acquisition.close()


def test_while_a_camera_is_lost_the_state_is_retrying() -> None:
    def dies() -> Iterator[Picture]:
        raise CameraLostError("the cable was pulled")
        yield

    acquisition = run(ScriptedCamera(dies), retry_s=0.01)
    wait_for(lambda: "attempt 3" in acquisition.message)
    assert acquisition.state is CameraState.RETRYING
    assert acquisition.message.startswith("unplugged; opening it again")
    acquisition.close()


def test_a_silent_camera_counts_as_stalled_until_its_next_frame() -> None:
    speak = threading.Event()

    def script() -> Iterator[Picture | None]:
        yield picture(0)
        while not speak.wait(0.005):
            yield None
        yield picture(1)

    acquisition = run(ScriptedCamera(script), stall_s=0.05)
    assert acquisition.next_frame(5).number == 0
    wait_for(lambda: acquisition.state is CameraState.STALLED)
    assert "no frame for" in acquisition.message
    speak.set()
    assert acquisition.next_frame(5).number == 1
    assert acquisition.message == ""
    acquisition.close()


class PatientCamera(ScriptedCamera):
    """A camera that recovers alone; it is lost when its script ends, and starts at the third attempt."""

    def __init__(self, *scripts: Script, timing: FrameTiming | None = None) -> None:
        super().__init__(*scripts)
        self.frame_timing = timing or FrameTiming(0)
        self.calls: list[str] = []

    def timing(self) -> FrameTiming:
        return self.frame_timing

    def suspend(self) -> None:
        self.calls.append("suspend")

    def resume(self) -> Geometry:
        self.calls.append("resume")
        self.opened += 1
        return Geometry(4, 3)

    def recover(self) -> Geometry:
        self.calls.append("recover")
        if self.calls.count("recover") < 3:
            raise CameraError("still unplugged")
        return self.resume()


def silent() -> Iterator[None]:
    while True:
        time.sleep(0.005)
        yield None


def test_a_camera_that_recovers_alone_is_neither_closed_nor_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> Iterator[Picture]:
        yield picture(100)
        raise CameraLostError("the cable was pulled")

    camera = PatientCamera(dies, pictures(0))
    seen: list[str] = []
    acquisition = Acquisition(camera, CameraSettings(retry_s=0.05))
    enter = acquisition._enter
    monkeypatch.setattr(acquisition, "_enter", lambda state, message="": seen.append(message) or enter(state, message))
    acquisition.open()
    acquisition.start()
    wait_for(lambda: acquisition.ended)
    acquisition.close()
    pauses = [message.split("opening it again in ")[1] for message in seen if "opening it again" in message]
    assert pauses == ["0.05 s (attempt 1)", "0.1 s (attempt 2)", "0.2 s (attempt 3)"]
    assert [call for call in camera.calls if call != "suspend"] == ["recover", "recover", "recover", "resume"]
    assert (camera.opened, camera.closed) == (2, 1)
    assert acquisition.outages == 1


def test_an_outage_without_a_frame_in_between_is_one_and_its_pauses_grow() -> None:
    def dies() -> Iterator[Picture]:
        raise CameraLostError("gone again")
        yield

    camera = PatientCamera(*[dies] * 9)
    acquisition = run(camera, retry_s=0.001)
    wait_for(lambda: "attempt 6" in acquisition.message)
    acquisition.close()
    assert acquisition.outages == 1


def test_a_camera_that_stays_away_for_a_night_is_still_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies() -> Iterator[Picture]:
        raise CameraLostError("gone")
        yield

    monkeypatch.setattr("livetrack.session.acquisition._MAX_RETRY_S", 0.0)  # no growing pauses: the night is over soon
    acquisition = run(ScriptedCamera(dies), retry_s=1e-6)
    wait_for(lambda: acquisition.ended or acquisition._attempts > 1100, timeout_s=30)
    assert acquisition.state is CameraState.RETRYING
    acquisition.close()


def test_a_camera_is_suspended_at_once_while_it_is_recovered() -> None:
    def dies() -> Iterator[Picture]:
        raise CameraLostError("gone")
        yield

    camera = PatientCamera(dies, pictures(0))
    acquisition = run(camera, retry_s=60)
    wait_for(lambda: acquisition.state is CameraState.RETRYING)
    assert "in 60 s" in acquisition.message
    acquisition.suspend()
    wait_for(lambda: acquisition.state is CameraState.IDLE)
    acquisition.resume()
    wait_for(lambda: acquisition.ended)
    assert acquisition.received == 1
    acquisition.close()


def test_a_session_that_ends_while_the_camera_is_closed_asks_it_for_nothing() -> None:
    class Strict(ScriptedCamera):
        def pictures(self) -> Iterator[Picture | None]:
            if self.closed:
                raise RuntimeError("closed")
            return silent()

    acquisition = run(Strict(silent))
    acquisition.suspend()
    wait_for(lambda: acquisition.state is CameraState.IDLE)
    acquisition.close()
    assert acquisition.failure is None


def test_a_long_exposure_is_no_stall() -> None:
    acquisition = run(PatientCamera(silent, timing=FrameTiming(60)), stall_s=0.01)
    time.sleep(0.2)
    assert acquisition.state is CameraState.STARTING
    acquisition.close()


def test_the_exposure_under_way_is_no_stall_when_the_next_ones_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrack.session.acquisition._TIMING_NS", 0)
    seen: list[CameraState] = []

    def script() -> Iterator[Picture | None]:
        for number in range(3):
            camera.frame_timing = FrameTiming(60 if number < 2 else 0)
            end = time.monotonic() + (1.0 if number < 2 else 0.2)
            while time.monotonic() < end:
                time.sleep(0.005)
                yield None
                seen.append(acquisition.state)
            yield picture(number)
        while True:
            time.sleep(0.005)
            yield None

    camera = PatientCamera(script)
    acquisition = Acquisition(camera, CameraSettings(stall_s=0.05))
    acquisition.open()
    acquisition.start()
    assert [acquisition.next_frame(5).number for _ in range(3)] == [0, 1, 2]
    assert CameraState.STALLED not in seen
    wait_for(lambda: acquisition.state is CameraState.STALLED)
    acquisition.close()


def test_a_silent_camera_that_does_not_answer_does_not_hold_up_the_end() -> None:
    release = threading.Event()

    class Mute(PatientCamera):
        def timing(self) -> FrameTiming:
            release.wait(60)
            return FrameTiming(0)

        def close(self) -> None:
            release.wait(60)

    acquisition = run(Mute(silent), stall_s=0.01)
    try:
        wait_for(lambda: acquisition._calls.silent_s() > 0.1)
        acquisition.notice_block()
        assert acquisition.state is CameraState.STALLED
        begun_s = time.monotonic()
        acquisition.close()
        assert time.monotonic() - begun_s < 2
    finally:
        release.set()


def test_waiting_for_a_trigger_is_a_state_of_its_own() -> None:
    acquisition = run(
        PatientCamera(silent, timing=FrameTiming(0, "a trigger (Cam.TriggerMode = 'External')")), stall_s=0.01
    )
    wait_for(lambda: acquisition.state is CameraState.WAITING)
    assert "the camera waits for a trigger (Cam.TriggerMode = 'External')" in acquisition.message
    acquisition.close()


def test_an_unexpected_exception_of_a_driver_is_kept_for_the_user() -> None:
    def script() -> Iterator[Picture]:
        yield picture(0)
        raise ZeroDivisionError("bug in the driver")

    acquisition = run(ScriptedCamera(script))
    wait_for(lambda: acquisition.ended)
    assert acquisition.state is CameraState.FAILED
    assert isinstance(acquisition.failure, ZeroDivisionError)
    acquisition.close()


def test_a_colour_image_is_rejected() -> None:
    acquisition = run(ScriptedCamera(lambda: iter([picture(0), Picture(np.zeros((3, 4, 3), np.uint8), 1)])))
    wait_for(lambda: acquisition.ended)
    acquisition.close()
    assert (acquisition.state, acquisition.received) == (CameraState.FAILED, 1)
    assert "an image has the shape (3, 4, 3), expected (H, W)" in acquisition.message


def test_close_stops_a_camera_that_never_ends() -> None:
    def script() -> Iterator[Picture]:
        while True:
            yield picture()

    camera = ScriptedCamera(script, waits=True)
    acquisition = run(camera)
    assert acquisition.next_frame(5) is not None
    acquisition.close()
    assert camera.closed == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "livetrack-camera"]
