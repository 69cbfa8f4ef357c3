"""Records sessions to disk, off the tracking loop, and reads them.

Each recording is a folder:

    2025-01-31_14-05-09/
        session.json        settings, start and, once closed, end and counts
        frames_0000.tif ... BigTIFF, one page per frame, with its number, times and geometry as JSON
        frames.arrow        one row per received frame, including dropped ones
        tracked.arrow       one row per tracked frame, including those without particles
        trajectories.arrow  one row per particle and tracked frame

The Arrow files are streams and the TIFFs grow page by page. Each batch and each page has a CRC-32 checksum: what a kill
or a power cut has torn, or anything has altered, is left out by `read_session` and listed by `Session.damage`.
`read_session` reads recordings, complete or truncated:

    session = read_session("2025-01-31_14-05-09")
    tracks = session.trajectories()  # a pyarrow Table; `.to_pandas()` makes it a DataFrame
    for frame in session.frames():
        frame.pixels  # (H, W); also frame.index, frame.t_s, frame.geometry
"""

from livetrack.record.damage import Damage
from livetrack.record.recorder import Recorder
from livetrack.record.session import Session, read_session

__all__ = ["Damage", "Recorder", "Session", "read_session"]
