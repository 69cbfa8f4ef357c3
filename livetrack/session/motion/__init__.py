"""Motion of a session's actuators: within limits, at a limited speed, and only while it is permitted."""

from livetrack.session.motion.control import MotionControl

__all__ = ["MotionControl"]
