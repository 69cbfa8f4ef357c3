"""`livetrack follow` and `trap`: finished feedback programs, each a client as any other."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from msgspec import structs
from rich.console import Console

from livetrack.calibrate import Gauge, Medium
from livetrack.cli.signals import stop_event
from livetrack.cli.terminal import make_console, spinner, write_json
from livetrack.client import Remote
from livetrack.control import LoopModel, Seen, Target, effective_delay
from livetrack.control.feedback_trap import circle, hold, still, watch
from livetrack.control.follow import follow as follow_particle
from livetrack.control.follow import longest_move_px
from livetrack.control.loop_log import Record, Summary
from livetrack.devices import EXPOSURE, ActuatorCalibration
from livetrack.errors import InputError

__all__ = ["follow", "hint", "trap"]

_WATCH_S = 3.0  # that a trapped particle is looked at before feedback begins
_SETTLED_FRAMES = 50  # that the summary leaves out at the start
_TELL_S = 0.5
_WORTH = 1.02
_FAR = 3.0  # times the error of a position
_OFTEN = 0.25


def follow(args: argparse.Namespace) -> int:
    """Keep a particle in place by moving the stage; tell how well."""
    console = make_console()
    with _target(args) as target, Remote(args.address) as remote:
        remote.calibration(args.actuator)  # refused before anything moves
        limit_px = longest_move_px(remote)
        with _watched(console, target) as show:
            record = follow_particle(
                remote,
                target,
                actuator=args.actuator,
                at_px=args.at,
                deadband_px=args.deadband,
                limit_px=limit_px,
                seconds=args.seconds or math.inf,
                on_frame=show,
            )
    summary = record.summary(_SETTLED_FRAMES)
    console.print(_held(target, summary))
    if text := hint(record, args.deadband, limit_px):
        console.print(text)
    write_json(args.json, {"particle": target.particle, "held": summary})
    return 0


def trap(args: argparse.Namespace) -> int:
    """Hold or steer a particle, with an answer to every frame; tell how well, and what theory says."""
    console = make_console()
    with _target(args) as target, Remote(args.address) as remote:
        calibration = remote.calibration(args.actuator)
        welcome = remote.hello()
        medium = Medium(**{name: welcome.calibration[name] for name in Medium.__struct_fields__})
        pixel_um = welcome.geometry.pixel_size_um
        at_px, model = args.at, _model(remote, calibration, medium, pixel_um)
        if args.actuator == "trap":
            if args.at:
                raise InputError("--at: an optical trap holds the particle where the trap is; move that instead")
            if pixel_um is None:
                raise InputError("the pixel size is not known: set calibration.pixel_size_um")
            with spinner(console, f"looking at the trapped particle for {_WATCH_S:g} s"):
                at_px, corner_hz = _look_first(target, model, pixel_um, medium)
            console.print(f"trap at {at_px[0]:.2f}, {at_px[1]:.2f} px, corner frequency {corner_hz:.3g} Hz as it is")
            model = structs.replace(model, corner_hz=corner_hz, action="trap")
        gain = args.gain or model.best_gain()
        if not model.is_stable(gain):
            raise InputError(
                f"--gain {gain:g}: with a delay of {calibration.delay_frames:.1f} frames the loop is stable below "
                f"{model.largest_gain():.3g} only; best is {model.best_gain():.3g}"
            )
        console.print(_advice(model, gain))
        with _watched(console, target) as show:
            record = hold(
                remote,
                target,
                args.actuator,
                gain,
                at_px=at_px,
                path=circle(*args.circle) if args.circle else still,
                seconds=args.seconds or math.inf,
                on_frame=show,
            )
    summary = record.summary(_SETTLED_FRAMES)
    console.print(_held(target, summary))
    figures: dict[str, Any] = {"particle": target.particle, "gain": gain, "held": summary}
    figures |= _beside_theory(record, model, gain, pixel_um, console)
    write_json(args.json, figures)
    return 0


def hint(record: Record, deadband_px: float, limit_px: float) -> str:
    """Say what kept a particle from being followed closer; nothing where it was, to what the positions are known."""
    rows = record.array(_SETTLED_FRAMES)
    moved = np.flatnonzero(np.hypot(rows["dx"], rows["dy"]))
    strayed = math.sqrt(float(np.mean(rows["x"] ** 2 + rows["y"] ** 2)) / 2) if len(rows) else 0.0
    known = rows["std"][np.isfinite(rows["std"])]
    if len(moved) < 2 or not len(known) or strayed < _FAR * math.sqrt(float(np.mean(known**2))):
        return ""
    if strayed < 1.5 * deadband_px:
        return f"errors of up to {deadband_px:g} px were left alone: a smaller --deadband holds it closer"
    orders = np.hypot(rows["dx"], rows["dy"])[moved]
    cut = float(np.mean(orders > 0.999 * limit_px))
    if cut > _OFTEN:
        return (
            f"{cut:.0%} of the moves were as long as they may be, {limit_px:.2g} px, half of "
            "linker.search_radius_px: with a larger one it is fetched sooner"
        )
    frames, between_s = np.diff(rows["frame"][moved]), np.diff(rows["t_s"][moved])
    return (
        f"after a move {np.median(frames):.0f} frames ({1e3 * np.median(between_s):.0f} ms) go by until it has shown, "
        "and the particle goes on: `livetrack trap` answers every frame, a quicker stage or camera has less delay"
    )


def _target(args: argparse.Namespace) -> Target:
    near = None if args.near is None else tuple(args.near)
    return Target(args.address, args.particle, near_px=near, lost_after_s=args.lost_after)


def _look_first(target: Target, model: LoopModel, pixel_um: float, medium: Medium) -> tuple[tuple[float, float], float]:
    """Return where a trapped particle is without feedback, px, and the trap's corner frequency."""
    record, place = watch(target, _WATCH_S)
    gauge = Gauge(model.interval_s, model.exposure_s, medium, _WATCH_S)
    for row in record.array():
        gauge.add(int(row["frame"]), *(pixel_um * float(row[name]) for name in ("x", "y", "std", "std")))
    reading = gauge.reading()
    stiffness = [
        fit.stiffness.value if fit else each.value if each else math.nan
        for fit, each in zip(reading.spectrum, reading.equipartition, strict=True)
    ]
    corner_hz = medium.corner_hz(math.sqrt(stiffness[0] * stiffness[1]))
    if not corner_hz > 0:
        raise InputError(f"the particle does not stay where a trap would keep it: seen for {reading.seconds:.1f} s")
    return place, corner_hz


