"""The tracking loop, the hot path of a session: newest frame -> tracker -> publisher."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

import livetrack
from livetrack.camera import Frame
from livetrack.config import Config
from livetrack.errors import LivetrackError
from livetrack.particles import Flag, Rows, empty_rows
from livetrack.record import Recorder
from livetrack.session.acquisition import Acquisition, CameraState
from livetrack.session.blank_frames import BlankFrames
from livetrack.session.cache_warmer import CacheWarmer
from livetrack.session.event_publisher import EventPublisher
from livetrack.session.loop_queue import LoopQueue
from livetrack.session.publisher import Publisher
from livetrack.session.rates import Rates
from livetrack.session.recording_notes import RecordingNotes
from livetrack.session.series import Series
from livetrack.session.stage_latency import StageLatency
from livetrack.tracker import Tracker
from livetrack.wire import RecordingStatus, Status

__all__ = ["OnRows", "OnStatus", "TrackingLoop"]

_log = logging.getLogger(__name__)

_HEARTBEAT_NS = 1_000_000_000
_MAX_WAIT_S = 0.05  # for a frame, before stop and heartbeat are checked
_MAX_DRAIN_NS = 1_000_000_000  # for the frames that still wait when the session stops

_UNTIMED = int(Flag.UNTIMED)

OnRows = Callable[[Frame, Rows], None]
OnStatus = Callable[[Status], None]


class TrackingLoop:
    """Tracks, publishes and records the frames of an acquisition, and keeps the counts.

    Everything but `status` belongs to the thread that calls `run`. Other threads change the public attributes through
    `queue`.

    Parameters
    ----------
    config
        Settings of the session; replaced when a command changes one.
    session
        Number of the session, part of every message.
    command_address
        Address of the command socket, part of every heartbeat.
    """

    def __init__(
        self,
        config: Config,
        tracker: Tracker,
        acquisition: Acquisition,
        publisher: Publisher,
        events: EventPublisher,
        *,
        session: int,
        command_address: str,
    ) -> None:
        self.config = config
        self.tracker = tracker
        self.acquisition = acquisition
        self.publisher = publisher
        self.queue = LoopQueue()
        self.recorder: Recorder | None = None
        """The current recording."""
        self.recordings: list[RecordingStatus] = []
        """Those that have ended."""
        self.frame: Frame | None = None
        """The last frame that was tracked and not blank."""
        self.rows = empty_rows()
        """Its rows."""
        self.target: int | None = None
        self.paused = False
        self.motion_halted: Callable[[], bool] = lambda: False
        """Returns whether all motion is halted, for the status."""
        self.notes = RecordingNotes()
        self._events = events
        events.on_event = self.notes.on_event
        self._session = session
        self._command_address = command_address
        self._latency = StageLatency()
        self._warmer = CacheWarmer()
        self._rates = Rates()
        self._blank = BlankFrames(config.camera.stall_s)
        self._tracked = self._tracked_at_heartbeat = self._skipped = self._untimed = 0
        self._problem = ""  # why the last skipped frame could not be tracked, or that the last frame was blank
        self._skips = Series()
        self._logged: object = None  # the localizer whose failure was logged
        self._geometry_number = 0
        self._started_ns = self._heartbeat_due_ns = time.perf_counter_ns()
        acquisition.on_frame = self._record_frame

    def run(
        self, *, seconds: float | None, stop: threading.Event, on_status: OnStatus | None, on_rows: OnRows | None
    ) -> Status:
        """Track until stopped; see `Engine.run`."""
        acquisition, warmer = self.acquisition, self._warmer
        acquisition.start()
        self._started_ns = time.perf_counter_ns()
        self._update_notes()
        deadline_ns = math.inf if seconds is None else self._started_ns + seconds * 1e9
        while not stop.is_set() and time.perf_counter_ns() < deadline_ns:
            frame = acquisition.next_frame(warmer.wait_s(_MAX_WAIT_S))
            if frame is not None:
                begun_ns = time.perf_counter_ns()
                rows = self._track(frame)
                warmer.record(frame.t_received_ns, begun_ns, time.perf_counter_ns())
                if on_rows is not None and rows is not None:
                    on_rows(frame, rows)
            elif acquisition.ended:
                break
            elif warmer.is_due():
                self._warm_caches()
            if self.queue:
                self.queue.drain()
                self._update_notes()
            acquisition.notice_block()
            self._events.poll(self.state, acquisition.message)
            if time.perf_counter_ns() >= self._heartbeat_due_ns:
                self._send_heartbeat(on_status)
        return self._finish(on_rows)

    def _track(self, frame: Frame) -> Rows | None:
        """Track one frame and publish its rows: the hot path. None if the frame was skipped."""
        if self.paused:
            self._skipped += 1
            self.publisher.send_preview(frame)
            return None
        tracker, acquisition = self.tracker, self.acquisition
        if frame.geometry_number != self._geometry_number:
            self.end_tracks()  # another ROI, or the camera's clock restarted
        self._geometry_number = frame.geometry_number
        blank = self._blank.check(frame)
        try:
            rows = self._pass_over(frame) if blank else tracker.update(frame.pixels, frame.t_s, learn=False)
        except LivetrackError as error:  # an ROI too small, a NaN, a localizer that fails: the next frame may be fine
            self._skip(frame, error)
            return None
        if self.target is not None and self.target in tracker.linker.ended:
            self.target = None
        if frame.untimed:
            self._untimed += 1
            rows["flags"] |= _UNTIMED
        published_ns = self.publisher.publish(frame, rows, tracker, self.skipped, acquisition.lost, self.target)
        self._latency.record(
            frame.t_exposed_ns, frame.t_received_ns, tracker.t_started_ns, tracker.t_localized_ns, tracker.t_linked_ns,
            published_ns,
        )  # fmt: skip
        self._events.on_frame(frame, tracker.linker, self.target)
        self._tracked += 1
        if self.recorder is not None:
            self.recorder.offer_rows(frame, rows)
        if blank:
            return rows
        self.frame, self.rows = frame, rows
        try:
            tracker.learn()  # here, where nobody waits for it
        except LivetrackError as error:
            self._log_once(error)
        return rows

    def _pass_over(self, frame: Frame) -> Rows:
        """Return no rows for a blank frame; its tracks wait, but not for ever."""
        self._problem = self._blank.message
        if self._blank.expire(frame):
            self.end_tracks()
        return self.tracker.pass_over()

    def end_tracks(self) -> None:
        """End all tracks, the target's too: nothing is where it was."""
        self.tracker.reset()
        self.rows = empty_rows()  # none of them can become the target any more
        self.target = None

    @property
    def skipped(self) -> int:
        """Frames received but not tracked: newer ones came, they could not be tracked, or tracking was paused."""
        return self.acquisition.skipped + self._skipped

    @property
    def state(self) -> str:
        """State of the session: the camera's state, or "paused"."""
        state = self.acquisition.state
        return "paused" if self.paused and state is CameraState.RUNNING else str(state)

    def status(self, state: str | None = None) -> Status:
        """Return the status that the heartbeat carries; any thread may call this."""
        acquisition, linker, recorder = self.acquisition, self.tracker.linker, self.recorder
        camera_fps, tracked_fps = self._rates.update(acquisition.received, self._tracked)
        return Status(
            session=self._session,
            state=state or self.state,
            message=acquisition.message
            or self._problem
            or (recorder.message if recorder else "")
            or ("all motion is halted: moves are refused" if self.motion_halted() else ""),
            camera=self.config.camera.driver,
            model=self.tracker.localizer.name,
            provider=self.tracker.localizer.provider,
            threads=self.tracker.localizer.threads,
            search_scale=self.tracker.localizer.search_scale,
            preview_address=self.publisher.preview_address,
            uptime_s=round((time.perf_counter_ns() - self._started_ns) * 1e-9, 3),
            camera_fps=camera_fps,
            tracked_fps=tracked_fps,
            tracked=self._tracked,
            skipped=self.skipped,
            received=acquisition.received,  # after the two others: it is never less than their sum
            lost=acquisition.lost,
            repeated=acquisition.repeated,
            outages=acquisition.outages,
            blank=self._blank.count,
            wrong_metadata=acquisition.wrong,
            untimed=self._untimed,
            born=linker.total_started,
            ended=linker.total_ended,
            approximate_frames=linker.approximate_frames,
            particles=0 if self._blank.message else len(self.rows),
            latency_us=self._latency.latency(),
            target=self.target,
            stalls=acquisition.gaps.stalls,
            stall_ms=acquisition.gaps.stall_ms,
            halted=self.motion_halted(),
            command_address=self._command_address,
            recording=recorder.status() if recorder else None,
            livetrack=livetrack.__version__,
        )

    def _update_notes(self) -> None:
        state = {"session": self._session, "state": self.state, "target": self.target}
        self.notes.update(self.recorder, self.config, self.tracker.localizer, state)

    def close_recorder(self) -> None:
        """Finish writing the current recording, if there is one."""
        if self.recorder is not None:
            self.recorder.close()

    def _skip(self, frame: Frame, error: LivetrackError) -> None:
        self._skipped += 1
        self._problem = f"frame {frame.index} was skipped: {error}"
        if self._skips.begins():
            _log.warning("%s", self._problem)
        self._log_once(error)

    def _warm_caches(self) -> None:
        """Track the last frame again without any effect: see `CacheWarmer`."""
        if self.frame is None or self.paused:
            return
        try:
            self.tracker.rerun_last_frame(self.frame.pixels)
        except LivetrackError as error:  # no frame is affected; on a frame, the same error is reported
            self._log_once(error)

    def _log_once(self, error: LivetrackError) -> None:
        """Log the traceback of the first error of each localizer."""
        if self._logged is not self.tracker.localizer:
            self._logged = self.tracker.localizer
            _log.debug("localizer %s", self.tracker.localizer.name, exc_info=error)

    def _record_frame(self, frame: Frame) -> None:
        """Record the pixels of a frame; called in the camera's thread."""
        recorder = self.recorder  # a command may remove it at any time
        if recorder is not None:
            recorder.offer_frame(frame)

    def _send_heartbeat(self, on_status: OnStatus | None) -> None:
        self._heartbeat_due_ns = time.perf_counter_ns() + _HEARTBEAT_NS
        status = self.status()
        self.publisher.send_status(status)
        if self._tracked > self._tracked_at_heartbeat:
            self._problem = ""  # reported now, and over
        self._tracked_at_heartbeat = self._tracked
        if on_status is not None:
            on_status(status)

    def _finish(self, on_rows: OnRows | None) -> Status:
        """Stop the camera, track the frames that still wait, and send the last status."""
        self.queue.close()
        acquisition = self.acquisition
        state = acquisition.state if acquisition.ended else "stopped"
        acquisition.stop()
        self._drain_frames(on_rows)
        status = self.status(state)
        self._events.poll(status.state, status.message)
        self.publisher.send_status(status)
        if acquisition.failure is not None:
            raise LivetrackError(f"{self.config.camera.driver}: {acquisition.message}") from acquisition.failure
        return status

    def _drain_frames(self, on_rows: OnRows | None) -> None:
        """Track the frames that still wait, but not for long: the user is waiting for the end."""
        until_ns = time.perf_counter_ns() + _MAX_DRAIN_NS
        while time.perf_counter_ns() < until_ns and (frame := self.acquisition.next_frame(0)) is not None:
            rows = self._track(frame)
            if on_rows is not None and rows is not None:
                on_rows(frame, rows)
        self.acquisition.discard_pending()
