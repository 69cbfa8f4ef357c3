"""Runs the parts of a bench, with progress."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from livetrack.bench.result import TargetResult
from livetrack.errors import UsageError

__all__ = ["Progress", "Task", "check_parts", "machine", "no_progress", "run_tasks"]

Progress: TypeAlias = Callable[[float, str], None]
"""(fraction done, label of the current task)."""


class Task(NamedTuple):
    """A piece of a part's work."""

    part: str
    label: str
    weight: float
    """Expected duration relative to the other tasks."""
    measure: Callable[..., Iterable[TargetResult]]
    """Takes no argument, or, if `steps` is not 0, a function that it calls after each step."""
    steps: int = 0


def no_progress(fraction: float, label: str) -> None:
    """Ignore the progress."""


def check_parts(only: Collection[str], parts: Sequence[str]) -> None:
    """Raise `UsageError` if `only` names a part that does not exist."""
    if unknown := [part for part in only if part not in parts]:
        raise UsageError(f"--only {unknown[0]}: no such part; choose from {', '.join(parts)}")


def run_tasks(
    tasks: Iterable[Task], *, only: Collection[str] | None = None, progress: Progress = no_progress
) -> list[TargetResult]:
    """Run the tasks of the parts in `only` (None: all) in order; return the results of all."""
    tasks = [task for task in tasks if only is None or task.part in only]
    total = sum(task.weight for task in tasks)
    results: list[TargetResult] = []
    done = 0.0
    for task in tasks:
        steps = _Steps(progress, task, done / total, task.weight / total)
        results += task.measure(steps.advance) if task.steps else task.measure()
        done += task.weight
    return results


class _Steps:
    """The progress of one task."""

    def __init__(self, progress: Progress, task: Task, start: float, span: float) -> None:
        self._progress, self._task = progress, task
        self._start, self._span = start, span
        self._done = 0
        progress(start, task.label)

    def advance(self) -> None:
        self._done = min(self._done + 1, self._task.steps)
        self._progress(self._start + self._span * self._done / self._task.steps, self._task.label)


def machine(*remarks: str) -> str:
    """Return the processor, cores and system, and the remarks, separated by commas."""
    return ", ".join([platform.machine(), f"{os.cpu_count()} cores", platform.system(), *remarks])
