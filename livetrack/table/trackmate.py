"""Tracks in the XML format of TrackMate, the tracking plugin of Fiji (versions 3 and later load it)."""

from __future__ import annotations

import os
from itertools import pairwise, repeat
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from livetrack.errors import LivetrackError
from livetrack.particles import NO_ID
from livetrack.table.images import Images

__all__ = ["MAX_SPOTS", "TrackMateWriter"]

MAX_SPOTS = 2_000_000
"""More would be gigabytes of XML, which TrackMate reads as a whole into memory."""

_VERSION = "7.11.1"  # of TrackMate, whose format this is
_RADIUS_PX = 3.0  # of the circles that TrackMate draws: recordings have no sizes
_DIGITS = 10  # of the number of spots, which is written last

_SPOT_FEATURES = (
    ("QUALITY", "Quality", "Quality", "QUALITY", False),
    ("POSITION_X", "X", "X", "POSITION", False),
    ("POSITION_Y", "Y", "Y", "POSITION", False),
    ("POSITION_Z", "Z", "Z", "POSITION", False),
    ("POSITION_T", "T", "T", "TIME", False),
    ("FRAME", "Frame", "Frame", "NONE", True),
    ("RADIUS", "Radius", "R", "LENGTH", False),
    ("VISIBILITY", "Visibility", "Visibility", "NONE", True),
    ("INTENSITY", "Intensity over background", "Intensity", "INTENSITY", False),
    ("X_STD", "Uncertainty of X", "X std", "LENGTH", False),
    ("Y_STD", "Uncertainty of Y", "Y std", "LENGTH", False),
    ("FLAGS", "Flags of livetrack", "Flags", "NONE", True),
)
_EDGE_FEATURES = (
    ("SPOT_SOURCE_ID", "Source spot ID", "Source ID", "NONE", True),
    ("SPOT_TARGET_ID", "Target spot ID", "Target ID", "NONE", True),
    ("LINK_COST", "Link cost", "Cost", "COST", False),
    ("EDGE_TIME", "Edge time", "Time", "TIME", False),
)
_TRACK_FEATURES = (
    ("TRACK_ID", "Track ID", "ID", "NONE", True),
    ("TRACK_INDEX", "Track index", "Index", "NONE", True),
    ("NUMBER_SPOTS", "Number of spots in track", "N spots", "NONE", True),
    ("TRACK_START", "Track start", "Track start", "TIME", False),
    ("TRACK_STOP", "Track stop", "Track stop", "TIME", False),
    ("TRACK_DURATION", "Track duration", "Duration", "TIME", False),
)


