"""Watches the process that reads changed inputs: ends it when an input takes too long or too much memory."""

from __future__ import annotations

import hashlib
import multiprocessing
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from . import child
from .child import FINDING, Case
from .target import Target

__all__ = ["LONGEST_S", "MOST_MB", "Finding", "Result", "run"]

LONGEST_S = 10.0
MOST_MB = 2048
_START_S = 240.0  # the first time, code is compiled


@dataclass
class Finding:
    """An input that is not read as it should be."""

    what: str
    path: Path | None
    """The input, if it is kept."""


@dataclass
class Result:
    """What came of a run."""

    keep: Path | None = None
    """Folder for the inputs that are findings."""
    begun_s: float | None = None
    """When the first input was read, on the monotonic clock."""
    cases: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    memory_mb: int = 0
    lines: int = 0
    kept: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)
    """By their kind, one of each."""

    def goes_on(self, seconds: float) -> bool:
        """Whether inputs have been read for less than these seconds."""
        return self.begun_s is None or time.monotonic() - self.begun_s < seconds

    def add(self, what: str, name: str, data: bytes) -> None:
        """Add a finding, if none of its kind is there."""
        ours = [line for line in what.splitlines() if "livetrack/" in line and "File" in line]
        kind = what.partition("\n")[0] + " " + " ".join(ours[-1:] or [name])
        if kind in self.findings:
            return
        path = None
        if self.keep is not None:
            path = self.keep / f"{hashlib.sha256(data).hexdigest()[:12]}-{Path(name).name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.findings[kind] = Finding(what, path)

    def count(self, case: Case, seconds: float, memory_mb: int) -> None:
        """Count a case, and add it to the findings if it is one."""
        self.cases += 1
        self.counts[case.outcome.partition("\n")[0]] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        self.memory_mb = max(self.memory_mb, memory_mb)
        self.lines, self.kept = max(self.lines, case.lines), max(self.kept, case.kept)
        if case.outcome.startswith(FINDING):
            self.add(case.outcome, case.name, case.data)
        if memory_mb > MOST_MB:
            self.add(f"{FINDING} memory\n{memory_mb} MB", case.name, case.data)


def run(target: Target, seed: int, seconds: float, keep: Path | None = None) -> Result:
    """Read changed inputs for some seconds, in processes of their own. Findings are written to the folder `keep`."""
    result = Result(keep)
    processes = multiprocessing.get_context("spawn")
    while result.goes_on(seconds):
        ours, theirs = processes.Pipe(duplex=False)
        with tempfile.TemporaryDirectory() as folder, ours:
            process = processes.Process(target=child.main, args=(target, seed, folder, theirs), daemon=True)
            process.start()
            theirs.close()
            try:
                _watch(ours, result, seconds)
            except _EndedError as error:
                process.join(10)
                result.add(f"{FINDING} the process ended\nexit code {process.exitcode}", *error.args)
            finally:
                process.kill()
                process.join()
        seed += 1_000_003  # the next process goes on elsewhere
    return result


class _EndedError(Exception):
    """The process ended while it read the input in the arguments."""


def _watch(messages: Connection, result: Result, seconds: float) -> None:
    """Count what a process reports until the time is over, or an input takes too long or too much memory."""
    name, data = "", b""
    begun = time.monotonic()
    reading = False
    while result.goes_on(seconds):
        if not messages.poll(0.5):
            if reading and time.monotonic() - begun > LONGEST_S:
                result.add(f"{FINDING} hang\n{name}: more than {LONGEST_S:g} s", name, data)
                break
            assert reading or time.monotonic() - begun < _START_S, "the process does not begin to read"
            continue
        try:
            kind, *rest = messages.recv()
        except EOFError:
            raise _EndedError(name, data) from None
        assert kind != "failed", rest[0]
        reading = kind == "reading"
        if reading:
            name, data = rest
            begun = time.monotonic()
            if result.begun_s is None:
                result.begun_s = begun
        else:
            case, memory_mb = rest
            result.count(case, time.monotonic() - begun, memory_mb)
            if memory_mb > MOST_MB:
                break
