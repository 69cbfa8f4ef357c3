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
from livetrack.wire import RecordingStatus, Status, WireError, commands
from livetrack.wire.commands import REQUESTS, Request
from livetrack.wire.exchange import Reply, decode_reply, encode

__all__ = ["Remote"]

R = TypeVar("R")

_LONG_S = 60.0  # timeout for opening a camera, loading a model, or finishing a recording


class Remote:
    """Sends commands to a running engine; each method returns the values in force after the command.

        with Remote() as remote:
            remote.set_exposure(5)
            remote.choose_target(x=120, y=80)

    Each method waits for the reply. Not thread-safe: use a `Remote` per thread.

    Parameters
    ----------
    address
        The engine's `publish.address`, as for `Subscriber`; the command address is then taken from its heartbeat,
        within about a second. Or its `publish.command_address`, to connect at once.
    timeout_s
        Time to wait for the engine, and for a reply; slow commands have a minute.
    keys
        Folder of the client's keys, as for `Subscriber`.

    Raises
    ------
    CommandError
        From every method: the engine rejected the command, with the reason, or did not reply in time.
    UsageError
        From the constructor: not an address, an unknown host, or no keys.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, timeout_s: float = 5.0, keys: Keys = None) -> None:
        self.timeout_s = timeout_s
        self.last_reply = Reply()
        """The last reply, with the duration of the command and of the stall of the camera that it caused."""
        self.calibrations: dict[str, ActuatorCalibration] = {}
        self._last_id = 0
        self.address, self._socket = _find(address, timeout_s, keys)

    # the engine

    def hello(self) -> commands.HelloReply:
        """Return addresses, schema, geometry, calibrations, current settings, status, and the engine's clock."""
        sent_ns = time.perf_counter_ns()
        reply = self._request(commands.Hello(t_client_ns=sent_ns))
        back_ns = time.perf_counter_ns()
        offset_ns = (reply.t_received_ns - sent_ns + reply.t_sent_ns - back_ns) // 2
        round_trip_ns = (back_ns - sent_ns) - (reply.t_sent_ns - reply.t_received_ns)
        return structs.replace(reply, clock_offset_ns=offset_ns, round_trip_ns=round_trip_ns)

    def state(self) -> Status:
        """Return the status, as in the heartbeat."""
        return self._request(commands.State())

    # tracking

    def stop(self) -> str:
        """Close the camera until `start`: nothing is received, tracked or recorded. Returns the state."""
        return self._request(commands.Stop(), _LONG_S)

    def start(self) -> str:
        """Open the camera again. Returns the state."""
        return self._request(commands.Start(), _LONG_S)

    def pause(self) -> str:
        """Skip all frames until `resume`; they are still shown and recorded. Returns the state."""
        return self._request(commands.Pause())

    def resume(self) -> str:
        """Track again, with new tracks. Returns the state."""
        return self._request(commands.Resume())

    def set_threshold(self, threshold: float | None) -> float:
        """Leave out rows with a score below this, 0..1; None for the model's default."""
        if threshold is not None and math.isnan(threshold):  # JSON would turn it into None
            raise CommandError("set_threshold: NaN is not a score; give 0..1, or None")
        return self._request(commands.SetThreshold(threshold=threshold))

    def set_search_radius(self, search_radius_px: float) -> float:
        """Set the maximum distance between the expected and the found position of a particle, px."""
        return self._request(commands.SetSearchRadius(search_radius_px=search_radius_px))

    def swap_model(self, model: str | Path) -> str:
        """Switch to another localizer once it is loaded and warmed up; tracks continue. Returns its name.

        Parameters
        ----------
        model
            Name of a model or method, as in `hello().models`, or an ONNX file on the engine's machine.
        """
        return self._request(commands.SwapModel(model=str(model)), _LONG_S)

    def choose_target(
        self, particle: int | None = None, *, x: float | None = None, y: float | None = None, within_px: float = 20.0
    ) -> int:
        """Make a track of the newest frame the target, and return its id.

        It is the track with id `particle`, or the nearest to `x`, `y` within `within_px`. `Update.target` and
        `Status.target` contain the id, or None once the track has ended.
        """
        try:
            request = commands.ChooseTarget(particle=particle, x=x, y=y, within_px=within_px)
        except ValueError as error:
            raise CommandError(f"choose_target: {error}") from None
        return self._request(request)

    def clear_target(self) -> None:
        """Clear the target."""
        self._request(commands.ClearTarget())

    # recording

    def start_recording(self, folder: str | Path = "", *, frames: bool | None = None) -> RecordingStatus:
        """Record into a new folder inside `folder` on the engine's machine; empty for the setting `record.folder`.

        `frames`: whether to write the images too; None for the setting `record.frames`.
        """
        return self._request(commands.StartRecording(folder=str(folder), frames=frames))

    def stop_recording(self) -> RecordingStatus:
        """Finish writing, close the recording, and return its contents."""
        return self._request(commands.StopRecording(), _LONG_S)

    # the camera

    def properties(self) -> list[Property]:
        """Return the camera's properties, with current values and limits."""
        return self._request(commands.Properties(), _LONG_S)

    def set_property(self, name: str, value: Value) -> Property:
        """Set one of `properties`; through Micro-Manager, any "Device.Property"."""
        return self._request(commands.SetProperty(name=name, value=value), _LONG_S)

    def set_exposure(self, exposure_ms: float) -> float:
        """Set the exposure, ms; return the exposure in force."""
        return float(self._request(commands.SetExposure(exposure_ms=exposure_ms)).value)

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Set the region of interest, px of the full frame as delivered (binned)."""
        return self._request(commands.SetRoi(x=x, y=y, width=width, height=height))

    def clear_roi(self) -> Geometry:
        """Deliver full frames again."""
        return self._request(commands.ClearRoi())

    # actuators

    def actuators(self) -> list[commands.ActuatorState]:
        """Return the actuators and their positions."""
        return self._request(commands.Actuators())

    def move_to(self, actuator: str, *position: float, wait: bool = False) -> commands.MoveResult:
        """Move an actuator to a position, one number per axis, in its own unit.

        Returns once the device has accepted the command; with `wait`, once the move is complete.
        """
        return self._request(
            commands.MoveTo(actuator=actuator, position=_floats(position), wait=wait), _move_timeout(wait)
        )

    def move_by(self, actuator: str, *step: float, wait: bool = False) -> commands.MoveResult:
        """Move an actuator by a step; see `move_to`."""
        return self._request(commands.MoveBy(actuator=actuator, step=_floats(step), wait=wait), _move_timeout(wait))

    def move_stage(self, dx_um: float, dy_um: float, *, wait: bool = False) -> commands.MoveResult:
        """Move the stage by a step, µm along its own axes."""
        return self.move_by("stage", dx_um, dy_um, wait=wait)

    def set_galvo(self, x: float, y: float, *, wait: bool = False) -> commands.MoveResult:
        """Set the position of the galvo, in its own unit."""
        return self.move_to("galvo", x, y, wait=wait)

    def move(self, actuator: str, dx_px: float, dy_px: float, *, wait: bool = False) -> commands.MoveResult:
        """Move an actuator so that the particles move by this many px in the image; needs `livetrack calibrate`."""
        return self.move_by(actuator, *self.calibration(actuator).move(float(dx_px), float(dy_px)), wait=wait)

    def calibration(self, actuator: str) -> ActuatorCalibration:
        """Return the calibration of an actuator.

        It is fetched once; `calibrations.clear()` causes it to be fetched again.

        Raises
        ------
        CommandError
            The actuator is not calibrated.
        UsageError
            It was calibrated for another binning or pixel size.
        """
        if actuator not in self.calibrations:
            reply = self.hello()
            if actuator not in reply.calibrations:
                raise CommandError(
                    f"actuator {actuator!r} is not calibrated: run `livetrack calibrate {actuator}` first"
                )
            calibration = reply.calibrations[actuator]
            calibration.check(calibration.camera, reply.geometry)
            self.calibrations[actuator] = calibration
        return self.calibrations[actuator]

    def store_calibration(self, calibration: ActuatorCalibration) -> None:
        """Store an actuator's calibration in the engine, for all clients and future sessions."""
        self._request(commands.StoreCalibration(calibration=calibration))
        self.calibrations[calibration.actuator] = calibration

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, request: Request[R], timeout_s: float | None = None) -> R:
        """Send a request and return its result; late replies to earlier requests are discarded."""
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + timeout_s
        self._last_id += 1
        if not self._socket.poll(round(self.timeout_s * 1000), zmq.POLLOUT):
            raise CommandError(f"{self.address}: the engine is gone")
        self._socket.send(encode(structs.replace(request, id=self._last_id)))
        while (left_s := deadline - time.monotonic()) > 0:
            if self._socket.poll(math.ceil(left_s * 1000)):
                reply = decode_reply(self._socket.recv())
                if reply.id in (self._last_id, 0):
                    self.last_reply = reply
                    result: R = _result(reply, REQUESTS[type(request)])
                    return result
        name = request.__struct_config__.tag
        raise CommandError(f"{self.address}: no reply to {name} within {timeout_s:g} s; it may still be executed")


