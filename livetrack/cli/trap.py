"""`livetrack trap`: holds or steers a particle with feedback on every frame."""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np
from msgspec import structs
from rich.console import Console

from livetrack.calibrate import Medium, TrapMonitor
from livetrack.cli.arguments import positive
from livetrack.cli.feedback import (
    SETTLING_FRAMES,
    add_feedback_options,
    describe_hold,
    feedback_target,
    show_position,
)
from livetrack.cli.terminal import make_console, spinner, write_json
from livetrack.client import Remote
from livetrack.control import LoopModel, Target, effective_delay
from livetrack.control.feedback_trap import circular, hold_at, observe, stationary
from livetrack.control.loop_log import LoopLog
from livetrack.devices import EXPOSURE, ActuatorCalibration
from livetrack.errors import InputError

__all__ = ["add_arguments", "run"]

_WATCH_S = 3.0  # that a trapped particle is looked at before feedback begins
_WORTH = 1.02


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "--actuator",
        default="stage",
        help="actuator to move; `trap` moves the centre of an optical trap (default: %(default)s)",
    )
    parser.add_argument(
        "--gain", type=positive, help="fraction of the error corrected per frame (default: the optimum)"
    )
    parser.add_argument(
        "--circle",
        nargs=2,
        type=positive,
        metavar=("PX", "S"),
        help="steer the particle round a circle of this radius, px, and period, s",
    )
    add_feedback_options(parser, default_place="its present position")


def run(args: argparse.Namespace) -> int:
    """Hold or steer a particle, with an answer to every frame; tell how well, and what theory says."""
    console = make_console()
    with feedback_target(args) as target, Remote(args.address) as remote:
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
                at_px, corner_hz = _observe(target, model, pixel_um, medium)
            console.print(f"trap at {at_px[0]:.2f}, {at_px[1]:.2f} px, corner frequency {corner_hz:.3g} Hz as it is")
            model = structs.replace(model, corner_hz=corner_hz, action="trap")
        gain = args.gain or model.best_gain()
        if not model.is_stable(gain):
            raise InputError(
                f"--gain {gain:g}: with a delay of {calibration.delay_frames:.1f} frames the loop is stable below "
                f"{model.max_gain():.3g} only; best is {model.best_gain():.3g}"
            )
        console.print(_describe_gain(model, gain))
        with show_position(console, target) as show:
            record = hold_at(
                remote,
                target,
                args.actuator,
                gain,
                at_px=at_px,
                trajectory=circular(*args.circle) if args.circle else stationary,
                seconds=args.seconds or math.inf,
                on_frame=show,
            )
    summary = record.summary(SETTLING_FRAMES)
    console.print(describe_hold(target, summary))
    figures: dict[str, Any] = {"particle": target.particle, "gain": gain, "held": summary}
    figures |= _compare_with_theory(record, model, gain, pixel_um, console)
    write_json(args.json, figures)
    return 0


def _observe(target: Target, model: LoopModel, pixel_um: float, medium: Medium) -> tuple[tuple[float, float], float]:
    """Return where a trapped particle is without feedback, px, and the trap's corner frequency."""
    record, place = observe(target, _WATCH_S)
    gauge = TrapMonitor(model.interval_s, model.exposure_s, medium, _WATCH_S)
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


def _describe_gain(model: LoopModel, gain: float) -> str:
    best, largest = model.best_gain(), model.max_gain()
    text = (
        f"gain {gain:.3g} (best {best:.3g}, stable below {largest:.3g}, at a delay of {model.delay_frames:.2f} frames)"
    )
    if model.action == "trap":
        stiffer = model.variances(0.0).position / model.variances(gain).position
        text += f"; the trap will be {stiffer:.2f} times as stiff"
        if stiffer < _WORTH:
            text += ": feedback is no use here, the trap is too quick for the camera and the delay"
    return text


def _compare_with_theory(
    record: LoopLog, model: LoopModel, gain: float, pixel_um: float | None, console: Console
) -> dict[str, Any]:
    """Tell how late the loop acted, and how far the particle should have strayed."""
    rows = record.array(SETTLING_FRAMES)
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
