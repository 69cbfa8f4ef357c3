"""The feedback trap in real time: how late the loop acts, and how well it holds a free bead."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.bench.feedback.client import LoopPlan, LoopRun
from livetrack.bench.feedback.session import PIXEL_UM, closed_loop, loop_settings
from livetrack.bench.result import TargetResult
from livetrack.calibrate import Medium
from livetrack.control import Delay, LoopModel, effective_delay

__all__ = ["hold_bead", "live_results"]

_FPS, _EXPOSURE_S = 500.0, 0.5e-3
_BEAD = Medium()
_GAIN = 0.3  # stable up to four frames of delay
_CATCH_PN_UM = 5.0  # an optical trap keeps the bead until the loop has begun
_SETTLED = 250  # frames
_TOLERANCE = 0.15


def hold_bead(seconds: float) -> npt.NDArray[np.void]:
    """Hold a free bead for so long by moving the stage each frame; return the (N,) of `LOOP_RECORD`.

    Raises
    ------
    LivetrackError
        The client has failed, or lost the bead.
    """
    simulated: dict[str, Any] = {
        "fps": _FPS, "exposure_ms": 1e3 * _EXPOSURE_S, "diffusion_um2_s": _BEAD.diffusion_um2_s,
        "trap_stiffness_pn_um": _CATCH_PN_UM,
    }  # fmt: skip
    plan = LoopPlan(
        actuator="stage", units_per_px=PIXEL_UM, relative=True, gains=[_GAIN], frames=round(seconds * _FPS) + _SETTLED,
        lockstep=False, release=_SETTLED // 2,
    )  # fmt: skip
    run: LoopRun = closed_loop(loop_settings(**simulated), plan)
    return run.records[0][_SETTLED:]


def live_results(record: npt.NDArray[np.void], seconds: float) -> list[TargetResult]:
    """Return the lines of the table of targets."""
    place = np.stack([record["x"], record["y"]], axis=1)
    order = np.stack([record["u"], record["v"]], axis=1)
    error = sqrt(float(np.mean(record["std"] ** 2)))
    delay = effective_delay(record["frame"], place, order, error)
    held_s = float(record["frame"][-1] - record["frame"][0]) / _FPS
    found, expected = sqrt(float(np.mean(place**2))), _expected(delay, error)
    passed = 1 - len(record) / float(record["frame"][-1] - record["frame"][0] + 1)
    return [
        TargetResult(
            name=f"real time, {_FPS:g} frames/s: the loop's delay",
            definition="from the answer to a frame until a frame shows it, in frames, found from the loop's own record;"
            " at 0 the next frame shows it. The simulated camera makes each frame as the last one ends: 1 at best",
            n=len(record),
            figures={
                "frames": delay.frames,
                "uncertainty": delay.std,
                "shares": ", ".join(f"{share:.2f}" for share in delay.fractions),
                "frames not answered, %": 100 * passed,
            },
            target="measured",
            met=True,
        ),
        TargetResult(
            name=f"real time: a free 1 µm bead held for {seconds:g} s",
            definition=f"standard deviation along an axis, as measured, gain {_GAIN}, beside that of theory for the "
            "delay above",
            n=len(record),
            figures={
                "held, s": held_s,
                "px": found,
                "of theory, px": expected,
                "ratio": found / expected,
                "ratio with the gain less by the frames not answered": found / _expected(delay, error, 1 - passed),
            },
            target="within 15 %",
            met=abs(found / expected - 1) < _TOLERANCE and held_s > 0.99 * seconds,
        ),
    ]


def _expected(delay: Delay, error: float, answered: float = 1.0) -> float:
    model = LoopModel(
        interval_s=1 / _FPS, diffusion=_BEAD.diffusion_um2_s / PIXEL_UM**2, delay_frames=max(0.0, delay.frames),
        exposure_s=_EXPOSURE_S, error=error, action="step",
    )  # fmt: skip
    return sqrt(model.variances(answered * _GAIN).measured)
