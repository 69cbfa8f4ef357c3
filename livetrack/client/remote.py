"""Commands to a running engine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import zmq
from msgspec import structs

from livetrack.camera import Geometry
from livetrack.client.address import DEFAULT_ADDRESS, Keys, connect, connection_hint, resolve_address
from livetrack.client.streams import StatusSubscriber
from livetrack.devices import ActuatorCalibration, Property, Value
from livetrack.errors import CommandError
from livetrack.wire import RecordingStatus, Status, WireError
from livetrack.wire import commands as ask
from livetrack.wire.commands import REQUESTS, Request
from livetrack.wire.exchange import Reply, decode_reply, encode

__all__ = ["Remote"]

R = TypeVar("R")

_LONG_S = 60.0  # for what opens a camera, loads a model, or writes a recording to its end


class Remote:
    """Tells a running engine what to do; every method returns what is in force once it is done.

    ::

        with Remote() as remote:
            remote.set_exposure(5)
            remote.choose_target(x=120, y=80)

    Each method waits for the answer. One thread at a time may use it.

    Parameters
    ----------
    address
        The engine's `publish.address`, as for `Subscriber`, whose heartbeat says where commands go; this takes a
        second at most. Or its `publish.command_address`, which takes no time.
    timeout_s
        How long to wait for an engine, and for an answer; those that take long by nature have a minute.
    keys
        Folder of the client's keys, as for `Subscriber`.

    Raises
    ------
    CommandError
        From every method: the engine refused the command, and why; or nobody answered in time.
    UsageError
        From the constructor: not an address, no machine of that name, or no keys.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, timeout_s: float = 5.0, keys: Keys = None) -> None:
        self.timeout_s = timeout_s
        self.last_reply = Reply()
        """The answer to the last command: how long it took, and for how long it kept frames from coming."""
        self.calibrations: dict[str, ActuatorCalibration] = {}
        self._number = 0
        self.address, self._socket = _find(address, timeout_s, keys)

    # who is there

    def hello(self) -> ask.HelloReply:
        """Return addresses, schema, geometry, calibration, settings in force, state, and the engine's clock."""
        sent_ns = time.perf_counter_ns()
        welcome = self._ask(ask.Hello(t_client_ns=sent_ns))
        back_ns = time.perf_counter_ns()
        offset_ns = (welcome.t_received_ns - sent_ns + welcome.t_sent_ns - back_ns) // 2
        round_trip_ns = (back_ns - sent_ns) - (welcome.t_sent_ns - welcome.t_received_ns)
        return structs.replace(welcome, clock_offset_ns=offset_ns, round_trip_ns=round_trip_ns)

    def state(self) -> Status:
        """Return what the next heartbeat would say."""
        return self._ask(ask.State())

    # tracking

    def stop(self) -> str:
        """Close the camera: nothing is received, tracked or recorded until `start`. Returns the state."""
        return self._ask(ask.Stop(), _LONG_S)

    def start(self) -> str:
        """Open the camera again."""
        return self._ask(ask.Start(), _LONG_S)

    def pause(self) -> str:
        """Track no frame until `resume`; they still come, and are shown and recorded. Returns the state."""
        return self._ask(ask.Pause())

    def resume(self) -> str:
        """Track again. The trajectories are new ones."""
        return self._ask(ask.Resume())

    def set_threshold(self, threshold: float | None) -> float:
        """Keep the rows of this score or more, 0..1; None takes the model's own."""
        if threshold is not None and math.isnan(threshold):  # which JSON would take for None
            raise CommandError("set_threshold: NaN is no score; give 0..1, or None")
        return self._ask(ask.SetThreshold(threshold=threshold))

    def set_search_radius(self, search_radius_px: float) -> float:
        """Link particles no farther than this from where they are expected."""
        return self._ask(ask.SetSearchRadius(search_radius_px=search_radius_px))

    def swap_model(self, model: str | Path) -> str:
        """Find the particles with another model, once it is loaded and warm; trajectories go on. Returns its name.

        Parameters
        ----------
        model
            A shipped model's name, an ONNX file as the engine's machine sees it, "centroid" or "radial_symmetry".
        """
        return self._ask(ask.SwapModel(model=str(model)), _LONG_S)

    def choose_target(
        self, particle: int | None = None, *, x: float | None = None, y: float | None = None, within_px: float = 20.0
    ) -> int:
        """Make a trajectory of the newest frame the target, and return its id.

        The one of id `particle`, or the nearest to `x`, `y`, no farther than `within_px`. `Update.target` and
        `Status.target` say which it is, and None from when it has ended.
        """
        try:
            request = ask.ChooseTarget(particle=particle, x=x, y=y, within_px=within_px)
        except ValueError as error:
            raise CommandError(f"choose_target: {error}") from None
        return self._ask(request)

    def clear_target(self) -> None:
        """Have no target."""
        self._ask(ask.ClearTarget())

    # recording

    def start_recording(self, folder: str | Path = "", *, frames: bool | None = None) -> RecordingStatus:
        """Record into a new folder below `folder`, as the engine's machine sees it; empty takes `record.folder`.

        `frames`: whether to write the pixels too; None does as the settings say.
        """
        return self._ask(ask.StartRecording(folder=str(folder), frames=frames))

    def stop_recording(self) -> RecordingStatus:
        """Write what waits, close the recording, and return what is in it."""
        return self._ask(ask.StopRecording(), _LONG_S)

    # the camera

    def properties(self) -> list[Property]:
        """Return what the camera can be told, with values in force and limits."""
        return self._ask(ask.Properties(), _LONG_S)

    def set_property(self, name: str, value: Value) -> Property:
        """Set one of `properties`; through Micro-Manager, any "Device.Property"."""
        return self._ask(ask.SetProperty(name=name, value=value), _LONG_S)

    def set_exposure(self, exposure_ms: float) -> float:
        """Expose each picture for so long, ms."""
        return float(self._ask(ask.SetExposure(exposure_ms=exposure_ms)).value)

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Have a part of the image only, in px of the whole image as delivered (binned)."""
        return self._ask(ask.SetRoi(x=x, y=y, width=width, height=height))

    def clear_roi(self) -> Geometry:
        """Have the whole image again."""
        return self._ask(ask.ClearRoi())

    # what moves

    def actuators(self) -> list[ask.ActuatorState]:
        """Return what can be moved, and where it is."""
        return self._ask(ask.Actuators())

    def move_to(self, actuator: str, *position: float, wait: bool = False) -> ask.MoveResult:
        """Move an actuator to a position, one number for each axis, in its own unit.

        Returns once it has the order; with `wait`, once it has arrived.
        """
        return self._ask(ask.MoveTo(actuator=actuator, position=_numbers(position), wait=wait), self._patience(wait))

    def move_by(self, actuator: str, *step: float, wait: bool = False) -> ask.MoveResult:
        """Move an actuator by a step; see `move_to`."""
        return self._ask(ask.MoveBy(actuator=actuator, step=_numbers(step), wait=wait), self._patience(wait))

    def move_stage(self, dx_um: float, dy_um: float, *, wait: bool = False) -> ask.MoveResult:
        """Move the stage by a step, µm along its own axes."""
        return self.move_by("stage", dx_um, dy_um, wait=wait)

    def set_galvo(self, x: float, y: float, *, wait: bool = False) -> ask.MoveResult:
        """Point the galvo, in its own unit."""
        return self.move_to("galvo", x, y, wait=wait)

    def move(self, actuator: str, dx_px: float, dy_px: float, *, wait: bool = False) -> ask.MoveResult:
        """Move an actuator so that the particles move by so many px in the picture; needs `livetrack calibrate`."""
        return self.move_by(actuator, *self.calibration(actuator).move(float(dx_px), float(dy_px)), wait=wait)

    def calibration(self, actuator: str) -> ActuatorCalibration:
        """Return how the picture answers an actuator; one that is not calibrated for this picture is refused.

        It is asked for once; `calibrations.clear()` has it asked for again.
        """
        if actuator not in self.calibrations:
            welcome = self.hello()
            if actuator not in welcome.calibrations:
                raise CommandError(
                    f"actuator {actuator!r} is not calibrated: run `livetrack calibrate {actuator}` first"
                )
            found = welcome.calibrations[actuator]
            found.check(found.camera, welcome.geometry)
            self.calibrations[actuator] = found
        return self.calibrations[actuator]

    def store_calibration(self, calibration: ActuatorCalibration) -> None:
        """Have the engine keep an actuator's calibration, for all clients and for sessions to come."""
        self._ask(ask.StoreCalibration(calibration=calibration))
        self.calibrations[calibration.actuator] = calibration

    def close(self) -> None:
        """Disconnect; harmless when done already."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _patience(self, wait: bool) -> float | None:
        return _LONG_S if wait else None

    def _ask(self, request: Request[R], timeout_s: float | None = None) -> R:
        """Send a request, and return the result in its reply; answers that come too late are passed over."""
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        self._number += 1
        if not self._socket.poll(round(self.timeout_s * 1000), zmq.POLLOUT):
            raise CommandError(f"{self.address}: no engine there any more")
        self._socket.send(encode(structs.replace(request, id=self._number)))
        while (left_s := deadline - time.monotonic()) > 0:
            if self._socket.poll(math.ceil(left_s * 1000)):
                reply = decode_reply(self._socket.recv())
                if reply.id in (self._number, 0):
                    self.last_reply = reply
                    result: R = _result(reply, REQUESTS[type(request)])
                    return result
        name = request.__struct_config__.tag
        raise CommandError(f"{self.address}: no answer to {name} within {timeout_s:g} s; it may still be done")


def _numbers(values: Sequence[float]) -> tuple[float, ...]:
    """Return them as Python's own: NumPy's are no numbers to JSON."""
    return tuple(map(float, values))


def _result(reply: Reply, kind: Any) -> Any:
    if reply.error:
        raise CommandError(reply.error)
    try:
        return msgspec.convert(reply.result, kind)
    except msgspec.ValidationError as error:
        raise CommandError(f"the answer cannot be read ({error}): is the same livetrack on both sides?") from None


def _find(address: str, timeout_s: float, keys: Keys) -> tuple[str, zmq.Socket[bytes]]:
    """Return where the engine takes commands, and a socket connected there: to `address`, or where its beat says."""
    socket = _connect(address, keys)
    try:
        with StatusSubscriber(address, keys) as beats:
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                if socket.poll(1, zmq.POLLOUT):  # only a socket that takes commands lets this one in
                    return address, socket
                status = _beat(beats)
                if status is not None and status.command_address:
                    socket.close()
                    address = resolve_address(status.command_address, address)
                    socket = _connect(address, keys)
                    return address, socket
    except BaseException:
        socket.close()
        raise
    socket.close()
    raise CommandError(f"{address}: no engine has answered for {timeout_s:g} s: {connection_hint(address)}")


def _beat(beats: StatusSubscriber) -> Status | None:
    try:
        return beats.receive(0.02)
    except WireError:  # another program's, or another version's: the commands may still be understood
        return None


def _connect(address: str, keys: Keys) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for an engine that may come later: a stage would move then
    connect(socket, address, keys)
    return socket
