"""The engine's state on display: banner, status line, diagnostics, switches, and the active settings."""

from __future__ import annotations

import time

from livetrack.calibrate import Medium
from livetrack.client import Update
from livetrack.client.address import resolve_address
from livetrack.particles import empty_rows
from livetrack.viewer.actions import ViewerActions
from livetrack.viewer.data.async_remote import AsyncRemote
from livetrack.viewer.data.connection_check import ConnectionCheck
from livetrack.viewer.data.session_data import SessionData
from livetrack.viewer.data.status_text import banner, conflicting_settings, recording_text, status_line
from livetrack.viewer.frame_presenter import FramePresenter
from livetrack.viewer.layout import CentralWidget
from livetrack.viewer.qt import QtWidgets
from livetrack.wire import Status

__all__ = ["StatusPresenter"]

UPDATE_S = 0.2
"""Interval of all updates but the banner's."""
SETTINGS_S = 5.0
"""Interval of requests for the active settings, which another client may change."""
FAILURE_SHOWN_S = 10.0
_MEDIUM = ("temperature_k", "viscosity_pa_s", "particle_radius_um")


class StatusPresenter:
    """Shows the state of the engine at `address`, and sets the address that `remote` sends commands to."""

    def __init__(
        self,
        address: str,
        central: CentralWidget,
        actions: ViewerActions,
        remote: AsyncRemote,
        status_bar: QtWidgets.QStatusBar,
    ) -> None:
        self._address = address
        self._central = central
        self._actions = actions
        self._remote = remote
        self._connection = ConnectionCheck(address)
        self.failure, self.failure_s = "", 0.0
        """Why the last command failed, and when."""
        self._advice = ""
        self.updated_s = self.settings_requested_s = 0.0
        self._properties_requested = False
        self._image: tuple[int, int, int, float | None] | None = None  # session, geometry, binning, pixel size
        self.readout, self.rates, self.recording = (QtWidgets.QLabel() for _ in range(3))
        self.recording.setObjectName("recording")
        status_bar.setSizeGripEnabled(False)
        status_bar.addWidget(self.readout, 1)
        status_bar.addPermanentWidget(self.rates)
        status_bar.addPermanentWidget(self.recording)
        remote.failed.connect(self.show_failure)

    def reset(self) -> None:
        """Update everything at once, because a new session has begun."""
        self.updated_s = 0.0
        self._refetch_settings()
        self._central.banner.reset()

    def show_failure(self, reason: str) -> None:
        """Show for some seconds why something that was asked for has failed."""
        self.failure, self.failure_s = reason, time.perf_counter()
        self._refetch_settings()  # the fields still show the rejected value

    def update(self, session_data: SessionData, frame_presenter: FramePresenter, now_s: float) -> None:
        """Update the banner and the readout, and a few times a second everything else."""
        if now_s - self.failure_s > FAILURE_SHOWN_S:
            self.failure = ""
        status, silent_s = session_data.status, session_data.silent_s(now_s)
        if silent_s is None:
            self._connection.update(now_s)
        problem = self._connection.problem
        self._central.banner.show_banner(
            banner(self._address, status, silent_s, session_data.error, self.failure, self._advice, problem)
        )
        self.readout.setText(self._central.view.readout())
        if now_s - self.updated_s < UPDATE_S:
            return
        self.updated_s = now_s
        if frame_presenter.shown[1]:
            self._notice_geometry(frame_presenter.shown[1])
        display_fps, shown = frame_presenter.fps(now_s), frame_presenter.shown[1]
        self.rates.setText("    ".join(status_line(shown, status, display_fps)))
        self.recording.setText(recording_text(status.recording if status else None))
        self._central.diagnostics.show_status(status, display_fps)
        if status:
            self._update_switches(status)
            if self._remote.address and now_s - self.settings_requested_s > SETTINGS_S:
                self.settings_requested_s = now_s
                self._use_settings()
                self._advice = conflicting_settings(
                    self._central.control_panel.settings, status, shown.particles if shown else empty_rows()
                )

    def _update_switches(self, status: Status) -> None:
        """Show what is on and off in the engine, whichever client switched it."""
        self._remote.address = resolve_address(status.command_address, self._address)
        self._actions.show_state("pause", status.state == "paused")
        self._actions.show_state("record", status.recording is not None and not status.recording.problem)
        self._central.control_panel.show_status(status)

    def _notice_geometry(self, update: Update) -> None:
        """Report another pixel size or binning, and request what else may have changed."""
        before = self._image
        self._image = update.session, update.geometry, update.binning, update.pixel_size_um
        if before is None or before[0] != update.session or before[:2] == self._image[:2]:
            return
        self._refetch_settings()
        if before[2:] != self._image[2:]:
            size = "pixel size unknown" if update.pixel_size_um is None else f"{update.pixel_size_um:g} µm per px"
            self._central.control_panel.confirmed.emit(
                f"the image has changed: {size}, binning {update.binning}; trajectories begin again"
            )

    def _use_settings(self) -> None:
        """Request the active settings, and pass those of the last reply to the plots."""
        controls, particle_panel = self._central.control_panel, self._central.particle_panel
        controls.request_settings()
        if not self._properties_requested:
            self._properties_requested = True
            controls.request_properties()
            self._central.microscope_panel.request_state()
        particle_panel.exposure_s = controls.exposure.value() * 1e-3
        calibration = controls.settings.get("calibration") or {}
        particle_panel.medium = Medium(**{name: calibration[name] for name in _MEDIUM if name in calibration})

    def _refetch_settings(self) -> None:
        self.settings_requested_s = 0.0
        self._properties_requested = False
