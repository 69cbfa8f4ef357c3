"""Commands to a running engine."""

from __future__ import annotations

import math
from pathlib import Path

from livetrack.camera import Geometry
from livetrack.client.actuator_commands import ActuatorCommands
from livetrack.client.requester import LONG_S
from livetrack.devices import Property, Value
from livetrack.devices.microscope import AutofocusState, ConfigGroup, LightState, MicroscopeState
from livetrack.errors import CommandError
from livetrack.wire import RecordingStatus, Status, commands

__all__ = ["Remote"]


class Remote(ActuatorCommands):
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
    VersionError
        From the constructor and `hello`: the engine uses another version of the wire format.
    """

    # the engine

    def state(self) -> Status:
        """Return the status, as in the heartbeat."""
        return self._request(commands.State())

    # tracking

    def stop(self) -> str:
        """Stop the camera until `start`: nothing is received, tracked or recorded. Returns the state."""
        return self._request(commands.Stop(), LONG_S)

    def start(self) -> str:
        """Start the camera again. Returns the state."""
        return self._request(commands.Start(), LONG_S)

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
        return self._request(commands.SwapModel(model=str(model)), LONG_S)

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
        return self._request(commands.StopRecording(), LONG_S)

    # the camera

    def properties(self) -> list[Property]:
        """Return the camera's properties, with current values and limits."""
        return self._request(commands.Properties(), LONG_S)

    def microscope(self) -> MicroscopeState:
        """Return configuration groups, lights and autofocus; empty where the camera driver has none."""
        return self._request(commands.Microscope(), LONG_S)

    def reload_devices(self, *, confirm: bool = False) -> list[str]:
        """Initialise all devices of the microscope again, which moves some; return what that does to each.

        Unless it is confirmed, nothing is done: ask first. Nothing else that livetrack does initialises other devices
        than the camera.
        """
        return self._request(commands.ReloadDevices(confirm=confirm), LONG_S)

    def set_preset(self, group: str, preset: str) -> ConfigGroup:
        """Apply a preset of a configuration group; returns when its devices have arrived."""
        return self._request(commands.SetPreset(group=group, preset=preset), LONG_S)

    def set_light(self, opened: bool | None = None, *, name: str = "", auto: bool | None = None) -> LightState:
        """Open or close a shutter or lamp, and let the camera operate it or not; None leaves as it is.

        `name` is one of `microscope().lights`; empty for the one that the camera operates. Its brightness is set by
        `set_property`, with a name of its `levels`.
        """
        return self._request(commands.SetLight(name=name, open=opened, auto=auto))

    def set_autofocus(self, continuous: bool | None = None, *, offset: float | None = None) -> AutofocusState:
        """Let the autofocus hold the focus or not, and set its offset; None leaves as it is."""
        if offset is not None and not math.isfinite(offset):  # JSON would turn it into None
            raise CommandError(f"set_autofocus: the offset cannot be {offset}")
        return self._request(commands.SetAutofocus(continuous=continuous, offset=offset))

    def focus_once(self) -> AutofocusState:
        """Search the focus once, which moves the focus drive; returns when it is found."""
        return self._request(commands.FocusOnce(), LONG_S)

    def set_property(self, name: str, value: Value) -> Property:
        """Set one of `properties`; through Micro-Manager, any "Device.Property"."""
        return self._request(commands.SetProperty(name=name, value=value), LONG_S)

    def set_exposure(self, exposure_ms: float) -> float:
        """Set the exposure, ms; return the exposure in force."""
        return float(self._request(commands.SetExposure(exposure_ms=exposure_ms)).value)

    def set_roi(self, x: int, y: int, width: int, height: int) -> Geometry:
        """Set the region of interest, px of the full frame as delivered (binned)."""
        return self._request(commands.SetRoi(x=x, y=y, width=width, height=height))

    def clear_roi(self) -> Geometry:
        """Deliver full frames again."""
        return self._request(commands.ClearRoi())
