"""Reads movies of many formats frame by frame, with times, frame rate and pixel size if they contain them.

For example:

    movie = open_movie("beads.tif")
    for frame in movie.frames():
        frame.number, frame.t_s, frame.pixels
    if movie.problem:
        print(movie.problem)  # some frames are missing; the others were read
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from livetrack.movies.fill import filled
from livetrack.movies.movie import Movie, MovieFrame
from livetrack.movies.narrow import narrow
from livetrack.movies.readers import open_whole
from livetrack.movies.selection import EVERYTHING, FrameRange, Projection, Region, Selection

__all__ = ["EVERYTHING", "FrameRange", "Movie", "MovieFrame", "Region", "Selection", "open_movie", "open_selected"]


def open_movie(
    path: str | PathLike[str],
    channel: int | None = None,
    *,
    position: int | None = None,
    z: int | Projection | None = None,
    axes: str = "",
    frames: tuple[int, int | None, int] | None = None,
    region: tuple[int, int, int, int] | None = None,
) -> Movie:
    """Open a movie: a file of any format that livetrack reads, or a folder of images or of such a format.

    Parameters
    ----------
    path
        File, folder, or pattern of the names of images or stacks, such as `folder/img_*.tif`.
    channel
        Channel to read, from 0. None reads the only one, or converts colours to grey; required for a stack with
        several separate channels.
    position
        Field of view to read, from 0; required if there are several.
    z
        Plane of a depth stack to read, from 0, or "max" or "mean" of all; required if there are several.
    axes
        What the axes of the images are, in the order of the file, where it names them otherwise: a letter each, of T
        (frames), Z, C (channels) and P (positions).
    frames
        Start, stop and step of the frames to read, by their numbers; None reads all.
    region
        x, y, width and height of the rectangle to read, px; None reads whole images.

    Raises
    ------
    InputError
        The file is missing, is not a movie, does not contain what is selected, or contains several movies of which
        none was selected.
    """
    selection = Selection(
        channel,
        position,
        z,
        axes,
        None if frames is None else FrameRange(*frames),
        None if region is None else Region(*region),
    )
    return open_selected(path, selection)


def open_selected(path: str | PathLike[str], selection: Selection = EVERYTHING) -> Movie:
    """Open a movie as `open_movie` does."""
    return narrow(filled(open_whole(Path(path).expanduser(), selection)), selection)
