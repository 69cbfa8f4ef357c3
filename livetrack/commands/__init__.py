"""The commands of `livetrack.client.Remote`: a socket, threads, and what each does to the engine."""

from livetrack.commands.calibrations import Calibrations
from livetrack.commands.desk import Desk
from livetrack.commands.orders import Orders
from livetrack.commands.server import CommandServer

__all__ = ["Calibrations", "CommandServer", "Desk", "Orders"]
