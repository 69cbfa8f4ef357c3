"""The engine: builds the parts of a session from its settings, runs them, and closes them."""

from __future__ import annotations

import gc
import secrets
import sys
import threading
from contextlib import ExitStack

from livetrack.camera import Camera, Frame, load_driver
from livetrack.config import Config
from livetrack.devices import HasOptics
from livetrack.particles import Rows
from livetrack.record import Recorder
from livetrack.record.environment import environment
from livetrack.session.acquisition import Acquisition
from livetrack.session.commands import CalibrationStore, CommandContext, CommandDispatcher, CommandServer, MoveGuard
from livetrack.session.connection_guard import ConnectionGuard
from livetrack.session.event_publisher import EventPublisher
from livetrack.session.geometry_watcher import GeometryWatcher
from livetrack.session.loop import OnRows, OnStatus, TrackingLoop
from livetrack.session.motion import MotionControl
from livetrack.session.publisher import Publisher, bind_command_socket
from livetrack.session.sockets import SocketFactory
from livetrack.tracker import Tracker
from livetrack.wire import RecordingStatus, Status

__all__ = ["Engine"]

_SWITCH_INTERVAL_S = 5e-4  # how long a thread may hold the GIL while another one has a frame; Python's default: 5 ms


class Engine:
    """One tracking session.

        with Engine(load_config("config.toml")) as engine:
            engine.run(seconds=10)

    Parameters
    ----------
    config
        Settings of the session.
    camera
        A camera to use instead of the one that `config` names.

    Raises
    ------
    LivetrackError
        From the constructor: a setting, model, camera, address or folder cannot be used; nothing stays open.
    """

    def __init__(self, config: Config, camera: Camera | None = None) -> None:
        environment()  # takes 30 ms the first time: not while frames come, when a recording starts
        self.session = secrets.randbits(53)  # JSON's numbers are exact to 53 bits
        tracker = Tracker.from_config(config)
        self.camera = camera or load_driver(config.camera.driver)(config.driver_settings)
        self.acquisition = Acquisition(self.camera, config.camera, pixel_size_um=config.calibration.pixel_size_um)
        calibrations = CalibrationStore(config.calibration.file, config.camera.driver)
        with ExitStack() as opened:  # closes in the reverse order, each part even if another one fails to close
            opened.callback(gc.unfreeze)
            opened.callback(sys.setswitchinterval, sys.getswitchinterval())
            connections = ConnectionGuard()
            opened.callback(connections.close)
            sockets = SocketFactory(config.publish, connections)
            opened.callback(sockets.close)
            self.publisher = Publisher(config.publish, self.session, sockets)
            opened.callback(self.publisher.close)
            events = EventPublisher(self.session, self.publisher.send_event)
            opened.callback(events.close)
            socket, self.command_address = bind_command_socket(config.publish, sockets)
            self._loop = TrackingLoop(
                config, tracker, self.acquisition, self.publisher, events,
                session=self.session, command_address=self.command_address,
            )  # fmt: skip
            opened.callback(self._loop.close_recorder)
            opened.callback(self.acquisition.close)
            guard = MoveGuard(self.session, self.acquisition.geometry_record)
            motion = MotionControl(self.camera, config)
            opened.callback(motion.cancel)
            self._loop.motion_halted = lambda: motion.permission.halted
            self._loop.notes.calibrations = calibrations.of_camera
            context = CommandContext(self._loop, self.camera, calibrations, guard, motion)
            server = CommandServer(socket, CommandDispatcher(context), connections.note_whole_message)
            opened.callback(server.close)
            opened.callback(self._loop.queue.close)
            self._open_camera()
            motion.check_settings()
            if isinstance(self.camera, HasOptics):
                watcher = GeometryWatcher(self.camera, self.acquisition)
                opened.callback(watcher.close)
                watcher.start()
            if config.record.folder:  # last: a session that cannot start leaves no recording behind
                self._loop.recorder = Recorder.from_config(config)
            server.start()
            self._opened = opened.pop_all()

    def run(
        self,
        *,
        seconds: float | None = None,
        stop: threading.Event | None = None,
        on_status: OnStatus | None = None,
        on_rows: OnRows | None = None,
    ) -> Status:
        """Track until `stop` is set, `seconds` are over, or the camera ends; return the last status. Runs once.

        In the last status the frames add up: received = tracked + skipped.

        Parameters
        ----------
        on_status
            Called with every heartbeat, about once a second, in this thread: keep it short.
        on_rows
            Called with every tracked frame and its rows, in this thread; the rows are reused for the next frame.

        Raises
        ------
        LivetrackError
            The camera's driver failed.
        """
        gc.collect()
        gc.freeze()  # the garbage collector never visits what is loaded by now: no long pauses
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        return self._loop.run(seconds=seconds, stop=stop or threading.Event(), on_status=on_status, on_rows=on_rows)

    @property
    def config(self) -> Config:
        """Current settings, including what commands have changed."""
        return self._loop.config

    @property
    def tracker(self) -> Tracker:
        """The tracker in use."""
        return self._loop.tracker

    @property
    def recorder(self) -> Recorder | None:
        """The current recording; None if there is none."""
        return self._loop.recorder

    @property
    def recordings(self) -> list[RecordingStatus]:
        """What each recording of the session contains and lacks, in order, the current one included."""
        current = [] if self._loop.recorder is None else [self._loop.recorder.status()]
        return [*self._loop.recordings, *current]

    @property
    def frame(self) -> Frame | None:
        """The last frame that was tracked."""
        return self._loop.frame

    @property
    def rows(self) -> Rows:
        """The rows of `frame`, (N,); reused for the next frame."""
        return self._loop.rows

    @property
    def target(self) -> int | None:
        """The id of the target's track; None if there is no target."""
        return self._loop.target

    def status(self) -> Status:
        """Return the status that the heartbeat carries."""
        return self._loop.status()

    def close(self) -> None:
        """Release the camera, finish the recording, and unbind the addresses; harmless if called twice."""
        self._opened.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_camera(self) -> None:
        """Open the camera and warm up for its frames before the first one is taken."""
        geometry = self.acquisition.open()
        shape = (geometry.height, geometry.width)
        self.tracker.warmup(shape)
        if not self.config.localizer.threads:
            self.tracker.choose_runtime(shape)
