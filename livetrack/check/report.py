"""Report of a check, as figures and as text."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from livetrack.check.command import track_command
from livetrack.check.finding import Finding
from livetrack.check.lines import Line, format_lines
from livetrack.check.measure import ParticleProperties
from livetrack.check.model_trial import ModelTrial

__all__ = ["CheckReport", "report_text"]

_MIN_DRIFT = 0.2  # of the search radius: less is found by the linker itself


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `check_movie`; `msgspec.json.encode` writes it as JSON."""

    movie: str
    channel: int | None
    """Channel checked; None for the only one, or colours turned to grey."""
    selection: str
    """The part of the movie that was checked, as options of the command line; empty for all of it."""
    width: int
    height: int
    dtype: str
    length: int | None
    """Frames in the movie; None if known only after reading all of it."""
    fps: float | None
    pixel_size_um: float | None
    frames_checked: int
    """Frames read."""
    frames_read: list[tuple[int, int]]
    """Their numbers: the first and the last of each series of consecutive frames."""
    first_frame: int | None
    """Number of the first frame that holds something; None if none does."""
    last_frame: int | None
    """Number of the last frame that holds something; None if none does, or the end was not read."""
    notes: list[str]
    """What the reader assumed, left out or filled, one sentence each."""
    findings: list[Finding]
    """What may spoil the tracking, measured."""
    particles: ParticleProperties | None = None
    """None if no particles stand out from the noise; then nothing is suggested."""
    model: str = ""
    """Empty if none is suggested."""
    model_reason: str = ""
    scale: float = 1.0
    """Of the image that the model searches."""
    options: dict[str, Any] = {}
    """Other settings of the section `localizer`: diameter and contrast of a classical method."""
    advice: list[str] = []
    """What would fit, if no model does: one sentence each."""
    search_radius_px: float = 0.0
    search_radius_reason: str = ""
    trials: list[ModelTrial] = []
    drawn_frame: int | None = None
    """Number of the frame in the picture."""
    found: int = 0
    doubtful: int = 0
    missed: int = 0
    """Marks in the picture, or in the frame that would be drawn."""
    picture: str = ""

    @property
    def warnings(self) -> list[str]:
        """The findings as sentences."""
        return [str(finding) for finding in self.findings]

    @property
    def settings(self) -> dict[str, Any]:
        """The suggested settings of the linker."""
        settings: dict[str, Any] = {"search_radius_px": float(self.search_radius_px)}
        if self.particles is not None and self.particles.drift_px is not None:
            x, y = self.particles.drift_px
            if max(abs(x), abs(y)) > _MIN_DRIFT * self.search_radius_px:
                settings["drift_px"] = [round(x, 2), round(y, 2)]
        return settings

    @property
    def command(self) -> str:
        """Command line that tracks the movie with the suggested settings; empty if no model is suggested."""
        if not self.model:
            return ""
        settings = [f"localizer.{name}={_value(value)}" for name, value in self.options.items()]
        settings += [f"linker.{name}={_value(value)}" for name, value in self.settings.items()]
        return track_command(self.movie, self.selection, self.model, self.scale, settings)

    @property
    def config(self) -> str:
        """The same settings as lines of config.toml, for a live session with such particles."""
        if not self.model:
            return ""
        lines = ["[localizer]", f'model = "{self.model}"']
        if self.scale != 1:
            lines.append(f"scale = {self.scale:g}")
        lines += [f"{name} = {json.dumps(value)}" for name, value in self.options.items()]
        lines += ["[linker]", *(f"{name} = {_value(value)}" for name, value in self.settings.items())]
        if self.pixel_size_um is not None:
            lines += ["[calibration]", f"pixel_size_um = {self.pixel_size_um:.6g}"]
        return "\n".join(lines)


