"""The live loop: newest frame -> tracker -> publisher, timed stage by stage."""

from __future__ import annotations

import gc
import math
import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import livetrack
from livetrack.camera import Camera, Frame, load_driver
from livetrack.config import Config
from livetrack.errors import InputError, LivetrackError, UsageError
from livetrack.particles import Rows, empty_rows
from livetrack.record import Recorder
from livetrack.session.acquisition import Acquisition, CameraState
from livetrack.session.cache_warmer import CacheWarmer
from livetrack.session.commands import CalibrationStore, CommandDispatcher, CommandServer, LoopQueue
from livetrack.session.event_publisher import EventPublisher
from livetrack.session.publisher import Publisher, bind_command_socket
from livetrack.session.sockets import SocketFactory
from livetrack.session.stage_latency import StageLatency
from livetrack.tracker import Tracker
from livetrack.wire import Status

__all__ = ["Engine"]

_HEARTBEAT_NS = 1_000_000_000
_SWITCH_INTERVAL_S = 5e-4  # how long a thread may keep Python's lock from one that has a frame; Python's own: 5 ms
_DRAIN_NS = 1_000_000_000  # how long frames are tracked that wait when the session is to stop
_IDLE_S = 0.05  # how long the loop waits for a frame before it looks whether to stop or to beat


