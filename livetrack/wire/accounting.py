"""Checks that the counts of a status add up: nothing is lost without being counted."""

from __future__ import annotations

from livetrack.wire.status import RecordingStatus, Status

__all__ = ["accounting_errors"]

_FINAL = ("stopped", "ended", "failed")  # states after which nothing waits for the tracker


def accounting_errors(status: Status) -> list[str]:
    """Return which counts do not add up, one line each; empty if they do.

    Every frame of the sensor is tracked, skipped or lost, or waits for the tracker, which ends with the session. Every
    frame that is offered to the recorder is written or dropped, or waits for the disk; likewise the rows of every
    tracked frame. `Session.discrepancies` compares the counts of a finished recording with its files.
    """
    errors = []
    handled = status.tracked + status.skipped
    if handled > status.received or (status.state in _FINAL and handled != status.received):
        errors.append(f"{status.received} frames received, but {handled} tracked or skipped")
    return errors + (_recording_errors(status.recording) if status.recording else [])


def _recording_errors(recording: RecordingStatus) -> list[str]:
    counts = {
        "frames": (recording.offered, recording.frames + recording.dropped),
        "tracked frames": (recording.rows_offered, recording.rows_written + recording.rows_dropped),
    }
    return [
        f"{offered} {what} offered to the recorder, but {done} written or dropped"
        for what, (offered, done) in counts.items()
        if done > offered
    ]
