"""What a feedback program is written with: the particle, a controller, a predictor, and what theory says of the loop.

Imports NumPy, pyzmq and msgspec, and nothing heavier. ::

    from livetrack import Remote
    from livetrack.control import Controller, Target

    with Remote() as remote, Target() as target:
        controller = Controller(gain=0.3)
        for seen in target:  # the newest frame, always
            remote.move("stage", *controller.update((seen.x - 64, seen.y - 64), seen.dt_s))
"""

from livetrack.control.controller import Controller
from livetrack.control.delay import Delay, effective_delay
from livetrack.control.loop_model import LoopModel, Variances
from livetrack.control.predictor import Prediction, Predictor
from livetrack.control.target import Observation, Target

__all__ = [
    "Controller",
    "Delay",
    "LoopModel",
    "Observation",
    "Prediction",
    "Predictor",
    "Target",
    "Variances",
    "effective_delay",
]  # fmt: skip
