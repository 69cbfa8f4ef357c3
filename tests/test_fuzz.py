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

CASES = {"tiff": 150, "images": 150, "session": 40, "settings": 150, "models": 25}


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
    ("how", "kind"),
    [
        ("raises", "FINDING ZeroDivisionError"),
        ("hangs", "FINDING hang"),
        ("ends", "FINDING the process ended"),
        ("two lines", "FINDING two lines"),
    ],
)
def test_what_must_not_happen_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, kind: str) -> None:
    monkeypatch.setattr("fuzz.watch.LONGEST_S", 1.0)
    result = run(Failing(how), 1, 2.0, tmp_path)
    assert len(result.findings) == 1
    (name, finding), *_ = result.findings.items()
    assert name.startswith(kind)
    assert finding.path is not None
    assert finding.path.read_bytes() == b"2"


def test_memory_beyond_the_limit_is_found() -> None:
    result = Result()
    result.count(Case("input", b"", "read", 0, 0), 0.1, 2049)
    assert "FINDING memory input" in result.findings