def _model(remote: Remote, calibration: ActuatorCalibration, medium: Medium, pixel_um: float | None) -> LoopModel:
    """Return the loop in theory, in px; without a pixel size its variances are in arbitrary units."""
    exposure_s = next((1e-3 * float(each.value) for each in remote.properties() if each.name == EXPOSURE), 0.0)
    return LoopModel(
        interval_s=calibration.interval_s,
        exposure_s=min(exposure_s, calibration.interval_s),
        diffusion=medium.diffusion_um2_s / (pixel_um or 1.0) ** 2,
        delay_frames=max(0.0, calibration.delay_frames),
        action="step",
    )


def _advice(model: LoopModel, gain: float) -> str:
    best, largest = model.best_gain(), model.largest_gain()
    text = (
        f"gain {gain:.3g} (best {best:.3g}, stable below {largest:.3g}, at a delay of {model.delay_frames:.2f} frames)"
    )
    if model.action == "trap":
        stiffer = model.variances(0.0).position / model.variances(gain).position
        text += f"; the trap will be {stiffer:.2f} times as stiff"
        if stiffer < _WORTH:
            text += ": feedback is no use here, the trap is too quick for the camera and the delay"
    return text


def _held(target: Target, summary: Summary) -> str:
    if not summary.frames:
        return "too short to tell how well it was held"
    return (
        f"particle {target.particle} held for {summary.seconds:.1f} s: standard deviation {summary.std_px[0]:.3f}, "
        f"{summary.std_px[1]:.3f} px, mean {summary.mean_px[0]:+.3f}, {summary.mean_px[1]:+.3f} px, at most "
        f"{summary.largest_px:.2f} px away; {summary.frames} frames, {summary.unanswered} not answered, "
        f"{summary.moves} moves"
    )


def _beside_theory(
    record: Record, model: LoopModel, gain: float, pixel_um: float | None, console: Console
) -> dict[str, Any]:
    """Tell how late the loop acted, and how far the particle should have strayed."""
    rows = record.array(_SETTLED_FRAMES)
    figures: dict[str, Any] = {}
    if not len(rows):
        return figures
    error = float(np.sqrt(np.nanmean(rows["std"] ** 2)))
    model = structs.replace(model, error=error)
    if model.action == "step":
        place, order = (np.stack([rows[a], rows[b]], axis=1) for a, b in (("x", "y"), ("dx", "dy")))
        try:
            delay = effective_delay(rows["frame"], place, order, error)
        except InputError as why:
            console.print(str(why))
            return figures
        console.print(f"the loop acted {delay.frames:.2f} ± {delay.std:.2f} frames late")
        figures["delay_frames"] = delay
        model = structs.replace(model, delay_frames=max(0.0, delay.frames))
    if pixel_um is not None:
        expected = math.sqrt(model.variances(gain).measured)
        figures["expected_std_px"] = expected
        console.print(f"theory, for the radius, viscosity and temperature of the settings: {expected:.3f} px")
    return figures


@contextmanager
def _watched(console: Console, target: Target) -> Iterator[Callable[[Seen], bool]]:
    """Show where the particle is, twice a second; Ctrl-C ends the loop, and what it came to is told."""
    told = -math.inf
    with stop_event() as stop, spinner(console, "waiting for the particle") as tell:

        def show(seen: Seen) -> bool:
            nonlocal told
            if (now := time.monotonic()) - told > _TELL_S:
                told = now
                tell(f"particle {target.particle} at {seen.x:.2f}, {seen.y:.2f} px; Ctrl-C stops")
            return stop.is_set()

        yield show
