"""What the events of a recording say, as lines for the user."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

__all__ = ["event_lines"]

_MAX_LINES = 10  # of each kind
_HASH_DIGITS = 12


def event_lines(events: Iterable[dict[str, Any]]) -> list[str]:
    """Return how many events there are, the changes of settings and the models, one line each; none without events."""
    count = refused = 0
    settings, models = [], []
    for event in events:
        count += 1
        if event["kind"] == "setting":
            change = f"{event.get('name')}: {event.get('before')} to {event.get('value')}"
            settings.append(f"setting: {change}, at {_clock(event)}")
        elif event["kind"] == "model":
            models.append(f"model: {_model(event)}, from {_clock(event)}")
        elif event["kind"] == "command" and event.get("error"):
            refused += 1
    if not count:
        return []
    summary = f"events: {count}, {len(settings)} changes of settings, {refused} refused commands"
    return [summary, *_first(settings, "setting"), *_first(models, "model")]


def _first(lines: list[str], kind: str) -> list[str]:
    more = len(lines) - _MAX_LINES
    return lines if more <= 0 else [*lines[:_MAX_LINES], f"{kind}: {more} more, see events.jsonl"]


def _model(event: dict[str, Any]) -> str:
    kept = f", sha256 {str(event.get('sha256'))[:_HASH_DIGITS]}, {event['file']}" if event.get("file") else ""
    return f"{event.get('name')}{kept}" + (f", {event['problem']}" if event.get("problem") else "")


def _clock(event: dict[str, Any]) -> str:
    return datetime.fromtimestamp(event["wall_ns"] / 1e9).astimezone().strftime("%H:%M:%S.%f")[:-3]
