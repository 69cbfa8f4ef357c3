"""The commands of `livetrack.client.Remote`: a socket, threads, and what each does to the engine."""

from livetrack.session.commands.calibration_store import Calibrations
from livetrack.session.commands.dispatcher import Desk
from livetrack.session.commands.server import CommandServer
from livetrack.session.loop_queue import Orders

__all__ = ["Calibrations", "CommandServer", "Desk", "Orders"]
