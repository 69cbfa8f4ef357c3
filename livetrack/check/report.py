"""The outcome of a check, as figures and as a dozen lines for a person."""

from __future__ import annotations

from pathlib import Path

import msgspec

from livetrack.check.measure import ParticleProperties
from livetrack.check.model_trial import ModelTrial

__all__ = ["CheckReport", "report_text"]


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a first look at a movie found; `msgspec.json.encode` dumps it whole."""

    movie: str
    channel: int | None
    """The one that was looked at; None for the only one, or for grey."""
    width: int
    height: int
    dtype: str
    length: int | None
    """Frames in the movie; None where only reading to its end tells."""
    fps: float | None
    pixel_size_um: float | None
    frames_checked: int
    """Frames that were read, from the first one on."""
    warnings: list[str]
    """What a person should know before trusting the movie or the suggestions."""
    particles: ParticleProperties | None = None
    """None when nothing stands out of the noise; then nothing is suggested."""
    model: str = ""
    model_reason: str = ""
    search_radius_px: float = 0.0
    search_radius_reason: str = ""
    trials: list[ModelTrial] = []
    picture: str = ""

    @property
    def command(self) -> str:
        """The command line that tracks the movie as suggested."""
        output = f"{Path(self.movie).stem}.csv"
        channel = "" if self.channel is None else f"--channel {self.channel} "
        return (
            f"livetrack track {_quoted(self.movie)} {channel}--model {self.model} "
            f"--set linker.search_radius_px={self.search_radius_px:g} -o {_quoted(output)}"
        )

    @property
    def config(self) -> str:
        """The same as lines of config.toml, for a live session with such particles."""
        lines = [
            "[localizer]",
            f'model = "{self.model}"',
            "[linker]",
            f"search_radius_px = {self.search_radius_px:.1f}",
        ]
        if self.pixel_size_um is not None:
            lines += ["[calibration]", f"pixel_size_um = {self.pixel_size_um:.6g}"]
        return "\n".join(lines)


def report_text(report: CheckReport) -> str:
    """Return the report as lines of text."""
    frames_checked = "one frame" if report.frames_checked == 1 else f"the first {report.frames_checked} frames"
    lines = [_movie_line(report), f"looked at   {frames_checked}"]
    if report.particles is not None:
        lines += [
            *_particle_lines(report.particles, report.pixel_size_um),
            *(_trial_line(trial) for trial in report.trials),
            f"model       {report.model}: {report.model_reason}",
            f"search      {report.search_radius_px:g} px: {report.search_radius_reason}",
        ]
    lines += [f"careful     {warning}" for warning in report.warnings]
    if report.picture:
        lines.append(f"picture     {report.picture}")
    if report.particles is not None:
        lines += ["", "track it:", f"  {report.command}", "or, in config.toml:"]
        lines += [f"  {line}" for line in report.config.splitlines()]
    return "\n".join(lines)


def _movie_line(report: CheckReport) -> str:
    length, fps = report.length, report.fps
    parts = [
        "unknown number of frames" if length is None else "1 frame" if length == 1 else f"{length} frames",
        f"{report.width}x{report.height} px",
        report.dtype,
        *([] if length == 1 else ["frame rate not in the file" if fps is None else f"{fps:g} frames/s"]),
        "pixel size not in the file" if report.pixel_size_um is None else f"{report.pixel_size_um:.4g} µm per px",
    ]
    return f"{report.movie}: {', '.join(parts)}"


def _particle_lines(found: ParticleProperties, pixel_size_um: float | None) -> list[str]:
    ring = f", with a ring of opposite sign ({100 * found.ring:.0f} % of the core)" if found.has_ring else ""
    sign = "bright and dark" if found.contrast == "both" else found.contrast
    spacing = "" if found.spacing_px is None else f", nearest neighbours {found.spacing_px:.1f} px apart (median)"
    motion = (
        "could not be measured" if found.step_px is None else f"{found.step_px:.2g} px a frame along each axis (rms)"
    )
    size = "" if pixel_size_um is None else f" ({found.diameter_px * pixel_size_um:.2g} µm)"
    return [
        f"particles   {sign}{ring}; about {found.count:.0f} a frame{spacing}",
        f"diameter    {found.diameter_px:.1f} px{size}",
        f"signal      {found.peak:.4g} grey levels over a background of {found.background:.4g}; "
        f"noise {found.noise:.2g}, SNR {found.snr:.0f}",
        f"motion      {motion}",
    ]


def _trial_line(trial: ModelTrial) -> str:
    if trial.problem:
        return f"tried       {trial.model}: not tried, {trial.problem}"
    quality = "" if trial.score is None else f", score {trial.score:.2f}"
    quality += "" if trial.std_px is None else f", uncertainty {trial.std_px:.2g} px"
    return f"tried       {trial.model}: {trial.count:.0f} a frame{quality}; {trial.ms:.0f} ms a frame"


def _quoted(text: str) -> str:
    return f'"{text}"' if any(sign in text for sign in " ()&;'") else text
