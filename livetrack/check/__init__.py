"""A first look at somebody's own movie: which model, which sizes, what stands in the way.

`check_movie` measures a few frames without any model, tries the shipped models on them, and gives a `CheckReport`;
`report_text` says it in a dozen lines.
"""

from livetrack.check.movie import check_movie
from livetrack.check.report import CheckReport, report_text

__all__ = ["CheckReport", "check_movie", "report_text"]
