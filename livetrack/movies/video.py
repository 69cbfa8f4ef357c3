"""Reads videos with PyAV, converted to grey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from livetrack.errors import InputError
from livetrack.limits import IMAGE_BYTES
from livetrack.movies.movie import DamagedMovieError, Image, Movie, MovieFrame, to_grey
from livetrack.movies.selection import Selection

__all__ = ["open_video"]

_MAX_PX = IMAGE_BYTES // 6  # as colours of 16 bits


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
            image = _pixels(next(container.decode(stream)), channel, path)
            still = container.format.name.endswith("_pipe")  # FFmpeg reports 25 frames/s for still images
            length = 1 if still else stream.frames or None
            fps = float(stream.average_rate) if stream.average_rate and not still else None
    except StopIteration:
        raise InputError(f"{path}: contains no frames") from None
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as a video ({_reason(error)}); provide a complete video, a TIFF stack or a folder"
        ) from error

    def read(indices: Iterator[int]) -> Iterator[MovieFrame]:
        try:
            with av.open(str(path)) as container:
                video = container.streams.video[0]
                video.thread_type = "AUTO"
                last_s = 0.0
                due = next(indices, None)
                for number, frame in enumerate(container.decode(video)):
                    if due is None:
                        return
                    if frame.is_corrupt:  # the decoder makes up the missing parts
                        raise DamagedMovieError("a frame is damaged")
                    if number == due:
                        yield MovieFrame(number, _pixels(frame, channel, path), None)
                        due = next(indices, None)
                    last_s = frame.time or 0.0
                if last_s + 2 / (fps or 1) < _duration_s(container):
                    raise DamagedMovieError("the file ends early")
        except av.FFmpegError as error:
            raise DamagedMovieError(f"the next frame cannot be decoded ({_reason(error)})") from error

    height, width = image.shape
    return Movie(path, (height, width), image.dtype, length, fps, None, read)


def _duration_s(container: av.container.InputContainer) -> float:
    """Return the duration if the file states it but not the number of frames, else 0."""
    if container.streams.video[0].frames or len(container.streams) > 1:
        return 0.0
    return (container.duration or 0) / av.time_base


def _pixels(frame: av.VideoFrame, channel: int | None, path: Path) -> Image:
    over_8_bit = max(component.bits for component in frame.format.components) > 8
    grey = channel is None or len(frame.format.components) == 1
    pixel_format = ("gray16le" if over_8_bit else "gray") if grey else ("rgb48le" if over_8_bit else "rgb24")
    return to_grey(np.ascontiguousarray(frame.to_ndarray(format=pixel_format)), channel, path)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, av.FFmpegError) else str(error)
    return (text or type(error).__name__).splitlines()[0]
