"""Command lines that run as they are printed, in the shell of this system."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from glob import has_magic
from pathlib import Path

__all__ = ["command_line", "movie_name", "track_command"]

_WINDOWS = os.name == "nt"
_PLAIN = re.compile(r"[\w./\\:=+-]+", re.ASCII)


def track_command(movie: str, selection: str, model: str, scale: float | str, settings: Iterable[str]) -> str:
    """Return the command that tracks `movie` with settings such as `linker.search_radius_px=5`.

    `selection` has the options of the part that is read, as `Selection.options`. A movie whose name looks like an
    option is `./-name`.
    """
    given = os.path.join(".", movie) if movie.startswith("-") else movie  # a Path would drop the "."
    words = ["livetrack", "track", given, *selection.split(), "--model", model]
    if scale != 1:
        words += ["--scale", f"{scale:g}" if isinstance(scale, float) else str(scale)]
    for setting in settings:
        words += ["--set", setting]
    return command_line([*words, "-o", f"{movie_name(Path(movie))}-tracks.csv"])


def movie_name(movie: Path) -> str:
    """Return a name for files about a movie: that of its file without the suffix, or that of its folder.

    For a pattern it is what all names begin with.
    """
    whole = movie.resolve()
    if has_magic(whole.name) and not whole.exists():
        beginning = re.split(r"[*?\[]", whole.stem)[0].strip("_-. ")
        return beginning or ("movie" if has_magic(whole.parent.name) else movie_name(whole.parent))
    name = whole.name if whole.is_dir() else whole.stem.removesuffix(".ome")
    return name.lstrip(".-") or "movie"


def command_line(words: Sequence[str], windows: bool = _WINDOWS) -> str:
    """Return a line that a shell splits into these words.

    On Windows it suits both cmd and PowerShell, unless a word has `%`, `$` or a backtick, which they replace.
    """
    return " ".join(_quoted(word, windows) for word in words)


def _quoted(word: str, windows: bool) -> str:
    if not windows:
        return shlex.quote(word)
    return word if _PLAIN.fullmatch(word) else '"' + word.replace('"', '\\"') + '"'
