"""Commands to the tracker, the recorder and the session; each is called with the engine and the request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import structs

import livetrack
from livetrack.errors import CommandError
from livetrack.localize import Localizer
from livetrack.localize.models import localizer_names
from livetrack.localize.network import NetworkLocalizer
from livetrack.particles import ROW, Flag
from livetrack.record import Recorder
from livetrack.tracker import PIXEL_TYPES, Tracker
from livetrack.wire import HEADER, VERSION, RecordingStatus, Status
from livetrack.wire import commands as ask
from livetrack.wire.common import dtype_schema

if TYPE_CHECKING:
    from livetrack.session.engine import Engine

__all__ = [
    "choose_target", "clear_target", "hello", "pause", "resume", "set_search_radius", "set_threshold",
    "start_recording", "state", "stop_recording", "swap_model",
]  # fmt: skip


def hello(engine: Engine, request: ask.Hello) -> ask.HelloReply:
    """Say all that somebody who joins late has to know."""
    received_ns = time.perf_counter_ns()
    settings = msgspec.to_builtins(engine.config, enc_hook=str)
    acquisition, publisher = engine.acquisition, engine.publisher
    status = engine.status()
    return ask.HelloReply(
        session=engine.session,
        livetrack=livetrack.__version__,
        wire_version=VERSION,
        addresses=ask.Addresses(
            positions=publisher.address, preview=publisher.preview_address, commands=status.command_address
        ),
        header=dtype_schema(HEADER),
        rows=dtype_schema(ROW),
        geometry=acquisition.geometry,
        geometry_number=acquisition.geometry_number,
        calibration=settings["calibration"],
        calibrations=engine.calibrations.for_camera(),
        settings=settings,
        models=tuple(localizer_names()),
        status=status,
        t_client_ns=request.t_client_ns,
        t_received_ns=received_ns,
        t_sent_ns=time.perf_counter_ns(),
        wall_ns=time.time_ns(),
    )


def state(engine: Engine, _: ask.State) -> Status:
    """Say what the heartbeat carries."""
    return engine.status()


def pause(engine: Engine, _: ask.Pause) -> str:
    """Track no more."""
    return _pause(engine, True)


def resume(engine: Engine, _: ask.Resume) -> str:
    """Track again: where the particles are now nobody knows."""
    return _pause(engine, False)


def set_threshold(engine: Engine, request: ask.SetThreshold) -> float:
    """Set the least score; without a value, back to the model's own."""

    def change() -> float:
        localizer = engine.tracker.localizer
        _use_threshold(localizer, request.threshold)
        _update_config(engine, "localizer", threshold=request.threshold)
        return localizer.threshold

    return engine.queue.run_in_loop(change)


def set_search_radius(engine: Engine, request: ask.SetSearchRadius) -> float:
    """Set how far particles may be from where they are expected."""

    def change() -> float:
        engine.tracker.linker.set_search_radius(request.search_radius_px)
        _update_config(engine, "linker", search_radius_px=request.search_radius_px)
        return request.search_radius_px

    return engine.queue.run_in_loop(change)


def choose_target(engine: Engine, request: ask.ChooseTarget) -> int:
    """Make a trajectory of the newest frame the target; return its id."""

    def choose() -> int:
        rows = engine.rows[(engine.rows["flags"] & Flag.COASTED) == 0]
        if not len(rows):
            raise CommandError("the newest frame has no particle to choose")
        if request.particle is not None:
            if request.particle not in rows["id"]:
                raise CommandError(f"no particle of the newest frame has the id {request.particle}")
            engine.target = request.particle
            return request.particle
        distance = np.hypot(rows["x"] - request.x, rows["y"] - request.y)
        nearest = distance.argmin()
        if distance[nearest] > request.within_px:
            raise CommandError(
                f"no particle within {request.within_px:g} px of x = {request.x:g}, y = {request.y:g}: "
                f"the nearest is {distance[nearest]:.0f} px away"
            )
        engine.target = int(rows["id"][nearest])
        return engine.target

    return engine.queue.run_in_loop(choose)


def clear_target(engine: Engine, _: ask.ClearTarget) -> None:
    """Have no target."""

    def clear() -> None:
        engine.target = None

    engine.queue.run_in_loop(clear)


def swap_model(engine: Engine, request: ask.SwapModel) -> str:
    """Load and warm another model beside the old one, then change over between two frames; return its name."""
    settings = structs.replace(engine.config.localizer, model=request.model)
    tracker = Tracker.from_config(structs.replace(engine.config, localizer=settings))
    old, new = engine.tracker.localizer, tracker.localizer
    if isinstance(old, NetworkLocalizer) and isinstance(new, NetworkLocalizer):
        new.use_threads(old.inference.threads, old.inference.spinning)
    geometry, frame = engine.acquisition.geometry, engine.frame
    tracker.warmup((geometry.height, geometry.width), (frame.pixels.dtype,) if frame else PIXEL_TYPES)

    def change() -> str:
        engine.tracker.use(new)
        _use_threshold(new, engine.config.localizer.threshold)  # it may have been set while the model was loaded
        _update_config(engine, "localizer", model=request.model)
        return new.name

    return engine.queue.run_in_loop(change)


def start_recording(engine: Engine, request: ask.StartRecording) -> RecordingStatus:
    """Begin a recording."""
    if engine.recorder is not None:
        raise CommandError(f"a recording runs already, into {engine.recorder.folder}: stop it first")
    record = engine.config.record
    folder = request.folder or record.folder
    if not folder:
        raise CommandError("no folder to record into: give one, or set record.folder")
    frames = record.frames if request.frames is None else request.frames
    recorder = Recorder(folder, frames=frames, queue_mb=record.queue_mb, settings=engine.config)

    def begin() -> None:
        engine.recorder = recorder

    try:
        engine.queue.run_in_loop(begin)
    except CommandError:
        recorder.close()
        raise
    return recorder.status()


def stop_recording(engine: Engine, _: ask.StopRecording) -> RecordingStatus:
    """End the recording, with all that waits written."""

    def end() -> Recorder:
        if engine.recorder is None:
            raise CommandError("no recording runs")
        recorder, engine.recorder = engine.recorder, None
        return recorder

    recorder = engine.queue.run_in_loop(end)
    recorder.close()
    return recorder.status()


def _pause(engine: Engine, paused: bool) -> str:
    def change() -> str:
        if paused != engine.paused:
            engine.end_tracks()
        engine.paused = paused
        return engine.state

    return engine.queue.run_in_loop(change)


def _use_threshold(localizer: Localizer, threshold: float | None) -> None:
    localizer.threshold = localizer.default_threshold if threshold is None else threshold


def _update_config(engine: Engine, section: str, **values: Any) -> None:
    """Keep `engine.config` what is in force."""
    changed = structs.replace(getattr(engine.config, section), **values)
    engine.config = structs.replace(engine.config, **{section: changed})
