"""The tree of errors: each says what is wrong, where, and what to do.

::

    LivetrackError
    ├── UsageError            exit code 2: something the user can put right before starting
    │   ├── ConfigError       a setting: file, line, key
    │   ├── CameraError       a camera that cannot be opened as it is set
    │   ├── ModelError        a model file that is missing or cannot be used
    │   └── InputError        a movie, session or image that cannot be read
    ├── CommandError          a command that the engine refused, or did not answer
    ├── CameraLostError       the camera vanished or stalled while running (the engine retries)
    ├── TargetLostError       a feedback program's particle is lost, or its frames are too old to act on
    └── wire.WireError        a message that is not livetrack's, or that this client cannot read
"""

from __future__ import annotations

import errno
import os

__all__ = [
    "CameraError",
    "CameraLostError",
    "CommandError",
    "ConfigError",
    "InputError",
    "LivetrackError",
    "ModelError",
    "TargetLostError",
    "UsageError",
    "reason",
]


class LivetrackError(Exception):
    """Any error that livetrack raises on purpose; its text is one line for a person."""

    exit_code = 1


class UsageError(LivetrackError):
    """Something that the user can put right: the command line exits with 2."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting that is unknown, of the wrong type, or out of bounds."""


class CameraError(UsageError):
    """A camera that cannot be opened with these settings."""


class ModelError(UsageError):
    """A model that is missing, unreadable, or lacks the metadata that a localizer needs."""


class InputError(UsageError):
    """A movie, session or image that cannot be read."""


class CommandError(LivetrackError):
    """A command that cannot be read, that the engine refused, or that it did not answer in time."""


class CameraLostError(LivetrackError):
    """The camera stopped delivering while running."""


class TargetLostError(LivetrackError):
    """The particle that feedback acts on is lost, or what is known of it is too old."""


def reason(error: OSError) -> str:
    """Return in a few words why a file or a stream could not be written or read."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return os.strerror(error.errno) if error.errno else str(error)
