"""The commands of `livetrack.client.Remote`: a socket, threads, and what each does to the engine."""

from livetrack.session.commands.calibration_store import CalibrationStore
from livetrack.session.commands.dispatcher import CommandDispatcher
from livetrack.session.commands.server import CommandServer
from livetrack.session.loop_queue import LoopQueue

__all__ = ["CalibrationStore", "CommandDispatcher", "CommandServer", "LoopQueue"]
