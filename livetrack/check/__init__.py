"""Checks a movie before tracking: which model suits it, which search radius, and what could cause problems.

`check_movie` measures a few frames without a model, tries the shipped models, and returns a `CheckReport`;
`report_text` formats it in a dozen lines.
"""

from livetrack.check.movie import check_movie
from livetrack.check.report import CheckReport, report_text

__all__ = ["CheckReport", "check_movie", "report_text"]
