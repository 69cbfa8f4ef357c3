"""Reads videos with PyAV, converted to grey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import av
import numpy as np

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.cine import read_cine
from livetrack.movies.colours import colour_notes
from livetrack.movies.movie import DamagedMovieError, Image, LostFrame, Movie, MovieFrame, to_grey
from livetrack.movies.selection import Selection
from livetrack.movies.timing import Timing, judge_times
from livetrack.movies.video_index import VideoIndex, read_index

__all__ = ["open_video"]

_MAX_PX = IMAGE_BYTES // 6  # as colours of 16 bits
_NEAR = 16  # frames further on, up to which decoding all between takes less time than seeking
_ENDS_EARLY = "the file ends early"
_ROUNDING = 0.005  # of a rate, by times that are rounded
_INDEXED_BYTES = 1 << 28  # larger files are indexed only when their times are needed


def open_video(path: Path, selection: Selection) -> Movie:
    """Open the first video stream in `path`.

    Frames are uint8, or uint16 for more than 8 bits; the pixel size is unknown. A still image is a video of one frame
    without a rate.

    Raises
    ------
    InputError
        PyAV cannot read the file, or it contains no video.
    """
    selection.refuse(path, "a video", ("position", "z", "axes"))
    channel = selection.channel
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: contains no video")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise InputError(f"{path}: its video is of a kind that cannot be decoded")
            if stream.width * stream.height > _MAX_PX:
                size = f"{stream.width}x{stream.height}"
                raise InputError(f"{path}: claims frames of {size} px; at most {_MAX_PX:,} px are read")
            first = next(container.decode(stream))
            image, first_stamp = _pixels(first, channel, path), first.pts
            is_grey = len(first.format.components) == 1
            colours = [] if is_grey or channel is not None else colour_notes([first.to_ndarray(format="rgb24")])
            still = container.format.name.endswith("_pipe")  # FFmpeg reports 25 frames/s for still images
            length = 1 if still else stream.frames or None
            stated = float(stream.average_rate) if stream.average_rate and not still else None
    except StopIteration:
        raise InputError(f"{path}: contains no frames") from None
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as a video ({_reason(error)}); provide a complete video, a TIFF stack or a folder"
        ) from error

    @cache
    def index() -> VideoIndex | None:
        with suppress(av.FFmpegError):
            found = None if still else read_index(path)
            return found if found is not None and found.frame_at(first_stamp) is not None else None
        return None

    @cache
    def timing() -> Timing:
        if (cine := read_cine(path)) is not None:
            return judge_times(cine.times_s, cine.interval_s)
        found = index()
        return judge_times(None if found is None else found.times_s.tolist())

    def read(indices: Iterator[int]) -> Iterator[MovieFrame | LostFrame]:
        try:
            with av.open(str(path)) as container:
                yield from _frames(container, indices, index(), channel, path)
                if not lacking and _is_short(container, index(), fps):
                    raise DamagedMovieError(_ENDS_EARLY)
        except av.FFmpegError as error:
            raise DamagedMovieError(f"the next frame cannot be decoded ({_reason(error)})") from error

    fps, notes, lacking = stated, list[str](), ""
    if path.stat().st_size <= _INDEXED_BYTES:
        fps, notes = _rate(stated, timing().fps), timing().notes
        if (found := index()) is not None:
            with av.open(str(path)) as container:
                lacking = _ENDS_EARLY if _is_short(container, found, fps) else ""
                empty = _empty_frames(container, found, fps)
            if empty:
                notes = [*notes, f"{empty} of {length} frames are empty, as where some were dropped, and are left out"]
            length = len(found.stamps) if length is None or empty else length - found.trimmed
            if found.trimmed:
                notes = [*notes, f"{found.trimmed} frames that were trimmed off, but are in the file, are left out"]
    notes = [*notes, *colours]
    height, width = image.shape
    return Movie(
        path,
        (height, width),
        image.dtype,
        length,
        fps,
        None,
        read,
        times=lambda: timing().times,
        lacking=lacking,
        notes=notes,
    )


def _frames(
    container: av.container.InputContainer,
    indices: Iterator[int],
    index: VideoIndex | None,
    channel: int | None,
    path: Path,
) -> Iterator[MovieFrame | LostFrame]:
    """Yield the frames at these indices; go to them directly if there is an index."""
    video = container.streams.video[0]
    video.thread_type = "AUTO"
    decoded = _numbered(container, index)
    number, frame = next(decoded, (None, None))
    for due in indices:
        if index is not None and number is not None and due > number + _NEAR:
            for seek in index.seeks_for(due, number):
                container.seek(seek, stream=video, backward=True)
                decoded = _numbered(container, index)
                number, frame = next(decoded, (None, None))
                if number is not None and number <= due:
                    break
        while number is not None and number < due:
            number, frame = next(decoded, (None, None))
        if number is None or frame is None:
            return
        if number > due:
            yield LostFrame(due, f"frame {due} cannot be decoded")
            continue
        if frame.is_corrupt:  # the decoder makes up the missing parts
            raise DamagedMovieError("a frame is damaged")
        yield MovieFrame(due, _pixels(frame, channel, path), None)


def _numbered(container: av.container.InputContainer, index: VideoIndex | None) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield the decoded frames with their numbers: of the index, or counted without one."""
    for place, frame in enumerate(container.decode(container.streams.video[0])):
        number = place if index is None else index.frame_at(frame.pts)
        if number is not None:
            yield number, frame


def _rate(stated: float | None, measured: float | None) -> float | None:
    """Return the stated rate where the times, which are rounded, agree with it."""
    if stated is None or measured is None:
        return stated or measured
    return stated if abs(stated - measured) <= _ROUNDING * stated else measured


def _is_short(container: av.container.InputContainer, index: VideoIndex | None, fps: float | None) -> bool:
    """Whether the file states a longer duration, but not the number of frames, than it has."""
    if container.streams.video[0].frames or len(container.streams) > 1 or index is None:
        return False
    last_s = max(index.times_s[-1], index.stamps[-1] * index.unit_s)  # durations may count from 0, not the first frame
    return bool(last_s + 2 / (fps or 1) < (container.duration or 0) / av.time_base)


def _empty_frames(container: av.container.InputContainer, index: VideoIndex, fps: float | None) -> int:
    """Return how many frames an AVI file counts that it stores nothing of, though it goes on to its stated end."""
    stream = container.streams.video[0]
    if container.format.name != "avi" or not stream.time_base:
        return 0
    reaches_the_end = index.times_s[-1] + 2 / (fps or 1) >= stream.frames * stream.time_base
    return stream.frames - len(index.stamps) - index.trimmed if reaches_the_end else 0


def _pixels(frame: av.VideoFrame, channel: int | None, path: Path) -> Image:
    over_8_bit = max(component.bits for component in frame.format.components) > 8
    grey = channel is None or len(frame.format.components) == 1
    pixel_format = ("gray16le" if over_8_bit else "gray") if grey else ("rgb48le" if over_8_bit else "rgb24")
    return to_grey(np.ascontiguousarray(frame.to_ndarray(format=pixel_format)), channel, path)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, av.FFmpegError) else str(error)
    return (text or type(error).__name__).splitlines()[0]
