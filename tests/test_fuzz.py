"""A few seconds of the fuzzing with fixed seeds; `python -m tests.fuzz all --seconds 600` goes on for longer."""

from __future__ import annotations

import os
import random
import time
from itertools import islice
from pathlib import Path

import pytest
from fuzz.child import FINDING, Case, cases
from fuzz.target import Input
from fuzz.targets import TARGETS
from fuzz.watch import Result, run

from livetrack.errors import InputError

CASES = {"tiff": 100, "images": 100, "formats": 150, "session": 20, "settings": 100, "models": 12}


@pytest.mark.parametrize("name", TARGETS)
def test_changed_files_are_read_or_refused_in_one_line(tmp_path: Path, name: str) -> None:
    found = list(islice(cases(TARGETS[name](), 1, tmp_path), CASES[name]))
    assert [case.outcome for case in found if case.outcome.startswith(FINDING)] == []
    assert len({case.outcome for case in found}) > 1  # some are read, others not, or with a word


class Failing:
    """A target whose only input fails as no reader should."""

    watched = ("test_fuzz.py",)

    def __init__(self, how: str) -> None:
        self.how = how
        self.changed = False

    def inputs(self, folder: Path) -> list[Input]:
        return [Input("input", b"1")]

    def change(self, one: Input, rng: random.Random) -> bytes:
        self.changed = True
        return b"2"

    def read(self, folder: Path, name: str) -> str:
        if self.changed and self.how == "raises":
            raise ZeroDivisionError
        if self.changed and self.how == "hangs":
            time.sleep(1000)
        if self.changed and self.how == "ends":
            os._exit(7)
        if self.changed and self.how == "two lines":
            raise InputError("one\ntwo")
        return "read"


@pytest.mark.parametrize(
    ("how", "kind"), [("raises", f"{FINDING} ZeroDivisionError"), ("two lines", f"{FINDING} two lines")]
)
def test_what_no_reader_may_raise_is_found(tmp_path: Path, how: str, kind: str) -> None:
    case = next(cases(Failing(how), 1, tmp_path))
    assert (case.name, case.data) == ("input", b"2")
    assert case.outcome.startswith(kind)


@pytest.mark.parametrize(
    ("how", "kind"), [("hangs", f"{FINDING} hang input"), ("ends", f"{FINDING} the process ended input")]
)
def test_a_process_that_hangs_or_ends_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, kind: str
) -> None:
    monkeypatch.setattr("fuzz.watch.LONGEST_S", 0.5)
    result = run(Failing(how), 1, 1.0, tmp_path)
    ((name, finding),) = result.findings.items()
    assert name == kind
    assert finding.path is not None
    assert finding.path.read_bytes() == b"2"


def test_memory_beyond_the_limit_is_found() -> None:
    result = Result()
    result.count(Case("input", b"", "read", 0, 0), 0.1, 2049)
    assert "FINDING memory input" in result.findings
