"""Pixel size, geometry and frame rate of a recording, frame by frame, from `frames.arrow`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from livetrack.record.stream_reader import read_batches, stream_schema
from livetrack.record.streams import RECEIVED, TRAJECTORIES
from livetrack.table.images import Images

__all__ = ["Scales"]


class Scales:
    """Reads the table once; keeps one entry for each change of the geometry."""

    def __init__(self, folder: Path) -> None:
        self.first_frame = 0
        """Number of the first frame."""
        self.frames = 0
        """From the first to the last."""
        self.interval_s = 1.0
        """Mean time between frames."""
        self.width = self.height = 0
        """px, of the first frame."""
        changes: list[Any] = []  # first frame, geometry, µm per px
        first_s = last_s = 0.0
        for batch in read_batches(folder / "frames.arrow", RECEIVED):
            frame = np.asarray(batch.column("frame"))
            if not len(frame):
                continue
            t_s, geometry = (np.asarray(batch.column(name)) for name in ("t_s", "geometry"))
            um_per_px = batch.column("pixel_size_um").to_numpy(zero_copy_only=False).astype(np.float64)
            if not changes:
                self.first_frame, first_s = int(frame[0]), float(t_s[0])
                self.width, self.height = batch.column("width")[0].as_py(), batch.column("height")[0].as_py()
            last_s = float(t_s[-1])
            self.frames = int(frame[-1]) - self.first_frame + 1
            for at in np.flatnonzero(np.diff(geometry, prepend=geometry[:1] + 1)):
                if not changes or changes[-1][1] != geometry[at]:
                    changes.append((int(frame[at]), int(geometry[at]), float(um_per_px[at])))
        if self.frames > 1 and last_s > first_s:
            self.interval_s = (last_s - first_s) / (self.frames - 1)
        if not changes:
            changes.append((0, 0, _from_metadata(folder)))
        self._starts = np.array([start for start, _, _ in changes])
        self._geometries = np.array([geometry for _, geometry, _ in changes], np.uint32)
        self._um_per_px = np.array([size for _, _, size in changes])

    @property
    def um_per_px(self) -> float | None:
        """Pixel size of all frames; None if it is unknown, or if it changes."""
        sizes = np.unique(self._um_per_px)
        return float(sizes[0]) if len(sizes) == 1 and np.isfinite(sizes[0]) else None

    def images(self) -> Images:
        """Return what tables need of the recorded frames."""
        return Images(
            path=Path("frames_0000.tif"),
            width=self.width,
            height=self.height,
            pixel_size_um=self.um_per_px,
            interval_s=self.interval_s,
            first=self.first_frame,
            count=self.frames,
        )

    def of_frames(self, frames: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float64]]:
        """Return the geometry's number and the pixel size in µm, NaN if unknown, of each of the (N,) frames."""
        at = np.maximum(np.searchsorted(self._starts, frames, "right") - 1, 0)
        return self._geometries[at], self._um_per_px[at]


def _from_metadata(folder: Path) -> float:
    metadata = stream_schema(folder / "trajectories.arrow", TRAJECTORIES).metadata or {}
    try:
        return float(metadata[b"pixel_size_um"])
    except (KeyError, ValueError):
        return float("nan")
