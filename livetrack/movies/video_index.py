"""Index of a video: when each frame is shown, and from where it can be decoded, read without decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

__all__ = ["VideoIndex", "read_index"]

Stamps = npt.NDArray[np.int64]

_NO_TIME = np.iinfo(np.int64).min
_MAX_REORDERED = 64  # places between decoding and showing a frame; more, where recordings were joined, is no order
_COMPOSED = ("gif", "apng", "webp")  # each frame is drawn over the one before, whatever the packets say


class VideoIndex(NamedTuple):
    """Frames of a video in the order in which they are shown."""

    stamps: Stamps
    """(frames,) times, in units of `unit_s`, strictly increasing."""
    unit_s: float
    keys: Stamps
    """(keys, 2) times of the frames that are decoded without any other, and where to seek for them."""
    trimmed: int
    """Frames that are stored but not shown, because the video was trimmed."""

    @property
    def times_s(self) -> npt.NDArray[np.float64]:
        """(frames,) s since the first."""
        return np.asarray(self.stamps - self.stamps[0]) * np.float64(self.unit_s)

    def frame_at(self, stamp: int | None) -> int | None:
        """Return the number of the frame that is shown at a time; None if there is none."""
        if stamp is None:
            return None
        frame = int(np.searchsorted(self.stamps, stamp))
        return frame if frame < len(self.stamps) and self.stamps[frame] == stamp else None

    def seeks_for(self, frame: int, current: int) -> list[int]:
        """Return where to seek for a frame: for the last key before it, or if that leads too far, for the first.

        Empty if decoding on from frame `current` leads there as well.
        """
        if frame >= len(self.stamps):
            return []
        place = int(np.searchsorted(self.keys[:, 0], self.stamps[frame], side="right")) - 1
        if place < 0 or self.keys[place, 0] <= self.stamps[current]:
            return []
        return [int(self.keys[place, 1]), int(self.keys[0, 1])]


def read_index(path: Path) -> VideoIndex | None:
    """Return the index of the first video stream; None if the times of its frames are missing, or not all different.

    It takes about as long as copying the file; of videos whose frames are all coded alone and listed in the file, such
    as uncompressed AVI, only the list is read.

    Raises
    ------
    av.FFmpegError
        The file cannot be read.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.time_base is None:
            return None
        packets = _listed(stream) or list(_packets(container, stream))
        table = np.array([packet for packet in packets if packet is not None], np.int64)
        if not len(table):
            return None
        order = np.argsort(table[:, 0], kind="stable")
        if np.abs(order - np.arange(len(order))).max() > _MAX_REORDERED or _NO_TIME in table[:, 0]:
            return None
        table = table[order]
        if not (np.diff(table[:, 0]) > 0).all():
            return None
        is_key = table[:, 2] == 1
        if container.format.name in _COMPOSED:
            is_key[1:] = False
        return VideoIndex(table[:, 0], float(stream.time_base), table[is_key, :2], len(packets) - len(table))


def _listed(stream: Any) -> Sequence[tuple[int, int, int] | None]:
    """Return the frames in the list that a container has, if it is complete and they are coded alone; else nothing."""
    entries = getattr(stream, "index_entries", ())  # PyAV 14 and later
    if stream.codec_context is None or stream.codec_context.has_b_frames or len(entries) != stream.frames:
        return []
    listed = [(entry.timestamp, entry.timestamp, int(entry.is_keyframe)) for entry in entries]
    return listed if all(entry[2] for entry in listed) else []


def _packets(container: Any, stream: Any) -> Iterator[tuple[int, int, int] | None]:
    """Yield when each frame is shown, where to seek for it, and whether it is a key; None for one that was trimmed."""
    is_vp8 = stream.codec_context is not None and stream.codec_context.name == "vp8"
    try:
        for packet in container.demux(stream):
            if not packet.size or (is_vp8 and not bytes(packet)[0] & 0x10):  # is not shown
                continue
            if getattr(packet, "is_discard", False):  # PyAV 12.1 and later
                yield None
                continue
            shown = _NO_TIME if packet.pts is None else packet.pts
            yield shown, shown if packet.dts is None else packet.dts, int(packet.is_keyframe)
    except av.FFmpegError:
        return  # what follows is damaged; reading the frames reports it
