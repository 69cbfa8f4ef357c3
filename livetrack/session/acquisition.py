"""Acquisition thread: delivers the newest frame for tracking, every frame for recording, and counts every loss."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from livetrack.camera import Camera, Frame, Geometry, Picture
from livetrack.config import CameraSettings
from livetrack.devices.lifecycle import FrameTiming, HasRecovery, HasTiming
from livetrack.errors import CameraError, CameraLostError, LivetrackError
from livetrack.session.driver_calls import DriverCalls, describe_error
from livetrack.session.frame_gaps import FrameGapMonitor
from livetrack.session.frame_intake import FrameIntake
from livetrack.session.geometry_record import GeometryRecord
from livetrack.session.wakeup import Wakeup

__all__ = ["Acquisition", "CameraState"]

_log = logging.getLogger(__name__)

_CHECK_STOP_S = 1.0  # how often a waiting camera thread checks whether to stop
_CHECK_SUSPENDED_S = 0.1  # the same between two attempts to recover the camera
_MAX_RETRY_S = 30.0
_MAX_DOUBLINGS = 60  # of the pause; no float holds 2**1024, which a night without the camera comes to
_TIMING_NS = 500_000_000  # between two questions to a silent camera whether it waits for something
_POLL_S = 0.02
_END_S = 10.0  # for the camera thread to end
_CALL_S = 0.5  # for a call of the driver to return when the session ends; it should within 0.1 s


class CameraState(StrEnum):
    """State of the camera."""

    STARTING = "starting"
    RUNNING = "running"
    STALLED = "stalled"  # no frame for longer than the exposure and `camera.stall_s`
    WAITING = "waiting"  # likewise, but it waits for a trigger, or for Micro-Manager
    IDLE = "idle"  # stopped by `suspend`, until `resume`
    RETRYING = "retrying"  # lost; livetrack tries to start it again, after `camera.retry_s` and growing pauses
    ENDED = "ended"  # the movie is over
    FAILED = "failed"  # the driver raised an unexpected exception


class Acquisition:
    """Runs a camera in its own thread and passes its frames to one consumer.

    By default only the newest frame is kept; older ones that were not consumed count as skipped. With
    `settings.every_frame`, up to `settings.queue_frames` frames are queued, and then the oldest is skipped. If the
    camera `waits` (a movie, a simulation in lock-step), its thread blocks instead, and nothing is skipped.

    Parameters
    ----------
    camera
        The driver.
    settings
        Section `[camera]`.
    pixel_size_um
        Overrides the pixel size that the camera reports.
    on_frame
        Called with every frame in the camera thread, for recording; must not block.
    """

    def __init__(
        self,
        camera: Camera,
        settings: CameraSettings,
        *,
        pixel_size_um: float | None = None,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        self._camera = camera
        self._settings = settings
        self.geometry_record = GeometryRecord(pixel_size_um)
        self._intake = FrameIntake(self.geometry_record)
        self.on_frame = on_frame
        self._capacity = settings.queue_frames if settings.every_frame else 1
        self._waiting: deque[Frame] = deque()
        self._frame_ready = Wakeup()  # wakes the consumer: a frame, or the end
        self._slot_free = Wakeup()  # wakes the camera thread while it blocks
        self._resume_requested = Wakeup()  # wakes the camera thread while it is suspended
        self._suspended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="livetrack-camera", daemon=True)
        self._last_received_ns = 0
        self._gap_s = 0.0  # between the last two frames: an exposure under way may still take as long
        self._calls = DriverCalls(camera)
        self.gaps = FrameGapMonitor()
        self.state = CameraState.STARTING
        self.message = ""
        """Details of the state, for the user."""
        self.failure: BaseException | None = None
        self.skipped = self.outages = 0
        self.started = False
        """Whether the camera has been started, and neither stopped nor lost since."""
        self._attempts = 0  # to recover the camera, since its last frame
        self._received_before = -1  # frames received when it was recovered last
        self._timing = FrameTiming(0.0)
        self._timing_due_ns = 0  # when to ask the camera for it again

    def open(self) -> Geometry:
        """Open the camera and return its geometry; frames arrive after `start`. Raises `CameraError`."""
        try:
            geometry = self._camera.open()
        except LivetrackError:
            raise
        except (Exception, SystemExit) as error:  # whatever a driver raises
            raise CameraError(f"camera driver failed to open: {describe_error(error)}") from error
        self._intake.begin(self._camera)
        self.started = True
        return self.geometry_record.begin(geometry)

    @property
    def received(self) -> int:
        """Frames received so far."""
        return self._intake.received

    @property
    def lost(self) -> int:
        """Frames missing between sensor and livetrack, by the camera's own numbers."""
        return self._intake.lost

    @property
    def repeated(self) -> int:
        """Frames that the camera delivered again."""
        return self._intake.repeated

    @property
    def wrong(self) -> int:
        """Numbers and times of frames that cannot be true, and were left out or estimated."""
        return self._intake.wrong

    def start(self) -> None:
        """Start the camera thread."""
        self._last_received_ns = time.perf_counter_ns()
        self._thread.start()

    def next_frame(self, timeout_s: float) -> Frame | None:
        """Return the next frame, oldest first; None if none arrived in time or the camera has ended."""
        deadline = time.perf_counter() + timeout_s
        while not self._waiting:
            if self.ended or not self._frame_ready.wait(deadline - time.perf_counter()):
                break
        try:
            frame = self._waiting.popleft()
        except IndexError:
            return None
        self._slot_free.set()
        return frame

    def suspend(self) -> None:
        """Stop the camera until `resume`, without waiting: `state` becomes `IDLE`."""
        self._suspended = True

    def resume(self) -> None:
        """Start the camera again, without waiting."""
        self._suspended = False
        self._resume_requested.set()

    @property
    def geometry(self) -> Geometry:
        """The geometry in force; frames taken before its last change have an older one."""
        return self.geometry_record.now.geometry

    @property
    def geometry_number(self) -> int:
        """Number of the geometry in force."""
        return self.geometry_record.now.number

    @property
    def ended(self) -> bool:
        """Whether no further frame will arrive."""
        return self.state in (CameraState.ENDED, CameraState.FAILED)

    def stop(self) -> None:
        """Stop the camera thread; queued frames can still be consumed."""
        self._end_thread()

    def discard_pending(self) -> None:
        """Discard queued frames and count them as skipped, so that the counts add up."""
        self.skipped += len(self._waiting)
        self._waiting.clear()

    def close(self, *, restore_light: bool = False) -> None:
        """Stop the camera thread and release the camera; queued frames can still be consumed.

        `restore_light`: close the light that the camera's start has opened, see `RestoresLight` in
        `livetrack.devices.lifecycle`. Takes at most 2 s if the driver does not return from a call: then the call goes
        on without the session.
        """
        self._end_thread()
        self._calls.close(lambda: self.timing().interval_s, restore_light=restore_light)

    def _end_thread(self) -> None:
        self._stop.set()
        self._slot_free.set()
        self._resume_requested.set()
        until_ns = time.perf_counter_ns() + _END_S * 1e9
        while self._thread.is_alive() and time.perf_counter_ns() < until_ns:
            self._thread.join(_POLL_S)
            if self._calls.silent_s() > _CALL_S:
                _log.warning("the camera driver does not return from a call: the session ends without it")
                return

    def notice_block(self) -> None:
        """Notice as a stall that the driver does not return. The consumer calls this: the camera thread waits."""
        silent_s = self._calls.silent_s()
        if silent_s > self._settings.stall_s and self.state in (CameraState.STARTING, CameraState.RUNNING):
            self._enter(CameraState.STALLED, f"the camera driver has not returned from a call for {silent_s:.1f} s")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    if self._suspended:
                        self._wait_suspended()
                        if self._stop.is_set():
                            return  # a camera that was closed has no pictures
                    self._stream()
                    if not self._suspended:
                        self._enter(CameraState.ENDED, self.message if self._stop.is_set() else "")
                        return
                except CameraLostError as error:
                    self._recover(str(error))
        except BaseException as error:  # noqa: BLE001  whatever a driver raises must reach the user, SystemExit too
            _log.debug("camera driver failed", exc_info=True)
            self.failure = error
            self._enter(CameraState.FAILED, f"camera driver failed: {describe_error(error)}")

    def _stream(self) -> None:
        """Receive pictures until the movie ends, `stop` or `suspend` is called, or the camera is lost."""
        calls = self._calls
        try:
            calls.begin()
            for picture in self._camera.pictures():
                now_ns, asked_ns = time.perf_counter_ns(), calls.end()
                if self._stop.is_set() or self._suspended:
                    return
                if picture is None:
                    self._notice_stall()
                else:
                    self._receive(picture, asked_ns, now_ns)
                calls.begin()
        finally:
            calls.end()

    def _receive(self, picture: Picture, asked_ns: int, now_ns: int) -> None:
        frame = self._intake.frame(picture, asked_ns, now_ns)
        if frame is None:
            return
        silent_s = (now_ns - self._last_received_ns) * 1e-9
        self._gap_s = silent_s if self.state not in (CameraState.STALLED, CameraState.WAITING) else 0.0
        self._last_received_ns = now_ns
        self.gaps.record(now_ns)
        if self.state is not CameraState.RUNNING:
            self._enter(CameraState.RUNNING)
        if self.on_frame is not None:
            self.on_frame(frame)
        self._enqueue(frame)

    def _enqueue(self, frame: Frame) -> None:
        if self._camera.waits:
            while self._waiting and not self._stop.is_set():
                self._slot_free.wait(_CHECK_STOP_S)
        elif len(self._waiting) >= self._capacity:
            with suppress(IndexError):  # it has just been consumed
                self._waiting.popleft()
                self.skipped += 1
        self._waiting.append(frame)
        self._frame_ready.set()

    def timing(self) -> FrameTiming:
        """Return when the camera sends its next frame, as far as it reports that; any thread may call this."""
        if isinstance(self._camera, HasTiming):
            with suppress(Exception):  # whatever a driver raises: this is asked when it may be in trouble
                return self._camera.timing()
        return FrameTiming(0.0)

    def _notice_stall(self) -> None:
        now_ns = time.perf_counter_ns()
        silent_s = (now_ns - self._last_received_ns) * 1e-9
        if silent_s <= self._settings.stall_s or self._waiting:
            return
        if now_ns >= self._timing_due_ns:
            self._calls.begin()  # the device may not answer
            self._timing, self._timing_due_ns = self.timing(), now_ns + _TIMING_NS
            self._calls.end()
        timing = self._timing
        if timing.waits_for:
            self._enter(CameraState.WAITING, f"the camera waits for {timing.waits_for}: no frame for {silent_s:.1f} s")
        elif silent_s > self._settings.stall_s + max(timing.interval_s, self._gap_s):
            self._enter(CameraState.STALLED, f"the camera has sent no frame for {silent_s:.1f} s")

    def _wait_suspended(self) -> None:
        """Stop the camera, wait for `resume`, and start it again."""
        self._stop_camera()
        self._enter(CameraState.IDLE)
        while self._suspended and not self._stop.is_set():
            self._resume_requested.wait(_CHECK_STOP_S)
        self._resume_requested.wait(0)  # resets it, if `resume` was called between the two lines above
        if self._stop.is_set():
            return
        self._enter(CameraState.STARTING)
        try:
            with self._calls.call():
                geometry = self._camera.resume() if isinstance(self._camera, HasRecovery) else self._camera.open()
            self._begin(geometry)
        except (CameraError, CameraLostError) as error:
            self._recover(str(error))

    def _recover(self, why: str) -> None:
        """Start the camera again, until it works; pauses grow until a frame arrives."""
        if self.received > self._received_before:
            self.outages += 1
            self._attempts = 0
        while not self._stop.is_set() and not self._suspended:
            growth = 2 ** min(self._attempts, _MAX_DOUBLINGS)
            pause_s = min(self._settings.retry_s * growth, max(_MAX_RETRY_S, self._settings.retry_s))
            self._attempts += 1
            self._enter(CameraState.RETRYING, f"{why}; opening it again in {pause_s:g} s (attempt {self._attempts})")
            self._stop_camera()
            if not self._pause(pause_s):
                return
            try:
                with self._calls.call():
                    again = self._camera.recover() if isinstance(self._camera, HasRecovery) else self._camera.open()
                self._begin(again)
            except (CameraError, CameraLostError) as error:
                why = str(error)
                continue
            self._received_before = self.received
            return

    def _pause(self, pause_s: float) -> bool:
        """Wait before an attempt, less if `resume` is called; False if the camera is not needed any more."""
        deadline = time.perf_counter() + pause_s
        while not self._stop.is_set() and not self._suspended:
            left_s = deadline - time.perf_counter()
            if left_s <= 0 or self._resume_requested.wait(min(left_s, _CHECK_SUSPENDED_S)):
                break
        return not self._stop.is_set() and not self._suspended

    def _stop_camera(self) -> None:
        """Stop the camera alone if the driver can do that, or close it."""
        with self._calls.call():
            if isinstance(self._camera, HasRecovery):
                self._camera.suspend()
            else:
                self._camera.close()
        self.started = False
        self.gaps.reset()  # no frames are expected: no command stalls them

    def _begin(self, geometry: Geometry) -> None:
        """Expect frames of a camera that was started again."""
        self.geometry_record.begin(geometry)
        self._intake.begin(self._camera)
        self.started = True
        self._last_received_ns = time.perf_counter_ns()

    def _enter(self, state: CameraState, message: str = "") -> None:
        if state is not self.state:
            _log.info("camera %s %s", state, message)
        self.state, self.message = state, message
        self._frame_ready.set()
