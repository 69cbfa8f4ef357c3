"""Building blocks and finished loops for feedback programs.

- A loop of your own: `Target` follows one particle and yields an `Observation` per frame; `Controller` turns its error
  into an output; `Predictor` allows for the delay.
- Finished loops: `follow` moves a slow stage only when needed; `hold_at` acts on every frame and can steer the
  particle along a `Trajectory` (`stationary`, `circular`); `observe` only records. Each returns a `LoopLog`.
- Before and after: `calibrate_actuator` measures what a move does to the image, `LoopModel` predicts the variance and
  the best gain, `effective_delay` measures the delay of a loop that ran.

Imports NumPy, pyzmq and msgspec only, so that a program starts quickly.

    from livetrack import Remote
    from livetrack.control import Controller, Target

    with Remote() as remote, Target() as target:
        controller = Controller(gain=0.3)
        for seen in target:  # always the newest frame
            remote.move("stage", *controller.update((seen.x - 64, seen.y - 64), seen.dt_s))
"""

from livetrack.control.actuator_calibration import calibrate_actuator
from livetrack.control.controller import Controller
from livetrack.control.delay import Delay, effective_delay
from livetrack.control.feedback_trap import Trajectory, circular, hold_at, observe, stationary
from livetrack.control.follow import follow, max_move_px
from livetrack.control.loop_log import LOG_ROW, LoopLog, LoopSummary
from livetrack.control.loop_model import LoopModel, Variances
from livetrack.control.predictor import Prediction, Predictor
from livetrack.control.target import Observation, Target

__all__ = [
    "LOG_ROW", "Controller", "Delay", "LoopLog", "LoopModel", "LoopSummary", "Observation", "Prediction", "Predictor",
    "Target", "Trajectory", "Variances", "calibrate_actuator", "circular", "effective_delay", "follow", "hold_at",
    "max_move_px", "observe", "stationary",
]  # fmt: skip
