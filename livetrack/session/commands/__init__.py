"""The commands that `livetrack.client.Remote` sends: a server, its worker threads, and a handler for each request."""

from livetrack.session.commands.calibration_store import CalibrationStore
from livetrack.session.commands.dispatcher import CommandDispatcher
from livetrack.session.commands.move_guard import MoveGuard
from livetrack.session.commands.registry import CommandContext
from livetrack.session.commands.server import CommandServer

__all__ = ["CalibrationStore", "CommandContext", "CommandDispatcher", "CommandServer", "MoveGuard"]
