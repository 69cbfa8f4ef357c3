"""The feedback trap in real time: delay of the loop, and how well it holds a free bead."""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

from livetrack.bench.feedback.client import LoopPlan
from livetrack.bench.feedback.session import PIXEL_UM, closed_loop, loop_settings
from livetrack.bench.result import TargetResult
from livetrack.calibrate import Medium
from livetrack.control import Delay, LoopModel, effective_delay

__all__ = ["live_results"]

_FPS, _EXPOSURE_S = 500.0, 0.5e-3
_BEAD = Medium()
_GAIN = 0.3  # stable up to four frames of delay
_CATCH_PN_UM = 5.0  # stiffness of the optical trap that keeps the bead until the loop has started
_SETTLE_FRAMES = 250
_TOLERANCE = 0.15


def live_results(seconds: float) -> list[TargetResult]:
    """Hold a free bead by moving the stage each frame; compare delay and standard deviation with theory.

    Raises
    ------
    LivetrackError
        The client failed or lost the bead.
    """
    record = _hold_bead(seconds)
    position = np.stack([record["x"], record["y"]], axis=1)
    output = np.stack([record["u"], record["v"]], axis=1)
    error = sqrt(float(np.mean(record["std"] ** 2)))
    delay = effective_delay(record["frame"], position, output, error)
    frames = float(record["frame"][-1] - record["frame"][0])
    measured, expected = sqrt(float(np.mean(position**2))), _expected_std(delay, error)
    unanswered = 1 - len(record) / (frames + 1)
    return [
        TargetResult(
            name=f"real time, {_FPS:g} frames/s: delay of the loop",
            definition="frames from a command to the frame that shows its effect, estimated from the loop's own "
            "record; 0 if it is the next frame. The simulated camera renders each frame when the previous one ends: "
            "1 at best",
            n=len(record),
            figures={
                "frames": delay.frames,
                "uncertainty": delay.std,
                "fractions": ", ".join(f"{fraction:.2f}" for fraction in delay.fractions),
                "frames without a command, %": 100 * unanswered,
            },
            target="measured",
            met=True,
        ),
        TargetResult(
            name=f"real time: a free 1 µm bead held for {seconds:g} s",
            definition=f"measured standard deviation along an axis at gain {_GAIN} over that of theory for the delay "
            "above",
            n=len(record),
            figures={
                "held, s": frames / _FPS,
                "px": measured,
                "theory, px": expected,
                "ratio": measured / expected,
                "ratio with the gain reduced by the frames without a command": measured
                / _expected_std(delay, error, 1 - unanswered),
            },
            target="within 15 %",
            met=abs(measured / expected - 1) < _TOLERANCE and frames / _FPS > 0.99 * seconds,
        ),
    ]


def _hold_bead(seconds: float) -> npt.NDArray[np.void]:
    """Return the (N,) of `LOOP_RECORD` after the bead was released and the loop has settled."""
    overrides = loop_settings(
        fps=_FPS, exposure_ms=1e3 * _EXPOSURE_S, diffusion_um2_s=_BEAD.diffusion_um2_s,
        trap_stiffness_pn_um=_CATCH_PN_UM,
    )  # fmt: skip
    plan = LoopPlan(
        actuator="stage", units_per_px=PIXEL_UM, relative=True, gains=[_GAIN], lockstep=False,
        frames=round(seconds * _FPS) + _SETTLE_FRAMES, release_frame=_SETTLE_FRAMES // 2,
    )  # fmt: skip
    return closed_loop(overrides, plan).records[0][_SETTLE_FRAMES:]


def _expected_std(delay: Delay, error: float, answered: float = 1.0) -> float:
    """Return the standard deviation in theory, px, if the fraction `answered` of the frames leads to a command."""
    model = LoopModel(
        interval_s=1 / _FPS, diffusion=_BEAD.diffusion_um2_s / PIXEL_UM**2, delay_frames=max(0.0, delay.frames),
        exposure_s=_EXPOSURE_S, error=error, action="step",
    )  # fmt: skip
    return sqrt(model.variances(answered * _GAIN).measured)
