"""The exceptions that livetrack raises on purpose; each message says what is wrong, where, and what to do.

They derive from one another:

    LivetrackError
    ├── UsageError            exit code 2: the user can correct it before starting
    │   ├── ConfigError       a setting: file, line, key
    │   ├── CameraError       a camera that cannot be opened with its settings, or rejects a new one
    │   ├── ModelError        a model file that is missing or cannot be used
    │   └── InputError        a movie, session or image that cannot be read
    ├── LocalizerError        a localizer that fails on an image; a live session skips the frame
    ├── CommandError          a command that the engine rejected, or did not reply to in time
    │   └── GeometryChangedError  a move that follows from an image unlike the present one
    ├── CameraLostError       a camera that stopped delivering while running; the engine opens it again
    ├── TargetLostError       the target of a control program is lost, or its newest frame is too old
    └── wire.WireError        a message that is not livetrack's, or cannot be read
        └── wire.VersionError   an engine whose version of the wire format this client cannot read
"""

from __future__ import annotations

import errno
import os

__all__ = [
    "CameraError",
    "CameraLostError",
    "CommandError",
    "ConfigError",
    "GeometryChangedError",
    "InputError",
    "LivetrackError",
    "LocalizerError",
    "ModelError",
    "TargetLostError",
    "UsageError",
    "reason",
]


class LivetrackError(Exception):
    """Base of all errors that livetrack raises on purpose; the message is one line for the user."""

    exit_code = 1


class UsageError(LivetrackError):
    """An error that the user can correct; the command line exits with 2."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting that is unknown, of the wrong type, or out of bounds."""


class CameraError(UsageError):
    """A camera that cannot be opened with its settings, or that rejects a new one."""


class ModelError(UsageError):
    """A model that is missing, unreadable, or lacks the metadata that a localizer needs."""


class InputError(UsageError):
    """A movie, session or image that cannot be read."""


class LocalizerError(LivetrackError):
    """A localizer raised an unexpected exception; `__cause__` is that exception."""


class CommandError(LivetrackError):
    """A command that cannot be read, that the engine rejected, or that it did not reply to in time."""


class GeometryChangedError(CommandError):
    """A move or calibration of an image with another objective, pixel size, binning or orientation: not executed."""


class CameraLostError(LivetrackError):
    """The camera stopped delivering while running."""


class TargetLostError(LivetrackError):
    """The particle that feedback acts on is lost, or its last position is too old."""


def reason(error: OSError) -> str:
    """Return in a few words why a file or a stream could not be read or written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return os.strerror(error.errno) if error.errno else str(error)
