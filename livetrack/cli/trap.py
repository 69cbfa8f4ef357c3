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
    allow_moves,
    describe_hold,
    end_in_order,
    feedback_target,
    show_position,
    store_results,
)
from livetrack.cli.terminal import make_console, spinner
from livetrack.client import Remote
from livetrack.control import LoopModel, Target, effective_delay
from livetrack.control.feedback_trap import circular, hold_at, observe, stationary
from livetrack.control.loop_log import LoopLog
from livetrack.devices import EXPOSURE, ActuatorCalibration
from livetrack.errors import InputError

__all__ = ["add_arguments", "run"]

_OBSERVATION_S = 3.0  # of a trapped particle, before feedback starts
_MIN_STIFFENING = 1.02


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
    """Hold or steer a particle; print how well it was held, and what theory predicts."""
    console = make_console()
    with feedback_target(args) as target, Remote(args.address) as remote:
        calibration = remote.calibration(args.actuator)
        welcome = remote.hello()
        medium = Medium(**{name: welcome.calibration[name] for name in Medium.__struct_fields__})
        pixel_um = welcome.geometry.pixel_size_um
        at_px, model = args.at, _model(remote, calibration, medium, pixel_um)
        if args.actuator == "trap":
            if args.at:
                raise InputError("--at: an optical trap holds the particle at its centre; move the trap there instead")
            if pixel_um is None:
                raise InputError("the pixel size is unknown; set calibration.pixel_size_um")
            with spinner(console, f"observing the trapped particle for {_OBSERVATION_S:g} s"):
                at_px, corner_hz = _observe(target, model, pixel_um, medium)
            console.print(
                f"trap at {at_px[0]:.2f}, {at_px[1]:.2f} px, corner frequency {corner_hz:.3g} Hz without feedback"
            )
            model = structs.replace(model, corner_hz=corner_hz, action="trap")
        gain = args.gain or model.best_gain()
        if not model.is_stable(gain):
            raise InputError(
                f"--gain {gain:g}: with a delay of {calibration.delay_frames:.1f} frames the loop is stable only "
                f"below {model.max_gain():.3g}; the optimum is {model.best_gain():.3g}"
            )
        console.print(_describe_gain(model, gain))
        allow_moves(remote)
        log = LoopLog()
        with end_in_order() as ends, show_position(console, target) as on_frame:
            hold_at(
                remote,
                target,
                args.actuator,
                gain,
                at_px=at_px,
                trajectory=circular(*args.circle) if args.circle else stationary,
                seconds=args.seconds or math.inf,
                on_frame=on_frame,
                log=log,
            )
    summary = log.summary(SETTLING_FRAMES)
    console.print(describe_hold(target, summary))
    results: dict[str, Any] = {"particle": target.particle, "gain": gain, "held": summary}
    results |= _compare_with_theory(log, model, gain, pixel_um, console)
    return store_results(args, results, ends)


def _observe(target: Target, model: LoopModel, pixel_um: float, medium: Medium) -> tuple[tuple[float, float], float]:
    """Return the mean position, px, of a trapped particle without feedback, and the trap's corner frequency, Hz."""
    log, position = observe(target, _OBSERVATION_S)
    monitor = TrapMonitor(model.interval_s, model.exposure_s, medium, _OBSERVATION_S)
    for row in log.array():
        monitor.add(int(row["frame"]), *(pixel_um * float(row[name]) for name in ("x", "y", "std", "std")))
    reading = monitor.reading()
    stiffness = [
        fit.stiffness.value if fit else estimate.value if estimate else math.nan
        for fit, estimate in zip(reading.spectrum, reading.equipartition, strict=True)
    ]
    corner_hz = medium.corner_hz(math.sqrt(stiffness[0] * stiffness[1]))
    if not corner_hz > 0:
        raise InputError(f"the particle does not move as in a trap (observed for {reading.seconds:.1f} s)")
    return position, corner_hz


def _model(remote: Remote, calibration: ActuatorCalibration, medium: Medium, pixel_um: float | None) -> LoopModel:
    """Return the model of the loop, in px; without a pixel size its variances are in arbitrary units."""
    exposure_s = next((1e-3 * float(item.value) for item in remote.properties() if item.name == EXPOSURE), 0.0)
    return LoopModel(
        interval_s=calibration.interval_s,
        exposure_s=min(exposure_s, calibration.interval_s),
        diffusion=medium.diffusion_um2_s / (pixel_um or 1.0) ** 2,
        delay_frames=max(0.0, calibration.delay_frames),
        action="step",
    )


def _describe_gain(model: LoopModel, gain: float) -> str:
    best, largest = model.best_gain(), model.max_gain()
    text = f"gain {gain:.3g} (optimum {best:.3g}, stable below {largest:.3g}, delay {model.delay_frames:.2f} frames)"
    if model.action == "trap":
        stiffer = model.variances(0.0).position / model.variances(gain).position
        text += f"; feedback makes the trap {stiffer:.2f} times as stiff"
        if stiffer < _MIN_STIFFENING:
            text += ", no benefit: the trap is too fast for this frame rate and delay"
    return text


def _compare_with_theory(
    log: LoopLog, model: LoopModel, gain: float, pixel_um: float | None, console: Console
) -> dict[str, Any]:
    """Print the measured delay of the loop and the expected standard deviation; return them."""
    rows = log.array(SETTLING_FRAMES)
    results: dict[str, Any] = {}
    if not len(rows):
        return results
    known = np.isfinite(rows["std"])
    if not known.any():
        console.print("no comparison with theory: the localizer reports no standard deviations")
        return results
    error = math.sqrt(float(np.mean(rows["std"][known] ** 2)))
    model = structs.replace(model, error=error)
    if model.action == "step":
        errors, moves = (np.stack([rows[a], rows[b]], axis=1) for a, b in (("x", "y"), ("dx", "dy")))
        try:
            delay = effective_delay(rows["frame"], errors, moves, error)
        except InputError as problem:
            console.print(str(problem))
            return results
        console.print(f"measured delay of the loop: {delay.frames:.2f} ± {delay.std:.2f} frames")
        results["delay_frames"] = delay
        model = structs.replace(model, delay_frames=max(0.0, delay.frames))
    if pixel_um is not None:
        expected = math.sqrt(model.variances(gain).measured)
        results["expected_std_px"] = expected
        console.print(
            f"expected standard deviation, for the radius, viscosity and temperature of the settings: {expected:.3f} px"
        )
    return results