class TrackMateWriter:
    """Writes batches of rows with the columns of `livetrack.table.COLUMNS`, and perhaps `flags`, in order of time.

    The tracks follow at the end. Positions are in µm if the pixel size is known, otherwise in px; times in s if the
    interval between frames is known, otherwise in frames. Frames are counted from `images.first`, as the images in the
    file are. All methods raise OSError.
    """

    def __init__(self, path: Path, images: Images) -> None:
        self._images = images
        self._scale = images.pixel_size_um or 1.0
        self._file = path.open("w+", encoding="utf-8", newline="\n")
        self._spots = self._count = 0
        self._frame: int | None = None  # of the spots written last
        self._links: list[Any] = []  # track, frame, time of each spot

    def __enter__(self) -> TrackMateWriter:
        write = self._file.write
        write(f'<?xml version="1.0" encoding="UTF-8"?>\n<TrackMate version="{_VERSION}">\n')
        write("  <Log>Tracks of livetrack.</Log>\n")
        space = "pixel" if self._images.pixel_size_um is None else "micron"
        time = "frame" if self._images.interval_s is None else "sec"
        write(f'  <Model spatialunits="{space}" timeunits="{time}">\n    <FeatureDeclarations>\n')
        for name, features in (("Spot", _SPOT_FEATURES), ("Edge", _EDGE_FEATURES), ("Track", _TRACK_FEATURES)):
            write(f"      <{name}Features>\n")
            for feature, title, short, dimension, whole in features:
                write(
                    f'        <Feature feature="{feature}" name="{title}" shortname="{short}" dimension="{dimension}" '
                    f'isint="{str(whole).lower()}" />\n'
                )
            write(f"      </{name}Features>\n")
        write('    </FeatureDeclarations>\n    <AllSpots nspots="')
        self._count_at = self._file.tell()
        write(f'{0:0{_DIGITS}d}">\n')
        return self

    def write_batch(self, batch: Any) -> None:
        """Write the spots of a batch. Raises `LivetrackError` beyond `MAX_SPOTS`, before anything is written."""
        if self._spots + batch.num_rows > MAX_SPOTS:
            raise LivetrackError(f"TrackMate cannot load more than {MAX_SPOTS} spots")
        columns = {name: batch.column(name).to_numpy(zero_copy_only=False) for name in batch.schema.names}
        frames = columns["frame"] - self._images.first
        times = self._times(frames, columns["t_s"])
        self._links.append((columns["particle"], times))
        self._count = max(self._count, int(frames.max(initial=-1)) + 1)
        spots = zip(
            frames.tolist(),
            columns["score"].tolist(),
            (columns["x"] * self._scale).tolist(),
            (columns["y"] * self._scale).tolist(),
            times.tolist(),
            columns["intensity"].tolist(),
            (columns["x_std"] * self._scale).tolist(),
            (columns["y_std"] * self._scale).tolist(),
            columns["flags"].tolist() if "flags" in columns else repeat(0),
            strict=False,
        )
        radius = _RADIUS_PX * self._scale
        for frame, score, x, y, time, intensity, x_std, y_std, flags in spots:
            if frame != self._frame:
                self._begin_frame(frame)
            spot = (
                f'        <Spot ID="{self._spots}" name="ID{self._spots}" QUALITY="{score:.6g}" POSITION_X="{x:.8g}" '
                f'POSITION_Y="{y:.8g}" POSITION_Z="0.0" POSITION_T="{time:.9f}" FRAME="{frame}" '
                f'RADIUS="{radius:.6g}" VISIBILITY="1" INTENSITY="{intensity:.8g}" X_STD="{x_std:.6g}" '
                f'Y_STD="{y_std:.6g}" FLAGS="{flags}" />\n'
            )
            self._file.write(spot.replace('"nan"', '"NaN"'))  # as Java reads it
            self._spots += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None or issubclass(kind, LivetrackError):  # complete as far as it goes
                self._end_frame()
                self._file.write("    </AllSpots>\n")
                self._write_tracks()
                self._file.write("  </Model>\n")
                self._write_settings()
                self._file.write('  <GUIState state="ConfigureViews" />\n</TrackMate>\n')
                self._file.seek(self._count_at)
                self._file.write(f"{self._spots:0{_DIGITS}d}")

    def _begin_frame(self, frame: int) -> None:
        self._end_frame()
        self._file.write(f'      <SpotsInFrame frame="{frame}">\n')
        self._frame = frame

    def _end_frame(self) -> None:
        if self._frame is not None:
            self._file.write("      </SpotsInFrame>\n")

    def _write_tracks(self) -> None:
        """Write each track with two spots or more, as links between successive spots."""
        particles = np.concatenate([np.empty(0, np.int64), *(particles for particles, _ in self._links)])
        times = np.concatenate([np.empty(0), *(times for _, times in self._links)])
        order = np.argsort(particles, kind="stable")
        particles, times = particles[order], times[order]
        edges = np.append(np.flatnonzero(np.diff(particles, prepend=NO_ID - 1)), len(particles))
        ids = []
        self._file.write("    <AllTracks>\n")
        for index, (start, stop) in enumerate(pairwise(edges.tolist())):
            if stop - start < 2:
                continue
            track, first, last = int(particles[start]), times[start], times[stop - 1]
            ids.append(track)
            self._file.write(
                f'      <Track name="Track_{track}" TRACK_ID="{track}" TRACK_INDEX="{index}" '
                f'NUMBER_SPOTS="{stop - start}" TRACK_START="{first:.9g}" TRACK_STOP="{last:.9g}" '
                f'TRACK_DURATION="{last - first:.9g}">\n'
            )
            for at in range(start, stop - 1):
                self._file.write(
                    f'        <Edge SPOT_SOURCE_ID="{order[at]}" SPOT_TARGET_ID="{order[at + 1]}" LINK_COST="0.0" '
                    f'EDGE_TIME="{(times[at] + times[at + 1]) / 2:.9g}" />\n'
                )
            self._file.write("      </Track>\n")
        self._file.write("    </AllTracks>\n    <FilteredTracks>\n")
        for track in ids:
            self._file.write(f'      <TrackID TRACK_ID="{track}" />\n')
        self._file.write("    </FilteredTracks>\n")

    def _times(self, frames: Any, t_s: Any) -> Any:
        """Return the (N,) times of frames; those that are unknown follow from the usual interval."""
        interval_s = self._images.interval_s
        return frames * 1.0 if interval_s is None else np.where(np.isnan(t_s), frames * interval_s, t_s)

    def _write_settings(self) -> None:
        images, path = self._images, self._images.path
        folder = f"{path.parent}{os.sep}" if path is not None and path.is_absolute() else ""
        count, width, height = (max(number, 1) for number in (images.count, images.width, images.height))
        count = max(count, self._count)
        self._file.write(
            f"  <Settings>\n    <ImageData filename={quoteattr('' if path is None else path.name)} "
            f'folder={quoteattr(folder)} width="{width}" height="{height}" nslices="1" nframes="{count}" '
            f'pixelwidth="{self._scale:.8g}" pixelheight="{self._scale:.8g}" voxeldepth="1.0" '
            f'timeinterval="{images.interval_s or 1.0:.9g}" />\n'
            f'    <BasicSettings xstart="0" xend="{width - 1}" ystart="0" yend="{height - 1}" zstart="0" zend="0" '
            f'tstart="0" tend="{count - 1}" />\n'
            f'    <DetectorSettings DETECTOR_NAME="MANUAL_DETECTOR" RADIUS="{_RADIUS_PX * self._scale:.6g}" />\n'
            '    <InitialSpotFilter feature="QUALITY" value="0.0" isabove="true" />\n'
            "    <SpotFilterCollection />\n"
            '    <TrackerSettings TRACKER_NAME="MANUAL_TRACKER" />\n'
            "    <TrackFilterCollection />\n"
            "    <AnalyzerCollection>\n      <SpotAnalyzers />\n      <EdgeAnalyzers />\n      <TrackAnalyzers />\n"
            "    </AnalyzerCollection>\n  </Settings>\n"
        )
