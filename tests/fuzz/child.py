"""Reads changed inputs one after another, in a process that its parent watches and may end."""

from __future__ import annotations

import logging
import random
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from livetrack.errors import LivetrackError

from .target import Target

__all__ = ["FINDING", "Case", "cases", "main"]

FINDING = "FINDING"
_MOST_KEPT = 2000
_TRACED = 0.3  # of the cases: tracing makes them two to three times slower


class Case(NamedTuple):
    """A changed input that was read."""

    name: str
    data: bytes
    outcome: str
    """What came of it in its first line; `FINDING` and the reason if that is not allowed."""
    lines: int
    """Lines of the watched source files that were reached so far."""
    kept: int
    """Inputs that are kept and changed further."""


class _Lines:
    """Counts the lines reached in some source files."""

    def __init__(self, watched: tuple[str, ...]) -> None:
        self._watched = watched
        self._files: dict[str, bool] = {}
        self.reached = set[tuple[str, int]]()

    def __enter__(self) -> None:
        sys.settrace(self._enter_frame)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter_frame(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        wanted = self._files.get(name)
        if wanted is None:
            wanted = self._files[name] = any(each in name.replace("\\", "/") for each in self._watched)
        return self._line if wanted else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.reached.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def cases(
    target: Target, seed: int, folder: Path, before: Callable[[str, bytes], object] = lambda name, data: None
) -> Iterator[Case]:
    """Read changed inputs without end; `before` is called before each is read."""
    rng, lines = random.Random(seed), _Lines(target.watched)
    inputs = target.inputs(folder)
    originals = len(inputs)
    for one in inputs:
        with lines:
            _outcome(target, folder, one.name, one.data)
    while True:
        one = inputs[rng.randrange(originals) if rng.random() < 0.5 else rng.randrange(len(inputs))]
        data = target.change(one, rng)
        before(one.name, data)
        if rng.random() < _TRACED:
            reached = len(lines.reached)
            with lines:
                outcome = _outcome(target, folder, one.name, data)
            new = len(lines.reached) > reached
            if new and len(inputs) < _MOST_KEPT and len(data) < 2 * len(one.data) + 1000:
                inputs.append(one._replace(data=data))
        else:
            outcome = _outcome(target, folder, one.name, data)
        yield Case(one.name, data, outcome, len(lines.reached), len(inputs))


def _outcome(target: Target, folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # they would be on the user's screen
            return target.read(folder, name)
    except LivetrackError as error:
        return "refused" if "\n" not in str(error) else f"{FINDING} two lines\n{error}"
    except BaseException as error:  # noqa: BLE001 - whatever else is raised is what is looked for
        sys.settrace(None)
        return f"{FINDING} {type(error).__name__}\n{traceback.format_exc()}"


def main(target: Target, seed: int, folder: str, report: Connection) -> None:
    """Report ("reading", name, data), then ("read", case, MB), until the process is ended."""
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        for case in cases(target, seed, Path(folder), lambda name, data: report.send(("reading", name, data))):
            report.send(("read", case, _most_memory_mb()))
    except (BrokenPipeError, EOFError, KeyboardInterrupt):
        pass
    except BaseException:  # noqa: BLE001 - reported by the parent
        report.send(("failed", traceback.format_exc(), 0))


def _most_memory_mb() -> int:
    """Return the most memory that the process has used; 0 where that is not known."""
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> (20 if sys.platform == "darwin" else 10)
