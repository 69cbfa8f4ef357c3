"""Handlers of the commands to the actuators."""

from __future__ import annotations

from livetrack.session.commands.camera_change import require_started
from livetrack.session.commands.registry import CommandContext, handles
from livetrack.wire import commands

__all__: list[str] = []


@handles(commands.Actuators, worker="actuators", device=True)
def actuators(context: CommandContext, _: commands.Actuators) -> list[commands.ActuatorState]:
    """Return the actuators, their positions and limits."""
    return [actuator.state() for actuator in context.motion.actuators().values()]


@handles(commands.MoveTo, worker="actuators", device=True)
def move_to(context: CommandContext, request: commands.MoveTo) -> commands.MoveResult:
    """Move an actuator to a position."""
    require_started(context)
    actuator = context.motion.actuator(request.actuator)
    return actuator.move(context.client, request.position, relative=False, wait=request.wait)


@handles(commands.MoveBy, worker="actuators", device=True)
def move_by(context: CommandContext, request: commands.MoveBy) -> commands.MoveResult:
    """Move an actuator by a step."""
    require_started(context)
    actuator = context.motion.actuator(request.actuator)
    return actuator.move(context.client, request.step, relative=True, wait=request.wait)


@handles(commands.Halt, worker="halt")  # which no other command occupies
def halt(context: CommandContext, _: commands.Halt) -> commands.HaltResult:
    """Stop all actuators."""
    return context.motion.halt()


@handles(commands.AllowMoves)
def allow_moves(context: CommandContext, _: commands.AllowMoves) -> None:
    """Accept moves again."""
    context.motion.allow(context.client)
