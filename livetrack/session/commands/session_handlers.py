"""Handlers of the commands to the tracking loop and the recorder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs

import livetrack
from livetrack.errors import CommandError
from livetrack.localize import Localizer
from livetrack.localize.inference.onnx_file import NotAModelError
from livetrack.localize.models import localizer_names
from livetrack.localize.network import NetworkLocalizer
from livetrack.localize.resizing import ResizingLocalizer
from livetrack.particles import ROW, Flag
from livetrack.record import Recorder
from livetrack.session.commands.registry import LOOP, CommandContext, handles
from livetrack.session.loop import TrackingLoop
from livetrack.tracker import PIXEL_TYPES, Tracker
from livetrack.wire import HEADER, VERSION, RecordingStatus, Status, commands
from livetrack.wire.common import dtype_schema

__all__: list[str] = []

_NETWORKS = (NetworkLocalizer, ResizingLocalizer)


@handles(commands.Hello)
def hello(context: CommandContext, request: commands.Hello) -> commands.HelloReply:
    """Return everything that a client needs to know when it connects."""
    received_ns = time.perf_counter_ns()
    loop = context.loop
    settings = msgspec.to_builtins(loop.config, enc_hook=str)
    status = loop.status()
    now = loop.acquisition.geometry_record.now
    return commands.HelloReply(
        session=status.session,
        livetrack=livetrack.__version__,
        wire_version=VERSION,
        addresses=commands.Addresses(
            positions=loop.publisher.address, preview=status.preview_address, commands=status.command_address
        ),
        header=dtype_schema(HEADER),
        rows=dtype_schema(ROW),
        geometry=now.geometry,
        geometry_number=now.number,
        calibration=settings["calibration"],
        calibrations=context.calibrations.valid(now.geometry),
        refused_calibrations=context.calibrations.refusals(now.geometry),
        geometry_checked=True,
        settings=settings,
        models=tuple(localizer_names()),
        status=status,
        t_client_ns=request.t_client_ns,
        t_received_ns=received_ns,
        t_sent_ns=time.perf_counter_ns(),
        wall_ns=time.time_ns(),
    )


@handles(commands.State)
def state(context: CommandContext, _: commands.State) -> Status:
    """Return the status."""
    return context.loop.status()


@handles(commands.Pause, worker=LOOP)
def pause(context: CommandContext, _: commands.Pause) -> str:
    """Skip all frames from now on."""
    return _set_paused(context.loop, True)


@handles(commands.Resume, worker=LOOP)
def resume(context: CommandContext, _: commands.Resume) -> str:
    """Track again. The old tracks have ended: the particles have moved in the meantime."""
    return _set_paused(context.loop, False)


@handles(commands.SetThreshold, worker=LOOP)
def set_threshold(context: CommandContext, request: commands.SetThreshold) -> float:
    """Set the minimum score; without a value, the model's default."""
    localizer = context.loop.tracker.localizer
    _apply_threshold(localizer, request.threshold)
    _update_config(context.loop, "localizer", threshold=request.threshold)
    return localizer.threshold


@handles(commands.SetSearchRadius, worker=LOOP)
def set_search_radius(context: CommandContext, request: commands.SetSearchRadius) -> float:
    """Set the linker's search radius."""
    context.loop.tracker.linker.set_search_radius(request.search_radius_px)
    _update_config(context.loop, "linker", search_radius_px=request.search_radius_px)
    return request.search_radius_px


@handles(commands.ChooseTarget, worker=LOOP)
def choose_target(context: CommandContext, request: commands.ChooseTarget) -> int:
    """Make a track of the newest frame the target and return its id."""
    loop = context.loop
    rows = loop.rows[(loop.rows["flags"] & Flag.COASTED) == 0]
    if not len(rows):
        raise CommandError("the newest frame has no particle to choose")
    if request.particle is not None:
        if request.particle not in rows["id"]:
            raise CommandError(f"no particle of the newest frame has the id {request.particle}")
        loop.target = request.particle
        return request.particle
    distance = np.hypot(rows["x"] - request.x, rows["y"] - request.y)
    nearest = distance.argmin()
    if distance[nearest] > request.within_px:
        raise CommandError(
            f"no particle within {request.within_px:g} px of x = {request.x:g}, y = {request.y:g}: "
            f"the nearest is {distance[nearest]:.0f} px away"
        )
    loop.target = int(rows["id"][nearest])
    return loop.target