class Engine:
    """One tracking session: built from settings, opened, run, closed.

    ::

        with Engine(load_config("config.toml")) as engine:
            engine.run(seconds=10)

    Parameters
    ----------
    config
        The settings of the session.
    camera
        A camera to use instead of the one that `config` names.

    Raises
    ------
    UsageError
        From the constructor: a setting, model, camera, address or folder that cannot be used; nothing stays open.
    """

    def __init__(self, config: Config, camera: Camera | None = None) -> None:
        self.config = config
        self._switch_s = sys.getswitchinterval()
        self.session = secrets.randbits(53)  # JSON's numbers are exact to 53 bits
        self.tracker = Tracker.from_config(config)
        self.camera = camera or load_driver(config.camera.driver)(config.driver_settings)
        self.acquisition = Acquisition(
            self.camera, config.camera, pixel_size_um=config.calibration.pixel_size_um, on_frame=self._record_frame
        )
        self.recorder: Recorder | None = None
        self.frame: Frame | None = None
        self.rows = empty_rows()
        self.target: int | None = None
        self.paused = False
        self.queue = LoopQueue()
        self.calibrations = CalibrationStore(config.calibration.file, config.camera.driver)
        self._dispatcher = CommandDispatcher(self)
        self._commands: CommandServer | None = None
        self._sockets = SocketFactory(config.publish)
        try:
            self.publisher = Publisher(config.publish, self.session, self._sockets)
        except UsageError:
            self._sockets.close()
            raise
        self._events = EventPublisher(self.session, self.publisher.send_event)
        try:
            commands, self.command_address = bind_command_socket(config.publish, self._sockets)
            self._commands = CommandServer(commands, self._dispatcher)  # it begins to answer below, when all is there
            self._open_camera()
            if config.record.folder:  # last: a session that cannot begin leaves no recording behind
                record = config.record
                self.recorder = Recorder(record.folder, frames=record.frames, queue_mb=record.queue_mb, settings=config)
        except BaseException:
            self.close()
            raise
        self.stage_latency = StageLatency()
        self.tracked = 0
        self._skipped_by_loop = 0
        self._last_input_error = ""
        self._geometry_number = 0
        self._t_s = -math.inf
        self._started_ns = self._heartbeat_due_ns = time.perf_counter_ns()
        self._rates = _Rates()
        self._commands.start()

    def run(
        self,
        *,
        seconds: float | None = None,
        stop: threading.Event | None = None,
        on_status: Callable[[Status], None] | None = None,
        on_rows: Callable[[Frame, Rows], None] | None = None,
    ) -> Status:
        """Track until `stop` is set, `seconds` are over, or the camera ends; return the last state. Runs once.

        In the last state every frame is accounted for: those received are the tracked and the skipped ones.

        Parameters
        ----------
        on_status
            Called with every heartbeat, about once a second, in this thread: keep it short.
        on_rows
            Called with every frame and its rows, in this thread; the rows are reused for the next frame.

        Raises
        ------
        LivetrackError
            The camera's driver failed.
        """
        stop = stop or threading.Event()
        acquisition = self.acquisition
        warmer = CacheWarmer()
        gc.collect()
        gc.freeze()  # what was loaded until now is never looked through again: no long pauses
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        acquisition.start()
        self._started_ns = time.perf_counter_ns()
        deadline_ns = None if seconds is None else self._started_ns + int(seconds * 1e9)
        while not stop.is_set() and (deadline_ns is None or time.perf_counter_ns() < deadline_ns):
            frame = acquisition.next_frame(warmer.wait_s(_IDLE_S))
            if frame is not None:
                began_ns = time.perf_counter_ns()
                rows = self._track(frame)
                warmer.record(frame.t_received_ns, began_ns, time.perf_counter_ns())
                if on_rows is not None and rows is not None:
                    on_rows(frame, rows)
            elif acquisition.ended:
                break
            elif warmer.is_due() and self.frame is not None and not self.paused:
                self.tracker.rerun_last_frame(self.frame.pixels)
            if self.queue:
                self.queue.drain()
            self._events.poll(self.state, acquisition.message)
            if time.perf_counter_ns() >= self._heartbeat_due_ns:
                self._send_heartbeat(on_status)
        self.queue.close()
        state = acquisition.state if acquisition.ended else "stopped"
        acquisition.stop()
        self._drain_frames(on_rows)
        status = self.status(state)
        self._events.poll(status.state, status.message)
        self.publisher.send_status(status)
        if acquisition.failure is not None:
            raise LivetrackError(f"{self.config.camera.driver}: {acquisition.message}") from acquisition.failure
        return status

    @property
    def skipped(self) -> int:
        """Frames received but not tracked: newer ones came, they could not be tracked, or tracking was paused."""
        return self.acquisition.skipped + self._skipped_by_loop

    @property
    def state(self) -> str:
        """What the session is doing: the camera's state, or "paused"."""
        state = self.acquisition.state
        return "paused" if self.paused and state is CameraState.RUNNING else str(state)

    def status(self, state: str | None = None) -> Status:
        """Return the state of the session: what the heartbeat carries."""
        acquisition, linker, recorder = self.acquisition, self.tracker.linker, self.recorder
        camera_fps, tracked_fps = self._rates.update(acquisition.received, self.tracked)
        return Status(
            session=self.session,
            state=state or self.state,
            message=acquisition.message or self._last_input_error or (recorder.problem if recorder else ""),
            camera=self.config.camera.driver,
            model=self.tracker.localizer.name,
            provider=self.tracker.localizer.provider,
            threads=self.tracker.localizer.threads,
            preview_address=self.publisher.preview_address,
            uptime_s=round((time.perf_counter_ns() - self._started_ns) * 1e-9, 3),
            camera_fps=camera_fps,
            tracked_fps=tracked_fps,
            received=acquisition.received,
            tracked=self.tracked,
            skipped=self.skipped,
            lost=acquisition.lost,
            repeated=acquisition.repeated,
            outages=acquisition.outages,
            born=linker.total_started,
            ended=linker.total_ended,
            approximate_frames=linker.approximate_frames,
            particles=len(self.rows),
            latency_us=self.stage_latency.latency(),
            target=self.target,
            stalls=self._dispatcher.stalls,
            stall_ms=self._dispatcher.stall_ms,
            command_address=self.command_address,
            recording=recorder.status() if recorder else None,
            livetrack=livetrack.__version__,
        )

    def end_tracks(self) -> None:
        """End all trajectories, the target's too: nothing is where it was. For the loop's thread."""
        self.tracker.reset()
        self.rows = empty_rows()  # none of them can be chosen any more
        self.target = None

    def close(self) -> None:
        """Release the camera, write out what is recorded, let the addresses go; all of it, whichever of them fails."""
        with ExitStack() as last_first:
            last_first.callback(gc.unfreeze)
            last_first.callback(sys.setswitchinterval, self._switch_s)
            last_first.callback(self._sockets.close)
            last_first.callback(self.publisher.close)
            last_first.callback(self._events.close)
            if self.recorder is not None:
                last_first.callback(self.recorder.close)
            last_first.callback(self.acquisition.close)
            if self._commands is not None:
                last_first.callback(self._commands.close)
            last_first.callback(self.queue.close)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _track(self, frame: Frame) -> Rows | None:
        """One frame, from received to published: the hot path. None for a frame that cannot be tracked."""
        if self.paused:
            self._skipped_by_loop += 1
            self.publisher.send_preview(frame)
            return None
        tracker, acquisition = self.tracker, self.acquisition
        if frame.geometry_number != self._geometry_number or frame.t_s < self._t_s:
            self.end_tracks()  # another ROI, or a camera whose time began anew
        self._geometry_number, self._t_s = frame.geometry_number, frame.t_s
        try:
            rows = tracker.update(frame.pixels, frame.t_s)
        except InputError as error:  # an ROI too small, a pixel that is no number: the next frame may be fine
            self._skipped_by_loop += 1
            self._last_input_error = f"frame {frame.index} was skipped: {error}"
            return None
        self._last_input_error = ""
        if self.target is not None and self.target in tracker.linker.ended:
            self.target = None
        published_ns = self.publisher.publish(frame, rows, tracker, self.skipped, acquisition.lost, self.target)
        self.stage_latency.record(
            frame.t_exposed_ns, frame.t_received_ns, tracker.t_started_ns, tracker.t_localized_ns, tracker.t_linked_ns,
            published_ns,
        )  # fmt: skip
        self._events.on_frame(frame, tracker.linker, self.target)
        self.tracked += 1
        self.frame, self.rows = frame, rows
        if self.recorder is not None:
            self.recorder.offer_rows(frame, rows)
        return rows

    def _drain_frames(self, on_rows: Callable[[Frame, Rows], None] | None) -> None:
        """Track what still waits once no more frames come, but not for long: whoever has said stop waits too."""
        until_ns = time.perf_counter_ns() + _DRAIN_NS
        while time.perf_counter_ns() < until_ns and (frame := self.acquisition.next_frame(0)) is not None:
            rows = self._track(frame)
            if on_rows is not None and rows is not None:
                on_rows(frame, rows)
        self.acquisition.discard_pending()

    def _record_frame(self, frame: Frame) -> None:
        recorder = self.recorder  # a command may end it meanwhile
        if recorder is not None:
            recorder.offer_frame(frame)

    def _open_camera(self) -> None:
        """Open the camera and have everything warm for its frames before the first is taken."""
        geometry = self.acquisition.open()
        shape = (geometry.height, geometry.width)
        self.tracker.warmup(shape)
        if not self.config.localizer.threads:
            self.tracker.choose_threads(shape)

    def _send_heartbeat(self, on_status: Callable[[Status], None] | None) -> None:
        self._heartbeat_due_ns = time.perf_counter_ns() + _HEARTBEAT_NS
        status = self.status()
        self.publisher.send_status(status)
        if on_status is not None:
            on_status(status)


class _Rates:
    """Frames a second since the last look, of the camera and of the tracker."""

    def __init__(self) -> None:
        self._last = time.perf_counter_ns(), 0, 0
        self._rates = 0.0, 0.0

    def update(self, received: int, tracked: int) -> tuple[float, float]:
        now_ns = time.perf_counter_ns()
        then_ns, received_then, tracked_then = self._last
        elapsed_s = (now_ns - then_ns) * 1e-9
        if elapsed_s > 0.2:  # a look soon after the last one repeats it
            self._rates = (received - received_then) / elapsed_s, (tracked - tracked_then) / elapsed_s
            self._last = now_ns, received, tracked
        return round(self._rates[0], 1), round(self._rates[1], 1)
