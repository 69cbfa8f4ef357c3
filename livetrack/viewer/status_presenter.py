"""How things stand: the banner, the line below, the instruments, and what the engine has in force."""

from __future__ import annotations

import time

from livetrack.calibrate import Medium
from livetrack.client.address import resolve_address
from livetrack.particles import empty_rows
from livetrack.viewer.data.async_remote import Line
from livetrack.viewer.data.session_data import Received
from livetrack.viewer.data.status_text import banner, clash, recording_text, status_line
from livetrack.viewer.frame_presenter import Scene
from livetrack.viewer.layout import Body
from livetrack.viewer.qt import QtWidgets
from livetrack.viewer.toolbar import Bar
from livetrack.wire import Status

__all__ = ["Teller"]

TELL_S = 0.2
"""Between two looks at the instruments."""
LEARN_S = 5.0
"""Between two looks at the settings in force: another client may change them."""
FAILURE_SHOWN_S = 10.0
_MEDIUM = ("temperature_k", "viscosity_pa_s", "particle_radius_um")


class Teller:
    """Tells about the engine at `address`; `line` is told where commands go."""

    def __init__(self, address: str, body: Body, bar: Bar, line: Line, foot: QtWidgets.QStatusBar) -> None:
        self._address = address
        self._body = body
        self._bar = bar
        self._line = line
        self.failure, self.failure_s = "", 0.0
        """Why the last command was not carried out, and when that was said."""
        self._advice = ""
        self.told_s = self.learnt_s = 0.0
        self._knows_camera = False
        self.readout, self.rates, self.recording = (QtWidgets.QLabel() for _ in range(3))
        self.recording.setObjectName("recording")
        foot.setSizeGripEnabled(False)
        foot.addWidget(self.readout, 1)
        foot.addPermanentWidget(self.rates)
        foot.addPermanentWidget(self.recording)
        line.failed.connect(self._say_failed)

    def begin_anew(self) -> None:
        """Look at everything again: another engine speaks."""
        self.told_s = self.learnt_s = 0.0
        self._knows_camera = False
        self._body.banner.forget()

    def tell(self, received: Received, scene: Scene, now_s: float) -> None:
        """Tell what a person should know now: the most urgent at each refresh, the rest a few times a second."""
        if now_s - self.failure_s > FAILURE_SHOWN_S:
            self.failure = ""
        status, silent_s = received.status, received.silent_s(now_s)
        self._body.banner.tell(banner(self._address, status, silent_s, received.error, self.failure, self._advice))
        self.readout.setText(self._body.view.readout())
        if now_s - self.told_s < TELL_S:
            return
        self.told_s = now_s
        display_fps = scene.fps(now_s)
        self.rates.setText("    ".join(status_line(scene.shown[1], status, display_fps)))
        self.recording.setText(recording_text(status.recording if status else None))
        self._body.instruments.show_status(status, display_fps)
        if status:
            self._tell_state(status)
            if self._line.address and now_s - self.learnt_s > LEARN_S:
                self.learnt_s = now_s
                self._learn(status, scene)

    def _tell_state(self, status: Status) -> None:
        """Show what is on and off at the engine, whoever has switched it."""
        self._line.address = resolve_address(status.command_address, self._address)
        self._bar.show_state("pause", status.state == "paused")
        self._bar.show_state("record", status.recording is not None and not status.recording.problem)
        self._body.controls.show_status(status)

    def _learn(self, status: Status, scene: Scene) -> None:
        """Ask for the settings in force; look whether those of the last time clash, and tell who reckons with them."""
        controls = self._body.controls
        controls.learn()
        if not self._knows_camera:
            self._knows_camera = True
            controls.learn_camera()
        self._body.pane.exposure_s = controls.exposure.value() * 1e-3
        calibration = controls.settings.get("calibration") or {}
        self._body.pane.medium = Medium(**{name: calibration[name] for name in _MEDIUM if name in calibration})
        rows = scene.shown[1].particles if scene.shown[1] else empty_rows()
        self._advice = clash(controls.settings, status, rows)

    def _say_failed(self, why: str) -> None:
        self.failure, self.failure_s = why, time.perf_counter()
        self.learnt_s = 0.0  # the fields show what was wanted: look what is in force
        self._knows_camera = False
