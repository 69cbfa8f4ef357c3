"""Controls of a camera driver, all optional: properties, a region of interest, actuators, the rest of the microscope.

A driver offers a control by having the methods of its protocol: `HasProperties` (exposure and other settings that can
change while the camera runs), `HasRoi`, `Actuated` (a stage, a galvo, a trap). Commands that need a control that the
driver lacks are rejected. Further protocols are in `livetrack.devices.lifecycle` (start, stop and recover the camera
alone) and `livetrack.devices.microscope` (presets, light, autofocus).
"""

from livetrack.devices.actuator_calibration import ActuatorCalibration
from livetrack.devices.actuators import (
    ANY_UM,
    Actuated,
    Actuator,
    Limited,
    Limits,
    MovedByProperties,
    ReportsMotion,
    Stoppable,
    Targeted,
    check_position,
    start_of_steps,
)
from livetrack.devices.properties import EXPOSURE, Adjustable, HasOptics, HasProperties, HasRoi, Property, Value

__all__ = [
    "ANY_UM",
    "EXPOSURE",
    "Actuated",
    "Actuator",
    "ActuatorCalibration",
    "Adjustable",
    "HasOptics",
    "HasProperties",
    "HasRoi",
    "Limited",
    "Limits",
    "MovedByProperties",
    "Property",
    "ReportsMotion",
    "Stoppable",
    "Targeted",
    "Value",
    "check_position",
    "start_of_steps",
]