def _move_timeout(wait: bool) -> float | None:
    return _LONG_S if wait else None


def _floats(values: Sequence[float]) -> tuple[float, ...]:
    """Return Python floats, because NumPy's cannot be encoded as JSON."""
    return tuple(map(float, values))


def _result(reply: Reply, result_type: Any) -> Any:
    if reply.error:
        raise CommandError(reply.error)
    try:
        return msgspec.convert(reply.result, result_type)
    except msgspec.ValidationError as error:
        raise CommandError(f"the reply cannot be read ({error}): install the same livetrack on both sides") from None


def _find(address: str, timeout_s: float, keys: Keys) -> tuple[str, zmq.Socket[bytes]]:
    """Return the engine's command address, `address` itself or that of its heartbeat, and a socket connected to it."""
    socket = _connect(address, keys)
    try:
        with StatusSubscriber(address, keys) as heartbeats:
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                if socket.poll(1, zmq.POLLOUT):  # only possible when connected to a command socket
                    return address, socket
                status = _receive(heartbeats)
                if status is not None and status.command_address:
                    socket.close()
                    address = resolve_address(status.command_address, address)
                    socket = _connect(address, keys)
                    return address, socket
    except BaseException:
        socket.close()
        raise
    socket.close()
    raise CommandError(f"{address}: no response from an engine for {timeout_s:g} s: {connection_hint(address)}")


def _receive(heartbeats: StatusSubscriber) -> Status | None:
    try:
        return heartbeats.receive(0.02)
    except WireError:  # of another program or version; commands may still work
        return None


def _connect(address: str, keys: Keys) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IMMEDIATE, 1)  # or a queued command would move a stage when an engine starts later
    connect(socket, address, keys)
    return socket
