"""Lines of a check's report: each has a subject and may be fine, a warning or a fault with what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

__all__ = ["Grade", "Line", "fault", "fine", "format_lines", "warn", "worst"]

_SUBJECT = 12  # characters
_GRADE = 9


class Grade(StrEnum):
    """How a line of a report is judged."""

    FINE = "fine"
    WARNING = "warning"
    FAULT = "fault"


class Line(Struct, frozen=True):
    """One line of a report."""

    subject: str
    text: str
    grade: Grade | None = None
    """None: a figure that is not judged."""
    advice: str = ""
    """What to do."""


def fine(subject: str, text: str) -> Line:
    """Return a line about what is as it should be."""
    return Line(subject, text, Grade.FINE)


def warn(subject: str, text: str, advice: str = "") -> Line:
    """Return a line about what may spoil an experiment."""
    return Line(subject, text, Grade.WARNING, advice)


def fault(subject: str, text: str, advice: str = "") -> Line:
    """Return a line about what prevents an experiment."""
    return Line(subject, text, Grade.FAULT, advice)


def worst(lines: Iterable[Line]) -> Grade:
    """Return the worst grade of `lines`."""
    grades = {line.grade for line in lines}
    return next((grade for grade in (Grade.FAULT, Grade.WARNING) if grade in grades), Grade.FINE)


def format_lines(lines: Sequence[Line], width: int | None = None) -> list[str]:
    """Return the lines as text in columns: the grade, if any line has one, the subject, the text, the advice.

    Long texts continue below their beginning, to lines of at most `width` characters.
    """
    graded = any(line.grade is not None for line in lines)
    return [text for line in lines for text in _format(line, graded, width)]


def _format(line: Line, graded: bool, width: int | None) -> list[str]:
    grade = f"{line.grade or '':{_GRADE}}" if graded else ""
    start = f"{grade}{line.subject:{_SUBJECT}}"
    text = f"{line.text}: {line.advice}" if line.advice else line.text
    if width is None or width < 2 * len(start):
        return [start + text]
    return textwrap.wrap(
        start + text, width, subsequent_indent=" " * len(start), break_on_hyphens=False, break_long_words=False
    )