def report_text(report: CheckReport) -> str:
    """Return the report as lines of text."""
    lines = [Line("checked", _describe_frames(report))]
    if report.particles is not None:
        lines += [
            *_particle_lines(report.particles, report.pixel_size_um),
            *(Line("tried", _describe_trial(trial)) for trial in report.trials),
            Line("model", f"{_chosen(report) or 'none fits'}: {report.model_reason}"),
            *(Line("instead", sentence) for sentence in report.advice),
        ]
        if report.model:
            lines.append(Line("search", f"radius {report.search_radius_px:g} px: {report.search_radius_reason}"))
    lines += [Line("note", note) for note in report.notes]
    lines += [Line("warning", warning) for warning in report.warnings]
    if report.picture:
        lines.append(Line("picture", report.picture))
    text = [_describe_movie(report), *format_lines(lines)]
    if report.command:
        text += ["", "to track it:", f"  {report.command}", "or, in config.toml:"]
        text += [f"  {line}" for line in report.config.splitlines()]
    return "\n".join(text)


def _chosen(report: CheckReport) -> str:
    return report.model if report.scale == 1 else f"{report.model}, scale {report.scale:g}"


def _value(value: float | str | list[float]) -> str:
    if isinstance(value, str):
        return value
    return f"[{','.join(f'{each:g}' for each in value)}]" if isinstance(value, list) else f"{value:.4g}"


def _describe_frames(report: CheckReport) -> str:
    count, parts = report.frames_checked, report.frames_read
    if count == 1:
        return f"frame {parts[0][0]}"
    if count == report.length:
        return f"all {count} frames"
    if len(parts) == 1:
        return f"{count} frames, {parts[0][0]} to {parts[0][1]}"
    where = ", ".join(f"{first}-{last}" for first, last in parts)
    return f"{count} frames, in {len(parts)} places: {where}" if len(parts) < 8 else f"{count} frames in between"


def _describe_movie(report: CheckReport) -> str:
    length, fps = report.length, report.fps
    parts = [
        "unknown number of frames" if length is None else "1 frame" if length == 1 else f"{length} frames",
        f"{report.width}x{report.height} px",
        report.dtype,
        *([] if length == 1 else ["frame rate unknown" if fps is None else f"{fps:g} frames/s"]),
        "pixel size unknown" if report.pixel_size_um is None else f"{report.pixel_size_um:.4g} µm per px",
    ]
    return f"{report.movie}: {', '.join(parts)}"


def _particle_lines(particles: ParticleProperties, pixel_size_um: float | None) -> list[Line]:
    if particles.ring is None:
        ring = ""
    else:
        ring = (
            f", with a ring of opposite sign ({100 * particles.ring:.0f} % of the core)" if particles.has_ring else ""
        )
    sign = "bright and dark" if particles.contrast == "both" else particles.contrast
    spacing = "" if particles.spacing_px is None else f", nearest neighbour {particles.spacing_px:.1f} px away (median)"
    step = particles.step_px
    motion = "could not be measured" if step is None else f"{step:.2g} px per frame along each axis (rms)"
    if particles.drift_px is not None:
        motion += ", beyond the drift"
    size = "" if pixel_size_um is None else f" ({particles.diameter_px * pixel_size_um:.2g} µm)"
    noise = (
        "no noise beyond rounding: compressed or clipped away, SNR unknown"
        if particles.snr is None
        else f"noise {particles.noise:.2g}, SNR {particles.snr:.0f}"
    )
    unseen = "; rings could not be measured: out of view, or too crowded" if particles.ring is None else ""
    return [
        Line("particles", f"{sign}{ring}; about {particles.count:.0f} per frame{spacing}"),
        Line("diameter", f"{particles.diameter_px:.1f} px{size}{unseen}"),
        Line(
            "signal",
            f"{particles.peak:.4g} grey levels over a background of {particles.background:.4g}; {noise}",
        ),
        Line("motion", motion),
    ]


def _describe_trial(trial: ModelTrial) -> str:
    if trial.problem:
        return f"{trial.model}: not tried, {trial.problem}"
    quality = "" if trial.explained is None else f", {100 * max(trial.explained, 0):.0f} % round"
    quality += "" if trial.score is None else f", score {trial.score:.2f}"
    quality += "" if trial.std_px is None else f", uncertainty {trial.std_px:.2g} px"
    quality += "" if trial.ms is None else f"; {trial.ms:.0f} ms per frame"
    return f"{trial.model}, scale {trial.scale:g}: {trial.count:.0f} per frame{quality}"
