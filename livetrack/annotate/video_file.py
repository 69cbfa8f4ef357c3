"""Writes videos that common players open: H.264 or MPEG-4, animated GIF and WebP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from livetrack.errors import LivetrackError, UsageError, reason
from livetrack.whole_file import replacing

__all__ = ["VIDEO_SUFFIXES", "VideoFile", "require_video_name"]


class _Format(NamedTuple):
    container: str
    codecs: tuple[str, ...]
    """The first that this installation of PyAV has is used."""
    pixels: str = "yuv420p"  # the only kind that PowerPoint and QuickTime open
    options: Mapping[str, str] = MappingProxyType({})
    """Of the container."""


_H264 = ("libx264", "libopenh264", "mpeg4")
_FORMATS = {
    ".mp4": _Format("mp4", _H264, options={"movflags": "+faststart"}),
    ".mov": _Format("mov", _H264, options={"movflags": "+faststart"}),
    ".mkv": _Format("matroska", _H264),
    ".avi": _Format("avi", ("mpeg4",)),
    ".gif": _Format("gif", ("gif",), "pal8"),
    ".webp": _Format("webp", ("libwebp_anim",)),
}
VIDEO_SUFFIXES = tuple(_FORMATS)
_CODEC_OPTIONS = {
    "libx264": {"crf": "20", "preset": "fast"},
    "mpeg4": {"qmin": "2", "qmax": "4"},
    "libwebp_anim": {"quality": "80"},
}
_MAX_NUMERATOR = 65535  # of the rate, in MPEG-4


def require_video_name(path: Path) -> None:
    """Raise `UsageError` unless a video of this name can be written."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        known = f"{', '.join(VIDEO_SUFFIXES[:-1])} or {VIDEO_SUFFIXES[-1]}"
        raise UsageError(f"{path}: unsupported video format {suffix or '(no suffix)'}; use {known}")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}; create it first")
    if path.is_dir():
        raise UsageError(f"{path}: this is a folder; name a file")
    if _codec(_FORMATS[suffix]) is None:
        raise UsageError(f"{path}: this installation of PyAV has no encoder for {suffix}; use .mp4 or .avi")


class VideoFile:
    """Writes frames of one size at a constant rate; the file gets its name at the end of the `with` block.

    Until then it has another suffix, so that no reader of folders takes it for a movie. If the block ends with an
    error, it is deleted, and an earlier file stays.

    Parameters
    ----------
    path
        File to write; its suffix, one of `VIDEO_SUFFIXES`, selects the format.
    size
        (width, height), both even.
    fps
        Frames per second.

    Raises
    ------
    UsageError
        The format is not supported, or the folder is missing.
    LivetrackError
        Writing fails, for example because the disk is full.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        require_video_name(path)
        self.path = path
        self._count = 0
        self._kind = _FORMATS[path.suffix.lower()]
        codec: Any = _codec(self._kind)
        rate = Fraction(fps).limit_denominator(max(1, min(1001, int(_MAX_NUMERATOR / fps))))
        with ExitStack() as stack, self._reported():
            unfinished = stack.enter_context(replacing(path))
            self._container: Any = stack.enter_context(
                av.open(str(unfinished), "w", format=self._kind.container, options=dict(self._kind.options))
            )
            stream: Any = self._container.add_stream(codec, rate=rate, options=_CODEC_OPTIONS.get(codec, {}))
            stream.width, stream.height = size
            stream.pix_fmt = self._kind.pixels
            stream.codec_context.thread_type = "AUTO"
            self._stream = stream
            self._stack = stack.pop_all()

    def write(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Append a frame, (H, W, 3) red, green and blue."""
        frame = _paletted(pixels) if self._kind.pixels == "pal8" else av.VideoFrame.from_ndarray(pixels, "rgb24")
        frame.pts = self._count
        self._count += 1
        with self._reported():
            self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with suppress(av.FFmpegError):  # of the end that was not written
                self._stack.__exit__(kind, error, trace)
            return
        with self._reported(), self._stack:
            self._container.mux(self._stream.encode(None))

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            text = reason(error) if isinstance(error, OSError) else str(error)
            raise LivetrackError(f"{self.path}: cannot be written: {text}") from error


def _codec(kind: _Format) -> str | None:
    """Return the first encoder of a format that is there."""
    return next((name for name in kind.codecs if _has_encoder(name)), None)


def _has_encoder(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except ValueError:  # PyAV's `UnknownCodecError`
        return False
    return True


def _paletted(pixels: npt.NDArray[np.uint8]) -> Any:
    """Return a frame with the 256 colours that suit it best."""
    image = Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
    colours = np.frombuffer(bytes(image.palette.palette if image.palette else b""), np.uint8).reshape(-1, 3)
    palette[: len(colours), 1:] = colours
    picture: Any = np.asarray(image), palette
    return av.VideoFrame.from_ndarray(picture, "pal8")
