"""MkDocs hook: writes the real help text of each command into the page `cli.md` while the site is built."""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stdout, suppress
from typing import Any

__all__ = ["on_page_markdown"]

_MARK = re.compile(r"^<!-- help:(.*?)-->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each line `<!-- help: COMMAND -->` by what `livetrack COMMAND --help` prints."""
    return _MARK.sub(lambda mark: f"```text\n{_help(mark[1].split())}```", markdown)


def _help(command: list[str]) -> str:
    from livetrack.cli import main

    os.environ["COLUMNS"] = "100"
    output = io.StringIO()
    with redirect_stdout(output), suppress(SystemExit):  # argparse ends the program after the help
        main([*command, "--help"])
    return output.getvalue()
