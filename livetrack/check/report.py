"""Report of a check, as figures and as text."""

from __future__ import annotations

from pathlib import Path

import msgspec

from livetrack.check.lines import Line, format_lines
from livetrack.check.measure import ParticleProperties
from livetrack.check.model_trial import ModelTrial

__all__ = ["CheckReport", "report_text"]


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
    """Frames read, from the first."""
    notes: list[str]
    """What the reader assumed, left out or filled, one sentence each."""
    warnings: list[str]
    """One sentence each."""
    particles: ParticleProperties | None = None
    """None if no particles stand out from the noise; then nothing is suggested."""
    model: str = ""
    model_reason: str = ""
    search_radius_px: float = 0.0
    search_radius_reason: str = ""
    trials: list[ModelTrial] = []
    picture: str = ""

    @property
    def command(self) -> str:
        """Command line that tracks the movie with the suggested settings."""
        output = f"{Path(self.movie).stem}.csv"
        part = f"{self.selection} " if self.selection else ""
        return (
            f"livetrack track {_quoted(self.movie)} {part}--model {self.model} "
            f"--set linker.search_radius_px={self.search_radius_px:g} -o {_quoted(output)}"
        )

    @property
    def config(self) -> str:
        """The same settings as lines of config.toml, for a live session with such particles."""
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
    lines = [Line("checked", frames_checked)]
    if report.particles is not None:
        lines += [
            *_particle_lines(report.particles, report.pixel_size_um),
            *(Line("tried", _describe_trial(trial)) for trial in report.trials),
            Line("model", f"{report.model}: {report.model_reason}"),
            Line("search", f"radius {report.search_radius_px:g} px: {report.search_radius_reason}"),
        ]
    lines += [Line("note", note) for note in report.notes]
    lines += [Line("warning", warning) for warning in report.warnings]
    if report.picture:
        lines.append(Line("picture", report.picture))
    text = [_describe_movie(report), *format_lines(lines)]
    if report.particles is not None:
        text += ["", "to track it:", f"  {report.command}", "or, in config.toml:"]
        text += [f"  {line}" for line in report.config.splitlines()]
    return "\n".join(text)


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
        ring = " (rings not measured: the surroundings are out of view or crowded)"
    else:
        ring = (
            f", with a ring of opposite sign ({100 * particles.ring:.0f} % of the core)" if particles.has_ring else ""
        )
    sign = "bright and dark" if particles.contrast == "both" else particles.contrast
    spacing = "" if particles.spacing_px is None else f", nearest neighbour {particles.spacing_px:.1f} px away (median)"
    step = particles.step_px
    motion = "could not be measured" if step is None else f"{step:.2g} px per frame along each axis (rms)"
    size = "" if pixel_size_um is None else f" ({particles.diameter_px * pixel_size_um:.2g} µm)"
    return [
        Line("particles", f"{sign}{ring}; about {particles.count:.0f} per frame{spacing}"),
        Line("diameter", f"{particles.diameter_px:.1f} px{size}"),
        Line(
            "signal",
            f"{particles.peak:.4g} grey levels over a background of {particles.background:.4g}; "
            f"noise {particles.noise:.2g}, SNR {particles.snr:.0f}",
        ),
        Line("motion", motion),
    ]


def _describe_trial(trial: ModelTrial) -> str:
    if trial.problem:
        return f"{trial.model}: not tried, {trial.problem}"
    quality = "" if trial.score is None else f", score {trial.score:.2f}"
    quality += "" if trial.std_px is None else f", uncertainty {trial.std_px:.2g} px"
    return f"{trial.model}: {trial.count:.0f} per frame{quality}; {trial.ms:.0f} ms per frame"


def _quoted(text: str) -> str:
    return f'"{text}"' if any(sign in text for sign in " ()&;'") else text