@handles(commands.ClearTarget, worker=LOOP)
def clear_target(context: CommandContext, _: commands.ClearTarget) -> None:
    """Clear the target."""
    context.loop.target = None


@handles(commands.SwapModel, worker="model")
def swap_model(context: CommandContext, request: commands.SwapModel) -> str:
    """Load and warm up another localizer, then switch to it between two frames; return its name."""
    loop = context.loop
    settings = structs.replace(loop.config.localizer, model=request.model)
    try:
        tracker = Tracker.from_config(structs.replace(loop.config, localizer=settings))
    except NotAModelError:  # without the reason: a client is not to find out which files there are
        raise CommandError(f"model {request.model}: the engine cannot open it as a model of livetrack") from None
    old, new = loop.tracker.localizer, tracker.localizer
    if isinstance(old, _NETWORKS) and isinstance(new, _NETWORKS):
        new.run_like(old if isinstance(old, NetworkLocalizer) else old.network)
    geometry, frame = loop.acquisition.geometry, loop.frame
    tracker.warmup((geometry.height, geometry.width), (frame.pixels.dtype,) if frame else PIXEL_TYPES)

    def switch() -> str:
        loop.tracker.use(new)
        _apply_threshold(new, loop.config.localizer.threshold)  # may have been set during the warm-up
        _update_config(loop, "localizer", model=request.model)
        return new.name

    return loop.queue.run_in_loop(switch)


@handles(commands.StartRecording, worker="recording")
def start_recording(context: CommandContext, request: commands.StartRecording) -> RecordingStatus:
    """Start a recording."""
    loop = context.loop
    if loop.recorder is not None:
        if not loop.recorder.problem:
            raise CommandError(f"already recording into {loop.recorder.folder}: stop that recording first")
        stop_recording(context, commands.StopRecording())  # it has stopped by itself
    folder = request.folder or loop.config.record.folder
    if not folder:
        raise CommandError("no folder to record into: give one, or set record.folder")
    _check_folder(folder, loop.config.record.folder)
    recorder = Recorder.from_config(loop.config, folder, request.frames)

    def begin() -> None:
        loop.recorder = recorder

    try:
        loop.queue.run_in_loop(begin)
    except CommandError:
        recorder.close()
        raise
    return recorder.status()


@handles(commands.StopRecording, worker="recording")
def stop_recording(context: CommandContext, _: commands.StopRecording) -> RecordingStatus:
    """Stop the recording and finish writing it."""
    loop = context.loop

    def end() -> Recorder:
        if loop.recorder is None:
            raise CommandError("no recording is running")
        recorder, loop.recorder = loop.recorder, None
        return recorder

    recorder = loop.queue.run_in_loop(end)
    recorder.close(quick=True)
    loop.recordings.append(recorder.status())
    return recorder.status()


def _check_folder(folder: str, allowed: str) -> None:
    """Refuse `..`, and a folder outside of the one that the settings name, if any. Raises `CommandError`."""
    try:
        if ".." in Path(folder).parts:
            raise CommandError(f"cannot record into {folder}: give the folder without '..'")
        inside = not allowed or Path(folder).resolve().is_relative_to(Path(allowed).resolve())
    except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
        raise CommandError(f"cannot record into {folder!a}: it is no name of a folder") from None
    if not inside:
        raise CommandError(f"cannot record into {folder}: the settings allow folders in record.folder = {allowed} only")


def _set_paused(loop: TrackingLoop, paused: bool) -> str:
    if paused != loop.paused:
        loop.end_tracks()
    loop.paused = paused
    return loop.state


def _apply_threshold(localizer: Localizer, threshold: float | None) -> None:
    localizer.threshold = localizer.default_threshold if threshold is None else threshold


def _update_config(loop: TrackingLoop, section: str, **values: Any) -> None:
    """Update the session's settings, so that clients see the current ones."""
    changed = structs.replace(getattr(loop.config, section), **values)
    loop.config = structs.replace(loop.config, **{section: changed})
